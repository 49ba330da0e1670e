//! Identities across cameras as a daemon keeps them: restored at the start, saved while it runs, deleted where they
//! are switched off.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use crossbeam_channel::Sender;

use crate::config::{self, Config, Task};
use crate::inference::ModelManager;
use crate::pipeline::Report;
use crate::pipeline::identities::{self, Identities};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::progress::Progress;
use crate::tracking::identity::{Gallery, Rule, Settings, Topology};

const FILE: &str = "identities.bin";
/// A file of more is none of ours: a million embeddings of 2,048 numbers.
const MOST_BYTES: u64 = 9 << 30;

/// Starts what the configuration asks for; deletes what was stored where it asks for nothing.
pub(super) fn start(
    config: &Config,
    models: &ModelManager,
    metrics: &Metrics,
    progress: &Progress,
    reports: Sender<Report>,
) -> anyhow::Result<Option<Identities>> {
    let path = config.runtime.state_dir.join(FILE);
    let Some(wanted) = &config.identity else {
        delete(&path)?;
        return Ok(None);
    };
    let reid = (0..config.models.len()).filter_map(|at| models.model(at));
    let reid = reid.filter(|loaded| loaded.model.task == Task::Reid);
    let used = |loaded: &Arc<crate::inference::LoadedModel>| {
        let at = config.models.iter().position(|model| model.name == loaded.model.name);
        at.is_some_and(|at| config.cameras.iter().any(|camera| camera.models.contains(&at)))
    };
    let model = reid.filter(used).find_map(|loaded| identities::model_of(&loaded));
    let model = model.context("[identity]: no camera uses a ReID model")?;
    let settings = settings(wanted);
    let gallery = match read(&path) {
        Ok(None) => Gallery::new(settings, model.clone()),
        Ok(Some(bytes)) => match Gallery::restore(settings.clone(), model.clone(), &bytes) {
            Ok(gallery) => {
                let held = gallery.counters();
                tracing::info!(identities = held.identities, embeddings = held.embeddings, "identities restored");
                gallery
            }
            Err(error) => {
                tracing::warn!("{}: {error}; identities begin anew", path.display());
                Gallery::new(settings, model.clone())
            }
        },
        Err(error) => {
            tracing::warn!("{}: {error}; identities begin anew", path.display());
            Gallery::new(settings, model.clone())
        }
    };
    let save = Box::new(move |bytes: &[u8]| write(&path, bytes));
    let running = Identities::start(gallery, model, save, reports, metrics, progress.stage("identities"));
    Ok(Some(running.context("the thread of identities cannot start")?))
}

fn settings(wanted: &config::Identity) -> Settings {
    let mut topology = Topology::default();
    topology.closed = !wanted.paths.is_empty();
    for path in &wanted.paths {
        let rule = Rule { least: path.min, most: Some(path.max) };
        if path.overlap {
            topology.overlap(&path.from, &path.to);
            topology.way(&path.to, &path.from, rule);
        }
        topology.way(&path.from, &path.to, rule);
    }
    let (ttl, min_score, capacity) = (wanted.ttl, wanted.min_score, wanted.capacity);
    Settings { ttl, topology, min_score, capacity, ..Settings::default() }
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Ok(meta) if meta.len() > MOST_BYTES => Err(io::Error::other("too large to be a file of identities")),
        Ok(_) => fs::read(path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// By renaming, so that half a file never stands there; for the owner's eyes only.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = beside(path);
    let mut file: File = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

fn beside(path: &Path) -> PathBuf {
    path.with_extension("bin.new")
}

fn delete(path: &Path) -> anyhow::Result<()> {
    for path in [path.to_owned(), beside(path)] {
        match fs::remove_file(&path) {
            Ok(()) => tracing::info!("identities are switched off: {} is deleted", path.display()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let path = path.display();
                anyhow::bail!("{path}: identities are switched off, and this cannot be deleted: {error}; delete it");
            }
        }
    }
    Ok(())
}
