//! Splits units of a clip into RTP payloads: RFC 6184 (H.264), RFC 7798 (H.265) and RFC 2435 (JPEG).

use crate::clip::Codec;
use crate::jpeg::Parts;

const MAX_PAYLOAD: usize = 1400;
const H264_FU_A: u8 = 28;
const H265_FU: u8 = 49;

/// The payloads of one NAL unit or image, in order. An image that RFC 2435 cannot carry gives none.
pub(crate) fn payloads(codec: Codec, unit: &[u8]) -> Vec<Vec<u8>> {
    match codec {
        Codec::Jpeg => jpeg(unit).unwrap_or_default(),
        _ if unit.len() <= MAX_PAYLOAD => vec![unit.to_vec()],
        Codec::H264 => {
            let head = unit[0];
            fragments(&unit[1..], |start, end| vec![head & 0xe0 | H264_FU_A, ends(start, end) | head & 0x1f])
        }
        Codec::H265 => {
            let (first, second) = (unit[0], unit[1]);
            fragments(&unit[2..], |start, end| {
                vec![first & 0x81 | H265_FU << 1, second, ends(start, end) | first >> 1 & 0x3f]
            })
        }
    }
}

fn ends(start: bool, end: bool) -> u8 {
    u8::from(start) << 7 | u8::from(end) << 6
}

fn fragments(body: &[u8], head: impl Fn(bool, bool) -> Vec<u8>) -> Vec<Vec<u8>> {
    let count = body.len().div_ceil(MAX_PAYLOAD);
    let fragment = |(i, piece)| [head(i == 0, i + 1 == count).as_slice(), piece].concat();
    body.chunks(MAX_PAYLOAD).enumerate().map(fragment).collect()
}

/// Q is 255, so every image brings its own quantisation tables in its first packet.
fn jpeg(image: &[u8]) -> Option<Vec<Vec<u8>>> {
    let parts = Parts::of(image)?;
    let mut offset = 0u32;
    let packet = |piece: &[u8]| {
        let mut payload = offset.to_be_bytes().to_vec();
        payload.extend([parts.kind, 255, parts.blocks[0], parts.blocks[1]]);
        if let Some(interval) = parts.restart_interval {
            payload.extend(interval.to_be_bytes());
            payload.extend([0xff; 2]);
        }
        if offset == 0 {
            payload.extend([0, 0]);
            payload.extend((parts.tables.len() as u16).to_be_bytes());
            payload.extend_from_slice(&parts.tables);
        }
        payload.extend_from_slice(piece);
        offset += piece.len() as u32;
        payload
    };
    Some(parts.scan.chunks(MAX_PAYLOAD - 160).map(packet).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_units_travel_whole() {
        assert_eq!(payloads(Codec::H264, &[0x65, 1, 2]), [[0x65, 1, 2]]);
    }

    #[test]
    fn large_units_are_fragmented() {
        let body: Vec<u8> = (0..3000u32).map(|i| i as u8).collect();
        for (codec, head, flags) in
            [(Codec::H264, vec![0x65], [0x85, 0x05, 0x45]), (Codec::H265, vec![19 << 1, 1], [0x80 | 19, 19, 0x40 | 19])]
        {
            let unit = [head.as_slice(), &body].concat();
            let packets = payloads(codec, &unit);
            let skip = head.len() + 1;
            assert_eq!(packets.iter().map(|packet| packet[skip - 1]).collect::<Vec<_>>(), flags);
            assert_eq!(packets.iter().flat_map(|packet| &packet[skip..]).copied().collect::<Vec<_>>(), body);
        }
    }
}
