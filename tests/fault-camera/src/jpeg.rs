//! Just enough JPEG for RFC 2435: where an image ends, its tables and its compressed data.

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOF0: u8 = 0xc0;
const DQT: u8 = 0xdb;
const DRI: u8 = 0xdd;
const SOS: u8 = 0xda;

/// The images in a row of concatenated images. Stops at the first byte that is not one.
pub(crate) fn images(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let image = bytes.get(..image_len(bytes)?)?;
        bytes = &bytes[image.len()..];
        Some(image)
    })
}

fn image_len(bytes: &[u8]) -> Option<usize> {
    let scan = segments(bytes)?.find(|(marker, _, _)| *marker == SOS)?.2;
    let end = bytes[scan..].windows(2).position(|pair| pair == [0xff, EOI])?;
    Some(scan + end + 2)
}

/// Marker segments up to the scan: the marker, its body and where the next one starts.
fn segments(bytes: &[u8]) -> Option<impl Iterator<Item = (u8, &[u8], usize)>> {
    let mut at = 2;
    let mut done = !bytes.starts_with(&[0xff, SOI]);
    (!done).then(|| {
        std::iter::from_fn(move || {
            let head = bytes.get(at..at + 4).filter(|head| !done && head[0] == 0xff)?;
            let next = at + 2 + usize::from(u16::from_be_bytes([head[2], head[3]]));
            let body = bytes.get(at + 4..next)?;
            (at, done) = (next, head[1] == SOS);
            Some((head[1], body, next))
        })
    })
}

/// What RFC 2435 sends of an image. The Huffman tables are not sent: they must be the standard ones.
pub(crate) struct Parts<'a> {
    /// 0 for 4:2:2, 1 for 4:2:0; 64 more with restart markers.
    pub(crate) kind: u8,
    /// Width and height in blocks of 8 pixels.
    pub(crate) blocks: [u8; 2],
    pub(crate) restart_interval: Option<u16>,
    /// Luma table and chroma table, 64 bytes each.
    pub(crate) tables: Vec<u8>,
    pub(crate) scan: &'a [u8],
}

impl<'a> Parts<'a> {
    /// None if this is not a baseline 4:2:0 or 4:2:2 image of at most 2040 pixels each way.
    pub(crate) fn of(image: &'a [u8]) -> Option<Self> {
        let mut tables = [[0u8; 64]; 2];
        let (mut kind, mut blocks, mut restart_interval, mut scan) = (None, [0; 2], None, None);
        for (marker, body, next) in segments(image)? {
            match marker {
                DQT => {
                    for table in body.chunks_exact(65) {
                        tables.get_mut(usize::from(table[0]))?.copy_from_slice(&table[1..]);
                    }
                }
                DRI => restart_interval = Some(u16::from_be_bytes(body.try_into().ok()?)).filter(|&n| n != 0),
                SOF0 => {
                    let size = |at: usize| Some(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
                    let eighths = |pixels: u16| u8::try_from(pixels.div_ceil(8)).ok();
                    blocks = [eighths(size(3)?)?, eighths(size(1)?)?];
                    kind = match *body.get(7)? {
                        0x21 => Some(0),
                        0x22 => Some(1),
                        _ => None,
                    };
                }
                SOS => scan = image.get(next..image.len().checked_sub(2)?),
                _ => {}
            }
        }
        let kind = kind? + if restart_interval.is_some() { 64 } else { 0 };
        Some(Self { kind, blocks, restart_interval, tables: tables.concat(), scan: scan? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(scan: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0xff, SOI, 0xff, DQT, 0, 67, 0];
        bytes.extend(1..=64);
        bytes.extend([0xff, SOF0, 0, 17, 8, 0, 240, 1, 64, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]);
        bytes.extend([0xff, SOS, 0, 4, 0, 0]);
        bytes.extend_from_slice(scan);
        bytes.extend([0xff, EOI]);
        bytes
    }

    #[test]
    fn parts_of_an_image() {
        let image = image(&[1, 2, 0xff, 0, 3]);
        let parts = Parts::of(&image).expect("a baseline image");
        assert_eq!((parts.kind, parts.blocks, parts.scan), (1, [40, 30], &[1u8, 2, 0xff, 0, 3][..]));
        assert_eq!((parts.tables.len(), parts.tables[63], parts.tables[64]), (128, 64, 0));
    }

    #[test]
    fn concatenated_images_are_told_apart_and_garbage_ends_them() {
        let (first, second) = (image(&[1, 2]), image(&[3]));
        let bytes = [first.as_slice(), &second, b"garbage"].concat();
        assert_eq!(images(&bytes).collect::<Vec<_>>(), [first, second]);
    }

    #[test]
    fn truncation_anywhere_is_no_image() {
        let image = image(&[1, 2, 3]);
        for len in 0..image.len() {
            assert_eq!(images(&image[..len]).count(), 0, "{len}");
            let _ = Parts::of(&image[..len]);
        }
    }
}
