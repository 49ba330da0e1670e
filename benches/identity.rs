//! Identity across cameras: exact search, and one revision of what is believed.
//!
//! `search/N x D`: one embedding of D numbers against N, all of them looked at. `search-16` is 16 embeddings at once, as
//! when as many tracks begin. `revise` is one revision while 64 tracks of four cameras are seen and 5,000 older ones are
//! remembered; there is one every half second.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
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

fn revise(c: &mut Criterion) {
    let mut random = Random(2);
    let dim = 128;
    let settings = Settings { looks: 1, revisable: Duration::from_secs(10), ..Settings::default() };
    let mut gallery = Gallery::new(settings, Model { digest: String::new(), dim });
    let mut see = |gallery: &mut Gallery, number: u64, time: Duration| {
        let camera = format!("camera-{}", number % 4);
        let embedding = random.embedding(dim);
        gallery.see(&Sighting {
            track: &TrackKey { camera, run: 1, number },
            time,
            since: time,
            label: "person",
            embedding: Some(&embedding),
            quality: 1.0,
            place: None,
        });
    };
    let mut time = Duration::ZERO;
    for wave in 0..50 {
        (0..100).for_each(|number| see(&mut gallery, wave * 100 + number, time));
        gallery.advance(time);
        time += Duration::from_secs(20);
    }
    (10_000..10_064).for_each(|number| see(&mut gallery, number, time));
    gallery.settle();
    gallery.facts();
    c.bench_function("revise", |b| b.iter(|| gallery.settle()));
}

criterion_group!(benches, search, revise);
criterion_main!(benches);
