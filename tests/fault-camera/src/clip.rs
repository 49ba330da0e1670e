//! Recorded media: a clip is a list of access units with their NAL units, or a list of JPEG images.

use crate::jpeg;

/// The codec of a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// H.264, sent by RFC 6184.
    H264,
    /// H.265, sent by RFC 7798.
    H265,
    /// Motion JPEG, sent by RFC 2435.
    Jpeg,
}

impl Codec {
    /// The codec that a file name's extension stands for.
    #[must_use]
    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension {
            "h264" | "264" => Some(Self::H264),
            "h265" | "265" | "hevc" => Some(Self::H265),
            "mjpeg" | "mjpg" => Some(Self::Jpeg),
            _ => None,
        }
    }

    /// What a NAL unit of this codec is. JPEG has none.
    fn kind(self, nal: &[u8]) -> Nal {
        let first_slice = |at: usize| nal.get(at).is_some_and(|byte| byte & 0x80 != 0);
        match (self, nal[0] & 0x1f, nal[0] >> 1 & 0x3f) {
            (Self::H264, kind @ (1 | 5), _) => Nal::Picture { key: kind == 5, first: first_slice(1) },
            (Self::H264, 7 | 8, _) | (Self::H265, _, 32..=34) => Nal::ParameterSet,
            (Self::H264, 9, _) | (Self::H265, _, 35) => Nal::Delimiter,
            (Self::H264, 6, _) | (Self::H265, _, 39) => Nal::Prefix,
            (Self::H265, _, kind @ 0..=31) => Nal::Picture { key: (16..=21).contains(&kind), first: first_slice(2) },
            _ => Nal::Other,
        }
    }
}

enum Nal {
    Picture { key: bool, first: bool },
    ParameterSet,
    Delimiter,
    Prefix,
    Other,
}

/// What is shown at one moment: all NAL units with the same timestamp, or one JPEG image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessUnit {
    /// NAL units without start codes and without delimiters; for JPEG a single image.
    pub units: Vec<Vec<u8>>,
    /// A decoder can start here.
    pub key: bool,
}

/// Something a camera can play.
#[derive(Clone, Debug)]
pub struct Clip {
    /// The path in the URL that plays it.
    pub name: String,
    /// The codec.
    pub codec: Codec,
    /// Frames per second.
    pub fps: f64,
    /// What is played, in order.
    pub access_units: Vec<AccessUnit>,
}

impl Clip {
    /// A clip from an H.264 or H.265 byte stream (Annex B), or from JPEG images one after another.
    ///
    /// # Panics
    /// If no picture is found: a clip is part of a test, and this one would test nothing.
    #[must_use]
    pub fn from_annexb(name: &str, codec: Codec, fps: f64, bytes: &[u8]) -> Self {
        let access_units = match codec {
            Codec::Jpeg => jpeg::images(bytes)
                .map(|image| AccessUnit { units: vec![image.to_vec()], key: true })
                .collect::<Vec<_>>(),
            _ => access_units(codec, nal_units(bytes)),
        };
        assert!(!access_units.is_empty(), "clip {name}: no picture in {} bytes", bytes.len());
        Self { name: name.to_owned(), codec, fps, access_units }
    }

    /// A clip from JPEG images.
    ///
    /// # Panics
    /// If there are none.
    #[must_use]
    pub fn from_jpegs(name: &str, fps: f64, images: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let access_units: Vec<_> =
            images.into_iter().map(|image| AccessUnit { units: vec![image], key: true }).collect();
        assert!(!access_units.is_empty(), "clip {name}: no images");
        Self { name: name.to_owned(), codec: Codec::Jpeg, fps, access_units }
    }

    /// The same clip under another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// The parameter sets in front of the first picture: SPS and PPS, with a VPS before them in H.265.
    #[must_use]
    pub fn parameter_sets(&self) -> Vec<&[u8]> {
        let units = self.access_units.first().map(|unit| unit.units.as_slice()).unwrap_or_default();
        units.iter().map(Vec::as_slice).filter(|unit| self.is_parameter_set(unit)).collect()
    }

