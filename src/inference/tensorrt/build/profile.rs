//! The shapes an engine is built for.

use std::collections::BTreeMap;

use crate::inference::artefact::Range;

/// Shapes of one profile, by input.
pub(super) type Shapes = BTreeMap<String, Range>;

/// One profile for these inputs (name, shape, -1: open): an open batch goes from 1 to `most`, tuned for `most`.
///
/// # Errors
/// Where another dimension is open, with what to do.
pub(super) fn of(inputs: &[(String, Vec<i64>)], most: usize) -> Result<Shapes, String> {
    let most = i64::try_from(most).unwrap_or(i64::MAX).max(1);
    let mut shapes = Shapes::new();
    for (name, shape) in inputs {
        if let Some(at) = shape.iter().skip(1).position(|extent| *extent < 0) {
            let shown: Vec<String> =
                shape.iter().map(|extent| if *extent < 0 { "?".to_owned() } else { extent.to_string() }).collect();
            return Err(format!(
                "input {name:?} is [{}]: dimension {} is open, and only the batch (the first) may be; export the model \
                 with a fixed height and width (Ultralytics: without dynamic=True, or for a ReID model with dynamic axes \
                 for the batch alone)",
                shown.join(","),
                at + 1
            ));
        }
        let with = |batch: i64| {
            let extents = shape.iter().enumerate();
            extents.map(|(at, extent)| if at == 0 && *extent < 0 { batch } else { *extent }).collect::<Vec<_>>()
        };
        shapes.insert(name.clone(), Range { min: with(1), opt: with(most), max: with(most) });
    }
    Ok(shapes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(shape: &[i64]) -> Vec<(String, Vec<i64>)> {
        vec![("images".to_owned(), shape.to_vec())]
    }

    #[test]
    fn an_open_batch_gets_a_range_and_a_fixed_one_none() {
        let shapes = of(&inputs(&[-1, 3, 128, 64]), 8).expect("an open batch");
        let range = &shapes["images"];
        assert_eq!(
            (&range.min[..], &range.opt[..], &range.max[..]),
            (&[1, 3, 128, 64][..], &[8, 3, 128, 64][..], &[8, 3, 128, 64][..])
        );
        let shapes = of(&inputs(&[1, 3, 320, 320]), 8).expect("all fixed");
        assert_eq!(shapes["images"].max, [1, 3, 320, 320]);
    }

    #[test]
    fn open_height_and_width_are_refused_with_what_to_do() {
        let error = of(&inputs(&[1, 3, -1, -1]), 1).expect_err("open");
        assert!(error.contains("\"images\" is [1,3,?,?]") && error.contains("fixed height and width"), "{error}");
    }
}
