//! The size of a picture, from its first bytes.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::error::ReadError;

/// Width and height of a JPEG or PNG file in pixels, as stored: an orientation tag is not looked at.
///
/// # Errors
/// A file that cannot be read, or is neither.
pub fn image_size(path: &Path) -> Result<(u32, u32), ReadError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::UnexpectedEof => ReadError::whole(path, "ends before its size; it is cut off or no picture"),
        _ => ReadError::Io { path: path.to_owned(), source },
    };
    let file = BufReader::new(File::open(path).map_err(failed)?);
    let size = size(file).map_err(failed)?;
    size.filter(|(w, h)| *w > 0 && *h > 0).ok_or_else(|| ReadError::whole(path, "neither a JPEG nor a PNG picture"))
}

fn size(mut file: impl Read) -> io::Result<Option<(u32, u32)>> {
    match bytes(&mut file)? {
        [0xff, 0xd8] => jpeg(file),
        [0x89, b'P'] => {
            // Rest of the signature, and length and name of the first chunk, IHDR.
            let head: [u8; 14] = bytes(&mut file)?;
            let (width, height) = (bytes(&mut file)?, bytes(&mut file)?);
            Ok((&head[10..] == b"IHDR").then(|| (u32::from_be_bytes(width), u32::from_be_bytes(height))))
        }
        _ => Ok(None),
    }
}

/// Walks the segments up to the frame header (ITU-T T.81, B.2.2).
fn jpeg(mut file: impl Read) -> io::Result<Option<(u32, u32)>> {
    loop {
        let [first] = bytes(&mut file)?;
        if first != 0xff {
            return Ok(None);
        }
        let mut marker = 0xff;
        while marker == 0xff {
            [marker] = bytes(&mut file)?;
        }
        if matches!(marker, 0x01 | 0xd0..=0xd7) {
            continue;
        }
        let length = u64::from(u16::from_be_bytes(bytes(&mut file)?));
        match marker {
            // Start of frame, which shares its range with Huffman tables, extensions and arithmetic conditioning.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let [_precision, h1, h0, w1, w0] = bytes(&mut file)?;
                return Ok(Some((u16::from_be_bytes([w1, w0]).into(), u16::from_be_bytes([h1, h0]).into())));
            }
            // Picture data, or the end, before any frame header.
            0xd9 | 0xda => return Ok(None),
            _ if length < 2 => return Ok(None),
            _ => io::copy(&mut (&mut file).take(length - 2), &mut io::sink())?,
        };
    }
}

fn bytes<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_rubbish_is_not() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\x68\x08\x02";
        assert_eq!(size(&png[..]).unwrap(), Some((640, 360)));
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc4\0\x03x\xff\xc2\0\x11\x08\x01\x68\x02\x80\x03";
        assert_eq!(size(&jpeg[..]).unwrap(), Some((640, 360)));
        assert_eq!(size(&b"GIF89a"[..]).unwrap(), None);
        assert_eq!(size(&b"\xff\xd8\xff\xda\0\x08"[..]).unwrap(), None);
        assert_eq!(size(&b"\xff\xd8\xff\xe0\0\x00ab"[..]).unwrap(), None);
        assert!(size(&jpeg[..20]).is_err() && size(&b""[..]).is_err());
    }
}
