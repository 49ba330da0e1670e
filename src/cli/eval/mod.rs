//! `watchkeeper eval`: predictions, or what the models answer now, against ground truth.

mod pictures;
mod predictions;
mod scene;
mod tracking;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::Exit;
use super::exit::BadInput;
use super::recording::Player;
use crate::config::{Config, Model, RunOn, Task};
use crate::daemon;
use crate::eval::report::{Precision, Report, Tracking};
use crate::eval::truth::{self, Dataset};
use crate::eval::{coco, tracking as metrics};
use crate::pipeline::Publish;
use crate::telemetry::log;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Ground truth: a folder that `streetscene render` wrote, a COCO .json, a folder of YOLO labels, or MOTChallenge text
    #[arg(long, value_name = "PATH", required = true)]
    truth: Option<PathBuf>,
    /// Predictions from a file: COCO results .json for pictures, MOTChallenge text for tracks
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    predictions: Option<PathBuf>,
    /// Configuration whose models answer now
    #[arg(long, short, value_name = "FILE", required_unless_present = "predictions")]
    config: Option<PathBuf>,
    /// Models to use, by their names in the configuration, separated by commas; default: all of them
    #[arg(long, visible_alias = "model", value_name = "NAMES", value_delimiter = ',', requires = "config")]
    models: Option<Vec<String>>,
    /// Folder of the pictures that COCO or YOLO truth is about
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// The recording that MOTChallenge truth is about
    #[arg(long, value_name = "FILE")]
    video: Option<PathBuf>,
    /// Lowest score of a detection that counts for average precision; tracks are made as configured
    #[arg(long, value_name = "S", default_value_t = 0.001, value_parser = share)]
    min_score: f32,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Runs trackers over detections from files and scores their tracks; sweeps over their parameters
    Tracking(tracking::Args),
}

/// Scores of everything, or of each light apart.
type Reports = BTreeMap<String, Report>;

impl Args {
    fn truth(&self) -> anyhow::Result<&Path> {
        self.truth.as_deref().ok_or_else(|| BadInput("give --truth".to_owned()).into())
    }
}

/// What the truth's path turned out to be.
enum Kind {
    Scene,
    Coco,
    Yolo,
    Mot,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    if let Some(What::Tracking(args)) = &args.what {
        return tracking::main(args);
    }
    let kind = kind(args.truth()?)?;
    let reports = match (&args.predictions, &args.config) {
        (Some(file), _) => from_file(args, &kind, file)?,
        (None, Some(config)) => {
            let loaded = super::load(config)?;
            let _log = log::init(&crate::config::Log { filter: "warn".to_owned(), ..loaded.config.log.clone() })?;
            daemon::register_secrets(&loaded.config);
            let player = Player::new(for_eval(loaded.config, args, &kind)?, Publish::Found)?;
            live(args, &kind, &player)?
        }
        (None, None) => return Err(BadInput("give --predictions or --config".to_owned()).into()),
    };
    print(&reports, args.json)?;
    Ok(Exit::Done)
}

fn share(text: &str) -> Result<f32, String> {
    let value = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err("0 to 1 is possible".to_owned()) }
}

fn kind(path: &Path) -> anyhow::Result<Kind> {
    if !path.exists() {
        return Err(BadInput(format!("--truth {}: no such file or folder", path.display())).into());
    }
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let holds = |what: &dyn Fn(&Path) -> bool| {
        std::fs::read_dir(path).is_ok_and(|entries| entries.flatten().any(|entry| what(&entry.path())))
    };
    Ok(match extension {
        "json" => Kind::Coco,
        "txt" => Kind::Mot,
        "jsonl" => Kind::Scene,
        _ if holds(&|entry| {
            entry.file_name().is_some_and(|name| name == "truth.jsonl") || entry.join("truth.jsonl").is_file()
        }) =>
        {
            Kind::Scene
        }
        _ if holds(&|entry| entry.extension().is_some_and(|extension| extension == "txt")) => Kind::Yolo,
        _ => {
            let message = format!(
                "--truth {}: holds neither truth.jsonl (streetscene) nor .txt labels (YOLO), and is no .json (COCO) or \
                 .txt (MOTChallenge)",
                path.display()
            );
            return Err(BadInput(message).into());
        }
    })
}

/// Low scores count for average precision; the tracker goes on as configured.
fn for_eval(mut config: Config, args: &Args, kind: &Kind) -> anyhow::Result<Config> {
    let mut models = super::chosen_models(&config, args.models.as_deref())?;
    if !matches!(kind, Kind::Scene) {
        // Only streets tell who is who.
        models.retain(|model| model.task != Task::Reid);
    }
    if let Some(first) = models.first() {
        config.tracking.low_score = config.tracking.low_score.max(first.min_score);
    }
    let changed = |model: Arc<Model>| {
        let mut model = Model::clone(&model);
        model.min_score = args.min_score;
        // Each frame is judged.
        if model.task != Task::Reid {
            model.cadence.every_n_frames = 1;
            model.cadence.run_on = RunOn::Frames;
        }
        Arc::new(model)
    };
    config.models = models.into_iter().map(changed).collect();
    Ok(config)
}

