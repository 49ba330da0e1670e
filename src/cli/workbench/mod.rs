//! What `stress` and `bench` have in common: pictures drawn by code, models used without a camera, and the lines that
//! say what was measured.

mod about;
mod paint;
mod progress;
mod scene;
mod user;

use std::path::Path;

pub(super) use about::{About, OpenDevice};
pub(super) use progress::Progress;
pub(super) use scene::{Image, sequence};
pub(super) use user::ModelUser;

use crate::config::{Concurrency, Config};
use crate::inference::{ContractReport, InferenceError, ModelManager, Proofs};
use crate::pipeline;
use crate::telemetry::metrics::Metrics;

/// How the contexts of an engine take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// All at once
    Parallel,
    /// One at a time
    Serial,
}

impl Mode {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Parallel => "parallel",
            Self::Serial => "serial",
        }
    }

    /// The configuration with this mode, whatever it says itself.
    pub(super) fn of(self, config: &Config) -> Config {
        let mut config = config.clone();
        config.runtime.concurrency = match self {
            Self::Parallel => Concurrency::Parallel,
            Self::Serial => Concurrency::Serial,
        };
        config
    }
}

/// Reads a configuration for the models in it, in the order of a camera's.
pub(super) fn config(path: &Path, models: Option<&[String]>) -> anyhow::Result<Config> {
    let mut config = super::load(path)?.config;
    config.models = super::chosen_models(&config, models)?;
    config.cameras.clear();
    Ok(config)
}

/// Loads the models of a configuration, which prove what they answer. Decoders are not asked for.
pub(super) fn models(config: &Config, metrics: &Metrics) -> Result<ModelManager, InferenceError> {
    let proofs = Proofs { decoder: None, ..pipeline::proofs() };
    ModelManager::load_with(config, metrics, &proofs, &mut ContractReport::new(config))
}

/// A number of the command line within bounds.
pub(super) fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("a number from {least} to {most} is wanted"))
}

/// Width and height in pixels, from the command line.
pub(super) fn size(text: &str) -> Result<(u32, u32), String> {
    let side = |text: &str| text.parse().ok().filter(|side| (64..=8192).contains(side));
    let sides = text.split_once('x').and_then(|(width, height)| Some((side(width)?, side(height)?)));
    sides.ok_or_else(|| "a size such as 1280x720 is wanted, sides from 64 to 8192".to_owned())
}
