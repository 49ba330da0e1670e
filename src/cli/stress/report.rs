//! What `stress` says in the end, as text and as JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::super::workbench::{About, Mode};

/// All modes.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) schema: &'static str,
    pub(super) about: About,
    /// Threads, and contexts of every engine.
    pub(super) contexts: usize,
    pub(super) tolerance: f64,
    /// All modes asked for are.
    pub(super) safe: bool,
    /// The line for the configuration; absent where no mode that ran is safe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) config: Option<String>,
    pub(super) modes: Vec<ModeReport>,
}

/// One mode.
#[derive(Debug, Serialize)]
pub(super) struct ModeReport {
    pub(super) mode: Mode,
    pub(super) safe: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) reasons: Vec<String>,
    pub(super) seconds: f64,
    pub(super) device_lost: bool,
    pub(super) hung: bool,
    /// Outputs of a type that nothing reads.
    pub(super) outputs_not_compared: usize,
    pub(super) models: Vec<ModelReport>,
    /// What failures said.
    pub(super) words: Vec<Words>,
}

/// One model in one mode.
#[derive(Debug, Serialize)]
pub(super) struct ModelReport {
    pub(super) name: String,
    pub(super) runs: u64,
    pub(super) runs_per_s: f64,
    /// Answers that are not the single-threaded one to the last bit.
    pub(super) different: u64,
    /// Answers beyond the tolerance.
    pub(super) wrong: u64,
    /// `null`: a NaN, an infinity or another shape.
    pub(super) largest_difference: f64,
    /// Of two single-threaded answers.
    pub(super) largest_difference_alone: f64,
    pub(super) failures: Failures,
    /// Times that the engine was loaded anew.
    pub(super) reloads: u64,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Failures {
    pub(super) myelin: u64,
    pub(super) other: u64,
    /// Not failures of their own: the engine waited to be loaded anew.
    pub(super) refused: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Words {
    pub(super) text: String,
    pub(super) count: u64,
}

impl ModeReport {
    /// Nothing ran yet.
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            mode,
            safe: true,
            reasons: Vec::new(),
            seconds: 0.0,
            device_lost: false,
            hung: false,
            outputs_not_compared: 0,
            models: Vec::new(),
            words: Vec::new(),
        }
    }

    pub(super) fn not_safe(&mut self, reason: String) {
        self.safe = false;
        self.reasons.push(reason);
    }

    /// Finds what the models' figures say against the mode.
    pub(super) fn judge_figures(&mut self) {
        let with = |count: fn(&ModelReport) -> u64| {
            let sum: u64 = self.models.iter().map(count).sum();
            let names = self.models.iter().filter(|model| count(model) > 0).map(|model| model.name.as_str());
            (sum, names.collect::<Vec<_>>().join(", "))
        };
        let mut reasons = Vec::new();
        for (what, (sum, names)) in [
            ("failed inside Myelin", with(|model| model.failures.myelin)),
            ("failed otherwise", with(|model| model.failures.other)),
            ("gave a wrong answer", with(|model| model.wrong)),
        ] {
            if sum > 0 {
                reasons.push(format!("{sum} {} {what} ({names})", if sum == 1 { "run" } else { "runs" }));
            }
        }
        // Silence proves nothing.
        let idle: Vec<&str> =
            self.models.iter().filter(|model| model.runs == 0).map(|model| model.name.as_str()).collect();
        if !idle.is_empty() {
            reasons.push(format!("no run of {} ended well", idle.join(", ")));
        }
        reasons.into_iter().for_each(|reason| self.not_safe(reason));
    }

    /// As it stands behind the mode's name.
    fn verdict(&self) -> String {
        if self.safe { "safe".to_owned() } else { format!("not safe: {}", self.reasons.join("; ")) }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "\n{}: {}", self.mode.name(), self.verdict())?;
        let width = self.models.iter().map(|model| model.name.len()).fold(5, usize::max);
        if !self.models.is_empty() {
            writeln!(
                out,
                "  {:<width$} {:>9} {:>9} {:>9} {:>9} {:>11} {:>9} {:>9} {:>9} {:>9}",
                "model", "runs", "runs/s", "not exact", "wrong", "largest off", "Myelin", "other", "refused", "reloads"
            )?;
        }
        for model in &self.models {
            let ModelReport { name, runs, runs_per_s, different, wrong, largest_difference, failures, reloads, .. } =
                model;
            let off = percent(*largest_difference);
            let Failures { myelin, other, refused } = failures;
            writeln!(
                out,
                "  {name:<width$} {runs:>9} {runs_per_s:>9.1} {different:>9} {wrong:>9} {off:>11} {myelin:>9} \
                 {other:>9} {refused:>9} {reloads:>9}"
            )?;
        }
        for Words { text, count } in &self.words {
            writeln!(out, "  {count} x {text}")?;
        }
        for model in self.models.iter().filter(|model| model.largest_difference_alone > 0.0) {
            let off = percent(model.largest_difference_alone);
            writeln!(
                out,
                "  {}: two answers to one picture differ by up to {off} with nobody else at work",
                model.name
            )?;
        }
        if self.outputs_not_compared > 0 {
            writeln!(
                out,
                "  {} outputs have a type that is not read, and were not compared",
                self.outputs_not_compared
            )?;
        }
        Ok(())
    }
}

fn percent(difference: f64) -> String {
    match difference {
        0.0 => "-".to_owned(),
        d if d.is_finite() => format!("{:.2e} %", d * 100.0),
        _ => "NaN".to_owned(),
    }
}

impl Report {
    /// From what the modes gave.
    pub(super) fn new(about: About, contexts: usize, tolerance: f64, modes: Vec<ModeReport>) -> Self {
        let safe = modes.iter().all(|mode| mode.safe);
        // Parallel where it is safe: it is the faster one.
        let best =
            [Mode::Parallel, Mode::Serial].into_iter().find(|best| modes.iter().any(|m| m.mode == *best && m.safe));
        let config = best.map(|mode| format!("concurrency = \"{}\"", mode.name()));
        Self { schema: "stress/1", about, contexts, tolerance, safe, config, modes }
    }

    /// For people.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        self.about.print(out)?;
        let Self { contexts, tolerance, .. } = self;
        writeln!(
            out,
            "stress      {contexts} threads, each with a context of every engine; answers off by more than {} % are wrong",
            tolerance * 100.0
        )?;
        self.modes.iter().try_for_each(|mode| mode.write(out))?;
        self.advice(out)
    }

    fn advice(&self, out: &mut impl Write) -> io::Result<()> {
        if let Some(line) = &self.config {
            writeln!(out, "\nfor the configuration:\n\n[runtime]\n{line}")?;
        }
        let count =
            |of: fn(&ModelReport) -> u64| -> u64 { self.modes.iter().flat_map(|mode| &mode.models).map(of).sum() };
        let parallel_only = matches!(&self.modes[..], [only] if only.mode == Mode::Parallel);
        if self.safe || count(|model| model.failures.myelin + model.failures.other + model.wrong) == 0 {
            return Ok(());
        }
        if parallel_only {
            writeln!(out, "\ntry serial mode, too: --mode serial")?;
        } else if self.config.is_none() {
            writeln!(
                out,
                "\nno mode is safe: build the engines anew on this device with this TensorRT, and see the log for what \
                 TensorRT said"
            )?;
        }
        if count(|model| model.failures.myelin) > 0 {
            writeln!(
                out,
                "\nengine_copies = 2 or more, under [models.<name>], may make parallel mode safe: set it and try again"
            )?;
        }
        Ok(())
    }
}
