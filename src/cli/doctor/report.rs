//! The report, as text and as JSON.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

use super::check::{Check, Outcome};
use super::facts::Facts;
use super::known::{self, Known};
use crate::cli::Exit;
use crate::config::Policy;
use crate::telemetry::redact::redact;

/// Everything that is said.
pub(super) struct Report {
    /// The configuration's own line.
    pub(super) config: Check,
    pub(super) policy: Option<Policy>,
    pub(super) contract: Vec<Check>,
    pub(super) versions: Vec<Check>,
    pub(super) facts: Facts,
}

/// A line of the table of known trouble.
#[derive(Serialize)]
struct Trouble {
    id: &'static str,
    source: &'static str,
    #[serde(flatten)]
    check: Check,
}

impl Report {
    fn known(&self) -> Vec<Trouble> {
        let line = |row: &Known| {
            let check = row.check(&self.facts)?;
            Some(Trouble { id: row.id, source: row.source, check })
        };
        known::TABLE.iter().filter_map(line).collect()
    }

    /// 78 where the configuration is wrong, 69 where the contract failed and the policy makes that fatal.
    pub(super) fn exit(&self) -> Exit {
        if self.config.outcome == Outcome::Failed {
            return Exit::Config;
        }
        let failed = self.contract.iter().any(|check| check.outcome == Outcome::Failed);
        if failed && self.policy == Some(Policy::GpuOnly) { Exit::Gpu } else { Exit::Done }
    }

    fn count(&self, outcome: Outcome) -> usize {
        let known = self.known();
        let all = [&self.config].into_iter().chain(&self.contract).chain(&self.versions);
        all.chain(known.iter().map(|trouble| &trouble.check)).filter(|check| check.outcome == outcome).count()
    }

    pub(super) fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let document = json!({
            "schema": "doctor/1",
            "ok": self.count(Outcome::Failed) == 0,
            "policy": self.policy,
            "config": self.config,
            "contract": self.contract,
            "versions": self.versions,
            "known": self.known(),
            "facts": self.facts,
        });
        writeln!(out, "{document}")
    }

    pub(super) fn text(&self, out: &mut impl Write, colour: bool) -> io::Result<()> {
        let known = self.known();
        let mut first = vec![&self.config];
        first.extend(&self.contract);
        let parts = [
            ("Configuration and GPU contract", first),
            ("Versions", self.versions.iter().collect()),
            ("Known trouble", known.iter().map(|trouble| &trouble.check).collect()),
        ];
        let names = parts.iter().flat_map(|(_, checks)| checks).map(|check| check.name.chars().count());
        let width = names.max().unwrap_or(0);
        for (heading, checks) in parts.iter().filter(|(_, checks)| !checks.is_empty()) {
            writeln!(out, "{}", paint(heading, "1", colour))?;
            for check in checks {
                line(out, check, width, colour)?;
            }
            writeln!(out)?;
        }
        let (failed, warnings) = (self.count(Outcome::Failed), self.count(Outcome::Warning));
        writeln!(out, "{failed} failed, {warnings} to look at")
    }
}

fn line(out: &mut impl Write, check: &Check, width: usize, colour: bool) -> io::Result<()> {
    let (mark, paint_with) = match check.outcome {
        Outcome::Ok => ("ok  ", "32"),
        Outcome::Warning => ("warn", "33"),
        Outcome::Failed => ("FAIL", "31"),
        Outcome::Skipped => ("-   ", "2"),
    };
    let mark = paint(mark, paint_with, colour);
    let next = check.next.as_ref().map(|next| format!("  -> {}", plain(next))).unwrap_or_default();
    writeln!(out, "{mark}  {:<width$}  {}{next}", check.name, plain(&check.found))
}

fn paint(text: &str, code: &str, colour: bool) -> String {
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// One line, whatever a file or a library wrote into it.
fn plain(text: &str) -> String {
    redact(text).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn report(config: Check, policy: Option<Policy>, contract: Vec<Check>) -> Report {
        Report { config, policy, contract, versions: Vec::new(), facts: Facts::default() }
    }

    #[test]
    fn the_exit_code_is_of_who_must_act() {
        let ok = || Check::ok("configuration", "x");
        let (good, bad) =
            (|| vec![Check::ok("device", "x")], || vec![Check::ok("a", ""), Check::failed("device", "x")]);
        for (config, policy, contract, want) in [
            (ok(), Some(Policy::GpuOnly), good(), Exit::Done),
            (ok(), Some(Policy::GpuOnly), bad(), Exit::Gpu),
            (ok(), Some(Policy::Any), bad(), Exit::Done),
            (Check::skipped("configuration", "none"), None, Vec::new(), Exit::Done),
            (Check::failed("configuration", "bad"), None, Vec::new(), Exit::Config),
        ] {
            assert_eq!(report(config, policy, contract).exit(), want);
        }
        let mut warned = report(ok(), Some(Policy::GpuOnly), vec![Check::warning("device", "x")]);
        warned.versions.push(Check::failed("decoder", "none"));
        assert_eq!(warned.exit(), Exit::Done, "only the contract decides");
    }

    #[test]
    fn lines_are_aligned_and_stay_lines() {
        let odd = Check::failed("device", "a\nb\x1b[2Jc").then("restart");
        let report = report(Check::skipped("configuration", "none"), None, vec![odd]);
        let mut text = Vec::new();
        report.text(&mut text, false).unwrap();
        let want = "Configuration and GPU contract\n-     configuration  none\nFAIL  device         a b [2Jc  -> restart\n\n\
                    1 failed, 0 to look at\n";
        assert_eq!(String::from_utf8(text).unwrap(), want);
        let mut colourful = Vec::new();
        report.text(&mut colourful, true).unwrap();
        assert!(String::from_utf8(colourful).unwrap().contains("\x1b[31mFAIL\x1b[0m  device"));
    }
}
