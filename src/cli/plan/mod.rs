//! `watchkeeper plan`: will it fit? Memory and time of a configuration, line by line, from the manifests of its engines.

mod facts;
mod figures;
mod print;
mod report;

use std::io::Write as _;
use std::sync::Arc;

use super::{ConfigArg, Exit, workbench};
use crate::config::{Camera, Config, camera_from_url};
use facts::{Device, Facts};
use figures::Planned;
use report::Report;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Models to use, by their names in the configuration, separated by commas; default: those of each camera
    #[arg(long, visible_alias = "model", value_name = "NAMES", value_delimiter = ',')]
    models: Option<Vec<String>>,
    /// So many cameras; more than the configuration has are like its first; default: those of the configuration
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    cameras: Option<u16>,
    /// Pixels of all cameras' pictures; default: what the configuration says, or 1920x1080
    #[arg(long, value_name = "WxH", value_parser = workbench::size)]
    resolution: Option<(u32, u32)>,
    /// Frames a second of each camera that are analysed; default: its detect_fps, or 25
    #[arg(long, value_name = "F", value_parser = fps)]
    fps: Option<f64>,
    /// Tracks that each camera has at any time: they matter to models that look at tracks
    #[arg(long, value_name = "P", value_parser = people, default_value_t = crate::inference::budget::ASSUMED_PEOPLE)]
    people_per_camera: f64,
    /// Memory of the device, MB; default: that of the device which the engines were built on, or of the one here
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    device_memory_mb: Option<u64>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

fn fps(text: &str) -> Result<f64, String> {
    workbench::number(text, 0.01, 1000.0)
}

fn people(text: &str) -> Result<f64, String> {
    workbench::number(text, 0.0, 1000.0)
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let mut config = crate::config::load_for_engines(&args.config.config)?.config;
    if args.models.is_some() {
        config.models = super::chosen_models(&config, args.models.as_deref())?;
        let all: Vec<usize> = (0..config.models.len()).collect();
        config.cameras = config
            .cameras
            .iter()
            .map(|camera| Arc::new(Camera { models: all.clone(), ..(**camera).clone() }))
            .collect();
    }
    let cameras = cameras(args, &config)?;
    let facts: Vec<Facts> = config.models.iter().map(|model| Facts::of(model, &config)).collect();
    let device = Device::of(args.device_memory_mb.map(|mb| mb << 20), &facts);
    let report = Report::new(&config, &device, &facts, &cameras, args.people_per_camera);
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        print::all(&report, &mut out)?;
    }
    Ok(if report.fits == Some(true) { Exit::Done } else { Exit::Data })
}

/// The cameras that are asked about.
fn cameras(args: &Args, config: &Config) -> anyhow::Result<Vec<Planned>> {
    let first = match config.cameras.first() {
        Some(camera) => (**camera).clone(),
        None => {
            let models = (0..config.models.len()).collect();
            Camera { models, ..camera_from_url("rtsp://192.0.2.1/", None, None)? }
        }
    };
    let count = args.cameras.map_or(config.cameras.len().max(1), usize::from);
    let camera = |at: usize| match config.cameras.get(at) {
        Some(camera) => Planned::new(camera, None),
        None => Planned::new(&first, Some(format!("camera-{}", at + 1))),
    };
    let mut cameras: Vec<Planned> = (0..count).map(camera).collect();
    for camera in &mut cameras {
        if let Some(size) = args.resolution {
            (camera.frames.size, camera.frames.size_guessed) = (size, false);
        }
        if let Some(fps) = args.fps {
            (camera.frames.fps, camera.frames.fps_guessed) = (fps, false);
        }
    }
    Ok(cameras)
}
