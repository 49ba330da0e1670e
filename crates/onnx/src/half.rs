use crate::{Error, Model};
/// Report.
#[derive(Debug)]
pub struct HalfReport {
    /// n
    pub converted: usize,
}
/// Half.
pub fn to_half(_: &Model) -> Result<(Model, HalfReport), Error> {
    Err(Error::refused("FP16 models are not made yet"))
}
