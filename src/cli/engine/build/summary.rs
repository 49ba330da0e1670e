//! What was made, for whoever asked for it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::meter::time;
use crate::inference::artefact::{Manifest, Staged};
use crate::inference::budget::megabytes;

/// An engine in the store.
pub(super) struct Made {
    pub(super) manifest: Manifest,
    pub(super) staged: Staged,
    /// The configured plan.
    pub(super) plan: PathBuf,
    /// That leads to it now.
    pub(super) installed: bool,
    /// The engine of the store that it led to before.
    pub(super) before: Option<String>,
    /// There was a plan of some kind.
    pub(super) had_plan: bool,
    /// Of the golden picture.
    pub(super) golden: String,
    pub(super) remarks: Vec<String>,
}

pub(super) fn words(made: &Made) -> String {
    let Made { manifest, staged, .. } = made;
    let mut text = String::new();
    let mut line = |what: &str, words: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {what:<10} {words}");
    };
    line("engine", &format!("{}, {}", staged.plan.display(), megabytes(manifest.plan.bytes)));
    let short = |sha256: &str| sha256.get(..12).unwrap_or(sha256).to_owned();
    let before = match &made.before {
        Some(sha256) => format!("{} before", short(sha256)),
        None if made.had_plan => "a plan from elsewhere before".to_owned(),
        None => "its first".to_owned(),
    };
    let place = made.plan.display();
    line(
        "plan",
        &if made.installed {
            format!("{place} leads to {} now, {before}", short(&staged.sha256))
        } else {
            format!(
                "{place} is as it was; take the engine with: watchkeeper engine rollback {} --to {}",
                manifest.model,
                short(&staged.sha256)
            )
        },
    );
    for (number, profile) in manifest.profiles.iter().enumerate() {
        let shape = |shape: &[i64]| shape.iter().map(i64::to_string).collect::<Vec<_>>().join("x");
        let input = |(name, range): (&String, &crate::inference::artefact::Range)| {
            if range.min == range.max {
                format!("{name} {}", shape(&range.max))
            } else {
                format!("{name} {}..{}", shape(&range.min), shape(&range.max))
            }
        };
        let inputs: Vec<String> = profile.iter().map(input).collect();
        line(&format!("profile {number}"), &inputs.join(", "));
    }
    if let Some(memory) = &manifest.memory {
        let words = format!(
            "{} for the engine, {} of activations and {} besides for each context",
            megabytes(memory.engine),
            megabytes(memory.activations),
            megabytes(memory.context)
        );
        line("memory", &words);
    }
    for speed in &manifest.speed {
        let words = format!("{:.2} ms, 99 of 100 within {:.2} ms, {} runs", speed.median_ms, speed.p99_ms, speed.runs);
        line(&format!("batch {}", speed.batch), &words);
    }
    line("golden", &made.golden);
    let verified = manifest.verified.as_ref();
    line(
        "verified",
        &verified.map_or_else(|| "no".to_owned(), |verified| format!("agreement {:.3}", verified.agreement)),
    );
    if let Some(log) = &manifest.log {
        let path = staged.plan.with_extension("log");
        line("log", &format!("{}, {} warnings, {} errors", path.display(), log.warnings, log.errors));
    }
    for remark in &made.remarks {
        line("remark", remark);
    }
    let took = Duration::from_secs_f64(manifest.timings.total_s.max(0.0));
    let cached = if manifest.timings.timing_cache { ", with a timing cache" } else { "" };
    format!(
        "{}: {} on {} with TensorRT {}, in {}{cached}\n{text}",
        manifest.model,
        manifest.options.precision,
        manifest.platform.gpu.name,
        manifest.platform.tensorrt,
        time(took),
    )
}

pub(super) fn json(made: &Made) -> Value {
    json!({
        "model": made.manifest.model,
        "sha256": made.staged.sha256,
        "engine": made.staged.plan,
        "plan": made.plan,
        "installed": made.installed,
        "before": made.before,
        "golden": made.golden,
        "log": made.staged.plan.with_extension("log"),
        "manifest": made.manifest,
        "remarks": made.remarks,
    })
}
