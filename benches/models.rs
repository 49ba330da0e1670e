//! What each shipped model costs on one frame of a street, on one core: median of bare runs, one thread.
//!
//! ```text
//! cargo bench --bench models
//! ```

use std::path::{Path, PathBuf};
use std::time::Instant;

use onnxruntime::{Runtime, Session, SessionOptions};
use streetscene::{Options, View, World};

const WARM_UP: usize = 20;
const RUNS: usize = 200;
/// Crops in the ReID batch: the people of one frame.
const PEOPLE: i64 = 8;

fn main() -> anyhow::Result<()> {
    // `cargo test --benches` wants no measurement.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    process::prepare(&[], &[]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let runtime = Runtime::load(&library(root))?;
    let rgba = street();
    println!("{:<14} {:>16} {:>10}", "model", "input", "ms, median");
    let mut sum = 0.0;
    for (name, shape) in [
        ("detection", [1, 3, 288, 512]),
        ("pose", [1, 3, 288, 512]),
        ("segmentation", [1, 3, 288, 512]),
        ("reid", [PEOPLE, 3, 128, 64]),
    ] {
        let file = root.join(format!("engines/{name}/model.onnx"));
        let session = Session::open(&runtime, &file, SessionOptions { threads: 1 })?;
        let mut binding = session.bind(&[shape.to_vec()])?;
        fill(binding.input_mut::<f32>(0)?, shape, &rgba);
        let mut times = Vec::with_capacity(RUNS);
        for run in 0..WARM_UP + RUNS {
            let began = Instant::now();
            binding.run()?;
            if run >= WARM_UP {
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
        times.sort_by(f64::total_cmp);
        let median = times[RUNS / 2];
        sum += median;
        println!("{name:<14} {:>16} {median:>10.2}", shape.map(|side| side.to_string()).join("x"));
    }
    println!("{:<14} {:>16} {sum:>10.2}", "all four", "");
    Ok(())
}

/// Where `scripts/setup.sh` puts it, or where the environment says.
fn library(root: &Path) -> PathBuf {
    std::env::var_os("ORT_DYLIB_PATH").map_or_else(|| root.join(".deps/onnxruntime/libonnxruntime.so"), PathBuf::from)
}

fn street() -> Vec<u8> {
    let mut world = World::new(&Options { seed: 7, ..Options::default() });
    let mut view = View::new(&world, 0);
    world.advance_to(20.0);
    view.render(&world, 1).rgba.clone()
}

/// The frame's colours, nearest pixels; noise would be slower than any camera's picture.
fn fill(tensor: &mut [f32], [_, channels, height, width]: [i64; 4], rgba: &[u8]) {
    let (channels, height, width) = (channels as usize, height as usize, width as usize);
    for (i, value) in tensor.iter_mut().enumerate() {
        let (channel, y, x) = (i / (width * height) % channels, i / width % height, i % width);
        let (x, y) = (x * 640 / width, y * 360 / height);
        *value = f32::from(rgba[(y * 640 + x) * 4 + channel]) / 255.0;
    }
}
