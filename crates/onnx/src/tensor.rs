//! The numbers in a "TensorProto".

use ::half::f16;

use crate::proto::TensorProto;
use crate::{Error, element};

impl TensorProto {
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    pub(crate) fn element(&self) -> i32 {
        self.data_type.unwrap_or(0)
    }

    /// How many elements its dimensions make; `None` where they make no number.
    pub(crate) fn elements(&self) -> Option<u64> {
        self.dims.iter().try_fold(1_u64, |product, dim| product.checked_mul(u64::try_from(*dim).ok()?))
    }

    /// Its numbers, of a tensor of `f32`.
    pub(crate) fn floats(&self) -> Result<Vec<f32>, Error> {
        let wrong = |what: String| Err(Error::refused(format!("weights {:?}: {what}", self.name())));
        if self.element() != element::FLOAT {
            return wrong(format!("they are {}, and f32 is needed", element::word(self.element())));
        }
        let values = match &self.raw_data {
            Some(raw) if raw.len() % 4 != 0 => return wrong(format!("{} bytes are no numbers of f32", raw.len())),
            Some(raw) => raw.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            None => self.float_data.0.clone(),
        };
        if self.elements() != Some(values.len() as u64) {
            return wrong(format!("{} numbers do not fill dimensions {:?}", values.len(), self.dims));
        }
        Ok(values)
    }

    pub(crate) fn of_floats(name: &str, dims: Vec<i64>, values: &[f32]) -> Self {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::raw(name, element::FLOAT, dims, raw)
    }

    pub(crate) fn of_halves(name: &str, dims: Vec<i64>, values: &[f16]) -> Self {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::raw(name, element::FLOAT16, dims, raw)
    }

    pub(crate) fn of_bytes(name: &str, dims: Vec<i64>, values: &[i8]) -> Self {
        let raw = values.iter().map(|value| value.cast_unsigned()).collect();
        Self::raw(name, element::INT8, dims, raw)
    }

    pub(crate) fn of_longs(name: &str, dims: Vec<i64>, values: &[i64]) -> Self {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::raw(name, element::INT64, dims, raw)
    }

    fn raw(name: &str, element: i32, dims: Vec<i64>, raw: Vec<u8>) -> Self {
        Self { dims, data_type: Some(element), name: Some(name.to_owned()), raw_data: Some(raw), ..Self::default() }
    }
}
