//! A grid of settings, judged on sequences that did not choose: cross-validation.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};

use super::contender::Contender;
use super::folds::Folds;
use super::grid::Axis;
use super::progress::Progress;
use super::report::{self, SCHEMA, facts, overrides};
use super::runner;
use crate::cli::exit::BadInput;
use crate::eval::sequence::Sequence;

/// Settings that the table shows, best first.
const SHOWN: usize = 10;

/// What is judged: HOTA, IDF1, and their mean.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Score {
    hota: f64,
    idf1: f64,
    mean: f64,
}

impl Score {
    fn new(hota: f64, idf1: f64) -> Self {
        Self { hota, idf1, mean: f64::midpoint(hota, idf1) }
    }

    /// Mean over some sequences, each of which counts the same.
    fn over(scores: &[Self], places: impl Iterator<Item = usize>) -> Self {
        let (mut hota, mut idf1, mut count) = (0.0, 0.0, 0.0);
        for score in places.filter_map(|at| scores.get(at)) {
            (hota, idf1, count) = (hota + score.hota, idf1 + score.idf1, count + 1.0);
        }
        if count == 0.0 { Self::default() } else { Self::new(hota / count, idf1 / count) }
    }

    fn cells(&self) -> [String; 3] {
        [self.hota, self.idf1, self.mean].map(|value| format!("{value:.4}"))
    }
}

struct Fold {
    /// Places of the sequences held out.
    held_out: Vec<usize>,
    /// Place of the setting that is best on the others.
    chosen: usize,
    score: Score,
    defaults: Score,
}

/// What came of a sweep.
pub(super) struct Outcome {
    tracker: String,
    axes: Vec<Axis>,
    sequences: Vec<String>,
    facts: Vec<Value>,
    settings: Vec<Contender>,
    /// By setting and sequence; the last row is of the defaults.
    scores: Vec<Vec<Score>>,
    folds: Vec<Fold>,
}

pub(super) fn run(
    sequences: &[Sequence],
    defaults: &Contender,
    axes: &[Axis],
    settings: Vec<Contender>,
    folds: &Folds,
    classes: &[u32],
) -> anyhow::Result<Outcome> {
    let first = |sequence: &Sequence| sequences.iter().position(|other| other.truth == sequence.truth);
    let recordings: Vec<usize> = sequences.iter().filter_map(first).collect();
    let held_out = folds.of(&recordings)?;
    let everyone: Vec<&Contender> = settings.iter().chain([defaults]).collect();
    let scores = all(sequences, &everyone, classes)?;
    let (of_defaults, of_settings) = scores.split_last().ok_or_else(|| BadInput("--sweep: no settings".to_owned()))?;
    let folds = held_out.into_iter().map(|held_out| {
        let others = || (0..sequences.len()).filter(|at| !held_out.contains(at));
        let chosen = best(of_settings, others);
        let of = |scores: &[Score]| Score::over(scores, held_out.iter().copied());
        Fold { chosen, score: of(&of_settings[chosen]), defaults: of(of_defaults), held_out }
    });
    Ok(Outcome {
        tracker: defaults.name.clone(),
        axes: axes.to_vec(),
        sequences: sequences.iter().map(|sequence| sequence.name.clone()).collect(),
        facts: facts(sequences),
        folds: folds.collect(),
        settings,
        scores,
    })
}

/// The setting with the best mean over these sequences; of equals the first.
fn best<I: Iterator<Item = usize>>(scores: &[Vec<Score>], places: impl Fn() -> I) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (at, scores) in scores.iter().enumerate() {
        let mean = Score::over(scores, places()).mean;
        if mean > best.1 {
            best = (at, mean);
        }
    }
    best.0
}

