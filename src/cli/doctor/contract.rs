//! The GPU contract, made by a process of its own as the daemon makes it at start.

use std::path::Path;

use super::answers::Question;
use super::ask::ask;
use super::check::{self, Check, Then as _};
use crate::inference::{ContractReport, Outcome};

/// The report; or, where whoever made it crashed or hung, a failed check that says so.
pub(super) fn made(config: &Path) -> Result<ContractReport, Check> {
    ask(Question::Contract, Some(config)).map_err(|error| {
        let next = "take the models out one by one (--models of watchkeeper analyze) to find which one does it";
        check::failed("contract", error).then(next)
    })
}

/// What the contract says of GPU 0: its name where a kernel proved that it computes, or why not.
pub(super) fn proof(report: &ContractReport) -> Option<Result<String, String>> {
    let kernel = report.check("kernel")?;
    match kernel.outcome {
        Outcome::Passed | Outcome::Warning => {
            Some(Ok(report.device.as_ref().map(|device| device.name.clone()).unwrap_or_default()))
        }
        Outcome::Failed => Some(Err(kernel.found.clone())),
        Outcome::Skipped => None,
    }
}
