//! From tracks to what further models say of each: crops, embeddings, and the frame's objects.

use std::time::Duration;

use allocation_counter::measure;
use test_models::onnx::{Dim, Element, Graph};
use watchkeeper::config::{Fit, Head, Task};
use watchkeeper::types::embedding::Embeddings;
use watchkeeper::types::geometry::BBox;
use watchkeeper::types::mask::Masks;
use watchkeeper::types::objects::FrameObjects;
use watchkeeper::types::pose::Keypoint;
use watchkeeper::types::tensor::{ElementType, ModelIo, TensorData, TensorRef};
use watchkeeper::types::track::Track;
use watchkeeper::vision::{Crop, Embedder};

use super::outputs::{Random, model, spec};
use super::{allocates_nothing, input, loaded, noise, pictures};

const DIM: usize = 512;

#[test]
fn a_box_becomes_a_tensor_without_an_allocation_whatever_the_picture() {
    let bytes = noise();
    let (width, height) = (64, 128);
    let mut crop = Crop::new(width, height, &input(Fit::Stretch)).unwrap();
    let mut tensor = vec![0.0; 3 * width * height];
    for (width, height) in [(48_usize, 700), (1280, 720), (321, 241)] {
        for (layout, picture) in pictures(&bytes, width, height) {
            for bbox in [
                BBox::new(10.4, 30.6, 44.0, 140.2),
                BBox::new(0.0, 0.0, width as f32, height as f32),
                BBox::new(-50.0, 200.0, 17.5, 3000.0),
                BBox::new(20.1, 20.2, 20.3, 20.4),
            ] {
                // No warm-up: it made room for any picture at the start.
                allocates_nothing(&format!("{width}x{height} {layout} {bbox:?}"), || {
                    crop.run(&picture, bbox, &mut tensor).unwrap();
                });
                assert!(tensor.iter().any(|value| *value > 0.0));
            }
            let outside = BBox::new(-9.0, 0.0, -1.0, 9.0);
            allocates_nothing(&format!("{width}x{height} {layout} outside"), || {
                assert!(crop.run(&picture, outside, &mut tensor).is_err());
            });
        }
    }
}

#[test]
fn embeddings_are_read_without_an_allocation() {
    let mut random = Random(3);
    let rows: Vec<f32> = (0..8 * DIM).map(|_| random.next() - 0.5).collect();
    let bad = vec![f32::NAN; 8 * DIM];
    let output = spec("output", ElementType::F32, &[8, DIM]);
    let io = ModelIo { inputs: vec![spec("images", ElementType::F32, &[8, 3, 128, 64])], outputs: vec![output] };
    let mut embedder = Embedder::new(&model(Head::Embedding, Task::Reid), &io).unwrap();
    let mut embeddings = Embeddings::default();
    let tensor = |rows| [TensorRef { shape: &[8, DIM], data: TensorData::F32(rows) }];
    // The largest batch there is.
    embedder.read(&tensor(&rows), 8, &mut embeddings).unwrap();
    for (rows, count) in [(&rows, 8), (&rows, 1), (&bad, 5), (&rows, 0), (&rows, 8)] {
        allocates_nothing(&format!("{count} embeddings"), || {
            embedder.read(&tensor(rows), count, &mut embeddings).unwrap();
        });
        assert_eq!(embeddings.len(), count);
    }
    assert_eq!(embedder.rejected(), 5);
}

/// The track of a walker's box.
fn track(number: u64) -> Track {
    let bbox = BBox::new(10.0 * number as f32, 20.0, 10.0 * number as f32 + 40.0, 120.0);
    let (first_seen, last_seen) = (Duration::ZERO, Duration::from_secs(number));
    Track {
        number,
        class: 0,
        bbox,
        score: 0.9,
        top_score: 0.9,
        median_score: 0.9,
        first_seen,
        last_seen,
        coasted: false,
        stationary: false,
    }
}

