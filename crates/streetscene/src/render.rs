//! The subcommand `render`.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};
use streetscene::output::{Images, Plan, Writer};
use streetscene::{Light, Options, View, World};

/// What to render.
#[derive(clap::Args)]
pub struct Args {
    /// Folder that gets one folder per seed.
    #[arg(long)]
    out: PathBuf,
    /// One seed, or a range such as 1000..1200 (its end excluded).
    #[arg(long, value_parser = seeds)]
    seeds: Range<u64>,
    /// Cameras by id, separated by commas; all where absent.
    #[arg(long, value_delimiter = ',')]
    cameras: Vec<String>,
    /// Frames per camera.
    #[arg(long, default_value_t = 100)]
    frames: u64,
    /// Frames a second.
    #[arg(long, default_value_t = 10.0)]
    fps: f64,
    /// Seconds between frames instead of a frame rate, for sparse sampling.
    #[arg(long)]
    every_s: Option<f64>,
    /// Time of the first frame.
    #[arg(long, default_value_t = 0.0)]
    start_s: f64,
    /// Size of the pictures.
    #[arg(long, default_value = "640x360", value_parser = size)]
    size: (u32, u32),
    /// Time of day; by seed where absent.
    #[arg(long)]
    light: Option<Light>,
    /// People in the world; by seed where absent.
    #[arg(long)]
    people: Option<usize>,
    /// Write pictures in this format.
    #[arg(long)]
    images: Option<Images>,
    /// JPEG quality.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u8).range(1..=100))]
    quality: u8,
    /// Write a video per camera (H.264 in MP4).
    #[cfg(feature = "gstreamer")]
    #[arg(long)]
    video: bool,
    /// Seeds rendered at the same time.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |t: &str| t.parse::<u64>().map_err(|e| format!("`{t}` is not a seed: {e}"));
    match text.split_once("..") {
        Some((a, b)) => Ok(number(a)?..number(b)?),
        None => number(text).map(|a| a..a + 1),
    }
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    match parts {
        Some((w, h)) if (64..=3840).contains(&w) && (64..=2160).contains(&h) => Ok((w, h)),
        _ => Err(format!("`{text}` is not a size: write for example 640x360 (64x64 to 3840x2160)")),
    }
}

/// Renders all seeds.
pub fn run(args: &Args) -> Result<()> {
    if args.seeds.is_empty() {
        bail!("--seeds {}..{} names no seed", args.seeds.start, args.seeds.end);
    }
    let step = args.every_s.unwrap_or(1.0 / args.fps);
    if !(step.is_finite() && step > 0.0) {
        bail!("--fps and --every-s must be greater than 0");
    }
    let next = AtomicUsize::new(0);
    let count = (args.seeds.end - args.seeds.start) as usize;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..args.jobs.clamp(1, 64))
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    loop {
                        let k = next.fetch_add(1, Ordering::Relaxed);
                        if k >= count {
                            return Ok(());
                        }
                        let seed = args.seeds.start + k as u64;
                        one(args, seed, step).with_context(|| format!("seed {seed}"))?;
                    }
                })
            })
            .collect();
        for worker in workers {
            match worker.join() {
                Ok(done) => done?,
                Err(_) => bail!("a rendering thread ended early"),
            }
        }
        Ok(())
    })
}

fn one(args: &Args, seed: u64, step: f64) -> Result<()> {
    let began = std::time::Instant::now();
    let options = Options { seed, width: args.size.0, height: args.size.1, light: args.light, people: args.people };
    let mut world = World::new(&options);
    let mut cameras = Vec::new();
    for id in &args.cameras {
        let Some(index) = world.cameras().iter().position(|c| c.id == *id) else {
            let known: Vec<_> = world.cameras().iter().map(|c| c.id.as_str()).collect();
            bail!("--cameras: there is no camera `{id}`; there are {}", known.join(", "));
        };
        cameras.push(index);
    }
    if cameras.is_empty() {
        cameras = (0..world.cameras().len()).collect();
    }
    let plan = Plan {
        out: args.out.clone(),
        cameras: cameras.clone(),
        images: args.images,
        quality: args.quality,
        fps: 1.0 / step,
    };
    let mut writer = Writer::new(&plan, &world, seed)?;
    let mut views: Vec<View> = cameras.iter().map(|c| View::new(&world, *c)).collect();
    #[cfg(feature = "gstreamer")]
    let mut videos = videos(args, &views, seed, step)?;
    let mut drawing = std::time::Duration::ZERO;
    world.advance_to(args.start_s);
    world.take_crossings();
    for k in 0..args.frames {
        world.advance_to(args.start_s + k as f64 * step);
        #[cfg(feature = "gstreamer")]
        let at = std::time::Duration::from_secs_f64(k as f64 * step);
        for (_index, view) in views.iter_mut().enumerate() {
            let from = std::time::Instant::now();
            view.render(&world, k + 1);
            drawing += from.elapsed();
            let truth = view.truth().clone();
            writer.frame(view.frame(), &truth)?;
            #[cfg(feature = "gstreamer")]
            if let Some(video) = videos.get_mut(_index) {
                video.write(&view.frame().rgba, at)?;
            }
        }
        writer.crossings(&mut world)?;
    }
    writer.finish()?;
    #[cfg(feature = "gstreamer")]
    for video in videos {
        video.finish()?;
    }
    let frames = args.frames * views.len() as u64;
    let each = drawing.as_secs_f64() * 1e3 / frames.max(1) as f64;
    eprintln!(
        "seed {seed}: {} {frames} frames in {:.1} s ({each:.1} ms to draw one)",
        world.light().name(),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The video files of a seed, one per view; none unless asked for.
#[cfg(feature = "gstreamer")]
fn videos(args: &Args, views: &[View], seed: u64, step: f64) -> Result<Vec<streetscene::video::VideoWriter>> {
    let wanted = if args.video { views } else { &[] };
    let kbit = 3000 * args.size.0 / 640 * args.size.1 / 360;
    wanted
        .iter()
        .map(|view| {
            let path = args.out.join(format!("seed-{seed:06}")).join(&view.truth().camera).join("video.mp4");
            streetscene::video::VideoWriter::create(&path, args.size.0, args.size.1, 1.0 / step, kbit.max(200))
        })
        .collect()
}