    pub(crate) fn is_parameter_set(&self, unit: &[u8]) -> bool {
        self.codec != Codec::Jpeg && matches!(self.codec.kind(unit), Nal::ParameterSet)
    }
}

/// NAL units of a byte stream, without start codes.
fn nal_units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts: Vec<usize> =
        (3..=bytes.len()).filter(|&at| bytes[at - 3..at] == [0, 0, 1]).chain([bytes.len() + 3]).collect();
    (1..starts.len()).filter_map(move |i| {
        let unit = &bytes[starts[i - 1]..starts[i] - 3];
        let end = unit.iter().rposition(|&byte| byte != 0)?;
        Some(&unit[..=end])
    })
}

/// Groups NAL units by picture. An access unit begins with a delimiter, or, where the encoder writes none, with
/// whatever first follows the previous picture's slices.
fn access_units<'a>(codec: Codec, units: impl Iterator<Item = &'a [u8]>) -> Vec<AccessUnit> {
    let mut list: Vec<AccessUnit> = Vec::new();
    let mut pictured = true;
    for unit in units {
        let kind = codec.kind(unit);
        let begins = match kind {
            Nal::Picture { first, .. } => pictured && first,
            Nal::Delimiter => true,
            Nal::ParameterSet | Nal::Prefix => pictured,
            Nal::Other => false,
        };
        if begins {
            list.push(AccessUnit::default());
            pictured = false;
        }
        let Some(last) = list.last_mut() else { continue };
        if let Nal::Picture { key, .. } = kind {
            pictured = true;
            last.key |= key;
        }
        if !matches!(kind, Nal::Delimiter) {
            last.units.push(unit.to_vec());
        }
    }
    list.retain(|unit| unit.units.iter().any(|nal| matches!(codec.kind(nal), Nal::Picture { .. })));
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect()
    }

    #[test]
    fn h264_with_and_without_delimiters() {
        const SPS: &[u8] = &[0x67, 1, 2, 3];
        const PPS: &[u8] = &[0x68, 4];
        const IDR: &[u8] = &[0x65, 0x88, 5];
        const SECOND_SLICE: &[u8] = &[0x65, 0x40, 6];
        const DELTA: &[u8] = &[0x41, 0x9a, 7];
        const AUD: &[u8] = &[0x09, 0x10];
        for bytes in [
            stream(&[AUD, SPS, PPS, IDR, SECOND_SLICE, AUD, DELTA, AUD, DELTA]),
            stream(&[SPS, PPS, IDR, SECOND_SLICE, DELTA, DELTA]),
        ] {
            let clip = Clip::from_annexb("a", Codec::H264, 15.0, &bytes);
            assert_eq!(clip.access_units.iter().map(|unit| unit.units.len()).collect::<Vec<_>>(), [4, 1, 1]);
            assert_eq!(clip.access_units.iter().map(|unit| unit.key).collect::<Vec<_>>(), [true, false, false]);
            assert_eq!(clip.parameter_sets(), [SPS, PPS]);
        }
    }

    #[test]
    fn h265_key_frame_with_parameter_sets() {
        let units: [&[u8]; 5] = [&[64, 1, 9], &[66, 1, 9], &[68, 1, 9], &[40, 1, 0x80], &[2, 1, 0x80]];
        let clip = Clip::from_annexb("a", Codec::H265, 15.0, &stream(&units));
        assert_eq!(clip.access_units.len(), 2);
        assert!(clip.access_units[0].key && !clip.access_units[1].key);
        assert_eq!(clip.parameter_sets(), units[..3]);
    }

    #[test]
    #[should_panic(expected = "no picture")]
    fn a_clip_without_pictures_is_refused() {
        let _ = Clip::from_annexb("a", Codec::H264, 15.0, b"not a video");
    }
}
