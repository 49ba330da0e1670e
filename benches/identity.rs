//! Identity across cameras: exact search, and one revision of what is believed.
//!
//! `search/N x D`: one embedding of D numbers against N, all of them looked at. `search-16` is 16 embeddings at once, as
//! when as many tracks begin. `revise/N older` is half a second of 64 tracks of four cameras, each looked at once, and the
//! revision after it, while N older identities of one track each are remembered; every 15 s of these the 64 are searched
//! for among all. `revise/N older, all asked` is a revision in which all 64 are.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sha2::{Digest as _, Sha256};
use watchkeeper::tracking::identity::{Gallery, Model, Rows, Settings, Sighting, TrackKey};
use watchkeeper::types::embedding::normalise;

/// A small generator, so that every run measures the same.
struct Random(u64);

impl Random {
    fn embedding(&mut self, dim: usize) -> Vec<f32> {
        let mut row: Vec<f32> = (0..dim)
            .map(|_| {
                self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (self.0 >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
            })
            .collect();
        assert!(normalise(&mut row), "not all zeros");
        row
    }
}

fn search(c: &mut Criterion) {
    let mut random = Random(1);
    for dim in [128, 512] {
        for count in [1_000, 10_000, 100_000] {
            let mut rows = Rows::new(dim);
            (0..count).for_each(|_| rows.push(&random.embedding(dim)));
            let queries: Vec<Vec<f32>> = (0..16).map(|_| random.embedding(dim)).collect();
            let queries: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
            for (name, queries) in [("search", &queries[..1]), ("search-16", &queries[..])] {
                let mut group = c.benchmark_group(name);
                group.throughput(Throughput::Elements((count * queries.len()) as u64));
                group.bench_function(BenchmarkId::from_parameter(format!("{count} x {dim}")), |b| {
                    b.iter(|| {
                        let mut best = vec![(f32::MIN, 0); queries.len()];
                        rows.search(black_box(queries), |query, row, likeness| {
                            if likeness > best[query].0 {
                                best[query] = (likeness, row);
                            }
                        });
                        best
                    });
                });
                group.finish();
            }
        }
    }
}

/// A gallery that remembers identities of one track each, as its snapshot is laid out.
fn remembering(settings: Settings, older: u32, random: &mut Random, dim: usize, time: Duration) -> Gallery {
    let mut bytes = b"WKID".to_vec();
    let number = |bytes: &mut Vec<u8>, value: u32| bytes.extend_from_slice(&value.to_le_bytes());
    let long = |bytes: &mut Vec<u8>, value: u64| bytes.extend_from_slice(&value.to_le_bytes());
    let text = |bytes: &mut Vec<u8>, value: &str| {
        bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
        bytes.extend_from_slice(value.as_bytes());
    };
    let nanos = time.as_nanos() as u64;
    number(&mut bytes, 1);
    text(&mut bytes, "");
    number(&mut bytes, dim as u32);
    long(&mut bytes, u64::from(older));
    long(&mut bytes, nanos);
    // How like different subjects are: count, mean, mean square.
    [10.0_f32, 0.3, 0.14].into_iter().for_each(|value| number(&mut bytes, value.to_bits()));
    number(&mut bytes, 0);
    number(&mut bytes, 1);
    text(&mut bytes, "person");
    number(&mut bytes, older);
    for at in 0..older {
        text(&mut bytes, ["camera-0", "camera-1", "camera-2", "camera-3"][at as usize % 4]);
        number(&mut bytes, 1);
        long(&mut bytes, u64::from(at));
        number(&mut bytes, 0);
        long(&mut bytes, nanos);
        long(&mut bytes, nanos);
        number(&mut bytes, 9);
        number(&mut bytes, 5.0_f32.to_bits());
        long(&mut bytes, u64::from(at) + 1);
        number(&mut bytes, (-1.0_f32).to_bits());
        random.embedding(dim).into_iter().for_each(|value| number(&mut bytes, value.to_bits()));
    }
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);
    let model = Model { digest: String::new(), dim };
    Gallery::restore(settings, model, &bytes).expect("laid out as a snapshot is")
}

fn revise(c: &mut Criterion) {
    let dim = 128;
    for older in [5_000, 100_000] {
        let mut random = Random(2);
        let mut time = Duration::from_secs(1000);
        let settings = Settings { ttl: Duration::from_secs(u64::from(u32::MAX)), ..Settings::default() };
        let mut gallery = remembering(settings, older, &mut random, dim, time);
        time += Duration::from_secs(1000);
        let since = time;
        let looks: Vec<Vec<f32>> = (0..64).map(|_| random.embedding(dim)).collect();
        let mut watch = |gallery: &mut Gallery, step: Duration| {
            time += step;
            for (number, embedding) in (0..).zip(&looks) {
                let camera = format!("camera-{}", number % 4);
                gallery.see(&Sighting {
                    track: &TrackKey { camera, run: 2, number },
                    time,
                    since,
                    label: "person",
                    embedding: Some(embedding),
                    quality: 1.0,
                    place: None,
                });
            }
            gallery.advance(time);
            gallery.facts().count()
        };
        for _ in 0..200 {
            watch(&mut gallery, Duration::from_millis(500));
        }
        let mut group = c.benchmark_group("revise");
        group.sample_size(30);
        group.bench_function(BenchmarkId::from_parameter(format!("{older} older")), |b| {
            b.iter(|| watch(&mut gallery, Duration::from_millis(500)));
        });
        group.bench_function(BenchmarkId::from_parameter(format!("{older} older, all asked")), |b| {
            b.iter(|| watch(&mut gallery, Duration::from_secs(15)));
        });
        group.finish();
    }
}

criterion_group!(benches, search, revise);
criterion_main!(benches);
