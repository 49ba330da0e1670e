//! Class names of a model, and those that are wanted.

use std::sync::Arc;

use crate::config::coco;
use crate::config::file::Model;
use crate::config::layers;
use crate::config::manifest::Manifest;
use crate::config::meaning::Task;
use crate::config::report::Report;
use crate::config::words;

use super::beside;

const MAX_BYTES: u64 = 1 << 20;

/// All names by index, and the wanted indices in order; none wanted by name means all.
pub(super) fn resolve(
    written: &Model,
    manifest: Option<&Manifest>,
    task: Task,
    key: &str,
    report: &mut Report,
) -> (Arc<[String]>, Vec<u16>) {
    let labels = match (&written.labels, manifest.and_then(|m| m.labels.as_ref())) {
        (Some(path), _) => read(path, &format!("{key}.labels"), report),
        (None, Some(labels)) => {
            let checked = check(labels.clone()).map_err(|problem| format!("model.toml beside it: labels: {problem}"));
            checked.map_err(|problem| report.problem(format!("{key}.onnx"), problem)).ok()
        }
        (None, None) if matches!(task, Task::Pose | Task::Reid) => Some(vec!["person".to_owned()]),
        (None, None) => Some(coco::LABELS.map(str::to_owned).to_vec()),
    };
    // Without its names, nothing can be said of a model's classes.
    let Some(labels) = labels else { return (Arc::from([]), Vec::new()) };
    let mut classes = Vec::new();
    for (i, name) in written.classes.iter().flatten().enumerate() {
        let before = classes.len();
        classes.extend((0..=u16::MAX).zip(&labels).filter(|(_, label)| *label == name).map(|(index, _)| index));
        if classes.len() == before {
            let near = words::suggestion(name, labels.iter().map(String::as_str));
            report.problem(format!("{key}.classes[{i}]"), format!("no label {}{near}", words::quoted(name)));
        }
    }
    classes.sort_unstable();
    classes.dedup();
    (labels.into(), classes)
}

fn read(path: &str, key: &str, report: &mut Report) -> Option<Vec<String>> {
    let path = beside(path, key, report);
    let labels = layers::read_bytes(&path, MAX_BYTES).and_then(|bytes| parse(&bytes));
    labels.map_err(|problem| report.problem(key, format!("{}: {problem}", path.display()))).ok()
}

fn parse(bytes: &[u8]) -> Result<Vec<String>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8; save the file as UTF-8".to_owned())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_end();
    if text.is_empty() {
        return Err("empty; write one class name per line".to_owned());
    }
    check(text.lines().map(|line| line.trim().to_owned()).collect())
}

fn check(labels: Vec<String>) -> Result<Vec<String>, String> {
    if labels.len() > 1 << 16 {
        return Err("more than 65536 lines; write one class name per line".to_owned());
    }
    // The line is not repeated: the wrong file may hold a password.
    if let Some(i) = labels.iter().position(|label| !words::is_label(label)) {
        let allowed = "a label is 1 to 64 letters, digits, spaces or any of \"_-.,()&\", because it stands in topics";
        return Err(format!("line {} is no label; {allowed}", i + 1));
    }
    Ok(labels)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_label_per_line() {
        assert_eq!(parse(b"\xef\xbb\xbfperson\r\ntraffic light\n\n").unwrap(), ["person", "traffic light"]);
        for (bytes, problem) in [
            (b"\n \n".as_slice(), "empty; write one"),
            (b"a\n\nb", "line 2 is no label"),
            (b"a\nb/+/#", "line 2 is no label"),
            (b"\xff", "not UTF-8"),
        ] {
            assert!(parse(bytes).unwrap_err().starts_with(problem), "{bytes:?}");
        }
    }
}