#[test]
fn tracks_are_given_what_was_found_of_them_without_an_allocation() {
    const MOST: usize = 40;
    let mut random = Random(5);
    let keypoints = [Keypoint { x: 1.0, y: 2.0, score: 0.5 }; 17];
    let embedding: Vec<f32> = (0..DIM).map(|_| random.next()).collect();
    let mut masks = Masks::default();
    for number in 0..MOST as u32 {
        masks.push(10 * number, 20, 40, 100).fill(1);
    }
    let mut objects = FrameObjects::with_capacity(MOST);
    // The fullest scene there is, then others, in which not all is known of all.
    for (frame, (tracks, known)) in
        [(MOST, MOST), (3, 3), (0, 0), (MOST, 7), (20, 20), (MOST, MOST)].into_iter().enumerate()
    {
        let mut fill = || {
            objects.set_tracks((1..=tracks as u64).map(track));
            for at in 0..known {
                objects.set_pose(at, &keypoints);
                objects.set_mask(at, masks.get(at).unwrap());
                objects.set_embedding(at, &embedding);
            }
            // There is no such track.
            objects.set_pose(MOST, &keypoints);
        };
        if frame == 0 {
            fill();
        } else {
            allocates_nothing(&format!("{known} of {tracks} tracks"), fill);
        }
        assert_eq!(objects.tracks().len(), tracks);
        for at in 0..MOST {
            let is_known = at < known;
            assert_eq!(objects.pose(at), is_known.then_some(&keypoints[..]));
            assert_eq!(objects.mask(at), masks.get(at).filter(|_| is_known));
            assert_eq!(objects.embedding(at).is_some(), is_known);
        }
    }
}

/// A ReID model without any machine learning: a crop's embedding is its mean colour.
fn mean_colour(width: i64, height: i64) -> Vec<u8> {
    let mut graph = Graph::new();
    let (n, of) = (Dim::Dynamic("n"), Dim::Fixed);
    let images = graph.input("images", Element::F32, &[n, of(3), of(height), of(width)]);
    let mean = graph.node("mean", "GlobalAveragePool", &[&images], &[]);
    graph.output(&mean, Element::F32, &[n, of(3), of(1), of(1)]);
    graph.into_model("mean colour", "Mean colour of each crop. Written by hand, for tests.")
}

#[test]
fn crops_go_through_a_model_in_batches_without_an_allocation() {
    const BATCH: usize = 4;
    let settings = format!("task = \"reid\"\nhead = \"embedding\"\nmax_batch = {BATCH}");
    let (_folder, manager) = loaded(&mean_colour(64, 128), &settings);
    let model = manager.model(0).unwrap();
    let mut context =
        manager.create_pipeline_contexts(&manager.lane("test").unwrap(), &model, 1).unwrap().free.pop_front();
    let mut embedder = Embedder::new(&model.model, model.io()).unwrap();
    let size = embedder.input();
    let mut crop = Crop::new(size.width, size.height, &model.model.input).unwrap();
    let (mut embeddings, mut objects) = (Embeddings::default(), FrameObjects::with_capacity(64));
    let bytes = noise();
    let [(_, picture), ..] = pictures(&bytes, 320, 240);
    let (mut looks, mut allocating) = (0, vec![]);
    for frame in 0..40_usize {
        let batch = [4, 1, 2, 1][frame % 4];
        let mut step = || {
            objects.set_tracks((1..=batch as u64).map(track));
            let mut ready = context.take().unwrap();
            ready.set_batch(batch).unwrap();
            let tensors = ready.input_f32(size.index).unwrap().chunks_exact_mut(3 * size.width * size.height);
            for (track, tensor) in objects.tracks().iter().zip(tensors) {
                crop.run(&picture, track.bbox, tensor).unwrap();
            }
            let (back, result) = ready.submit().wait().unwrap();
            result.unwrap();
            embedder.read(&[back.output(0).unwrap()], batch, &mut embeddings).unwrap();
            for at in 0..batch {
                objects.set_embedding(at, embeddings.get(at).unwrap());
            }
            looks += (0..BATCH).filter(|&at| objects.embedding(at).is_some()).count();
            context = Some(back);
        };
        if frame < BATCH {
            step();
        } else if measure(step).count_total > 0 {
            allocating.push(frame);
        }
    }
    // As above: the channel to the workers.
    assert!(allocating.len() <= 1, "frames that allocated: {allocating:?}");
    assert_eq!(looks, 40 / 4 * (4 + 1 + 2 + 1));
}
