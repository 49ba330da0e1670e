#![allow(clippy::unwrap_used)]

use super::*;

type Case = (&'static str, fn(u32, u32) -> bool, &'static [u32], &'static str);

/// Masks over a frame of 9 x 7 (width x height), counts and counts as pycocotools packs them.
/// Source: `scripts/reference_vision.py rle`.
const CASES: [Case; 6] = [
    ("none", |_, _| false, &[63], "o1"),
    ("all", |_, _| true, &[0, 63], "0o1"),
    ("first pixel", |x, y| x == 0 && y == 0, &[0, 1, 62], "01n1"),
    ("last pixel", |x, y| x == 8 && y == 6, &[62, 1], "n11"),
    (
        "slanted",
        |x, y| (2..7).contains(&x) && y >= 1 && x + 2 * y < 12,
        &[15, 4, 3, 4, 3, 3, 4, 3, 4, 2, 18],
        "?4300O100O>",
    ),
    ("comb", |x, y| x % 2 == 1 && y > 3, &[11, 3, 11, 3, 11, 3, 11, 3, 7], ";3;00000L"),
];

/// A disc over a frame of 640 x 360, as above.
const DISC: &str = "[jV2?g:4K6L2M4L4M2N2N2N2N2N2N2N2N2N2O0O2N2O0O2N2O0O2N2O0O2O0O2O0O2O0O2O000O2O0O2O000O2O0O2O000O2O000\
    O2O00000O2O00000O2O00000O2O0000000O2O00000000000O2O0000000000000O2O000000000000000000000000000000000\
    0000000000000000000000000000000000000000001N100000000000001N1000000000001N100000001N1000001N1000001N\
    1000001N10001N10001N101N10001N101N10001N101N101N101N101N2N101N2N101N2N101N2N2N2N2N2N2N2N2N2N3L4L3N4J\
    5LoVd2";

fn mask(x: u32, y: u32, width: u32, height: u32, pixel: impl Fn(u32, u32) -> bool) -> Masks {
    let mut masks = Masks::default();
    let pixels = masks.push(x, y, width, height);
    for (at, to) in (0..).zip(pixels) {
        *to = u8::from(pixel(x + at % width, y + at / width));
    }
    masks
}

#[test]
fn run_lengths_are_those_of_pycocotools() {
    for (name, pixel, counts, text) in CASES {
        let masks = mask(0, 0, 9, 7, pixel);
        let rle = masks.get(0).unwrap().rle(9, 7);
        assert_eq!((rle.size(), rle.counts()), ([7, 9], counts), "{name}");
        assert_eq!(rle.to_compressed(), text, "{name}");
        assert_eq!(Rle::from_compressed([7, 9], text), Ok(rle.clone()), "{name}");
        assert_eq!(rle.area(), masks.get(0).unwrap().area(), "{name}");
    }
    let disc = |x: u32, y: u32| (x as i32 - 300).pow(2) + 4 * (y as i32 - 170).pow(2) < 10_000;
    let masks = mask(190, 110, 300, 130, disc);
    let rle = masks.get(0).unwrap().rle(640, 360);
    assert_eq!((rle.area(), rle.to_compressed().as_str()), (15_681, DISC));
    assert_eq!(Rle::from_compressed([360, 640], DISC), Ok(rle));
}

#[test]
fn a_part_of_the_frame_gives_the_same_runs_as_the_whole() {
    let (_, slanted, counts, _) = CASES[4];
    for (x, y, width, height) in [(2, 1, 5, 4), (2, 0, 7, 7), (0, 1, 7, 6), (2, 1, 40, 50)] {
        let masks = mask(x, y, width, height, slanted);
        assert_eq!(masks.get(0).unwrap().rle(9, 7).counts(), counts, "{x} {y} {width} {height}");
    }
    let outside = mask(20, 30, 4, 4, |_, _| true);
    assert_eq!(outside.get(0).unwrap().rle(9, 7).counts(), [63]);
    let partly = mask(8, 5, 4, 4, |_, _| true);
    assert_eq!(partly.get(0).unwrap().rle(9, 7).counts(), [61, 2]);
    let mut empty = Masks::default();
    empty.push(0, 0, 0, 0);
    assert_eq!(empty.get(0).unwrap().rle(9, 7).counts(), [63]);
}

#[test]
fn run_lengths_come_back_as_pixels() {
    let mut masks = Masks::default();
    masks.push(5, 6, 2, 2).fill(1);
    for (name, pixel, counts, _) in CASES {
        let rle = Rle::new([7, 9], counts.to_vec()).unwrap();
        masks.push_rle(&rle);
        let mask = masks.get(masks.len() - 1).unwrap();
        assert!((0..9).all(|x| (0..7).all(|y| mask.at(x, y) == pixel(x, y))), "{name}");
        assert_eq!(mask.rle(9, 7), rle, "{name}");
    }
    assert_eq!(masks.get(5).map(|mask| (mask.x, mask.y, mask.width, mask.height)), Some((2, 1, 5, 4)));
    let copy = masks.get(5).unwrap();
    let mut other = Masks::default();
    other.push_copy(copy);
    assert_eq!(other.get(0), Some(copy));
}

#[test]
fn area_box_and_overlap_are_of_the_pixels() {
    // 3 columns at x 4..7 of rows 10..12, with a margin all around
    let masks = mask(2, 7, 9, 8, |x, y| (4..7).contains(&x) && (10..12).contains(&y));
    let a = masks.get(0).unwrap();
    assert_eq!((a.area(), a.tight_box()), (6, Some(BBox::new(4.0, 10.0, 7.0, 12.0))));
    // 2 x 4 at x 6..8, rows 9..13: 2 in common, 6 + 8 - 2 in all
    let other = mask(6, 9, 2, 4, |_, _| true);
    let b = other.get(0).unwrap();
    assert_eq!((a.intersection(&b), b.intersection(&a)), (2, 2));
    assert_eq!((a.iou(&b), a.iou(&a)), (2.0 / 12.0, 1.0));
    let far = mask(7, 10, 3, 2, |_, _| true);
    assert_eq!(a.iou(&far.get(0).unwrap()), 0.0, "side by side");
    let below = mask(4, 100, 3, 2, |_, _| true);
    assert_eq!(a.iou(&below.get(0).unwrap()), 0.0);
    let empty = mask(4, 10, 3, 2, |_, _| false);
    let none = empty.get(0).unwrap();
    assert_eq!((none.area(), none.tight_box(), none.iou(&none), a.iou(&none)), (0, None, 0.0, 0.0));
    assert!(a.at(4, 11) && !a.at(4, 12) && !a.at(3, 11) && !a.at(0, 0) && !a.at(11, 10) && !a.at(u32::MAX, u32::MAX));
}

#[test]
fn bad_run_lengths_are_refused() {
    let new = |size, counts: &[u32]| Rle::new(size, counts.to_vec()).unwrap_err().to_string();
    assert_eq!(new([7, 9], &[60, 4]), "counts add up to 64, a frame of 7 x 9 (height x width) has 63 pixels");
    assert_eq!(new([7, 9], &[]), "counts add up to 0, a frame of 7 x 9 (height x width) has 63 pixels");
    assert_eq!(
        new([7, 9], &[u32::MAX; 3]),
        "counts add up to 12884901885, a frame of 7 x 9 (height x width) has 63 pixels"
    );
    assert_eq!(new([20_000, 9], &[180_000]), "size is 20000 x 9 (height x width); sides up to 16384 are possible");
    let text = |text| Rle::from_compressed([7, 9], text).unwrap_err().to_string();
    assert_eq!(text("o1 "), "compressed counts are wrong at byte 2: characters are '0' to 'o'");
    assert_eq!(text("o1\u{e9}"), "compressed counts are wrong at byte 2: characters are '0' to 'o'");
    assert_eq!(text("o"), "compressed counts are wrong at byte 1: it ends within a number");
    assert_eq!(text("oooooooo"), "compressed counts are wrong at byte 7: a number of more than seven characters");
    assert_eq!(text("O"), "compressed counts are wrong at byte 0: a count below 0 or too large");
    assert_eq!(text("o0"), "counts add up to 31, a frame of 7 x 9 (height x width) has 63 pixels");
    let size = Rle::new([0, 9], vec![0]).unwrap();
    let mut masks = Masks::default();
    masks.push_rle(&size);
    assert_eq!(masks.get(0).map(|mask| mask.area()), Some(0), "a frame without a pixel does no harm");
    masks.push_rle(&Rle::new([2, 2], vec![0, 0, 0, 1, 0, 3]).unwrap());
    assert_eq!(masks.get(1).map(|mask| mask.area()), Some(4), "runs of none are runs");
}

#[test]
fn json_is_as_in_coco() {
    let rle = Rle::new([7, 9], vec![15, 4, 44]).unwrap();
    let json = r#"{"size":[7,9],"counts":[15,4,44]}"#;
    assert_eq!(serde_json::to_string(&rle).unwrap(), json);
    assert_eq!(serde_json::from_str::<Rle>(json).unwrap(), rle);
    let json = serde_json::json!({"size": [7, 9], "counts": rle.to_compressed()}).to_string();
    assert_eq!(serde_json::from_str::<Rle>(&json).unwrap(), rle);
    let message = serde_json::from_str::<Rle>(r#"{"size":[7,9],"counts":[1]}"#).unwrap_err().to_string();
    assert!(message.starts_with("counts add up to 1, a frame of 7 x 9"), "{message}");
}