/// All settings on all sequences, on all cores.
fn all(sequences: &[Sequence], contenders: &[&Contender], classes: &[u32]) -> anyhow::Result<Vec<Vec<Score>>> {
    let runs = contenders.len() * sequences.len();
    let (progress, next) = (Progress::new(runs), AtomicUsize::new(0));
    let done = Mutex::new(vec![vec![Score::default(); sequences.len()]; contenders.len()]);
    let failed: Mutex<Option<anyhow::Error>> = Mutex::new(None);
    let work = || {
        loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if run >= runs || failed.lock().is_some() {
                return;
            }
            let (setting, at) = (run / sequences.len(), run % sequences.len());
            let sequence = &sequences[at];
            let tracked = runner::track(sequence, contenders[setting]).map_err(anyhow::Error::from);
            match tracked.and_then(|tracked| runner::score(sequence, &tracked, classes)) {
                Ok(scored) => done.lock()[setting][at] = Score::new(scored.summary.hota, scored.summary.idf1),
                Err(error) => {
                    failed.lock().get_or_insert(error);
                }
            }
            progress.step();
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(runs);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    failed.into_inner().map_or_else(|| Ok(done.into_inner()), Err)
}

impl Outcome {
    fn everywhere(&self) -> std::ops::Range<usize> {
        0..self.sequences.len()
    }

    /// Of the swept parameters.
    fn values(&self, setting: usize) -> Vec<(String, f32)> {
        let set = &self.settings[setting].overrides;
        set[set.len() - self.axes.len()..].to_vec()
    }

    fn words(&self, setting: usize) -> String {
        self.values(setting).iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    fn names(&self, places: &[usize]) -> Vec<&str> {
        places.iter().map(|at| self.sequences[*at].as_str()).collect()
    }

    /// Settings by their mean over all sequences, best first.
    fn ranking(&self) -> Vec<(usize, Score)> {
        let settings = (0..self.settings.len()).map(|at| (at, Score::over(&self.scores[at], self.everywhere())));
        let mut ranking: Vec<_> = settings.collect();
        ranking.sort_by(|a, b| b.1.mean.total_cmp(&a.1.mean));
        ranking
    }

    /// Over folds, each sequence counting the same.
    fn held_out(&self, which: impl Fn(&Fold) -> Score) -> Score {
        let by_sequence: Vec<Score> =
            self.folds.iter().flat_map(|fold| std::iter::repeat_n(which(fold), fold.held_out.len())).collect();
        Score::over(&by_sequence, 0..by_sequence.len())
    }

    fn defaults(&self) -> Score {
        self.scores.last().map_or_else(Score::default, |scores| Score::over(scores, self.everywhere()))
    }

    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if json {
            writeln!(out, "{}", serde_json::to_string_pretty(&self.document())?)?;
            return Ok(());
        }
        let (sequences, settings) = (self.sequences.len(), self.settings.len());
        writeln!(out, "{}: {settings} settings on {sequences} sequences\n", self.tracker)?;
        let header = ["held out", "chosen on the others", "hota", "idf1", "mean", "defaults: hota", "idf1", "mean"];
        let mut lines = vec![header.map(str::to_owned).to_vec()];
        let line = |name: String, chosen: String, score: Score, defaults: Score| {
            [name, chosen].into_iter().chain(score.cells()).chain(defaults.cells()).collect::<Vec<_>>()
        };
        for fold in &self.folds {
            let name = self.names(&fold.held_out).join(" ");
            lines.push(line(name, self.words(fold.chosen), fold.score, fold.defaults));
        }
        let (score, defaults) = (self.held_out(|fold| fold.score), self.held_out(|fold| fold.defaults));
        lines.push(line("mean".to_owned(), String::new(), score, defaults));
        writeln!(out, "{}", report::table(&lines, 2))?;

        let header = ["best on all (each saw every sequence)", "hota", "idf1", "mean"];
        let mut lines = vec![header.map(str::to_owned).to_vec()];
        let line = |name: String, score: Score| std::iter::once(name).chain(score.cells()).collect::<Vec<_>>();
        for (setting, score) in self.ranking().into_iter().take(SHOWN) {
            lines.push(line(self.words(setting), score));
        }
        lines.push(line("defaults".to_owned(), self.defaults()));
        write!(out, "{}", report::table(&lines, 1))?;
        Ok(())
    }

    fn document(&self) -> Value {
        let folds = self.folds.iter().map(|fold| {
            json!({
                "held_out": self.names(&fold.held_out),
                "chosen": overrides(&self.values(fold.chosen)),
                "score": fold.score,
                "defaults": fold.defaults,
            })
        });
        let by_name = |scores: &[Score]| -> serde_json::Map<String, Value> {
            self.sequences.iter().zip(scores).map(|(name, score)| (name.clone(), json!(score))).collect()
        };
        let settings = self.ranking().into_iter().map(|(setting, score)| {
            json!({
                "set": overrides(&self.values(setting)),
                "mean": score,
                "sequences": by_name(&self.scores[setting]),
            })
        });
        json!({
            "schema": SCHEMA,
            "sequences": self.facts,
            "sweep": {
                "tracker": self.tracker,
                "folds": folds.collect::<Vec<_>>(),
                "held_out": self.held_out(|fold| fold.score),
                "held_out_defaults": self.held_out(|fold| fold.defaults),
                "defaults": {
                    "mean": self.defaults(),
                    "sequences": by_name(self.scores.last().map_or(&[][..], Vec::as_slice)),
                },
                "settings": settings.collect::<Vec<_>>(),
            },
        })
    }
}
