//! The words beside a pulled model, and those for the configuration.

use std::path::Path;

use super::catalogue::{Channels, Entry, Input};

/// `model.toml`, as configurations read it.
pub(super) fn manifest(entry: &Entry) -> String {
    let mut lines = vec![
        format!("# Written by `watchkeeper models pull {}`.", entry.name),
        "schema = \"model/1\"".to_owned(),
        "file = \"model.onnx\"".to_owned(),
        format!("sha256 = {}", quoted(&entry.sha256)),
        format!("task = {}", quoted(entry.task.name())),
        format!("head = {}", quoted(entry.head.name())),
    ];
    if let Some(labels) = &entry.labels {
        let labels: Vec<String> = labels.iter().map(|label| quoted(label)).collect();
        lines.push(format!("labels = [{}]", labels.join(", ")));
    }
    let [width, height] = entry.input_size_px;
    lines.push(format!("input_size_px = [{width}, {height}]"));
    lines.extend(entry.min_score.map(|score| format!("min_score = {score:?}")));
    lines.extend(entry.nms_iou.map(|iou| format!("nms_iou = {iou:?}")));
    let input = input(&entry.input);
    if !input.is_empty() {
        lines.push(format!("input = {{ {input} }}"));
    }
    lines.push(String::new());
    lines.push("[training]".to_owned());
    lines.push(format!("project = {}", quoted(&entry.project)));
    lines.push(format!("url = {}", quoted(&entry.url)));
    lines.push(format!("licence = {}", quoted(&entry.licence)));
    lines.join("\n") + "\n"
}

fn input(input: &Input) -> String {
    let word = |fit| serde_json::to_string(&fit).unwrap_or_default();
    let channels = |channels| match channels {
        Channels::Rgb => "rgb",
        Channels::Bgr => "bgr",
    };
    let keys = [
        input.fit.map(|fit| format!("fit = {}", word(fit))),
        input.channels.map(|order| format!("channels = {}", quoted(channels(order)))),
        input.pad.map(|pad| format!("pad = {pad}")),
        input.mean.map(|mean| format!("mean = {mean:?}")),
        input.std.map(|std| format!("std = {std:?}")),
    ];
    keys.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `LICENCE`: whose the weights are, and where they come from.
pub(super) fn licence(entry: &Entry) -> String {
    let Entry { name, about, licence, licence_url, project, url, sha256, .. } = entry;
    format!(
        "model.onnx is {name} of Watchkeeper's catalogue. {about}.\n\nThe weights are under the licence {licence}:\n{licence_url}\nTheir makers:\n{project}\n\n\
         Downloaded, unchanged, from\n{url}\nsha256 {sha256}\n\nWatchkeeper's own licence does not cover them. Who passes \
         them on passes on their licence too.\n"
    )
}

/// The section to paste.
pub(super) fn section(entry: &Entry, onnx: &Path) -> String {
    format!(
        "[models.{}]\nonnx = {}\nbackend = \"onnxruntime\"    # \"tensorrt\" once its engine is built: watchkeeper engine build\n",
        entry.name,
        quoted(&onnx.to_string_lossy())
    )
}

/// A TOML string: JSON's escapes are a part of TOML's, and control characters do not come here.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
