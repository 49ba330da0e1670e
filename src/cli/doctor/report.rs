//! The report, as text and as JSON.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

use super::check::{Check, Outcome};
use super::facts::Facts;
use super::known::{self, Known};
use crate::cli::Exit;
use crate::config::Policy;
use crate::inference::ContractReport;
use crate::telemetry::redact::redact;

/// Everything that is said.
pub(super) struct Report {
    /// The configuration's own line.
    pub(super) config: Check,
    pub(super) policy: Option<Policy>,
    /// `None`: there is no configuration to make it for. The error is of a process that died of it.
    pub(super) contract: Option<Result<ContractReport, Check>>,
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
        let failed = self.checks().iter().any(|check| check.outcome == Outcome::Failed);
        if failed && self.policy == Some(Policy::GpuOnly) { Exit::Gpu } else { Exit::Done }
    }

    /// The contract's lines.
    fn checks(&self) -> &[Check] {
        match &self.contract {
            None => &[],
            Some(Ok(report)) => &report.checks,
            Some(Err(check)) => std::slice::from_ref(check),
        }
    }

    fn count(&self, outcome: Outcome) -> usize {
        let known = self.known();
        let all = [&self.config].into_iter().chain(self.checks()).chain(&self.versions);
        all.chain(known.iter().map(|trouble| &trouble.check)).filter(|check| check.outcome == outcome).count()
    }

    pub(super) fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let document = json!({
            "schema": "doctor/1",
            "ok": self.count(Outcome::Failed) == 0,
            "policy": self.policy,
            "config": self.config,
            "contract": match &self.contract {
                None => json!(null),
                Some(Ok(report)) => json!(report),
                Some(Err(check)) => json!({ "error": check.found }),
            },
            "versions": self.versions,
            "known": self.known(),
            "facts": self.facts,
        });
        writeln!(out, "{document}")
    }

    pub(super) fn text(&self, out: &mut impl Write, colour: bool) -> io::Result<()> {
        let known = self.known();
        let mut first = vec![&self.config];
        first.extend(self.checks());
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
        Outcome::Passed => ("ok  ", "32"),
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
    use super::super::check::{self, Then as _};
    use super::*;

    fn report(config: Check, policy: Option<Policy>, contract: Option<Check>) -> Report {
        Report { config, policy, contract: contract.map(Err), versions: Vec::new(), facts: Facts::default() }
    }

    #[test]
    fn the_exit_code_is_of_who_must_act() {
        let ok = || check::ok("configuration", "x");
        let (good, bad) = (|| Some(check::ok("device", "x")), || Some(check::failed("device", "x")));
        for (config, policy, contract, want) in [
            (ok(), Some(Policy::GpuOnly), good(), Exit::Done),
            (ok(), Some(Policy::GpuOnly), bad(), Exit::Gpu),
            (ok(), Some(Policy::Any), bad(), Exit::Done),
            (check::skipped("configuration", "none"), None, None, Exit::Done),
            (check::failed("configuration", "bad"), None, None, Exit::Config),
        ] {
            assert_eq!(report(config, policy, contract).exit(), want);
        }
        let mut warned = report(ok(), Some(Policy::GpuOnly), Some(check::warning("device", "x")));
        warned.versions.push(check::failed("decoder", "none"));
        assert_eq!(warned.exit(), Exit::Done, "only the contract decides");
    }

    #[test]
    fn lines_are_aligned_and_stay_lines() {
        let odd = check::failed("device", "a\nb\x1b[2Jc").then("restart");
        let report = report(check::skipped("configuration", "none"), None, Some(odd));
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
