//! Model files.

use std::io::{self, Write};
use std::path::Path;

use onnx::{Dim, Facts, TensorFacts};
use serde_json::json;

use super::Args;
use crate::cli::Exit;
use crate::cli::exit::BadInput;
use crate::inference::artefact::sha256_of_file;

pub(super) fn show(path: &Path, args: &Args) -> anyhow::Result<Exit> {
    let unreadable = |error: &dyn std::fmt::Display| BadInput(format!("{}: {error}", path.display()));
    let sha256 = sha256_of_file(path).map_err(|error| unreadable(&error))?;
    let facts = onnx::Model::read(path).map_err(|error| unreadable(&error))?.facts();
    let mut out = io::stdout().lock();
    if args.json {
        let about = json!({ "schema": "inspect/1", "kind": "onnx", "file": path, "sha256": sha256, "onnx": facts });
        writeln!(out, "{}", serde_json::to_string_pretty(&about)?)?;
    } else {
        print(path, &sha256, &facts, args.layers, &mut out)?;
    }
    Ok(Exit::Done)
}

fn print(path: &Path, sha256: &str, facts: &Facts, all: bool, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "model       {}, sha256 {sha256}", path.display())?;
    let opsets: Vec<_> = facts.opsets.iter().map(|(domain, version)| format!("{domain} {version}")).collect();
    let producer = if facts.producer.is_empty() { "nobody says" } else { &facts.producer };
    writeln!(out, "format      IR {}, opsets {}; made by {producer}", facts.ir_version, opsets.join(", "))?;
    let quantised = if facts.quantised { ", quantised" } else { "" };
    let weights: Vec<_> = facts.weights.keys().cloned().collect();
    writeln!(
        out,
        "graph       {:?}, {} nodes, {} parameters ({}){quantised}",
        facts.graph,
        facts.nodes,
        facts.parameters,
        weights.join(", ")
    )?;
    let sides = [("input", &facts.inputs), ("output", &facts.outputs)];
    for (side, tensor) in sides.into_iter().flat_map(|(side, tensors)| tensors.iter().map(move |tensor| (side, tensor)))
    {
        print_tensor(side, tensor, out)?;
    }
    let mut operators: Vec<_> = facts.operators.iter().collect();
    operators.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), name.as_str()));
    let shown = if all { operators.len() } else { 8 };
    let list: Vec<_> = operators.iter().take(shown).map(|(name, count)| format!("{count} {name}")).collect();
    let more = operators.len().saturating_sub(shown);
    let more = if more > 0 { format!(", and {more} other kinds (--layers)") } else { String::new() };
    writeln!(out, "operators   {}{more}", list.join(", "))
}

fn print_tensor(side: &str, tensor: &TensorFacts, out: &mut impl Write) -> io::Result<()> {
    let dims = tensor
        .dims
        .as_ref()
        .map_or("shape not said".to_owned(), |dims| dims.iter().map(Dim::to_string).collect::<Vec<_>>().join("x"));
    writeln!(out, "{side:<11} {} {} {dims}", tensor.name, tensor.element)
}
