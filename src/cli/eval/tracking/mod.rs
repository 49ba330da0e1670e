//! `watchkeeper eval tracking`: detections from files, through trackers, against ground truth; and sweeps over what can be
//! set on a tracker.

mod contender;
mod folds;
mod grid;
mod progress;
mod report;
mod runner;
mod sweep;
mod write;

use std::path::PathBuf;

use super::bad;
use crate::cli::Exit;
use crate::cli::exit::BadInput;
use crate::eval::sequence::{self, Names, Sequence};
use folds::Folds;
use grid::Axis;
use runner::Scored;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Folders in MOTChallenge's form (det/det.txt, gt/gt.txt, seqinfo.ini), flat ones (det.txt, gt.txt, seqinfo.ini or
    /// info.txt), or folders of such folders
    #[arg(required = true, value_name = "SEQUENCE")]
    sequences: Vec<PathBuf>,
    /// Detections in each sequence's folder; default: det/det.txt, or det.txt
    #[arg(long, value_name = "NAME")]
    detections: Option<String>,
    /// Ground truth in each sequence's folder; default: gt/gt.txt, or gt.txt
    #[arg(long, value_name = "NAME")]
    truth: Option<String>,
    /// Trackers, separated by commas; default: the configured one
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    tracker: Vec<String>,
    /// Configuration whose [tracking] is used; default: what a configuration without one has
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Sets a parameter of the trackers, also those that are no key of [tracking]; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Only every N-th frame: 30 frames a second become 10 with 3
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    every: u64,
    /// Classes of the ground truth that are scored, separated by commas; their counts are added up
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "1")]
    classes: Vec<u32>,
    /// Leaves embeddings aside, where a sequence has any
    #[arg(long)]
    without_appearance: bool,
    /// Writes the tracks as DIR/<tracker>/<sequence>.txt in MOTChallenge's form
    #[arg(long, value_name = "DIR", conflicts_with = "sweep")]
    out: Option<PathBuf>,
    /// Tries all these values of a parameter, each with each of other --sweep options
    #[arg(long, value_name = "NAME=V1,V2,...")]
    sweep: Vec<String>,
    /// How a sweep is judged: leave-one-out holds out each recording in turn (sequences of the same truth together), a number makes that many folds
    #[arg(long, value_name = "FOLDS", default_value = "leave-one-out", requires = "sweep")]
    folds: Folds,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let contenders = contender::all(&args.tracker, args.config.as_deref(), &args.set)?;
    let axes = args.sweep.iter().map(|text| text.parse::<Axis>()).collect::<Result<Vec<_>, _>>();
    let axes = axes.map_err(|problem| BadInput(format!("--sweep {problem}")))?;
    let swept = match (&contenders[..], axes.is_empty()) {
        (_, true) => None,
        ([one], false) => Some(grid::settings(one, &axes)?),
        _ => return Err(BadInput("--sweep is about one tracker; give one as --tracker".to_owned()).into()),
    };
    let sequences = read(args)?;
    if let (Some(settings), [defaults, ..]) = (swept, &contenders[..]) {
        let outcome = sweep::run(&sequences, defaults, &axes, settings, &args.folds, &args.classes)?;
        outcome.print(args.json)?;
        return Ok(Exit::Done);
    }
    let results = contenders
        .iter()
        .map(|contender| {
            let of_one = |sequence: &Sequence| -> anyhow::Result<Scored> {
                let tracked = runner::track(sequence, contender)?;
                if let Some(folder) = &args.out {
                    write::tracks(folder, &contender.name, &sequence.name, &tracked)?;
                }
                runner::score(sequence, &tracked, &args.classes)
            };
            sequences.iter().map(of_one).collect::<anyhow::Result<Vec<Scored>>>()
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    report::print(&sequences, &contenders, &results, args.json)?;
    Ok(Exit::Done)
}

fn read(args: &Args) -> anyhow::Result<Vec<Sequence>> {
    let names =
        Names { detections: args.detections.clone(), truth: args.truth.clone(), appearance: !args.without_appearance };
    let sequences = sequence::read_all(&args.sequences, &names).map_err(bad)?;
    for sequence in &sequences {
        let (path, clipped, count) = (sequence.path.display(), sequence.detections.clipped, sequence.detections.count);
        if clipped > 0 {
            eprintln!("{path}: {clipped} of {count} scores are outside 0..1, and are taken as the nearer end");
        }
    }
    Ok(sequences.into_iter().map(|sequence| sequence.every(args.every)).collect())
}
