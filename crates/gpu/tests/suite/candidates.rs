use gpu::kernels::{Candidates, CandidatesLayout};
use gpu::{BoundTensor, Device, DeviceTensor, ElementType, Stream};

use super::picture::upload;
use crate::common::Numbers;

/// Index, class, score and all other values, as bits.
type Row = (usize, usize, u32, Vec<u32>);

fn reference(data: &[f32], layout: CandidatesLayout, threshold: f32) -> Vec<Row> {
    let at = |row: usize, i: usize| data[row * layout.boxes + i];
    let mut found = Vec::new();
    for i in 0..layout.boxes {
        let scores: Vec<f32> = (0..layout.classes).map(|c| at(4 + c, i)).collect();
        let mut best = 0;
        for (c, score) in scores.iter().enumerate() {
            if *score > scores[best] || (scores[best].is_nan() && !score.is_nan()) {
                best = c;
            }
        }
        let nan = scores.iter().any(|score| score.is_nan());
        if nan || scores[best] >= threshold {
            let score = if nan { f32::NAN.to_bits() } else { scores[best].to_bits() };
            let rest = (0..4).chain(4 + layout.classes..4 + layout.classes + layout.extras);
            found.push((i, best, score, rest.map(|row| at(row, i).to_bits()).collect()));
        }
    }
    found
}

pub fn gives_what_the_reference_gives(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("candidates"));
    let mut numbers = Numbers(11);
    for (boxes, classes, extras, threshold) in
        [(1, 1, 0, 0.5), (31, 3, 2, 0.9), (32, 80, 0, 0.99), (33, 1, 51, 0.0), (8400, 2, 32, 0.97), (1000, 4, 0, 2.0)]
    {
        let layout = CandidatesLayout { boxes, classes, extras };
        let mut data: Vec<f32> = (0..(4 + classes + extras) * boxes).map(|_| numbers.share()).collect();
        if boxes > 30 {
            data[4 * boxes + 7] = f32::NAN;
            data[4 * boxes + 9] = f32::NEG_INFINITY;
            // equal scores: the lower class
            (0..classes).for_each(|c| data[(4 + c) * boxes + 20] = 0.995);
        }
        let output = upload(&stream, &owner, &data);
        let want = reference(&data, layout, threshold);
        for capacity in [boxes, 5] {
            let before = owner.usage();
            let mut candidates = Candidates::new(&stream, &owner, layout, capacity).expect("candidates");
            assert_eq!(before + Candidates::memory(layout, capacity), owner.usage());
            // Twice: nothing is left over from the first time.
            for _ in 0..2 {
                candidates.launch(&stream, output.view(), threshold).expect("launch");
                let survivors = candidates.survivors().expect("survivors");
                let got: Vec<Row> = survivors
                    .iter()
                    .map(|c| {
                        let score = if c.score().is_nan() { f32::NAN } else { c.score() };
                        let rest =
                            c.centre_size().into_iter().chain(c.extras().iter().copied()).map(f32::to_bits).collect();
                        (c.index(), c.class(), score.to_bits(), rest)
                    })
                    .collect();
                let room = capacity.min(boxes).min(want.len());
                assert_eq!((survivors.count(), survivors.overflow()), (want.len(), want.len() - room));
                assert_eq!(survivors.get(room / 2).map(|c| c.index()), want[..room].get(room / 2).map(|row| row.0));
                assert!(survivors.get(room).is_none() && survivors.get(usize::MAX).is_none());
                assert!(got == want[..room], "{layout:?} {capacity}");
            }
        }
    }
}

pub fn other_layouts_are_refused(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("candidates"));
    let layout = CandidatesLayout { boxes: 10, classes: 2, extras: 1 };
    let none = Candidates::new(&stream, &owner, CandidatesLayout { classes: 0, ..layout }, 10);
    assert!(none.is_err());
    let huge = CandidatesLayout { boxes: usize::MAX / 2, classes: 3, extras: usize::MAX };
    assert!(Candidates::new(&stream, &owner, huge, 10).is_err());
    let mut candidates = Candidates::new(&stream, &owner, layout, 10).expect("candidates");
    let output = upload(&stream, &owner, &[0.0; 71]);
    let error = candidates.launch(&stream, output.view(), 0.5).expect_err("refused");
    assert!(error.to_string().contains("71 elements"), "{error}");
    let tensor = |element| DeviceTensor::new(element, &stream, &owner, 70).expect("tensor");
    candidates.launch(&stream, &tensor(ElementType::F32), 0.5).expect("a model's output");
    candidates.launch(&stream, &BoundTensor::from(tensor(ElementType::F32)), 0.5).expect("a bound one");
    assert_eq!(candidates.survivors().expect("survivors").count(), 0, "it is all zero");
    let error = candidates.launch(&stream, &tensor(ElementType::F16), 0.5).expect_err("refused");
    assert_eq!(error.to_string(), "tensor: has 16-bit floats, a kernel reads 32-bit floats");
}
