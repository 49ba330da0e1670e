//! Dependencies point one way. The picture is the one in `src/lib.rs`; this test reads it there, reads every path
//! to another module in `src`, and holds the two together.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

// ------------------------------------------------------------------------------------------------ reading Rust

/// Identifiers, `::` and single characters of Rust source. Comments, strings, characters and lifetimes are left out.
fn tokens(text: &str) -> Vec<(usize, String)> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut tokens, mut i, mut line) = (Vec::new(), 0, 1);
    while i < chars.len() {
        let start = i;
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            '"' => i = after_string(&chars, i),
            'r' | 'b' | 'c' if is_string_prefix(&chars, i) => i = after_string(&chars, i),
            // A character, or a lifetime.
            '\'' if at(i + 1) == '\\' => {
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            '\'' if at(i + 2) == '\'' => i += 3,
            '\'' => {
                i += 1;
                while word(at(i)) {
                    i += 1;
                }
            }
            c if word(c) => {
                while word(at(i)) {
                    i += 1;
                }
                tokens.push((line, chars[start..i].iter().collect()));
            }
            ':' if at(i + 1) == ':' => {
                tokens.push((line, "::".to_owned()));
                i += 2;
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push((line, c.to_string()));
                }
                i += 1;
            }
        }
        line += chars[start..i.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// True where `r"`, `r#"`, `b"`, `br#"` or the like begins, and not a word such as `run` or `r#type`.
fn is_string_prefix(chars: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).map(|i| chars[i]);
    if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return false;
    }
    let rest: String = chars[at..].iter().take(8).collect();
    let unprefixed = rest.trim_start_matches(['b', 'c']).trim_start_matches('r').trim_start_matches('#');
    let prefix = rest.len() - unprefixed.len();
    unprefixed.starts_with('"') && (1..=6).contains(&prefix)
}

/// The place after the string that begins here, with its prefix.
fn after_string(chars: &[char], mut at: usize) -> usize {
    let mut raw = false;
    while matches!(chars[at], 'r' | 'b' | 'c') {
        raw |= chars[at] == 'r';
        at += 1;
    }
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    at += hashes + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' if !raw => at += 2,
            '"' if chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes => {
                return at + 1 + hashes;
            }
            _ => at += 1,
        }
    }
    at
}

/// A path from a module to another top-level module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    from: String,
    to: String,
    /// `file:line`.
    place: String,
}

/// Every path in a file that leaves its top-level module by `crate::` or enough `super::`. `file` is relative to
/// `src`. A path that cannot be followed, such as `crate::*`, leads to `?`.
fn uses(file: &str, text: &str) -> Vec<Use> {
    let mut module: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    if module.last() == Some(&"mod") {
        module.pop();
    }
    if module == ["lib"] || module == ["main"] {
        module.clear();
    }
    let from = module.first().copied().unwrap_or("lib").to_owned();
    let tokens = tokens(text);
    let get = |i: usize| tokens.get(i).map_or("", |(_, token)| token.as_str());
    let mut found = Vec::new();
    // Brace depths at which inline modules began.
    let (mut inline, mut depth) = (Vec::new(), 0_usize);
    let mut i = 0;
    while i < tokens.len() {
        match get(i) {
            "mod" if get(i + 2) == "{" => inline.push(depth),
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                if inline.last() == Some(&depth) {
                    inline.pop();
                }
            }
            // `pub(crate)` is no path.
            "crate" if get(i + 1) == "::" => {
                follow(&tokens, i + 2, &mut |to, line| add(&mut found, &from, to, file, line))
            }
            "crate" if get(i + 1) == "as" => add(&mut found, &from, "?", file, tokens[i].0),
            "super" if i == 0 || get(i - 1) != "::" => {
                let mut supers = 1;
                let mut end = i + 1;
                while get(end) == "::" && get(end + 1) == "super" {
                    (supers, end) = (supers + 1, end + 2);
                }
                if supers >= module.len() + inline.len() && get(end) == "::" {
                    follow(&tokens, end + 1, &mut |to, line| add(&mut found, &from, to, file, line));
                }
                i = end - 1;
            }
            _ => {}
        }
        i += 1;
    }
    found
}