fn from_file(args: &Args, kind: &Kind, file: &Path) -> anyhow::Result<Reports> {
    let report = match kind {
        Kind::Coco | Kind::Yolo => {
            let dataset = dataset(args, kind, None)?;
            let predictions = truth::coco::read_results(file, &dataset).map_err(bad)?;
            dataset.check(&predictions).map_err(bad)?;
            predictions::score(&dataset, &predictions, &coco_kinds(&predictions))
        }
        Kind::Mot => {
            let (truth, found) = (truth::mot::read_truth(args.truth()?), truth::mot::read_predictions(file));
            mot(&truth.map_err(bad)?, &found.map_err(bad)?)?
        }
        Kind::Scene => {
            let message = "streetscene truth is compared with what models answer now; use --config, or give its coco.json \
                           or gt.txt as --truth";
            return Err(BadInput(message.to_owned()).into());
        }
    };
    Ok([("all".to_owned(), report)].into())
}

fn live(args: &Args, kind: &Kind, player: &Player) -> anyhow::Result<Reports> {
    let report = match kind {
        Kind::Scene => return scene::evaluate(args.truth()?, player),
        Kind::Coco | Kind::Yolo => {
            let dataset = dataset(args, kind, player.config().models.first().map(|model| &*model.labels))?;
            let Some(images) = &args.images else {
                return Err(BadInput("--images DIR: where the pictures are that the truth is about".to_owned()).into());
            };
            pictures::evaluate(&dataset, images, player)?
        }
        Kind::Mot => {
            let Some(video) = &args.video else {
                return Err(BadInput("--video FILE: the recording that the truth is about".to_owned()).into());
            };
            let wanted = truth::mot::read_truth(args.truth()?).map_err(bad)?;
            let labels = player.config().models.first().map(|model| Arc::clone(&model.labels)).unwrap_or_default();
            let Some(person) = labels.iter().position(|label| label == "person") else {
                return Err(
                    BadInput("MOTChallenge truth is of persons, and the model has no label \"person\"".into()).into()
                );
            };
            let mut found = metrics::Frames::new();
            let played = player.play(video, "camera", |result, _| {
                let class = |class: u16| (usize::from(class) == person).then_some(1);
                found.insert(result.meta.seq, predictions::objects(result, class));
                Ok(())
            })?;
            played.check(video)?;
            mot(&wanted, &found)?
        }
    };
    Ok([("all".to_owned(), report)].into())
}

fn dataset(args: &Args, kind: &Kind, labels: Option<&[String]>) -> anyhow::Result<Dataset> {
    if matches!(kind, Kind::Coco) {
        return truth::coco::read(args.truth()?).map_err(bad);
    }
    let Some(images) = &args.images else {
        let message = "--images DIR: YOLO labels are shares of pictures, so their sizes are needed";
        return Err(BadInput(message.to_owned()).into());
    };
    truth::yolo::read(images, args.truth()?, labels).map_err(bad)
}

/// Tracks of MOTChallenge truth: persons, class 1.
fn mot(wanted: &metrics::Frames, found: &metrics::Frames) -> anyhow::Result<Report> {
    let scores = metrics::evaluate(wanted, found, Some(1)).map_err(bad)?;
    let per_class = [("person".to_owned(), scores)].into();
    Ok(Report { tracking: Tracking::new(&per_class), ..Report::default() })
}

fn coco_kinds(predictions: &[coco::Prediction]) -> Vec<coco::Kind> {
    let mut kinds = vec![coco::Kind::Boxes];
    if predictions.iter().any(|prediction| prediction.mask.is_some()) {
        kinds.push(coco::Kind::Masks);
    }
    if predictions.iter().any(|prediction| prediction.keypoints.is_some()) {
        kinds.push(coco::Kind::Keypoints);
    }
    kinds
}

fn precision(kind: coco::Kind, dataset: &Dataset, predictions: &[coco::Prediction]) -> Option<Precision> {
    let summary = coco::evaluate(kind, &dataset.truths, predictions);
    summary.all.ap.is_some().then(|| Precision::new(&summary, |id| dataset.category_name(id).map(str::to_owned)))
}

fn print(reports: &Reports, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        #[derive(Serialize)]
        struct Document<'a> {
            schema: &'static str,
            #[serde(flatten)]
            reports: &'a Reports,
        }
        let document = Document { schema: "eval/1", reports };
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        return Ok(());
    }
    for (name, report) in reports {
        if reports.len() > 1 {
            writeln!(out, "== {name}")?;
        }
        writeln!(out, "{report}")?;
    }
    Ok(())
}

fn bad(error: impl std::fmt::Display) -> anyhow::Error {
    BadInput(error.to_string()).into()
}
