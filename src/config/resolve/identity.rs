//! `[identity]` as meant.

use std::sync::Arc;
use std::time::Duration;

use crate::config::file;
use crate::config::meaning::{Camera, Identity, IdentityPath, Model, Task};
use crate::config::report::Report;
use crate::config::words;

/// Paths are between cameras that there are, and all looks are of one model: those of two cannot be compared.
pub(super) fn resolve(
    written: &file::Identity,
    cameras: &[Arc<Camera>],
    models: &[Arc<Model>],
    report: &mut Report,
) -> Identity {
    let reid = |camera: &Camera| {
        let mut its = camera.models.iter().filter_map(|at| models.get(*at));
        its.find(|model| model.task == Task::Reid).map(|model| model.name.clone())
    };
    let mut used: Vec<String> = cameras.iter().filter_map(|camera| reid(camera)).collect();
    used.sort_unstable();
    used.dedup();
    match used.as_slice() {
        [] => report.problem(
            "identity",
            "no camera uses a ReID model, so nobody can be compared; add a model with task = \"reid\" to the cameras' \
             models, or take the section out",
        ),
        [_] => {}
        [first, second, ..] => {
            let message = format!(
                "the cameras use different ReID models ({} and {}), whose looks cannot be compared; give all the same",
                words::quoted(first),
                words::quoted(second)
            );
            report.problem("identity", message);
        }
    }
    let mut paths: Vec<IdentityPath> = Vec::with_capacity(written.paths.len());
    for (i, path) in written.paths.iter().enumerate() {
        let key = |name: &str| format!("identity.paths[{i}].{name}");
        let (Some(from), Some(to)) = (&path.from, &path.to) else { continue };
        for (name, id) in [("from", from), ("to", to)] {
            let ids = || cameras.iter().map(|camera| camera.id.as_str());
            if !ids().any(|known| known == id) {
                let near = words::suggestion(id, ids());
                report.problem(key(name), format!("no camera {}{near}", words::quoted(id)));
            }
        }
        if path.min_s > path.max_s {
            let message = format!("{} is above max_s = {}; lower it, or raise max_s", path.min_s, path.max_s);
            report.problem(key("min_s"), message);
        }
        if path.overlap && path.min_s > 0.0 {
            let message = "cameras that see the same place need no time between them; take it out, or overlap";
            report.problem(key("min_s"), message);
        }
        if let Some(first) = paths.iter().position(|other| other.from == *from && other.to == *to) {
            report.problem(key("to"), format!("the same way as identity.paths[{first}]; take one of them out"));
        }
        paths.push(IdentityPath {
            from: from.clone(),
            to: to.clone(),
            min: Duration::from_secs_f64(path.min_s),
            max: Duration::from_secs_f64(path.max_s),
            overlap: path.overlap,
        });
    }
    Identity {
        ttl: Duration::from_secs_f64(written.ttl_s),
        min_score: written.min_score as f32,
        capacity: usize::try_from(written.capacity).unwrap_or(usize::MAX),
        paths,
    }
}
