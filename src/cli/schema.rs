//! `watchkeeper schema`

use std::io::Write as _;

use super::Exit;

pub(super) fn main() -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &crate::config::schema())?;
    writeln!(out)?;
    Ok(Exit::Done)
}
