//! The decoders that are simulated.

/// One of them.
#[derive(Debug)]
pub(crate) struct Codec {
    /// Name of the element.
    pub(crate) element: &'static str,
    /// For people.
    pub(crate) name: &'static str,
    /// Caps of its sink pad: what the real one takes, as far as the software decoder does.
    pub(crate) takes: &'static str,
    /// Formats it gives, in system memory.
    pub(crate) gives: &'static str,
    /// The software decoder, set up as one camera of many needs it.
    pub(crate) software: &'static str,
    /// Debian package of the software decoder.
    pub(crate) package: &'static str,
}

/// H.264, 8 bit 4:2:0.
pub(crate) const H264: Codec = Codec {
    element: "nvh264dec",
    name: "H.264",
    takes: "video/x-h264, stream-format = { avc, byte-stream }, alignment = au, profile = { \
            constrained-baseline, baseline, main, high, constrained-high, progressive-high }",
    gives: "NV12",
    software: "avdec_h264 max-threads=1 discard-corrupted-frames=true",
    package: "gstreamer1.0-libav",
};

/// H.265, 8 and 10 bit 4:2:0.
pub(crate) const H265: Codec = Codec {
    element: "nvh265dec",
    name: "H.265",
    takes: "video/x-h265, stream-format = { hvc1, hev1, byte-stream }, alignment = au, profile = { main, main-10 }",
    gives: "{ NV12, P010_10LE }",
    software: "avdec_h265 max-threads=1 discard-corrupted-frames=true",
    package: "gstreamer1.0-libav",
};

/// JPEG pictures.
pub(crate) const JPEG: Codec = Codec {
    element: "nvjpegdec",
    name: "JPEG",
    takes: "image/jpeg",
    gives: "NV12",
    software: "jpegdec idct-method=islow",
    package: "gstreamer1.0-plugins-good",
};
