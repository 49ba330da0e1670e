//! What must hold on every device, fake or real.

pub mod candidates;
pub mod crop;
pub mod frame;
pub mod letterbox;
pub mod masks;
pub mod memory;
pub mod picture;
pub mod tensor;
pub mod upload;
