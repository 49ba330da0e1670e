//! `watchkeeper schema`

use std::io::Write as _;

use super::Exit;

pub(super) fn main() -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string_pretty(&crate::config::schema())?)?;
    Ok(Exit::Done)
}
