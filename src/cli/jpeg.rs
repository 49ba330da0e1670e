//! How a JPEG file stores its colours, from its header.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Headers are shorter, even with a preview inside.
const MAX_HEADER: u64 = 1 << 20;

/// Is it a JPEG file with as many samples of chroma as of luma (4:4:4)? Not where it cannot be read: whoever decodes it
/// says so.
pub(super) fn has_full_chroma(path: &Path) -> bool {
    // A pipe would be waited for.
    if !path.is_file() {
        return false;
    }
    let mut header = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_HEADER).read_to_end(&mut header));
    read.is_ok()
        && sampling(&header).is_some_and(|factors| factors.len() == 3 && factors.iter().all(|f| *f == factors[0]))
}

/// Sampling factors of each component, horizontal and vertical in one byte. ITU-T T.81, B.2.2.
fn sampling(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    loop {
        let &[0xff, marker, high, low, ..] = rest else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let segment = rest.get(4..2 + length)?;
        // A frame's header; C4, C8 and CC are something else.
        if (0xc0..=0xcf).contains(&marker) && ![0xc4, 0xc8, 0xcc].contains(&marker) {
            let count = usize::from(*segment.get(5)?);
            return (0..count).map(|n| segment.get(7 + 3 * n).copied()).collect();
        }
        rest = rest.get(2 + length..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::sampling;

    /// A header with these sampling factors, behind a segment of something else.
    fn header(factors: [u8; 3]) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc0, 0, 17, 8, 0, 16, 0, 16, 3];
        for (id, factor) in (1..).zip(factors) {
            bytes.extend([id, factor, 0]);
        }
        bytes
    }

    #[test]
    fn sampling_is_read_from_the_frame_header_and_nowhere_else() {
        for factors in [[0x11; 3], [0x22, 0x11, 0x11], [0x12, 0x11, 0x11]] {
            assert_eq!(sampling(&header(factors)), Some(factors.to_vec()));
        }
        let whole = header([0x11; 3]);
        assert!((0..whole.len()).all(|length| sampling(&whole[..length]).is_none()));
        assert_eq!(sampling(b"RIFF"), None);
    }
}
