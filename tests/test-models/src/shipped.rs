//! The model that is part of the source tree, as `engines/blob.onnx`.

/// Side of its input, in pixels.
pub const SIZE: u32 = 320;
/// Its labels, as `engines/blob.txt`.
pub const LABELS: &str = "ball\n";
/// What it is.
pub const DESCRIPTION: &str = "blob.onnx: a detector with the output layout of YOLOv8 for bright blobs on a dark \
    ground, up to 48 pixels wide in its 320x320 input. It was written by hand, learnt from nothing, and is free to use.";

/// The content of the file.
#[must_use]
pub fn onnx() -> Vec<u8> {
    crate::blob_detector(SIZE, SIZE, 16)
}