fn add(found: &mut Vec<Use>, from: &str, to: &str, file: &str, line: usize) {
    if from != to {
        found.push(Use { from: from.to_owned(), to: to.to_owned(), place: format!("src/{file}:{line}") });
    }
}

/// The first names of a path, or of each path of a group in braces.
fn follow(tokens: &[(usize, String)], at: usize, name: &mut dyn FnMut(&str, usize)) {
    let get = |i: usize| tokens.get(i).map_or("", |(_, token)| token.as_str());
    let tell = |i: usize, name: &mut dyn FnMut(&str, usize)| match get(i) {
        "*" | "self" => name("?", tokens[i].0),
        other => name(other, tokens[i].0),
    };
    if get(at) != "{" {
        return tell(at, name);
    }
    let (mut depth, mut i, mut first) = (1, at + 1, true);
    while depth > 0 && i < tokens.len() {
        match get(i) {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => first = true,
            _ if first && depth == 1 => {
                tell(i, name);
                first = false;
            }
            _ => {}
        }
        i += 1;
    }
}

// ------------------------------------------------------------------------------------------------ the picture

/// Level of each module: a module may use those of lower levels.
type Picture = BTreeMap<String, usize>;

/// From the sentence in the documentation: "Dependencies point one way: `a -> {b c} -> d`".
fn picture(lib: &str) -> Picture {
    let docs: Vec<&str> = lib.lines().filter_map(|line| line.strip_prefix("//!")).collect();
    let docs = docs.join(" ");
    let (_, rest) = docs.split_once("Dependencies point one way: `").unwrap();
    let (drawn, _) = rest.split_once('`').unwrap();
    let levels: Vec<&str> = drawn.split("->").collect();
    let names = levels.iter().rev().enumerate().flat_map(|(level, names)| {
        let names = names.split(|c: char| c.is_whitespace() || "{}".contains(c)).filter(|name| !name.is_empty());
        names.map(move |name| (name.to_owned(), level))
    });
    names.collect()
}

/// Uses that the picture does not allow.
fn violations(picture: &Picture, uses: &[Use]) -> Vec<String> {
    let wrong = uses.iter().filter_map(|Use { from, to, place }| match (picture.get(from), picture.get(to)) {
        (_, None) => Some(format!("{place}: {from} uses {to}, which the picture does not have")),
        (None, _) => Some(format!("{place}: the picture does not have {from}")),
        (Some(above), Some(below)) if below < above => None,
        (Some(a), Some(b)) if a == b => Some(format!("{place}: {from} uses {to}, which is on the same level")),
        _ => Some(format!("{place}: {from} uses {to}, which is above it")),
    });
    wrong.collect()
}

/// Modules that use each other, round in a circle; the first circle found.
fn cycle(uses: &[Use]) -> Option<Vec<String>> {
    fn visit(at: &str, graph: &BTreeMap<&str, BTreeSet<&str>>, path: &mut Vec<String>) -> Option<Vec<String>> {
        if let Some(start) = path.iter().position(|name| name == at) {
            return Some(path[start..].to_vec());
        }
        path.push(at.to_owned());
        let found = graph.get(at).into_iter().flatten().find_map(|to| visit(to, graph, path));
        path.pop();
        found
    }
    let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Use { from, to, .. } in uses {
        graph.entry(from).or_default().insert(to);
    }
    graph.keys().find_map(|name| visit(name, &graph, &mut Vec::new()))
}

