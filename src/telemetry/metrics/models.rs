//! What models count. While a model's engine is being replaced there are two of them, and one count.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Counter, Histogram, header};

/// One model.
#[derive(Debug, Default)]
pub struct ModelMetrics {
    /// Name in the config.
    pub name: String,
    /// Digest of the model file, hexadecimal.
    pub sha256: String,
    /// Provider that runs it.
    pub provider: String,
    /// Precision the configuration asks for; empty: the model file's own.
    pub precision: String,
    /// Time inside the model.
    pub infer: Histogram,
    /// CPU time of the threads that call the model, microseconds; its own helper threads not counted.
    pub infer_cpu_us: Counter,
    /// Runs that failed, but for those counted in `myelin`.
    pub errors: Counter,
    /// Runs that failed inside Myelin.
    pub myelin: Counter,
    /// Times that its engine was loaded anew after a failure.
    pub reloads: Counter,
    /// Contexts alive.
    pub contexts: Counter,
}

impl ModelMetrics {
    fn absorb(&self, other: &Self) {
        self.infer.absorb(&other.infer);
        let pairs = [
            (&self.infer_cpu_us, &other.infer_cpu_us),
            (&self.errors, &other.errors),
            (&self.myelin, &other.myelin),
            (&self.reloads, &other.reloads),
        ];
        pairs.iter().for_each(|(sum, more)| sum.add(more.get()));
    }
}

/// Counters of all engines.
#[derive(Debug, Default)]
pub(super) struct Models(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    model: Arc<ModelMetrics>,
    /// Loaded beside the engine that serves.
    beside: bool,
}

impl Models {
    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, model: &Arc<ModelMetrics>) {
        self.lock().push(Entry { model: Arc::clone(model), beside: false });
    }

    pub(super) fn join(&self, model: &Arc<ModelMetrics>) {
        self.lock().push(Entry { model: Arc::clone(model), beside: true });
    }

    pub(super) fn replace(&self, before: &Arc<ModelMetrics>, now: &Arc<ModelMetrics>) {
        let mut entries = self.lock();
        now.absorb(before);
        entries.retain(|entry| !Arc::ptr_eq(&entry.model, now));
        if let Some(entry) = entries.iter_mut().find(|entry| Arc::ptr_eq(&entry.model, before)) {
            entry.model = Arc::clone(now);
        }
    }

    pub(super) fn leave(&self, model: &Arc<ModelMetrics>) {
        let mut entries = self.lock();
        entries.retain(|entry| !Arc::ptr_eq(&entry.model, model));
        if let Some(entry) = entries.iter().find(|entry| !entry.beside && entry.model.name == model.name) {
            entry.model.absorb(model);
        }
    }

    pub(super) fn serving(&self) -> Vec<Arc<ModelMetrics>> {
        self.lock().iter().filter(|entry| !entry.beside).map(|entry| Arc::clone(&entry.model)).collect()
    }

    pub(super) fn render(&self, out: &mut String) {
        // Held to the end: what moves from one engine's count to another's must be in one of them.
        let entries = self.lock();
        let serving = || entries.iter().filter(|entry| !entry.beside).map(|entry| &entry.model);
        header(out, "engine_info", "gauge");
        for model in serving() {
            let _ = writeln!(
                out,
                "watchkeeper_engine_info{{model=\"{}\",sha256=\"{}\",provider=\"{}\",precision=\"{}\"}} 1",
                model.name, model.sha256, model.provider, model.precision
            );
        }
        let sum = |name: &str, read: fn(&ModelMetrics) -> u64| of(&entries, name).map(read).sum::<u64>();
        header(out, "infer_duration_seconds", "histogram");
        for ModelMetrics { name, .. } in serving().map(Arc::as_ref) {
            let infer = Histogram::default();
            of(&entries, name).for_each(|model| infer.absorb(&model.infer));
            infer.render(out, "watchkeeper_infer_duration_seconds", &format!("model=\"{name}\""));
        }
        header(out, "infer_cpu_seconds_total", "counter");
        for ModelMetrics { name, .. } in serving().map(Arc::as_ref) {
            let seconds = sum(name, |model| model.infer_cpu_us.get()) as f64 / 1e6;
            let _ = writeln!(out, "watchkeeper_infer_cpu_seconds_total{{model=\"{name}\"}} {seconds}");
        }
        header(out, "infer_errors_total", "counter");
        for ModelMetrics { name, .. } in serving().map(Arc::as_ref) {
            let kinds =
                [("run", sum(name, |model| model.errors.get())), ("myelin", sum(name, |model| model.myelin.get()))];
            for (kind, errors) in kinds {
                let _ = writeln!(out, "watchkeeper_infer_errors_total{{model=\"{name}\",kind=\"{kind}\"}} {errors}");
            }
        }
        type Field = fn(&ModelMetrics) -> u64;
        let fields: [(&str, &str, Field); 2] =
            [("engine_reloads_total", "counter", |m| m.reloads.get()), ("contexts", "gauge", |m| m.contexts.get())];
        for (metric, kind, field) in fields {
            header(out, metric, kind);
            for ModelMetrics { name, .. } in serving().map(Arc::as_ref) {
                let _ = writeln!(out, "watchkeeper_{metric}{{model=\"{name}\"}} {}", sum(name, field));
            }
        }
    }
}

/// The engines of a model.
fn of<'a>(entries: &'a [Entry], name: &'a str) -> impl Iterator<Item = &'a ModelMetrics> {
    entries.iter().map(|entry| &*entry.model).filter(move |model| model.name == name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::telemetry::metrics::{Metrics, ModelMetrics};

    fn engine(sha256: &str) -> ModelMetrics {
        ModelMetrics { name: "detection".to_owned(), sha256: sha256.to_owned(), ..ModelMetrics::default() }
    }

    fn line(metrics: &Metrics, start: &str) -> Vec<String> {
        metrics.render().lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
    }

    #[test]
    fn counters_of_a_model_outlive_its_engine_and_never_fall() {
        let metrics = Metrics::default();
        let old = metrics.model(engine("aa"));
        old.infer.observe(Duration::from_millis(1));
        old.errors.inc();
        let new = std::sync::Arc::new(engine("bb"));
        metrics.join(&new);
        new.infer.observe(Duration::from_millis(1));
        let count = "watchkeeper_infer_duration_seconds_count";
        let both = [format!("{count}{{model=\"detection\"}} 2")];
        assert_eq!(line(&metrics, count), both);
        assert!(line(&metrics, "watchkeeper_engine_info")[0].contains("aa"));
        metrics.replace(&old, &new);
        assert_eq!(line(&metrics, count), both);
        let info = line(&metrics, "watchkeeper_engine_info");
        assert!(info.len() == 1 && info[0].contains("bb"), "{info:?}");
        let failed = std::sync::Arc::new(engine("cc"));
        metrics.join(&failed);
        failed.errors.inc();
        metrics.leave(&failed);
        let errors = "watchkeeper_infer_errors_total{model=\"detection\",kind=\"run\"} 2";
        assert_eq!(line(&metrics, "watchkeeper_infer_errors_total{model=\"detection\",kind=\"run\""), [errors]);
        assert_eq!(metrics.models().len(), 1);
    }
}
