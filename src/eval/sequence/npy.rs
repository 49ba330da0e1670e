//! Embeddings from a NumPy file: rows of 16- or 32-bit floats. Source: NEP 1, "A simple file format for NumPy arrays".

use std::path::Path;

use super::{Detections, MAX_DIM};
use crate::eval::truth::ReadError;

/// Longest header that is read, bytes: NumPy writes 118 of a matrix.
const MAX_HEADER: usize = 4096;
const MAGIC: &[u8] = b"\x93NUMPY";

/// A matrix in memory, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Numbers in a row.
    pub dim: usize,
    /// All rows, one after the other.
    pub values: Vec<f32>,
}

impl Matrix {
    /// Reads a file's bytes.
    ///
    /// # Errors
    /// What about it is not a C-ordered little-endian matrix of `f2` or `f4`.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let (header, data) = split(bytes).ok_or("not a NumPy file (.npy), or cut off in its header")?;
        let value = |key: &str| {
            let rest = header.split_once(&format!("'{key}':"))?.1.trim_start();
            Some(rest)
        };
        let descr = value("descr").and_then(|rest| rest.strip_prefix('\'')?.split('\'').next()).unwrap_or_default();
        let size = match descr {
            "<f2" => 2,
            "<f4" => 4,
            _ => return Err(format!("numbers are of type {descr:?}; \"<f2\" and \"<f4\" are read")),
        };
        if !value("fortran_order").is_some_and(|rest| rest.starts_with("False")) {
            return Err("it is in Fortran's order; save it with numpy.ascontiguousarray".to_owned());
        }
        let shape = value("shape").and_then(|rest| rest.strip_prefix('(')?.split(')').next()).unwrap_or_default();
        let sides: Vec<Option<usize>> =
            shape.split(',').map(str::trim).filter(|side| !side.is_empty()).map(|side| side.parse().ok()).collect();
        let [Some(rows), Some(dim)] = sides[..] else {
            return Err(format!("its shape is ({shape}); (detections, length) is needed"));
        };
        if dim == 0 || dim > MAX_DIM {
            return Err(format!("rows of {dim} numbers; 1 to {MAX_DIM} are possible"));
        }
        // What is claimed is believed once the bytes are there.
        let need = rows.checked_mul(dim).and_then(|count| count.checked_mul(size));
        if need != Some(data.len()) {
            return Err(format!("{rows} x {dim} numbers of {size} bytes are claimed, {} bytes are there", data.len()));
        }
        let values = if size == 2 {
            data.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()
        } else {
            data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
        };
        Ok(Self { dim, values })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len() / self.dim
    }
}

/// Header and data.
fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (&major, rest) = rest.split_first()?;
    let (_minor, rest) = rest.split_first()?;
    let (length, rest) = match major {
        1 => rest.split_at_checked(2).map(|(n, rest)| (usize::from(u16::from_le_bytes([n[0], n[1]])), rest))?,
        2 | 3 => rest
            .split_at_checked(4)
            .and_then(|(n, rest)| Some((usize::try_from(u32::from_le_bytes([n[0], n[1], n[2], n[3]])).ok()?, rest)))?,
        _ => return None,
    };
    let (header, data) = rest.split_at_checked(Some(length).filter(|length| *length <= MAX_HEADER)?)?;
    Some((std::str::from_utf8(header).ok()?, data))
}

/// Gives each row of detections its embedding.
pub(super) fn attach(path: &Path, detections: &Path, found: &mut Detections) -> Result<(), ReadError> {
    let failed = |source| ReadError::Io { path: path.to_owned(), source };
    let most = (found.count * MAX_DIM * 4 + 2 * MAX_HEADER) as u64;
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > most {
        let message = format!("{bytes} bytes are too many for {} detections in {}", found.count, detections.display());
        return Err(ReadError::whole(path, message));
    }
    let matrix =
        Matrix::parse(&std::fs::read(path).map_err(failed)?).map_err(|message| ReadError::whole(path, message))?;
    if matrix.rows() != found.count {
        let message = format!(
            "{} rows, and {} has {} detections: row n belongs to its line n",
            matrix.rows(),
            detections.display(),
            found.count
        );
        return Err(ReadError::whole(path, message));
    }
    found.frames.values_mut().for_each(|frame| frame.appearance.clear());
    for (frame, row) in found.rows.iter().zip(matrix.values.chunks_exact(matrix.dim)) {
        if let Some(frame) = found.frames.get_mut(frame) {
            frame.appearance.push(row);
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), data].concat()
    }

    #[test]
    fn both_types_are_read() {
        let header = |descr: &str| format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (2, 2), }}   \n");
        let numbers = [1.0_f32, -2.5, 0.0, 65504.0];
        let wide: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        let narrow: Vec<u8> = numbers.iter().flat_map(|n| half::f16::from_f32(*n).to_le_bytes()).collect();
        for (descr, data) in [("<f4", wide), ("<f2", narrow)] {
            let matrix = Matrix::parse(&file(&header(descr), &data)).unwrap();
            assert_eq!((matrix.rows(), matrix.dim, &matrix.values[..]), (2, 2, &numbers[..]));
        }
    }

    #[test]
    fn what_is_claimed_is_not_believed() {
        let header = |descr: &str, order: &str, shape: &str| {
            file(&format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n"), &[0; 8])
        };
        for (bytes, message) in [
            (b"PK".to_vec(), "not a NumPy file"),
            (MAGIC.to_vec(), "not a NumPy file"),
            ([MAGIC, &[2, 0, 255, 255, 255, 255]].concat(), "not a NumPy file"),
            (header(">f4", "False", "(1, 2)"), "numbers are of type \">f4\""),
            (header("|O", "False", "(1, 2)"), "numbers are of type \"|O\""),
            (header("<f4", "True", "(1, 2)"), "it is in Fortran's order"),
            (header("<f4", "False", "(2,)"), "its shape is (2,); (detections, length)"),
            (header("<f4", "False", "(1, 1, 2)"), "its shape is (1, 1, 2)"),
            (header("<f4", "False", "(1, 0)"), "rows of 0 numbers"),
            (header("<f4", "False", "(4611686018427387904, 4)"), "4611686018427387904 x 4 numbers of 4 bytes are"),
            (header("<f4", "False", "(1, 3)"), "1 x 3 numbers of 4 bytes are claimed, 8 bytes are there"),
        ] {
            let error = Matrix::parse(&bytes).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
        let whole = header("<f4", "False", "(1, 2)");
        assert!(Matrix::parse(&whole).is_ok());
        assert!((0..whole.len()).all(|length| Matrix::parse(&whole[..length]).is_err()));
    }
}