/// All source files, relative to `src`, with their text.
fn files() -> Vec<(String, String)> {
    fn collect(folder: &Path, files: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(src()).unwrap().to_str().unwrap().to_owned();
                files.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut files_found = Vec::new();
    collect(&src(), &mut files_found);
    files_found.sort();
    files_found
}

fn lib() -> String {
    fs::read_to_string(src().join("lib.rs")).unwrap()
}

/// The modules that `lib.rs` declares.
fn declared() -> BTreeSet<String> {
    let tokens = tokens(&lib());
    let modules = tokens.windows(3).filter(|w| w[0].1 == "mod" && w[2].1 == ";").map(|w| w[1].1.clone());
    modules.collect()
}

// ------------------------------------------------------------------------------------------------ what must hold

#[test]
fn dependencies_point_the_way_the_picture_says() {
    let files = files();
    assert!(files.len() > 50, "{} files are not all of them", files.len());
    let all: Vec<Use> = files.iter().flat_map(|(file, text)| uses(file, text)).collect();
    // The reader is not blind.
    for (from, to) in [("cli", "daemon"), ("daemon", "pipeline"), ("pipeline", "source"), ("vision", "types")] {
        assert!(all.iter().any(|found| found.from == from && found.to == to), "{from} uses {to}, and it was not seen");
    }
    let wrong = violations(&picture(&lib()), &all);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_modules_use_each_other_in_a_circle() {
    let all: Vec<Use> = files().iter().flat_map(|(file, text)| uses(file, text)).collect();
    assert_eq!(cycle(&all), None);
}

#[test]
fn lib_rs_names_every_module_and_only_modules_that_exist() {
    let declared = declared();
    for name in &declared {
        let (file, folder) = (src().join(format!("{name}.rs")), src().join(name).join("mod.rs"));
        assert!(file.is_file() != folder.is_file(), "{name}: one of {} and {}", file.display(), folder.display());
    }
    let there: BTreeSet<String> = fs::read_dir(src())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "lib" && name != "main")
        .collect();
    assert_eq!(declared, there, "modules of lib.rs, and files");
    let drawn: BTreeSet<String> = picture(&lib()).into_keys().collect();
    assert_eq!(declared, drawn, "modules of lib.rs, and the picture");
    let tour: BTreeSet<String> =
        lib().lines().filter_map(|line| Some(line.strip_prefix("//! - [`")?.split_once('`')?.0.to_owned())).collect();
    assert_eq!(declared, tour, "modules of lib.rs, and its tour");
}

#[test]
fn the_program_is_the_command_line_and_nothing_else() {
    let text = fs::read_to_string(src().join("main.rs")).unwrap();
    let tokens = tokens(&text);
    let used: Vec<&str> =
        tokens.windows(3).filter(|w| w[0].1 == "watchkeeper" && w[1].1 == "::").map(|w| w[2].1.as_str()).collect();
    assert_eq!(used, ["cli"]);
}

#[test]
fn nothing_in_src_is_unsafe() {
    for (file, text) in files() {
        let found = tokens(&text).into_iter().find(|(_, token)| token == "unsafe");
        assert_eq!(found, None, "src/{file}");
    }
    for file in ["lib.rs", "main.rs"] {
        let text = fs::read_to_string(src().join(file)).unwrap();
        assert!(text.contains("\n#![forbid(unsafe_code)]\n"), "src/{file}");
    }
}

// ------------------------------------------------------------------------------------------------ the checker itself

const PICTURE: &str = "//! Dependencies point one way: `cli -> daemon -> pipeline -> {source inference vision\n\
                       //! web} -> {config telemetry} -> types`; a test holds that true.\n";

fn found(file: &str, text: &str) -> Vec<String> {
    violations(&picture(PICTURE), &uses(file, text))
}

#[test]
fn the_checker_reads_the_picture() {
    let picture = picture(PICTURE);
    let names: Vec<(&str, usize)> = picture.iter().map(|(name, level)| (name.as_str(), *level)).collect();
    let want = [
        ("cli", 5),
        ("config", 1),
        ("daemon", 4),
        ("inference", 2),
        ("pipeline", 3),
        ("source", 2),
        ("telemetry", 1),
        ("types", 0),
        ("vision", 2),
        ("web", 2),
    ];
    assert_eq!(names, want);
}

#[test]
fn the_checker_finds_planted_violations() {
    for (file, text, place) in [
        ("source/mod.rs", "use crate::pipeline::Hub;", "src/source/mod.rs:1: source uses pipeline, which is above it"),
        ("source/a.rs", "\n\nuse crate::web;", "src/source/a.rs:3: source uses web, which is on the same level"),
        ("config/a/b.rs", "fn f() { crate::cli::main(); }", "src/config/a/b.rs:1: config uses cli, which is above it"),
        (
            "types/mod.rs",
            "use crate::{\n    types::a,\n    config::{self, b::{c, d}},\n};",
            "src/types/mod.rs:3: types uses config, which is on",
        ),
        ("types/a.rs", "pub use super::super::vision::Letterbox;", "src/types/a.rs:1: types uses vision"),
        (
            "types/a.rs",
            "mod tests { use super::super::super::vision::Letterbox; }",
            "src/types/a.rs:1: types uses vision",
        ),
        ("types/mod.rs", "use super::cli;", "src/types/mod.rs:1: types uses cli"),
        (
            "vision/a.rs",
            "fn f<'a>(c: char) { if c == '\"' { crate::daemon::run() } }",
            "src/vision/a.rs:1: vision uses daemon",
        ),
        ("vision/a.rs", "const S: &str = r#\" \" \"#; use crate::daemon;", "src/vision/a.rs:1: vision uses daemon"),
        ("vision/a.rs", "macro_rules! m { () => { $crate::daemon::run() } }", "src/vision/a.rs:1: vision uses daemon"),
        ("vision/a.rs", "#[cfg(test)] mod tests { use crate::pipeline; }", "src/vision/a.rs:1: vision uses pipeline"),
        ("vision/a.rs", "use crate::rules;", "src/vision/a.rs:1: vision uses rules, which the picture does not have"),
        ("vision/a.rs", "use crate::*;", "src/vision/a.rs:1: vision uses ?"),
        ("vision/a.rs", "use crate as all;", "src/vision/a.rs:1: vision uses ?"),
        ("rules/a.rs", "use crate::types;", "src/rules/a.rs:1: the picture does not have rules"),
    ] {
        let found = found(file, text);
        // The same level and above share a beginning in one of the rows.
        let place = place.split(", which is on").next().unwrap();
        assert!(found.len() == 1 && found[0].starts_with(place), "{text}: {found:?}");
    }
}

#[test]
fn the_checker_lets_pass_what_is_allowed() {
    for (file, text) in [
        ("cli/run.rs", "use crate::{config::Config, daemon, types};"),
        ("pipeline/mod.rs", "use crate::vision::heads::Decoder; use crate::pipeline::hub; use super::config;"),
        ("vision/heads/mod.rs", "use super::mapping::Mapping; use super::super::config::Head;"),
        ("vision/heads/mod.rs", "mod tests { use super::super::mapping; }"),
        (
            "types/a.rs",
            "// use crate::cli;\n/// [`crate::cli`]\n/* /* */ crate::cli:: */ const A: &str = \"crate::cli::a\";",
        ),
        ("types/a.rs", "const A: &str = r##\"\"# crate::cli\"##; const B: &[u8] = b\"\\\" crate::cli\";"),
        ("types/a.rs", "pub(crate) fn run<'r>(r#type: &'r str) {} pub(in crate::types) struct A; my::crate_::cli();"),
        ("types/a.rs", "const C: [char; 3] = ['\\'', '\"', '/']; // crate::cli\n"),
    ] {
        assert_eq!(found(file, text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn the_checker_finds_circles() {
    let edge = |from: &str, to: &str| Use { from: from.into(), to: to.into(), place: String::new() };
    let line = [edge("a", "b"), edge("b", "c"), edge("a", "c")];
    assert_eq!(cycle(&line), None);
    let circle = [edge("a", "b"), edge("b", "c"), edge("c", "d"), edge("d", "b")];
    assert_eq!(cycle(&circle), Some(vec!["b".into(), "c".into(), "d".into()]));
}

#[test]
fn the_checker_finds_unsafe() {
    let has = |text: &str| tokens(text).iter().any(|(_, token)| token == "unsafe");
    assert!(has("fn f() { unsafe { g() } }") && has("unsafe impl Send for A {}"));
    assert!(!has("#![forbid(unsafe_code)] // unsafe\nconst A: &str = \"unsafe\";"));
}
