//! What a configuration changes of another: models, which a running daemon can change over, and all else.

use std::sync::Arc;

use super::meaning::{Camera, Config, Model};

/// What is other than before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff {
    /// Models that are in both, for the same task and run by the same backend: the index before, and the model now,
    /// whether or not anything of it changed.
    pub models: Vec<(usize, Arc<Model>)>,
    /// Keys and sections of whatever else changed.
    pub others: Vec<String>,
}

impl Diff {
    /// Compares.
    #[must_use]
    pub fn new(before: &Config, now: &Config) -> Self {
        let mut diff = Self::default();
        diff.runtime(before, now);
        diff.note(before.log != now.log, || "log".to_owned());
        diff.note(before.http != now.http, || "http.listen".to_owned());
        diff.note(before.tracking != now.tracking, || "tracking".to_owned());
        diff.note(before.identity != now.identity, || "identity".to_owned());
        diff.note(before.outbox != now.outbox, || "outbox".to_owned());
        diff.note(before.track_log != now.track_log, || "track_log".to_owned());
        diff.note(before.media != now.media, || "media".to_owned());
        diff.models(before, now);
        diff.cameras(before, now);
        diff.note(before.sinks != now.sinks, || "sinks".to_owned());
        diff
    }

    fn note(&mut self, differs: bool, key: impl FnOnce() -> String) {
        if differs {
            self.others.push(key());
        }
    }

    fn runtime(&mut self, before: &Config, now: &Config) {
        let (before, now) = (&before.runtime, &now.runtime);
        let keys = [
            ("policy", before.policy != now.policy),
            ("concurrency", before.concurrency != now.concurrency),
            ("state_dir", before.state_dir != now.state_dir),
            ("device", before.device != now.device),
            ("time_zone", before.time_zone != now.time_zone),
            ("drain_s", before.drain != now.drain),
            ("inference_workers", before.inference_workers != now.inference_workers),
            ("threads_per_inference", before.threads_per_inference != now.threads_per_inference),
            ("onnxruntime_library", before.onnxruntime_library != now.onnxruntime_library),
            ("tensorrt_library", before.tensorrt_library != now.tensorrt_library),
            ("require_verified", before.require_verified != now.require_verified),
        ];
        let known = self.others.len();
        for (key, differs) in keys {
            self.note(differs, || format!("runtime.{key}"));
        }
        let named = self.others.len() > known;
        self.note(before != now && !named, || "runtime".to_owned());
    }

    fn models(&mut self, before: &Config, now: &Config) {
        for (index, old) in before.models.iter().enumerate() {
            let Some(new) = now.models.iter().find(|new| new.name == old.name) else {
                self.others.push(format!("models.{} (gone)", old.name));
                continue;
            };
            self.note(old.task != new.task, || format!("models.{}.task", old.name));
            self.note(old.backend != new.backend, || format!("models.{}.backend", old.name));
            if (old.task, old.backend) == (new.task, new.backend) {
                self.models.push((index, Arc::clone(new)));
            }
        }
        let added = now.models.iter().filter(|new| before.models.iter().all(|old| old.name != new.name));
        self.others.extend(added.map(|new| format!("models.{} (new)", new.name)));
    }

    fn cameras(&mut self, before: &Config, now: &Config) {
        for old in &before.cameras {
            let Some(new) = now.cameras.iter().find(|new| new.id == old.id) else {
                self.others.push(format!("cameras.{} (gone)", old.id));
                continue;
            };
            let names = |config: &Config, camera: &Camera| -> Vec<String> {
                let models = camera.models.iter().filter_map(|index| config.models.get(*index));
                models.map(|model| model.name.clone()).collect()
            };
            let keys = [
                ("url", old.source != new.source),
                ("credentials", old.credentials != new.credentials),
                ("models", names(before, old) != names(now, new)),
                ("zones", old.zones != new.zones),
                ("lines", old.lines != new.lines),
                ("rules", old.rules != new.rules),
                ("scene", old.scene != new.scene),
                ("detect_fps", old.detect_fps != new.detect_fps),
            ];
            let known = self.others.len();
            for (key, differs) in keys {
                self.note(differs, || format!("cameras.{}.{key}", old.id));
            }
            let named = self.others.len() > known;
            // Their numbers may differ where their names do not.
            let same = Camera { models: old.models.clone(), ..(**new).clone() } == **old;
            self.note(!same && !named, || format!("cameras.{}", old.id));
        }
        let added = now.cameras.iter().filter(|new| before.cameras.iter().all(|old| old.id != new.id));
        self.others.extend(added.map(|new| format!("cameras.{} (new)", new.id)));
    }
}
