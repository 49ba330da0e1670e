//! Identities across cameras as a daemon keeps them: restored at the start, saved while it runs, deleted where they
//! are switched off.

use std::fs::{self, OpenOptions};
use std::io;
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
use crate::tracking::identity::{Gallery, Model, RestoreError, Rule, Settings, Topology};
use crate::types::time::Timestamp;

const FILE: &str = "identities.bin";
/// A file of more is none of ours: a million embeddings of 2,048 numbers.
const MOST_BYTES: u64 = 9 << 30;

/// Deletes what was stored where the configuration asks for no identities. Before anything else that may fail: who
/// switches them off wants them gone.
///
/// # Errors
/// Where it cannot be deleted.
pub(super) fn delete_if_off(config: &Config) -> anyhow::Result<()> {
    if config.identity.is_some() { Ok(()) } else { delete(&config.runtime.state_dir.join(FILE)) }
}

/// Starts what the configuration asks for.
pub(super) fn start(
    config: &Config,
    models: &ModelManager,
    metrics: &Metrics,
    progress: &Progress,
    reports: Sender<Report>,
) -> anyhow::Result<Option<Identities>> {
    let path = config.runtime.state_dir.join(FILE);
    let Some(wanted) = &config.identity else { return Ok(None) };
    let reid = (0..config.models.len()).filter_map(|at| models.model(at));
    let reid = reid.filter(|loaded| loaded.model.task == Task::Reid);
    let used = |loaded: &Arc<crate::inference::LoadedModel>| {
        let at = config.models.iter().position(|model| model.name == loaded.model.name);
        at.is_some_and(|at| config.cameras.iter().any(|camera| camera.models.contains(&at)))
    };
    let model = reid.filter(used).find_map(|loaded| identities::model_of(&loaded));
    let model = model.context("[identity]: no camera uses a ReID model")?;
    let settings = settings(wanted);
    // Of a process that ended while it wrote.
    let _ = fs::remove_file(beside(&path));
    let gallery = restore(&path, settings, &model);
    let save = Box::new(move |gallery: &Gallery| write(&path, gallery));
    let running = Identities::start(gallery, model, save, reports, metrics, progress.stage("identities"));
    Ok(Some(running.context("the thread of identities cannot start")?))
}

/// What was stored, or an empty gallery that gives none of the numbers given before.
fn restore(path: &Path, settings: Settings, model: &Model) -> Gallery {
    let error: anyhow::Error = match read(path) {
        Ok(None) => return Gallery::new(settings, model.clone()),
        Ok(Some(bytes)) => match Gallery::restore(settings.clone(), model.clone(), &bytes) {
            Ok(gallery) => {
                let held = gallery.counters();
                tracing::info!(identities = held.identities, embeddings = held.embeddings, "identities restored");
                return gallery;
            }
            Err(error) => error.into(),
        },
        Err(error) => error.into(),
    };
    let given = match error.downcast_ref() {
        Some(RestoreError::OtherModel { given, .. }) => *given,
        // Which were given is not known. Nobody gives a thousand a second for long.
        _ => u64::try_from(Timestamp::now().0 / 1000).unwrap_or(0),
    };
    tracing::warn!("{}: {error}; identities begin anew, with number {}", path.display(), given + 1);
    let mut gallery = Gallery::new(settings, model.clone());
    gallery.given_before(given);
    gallery
}

fn settings(wanted: &config::Identity) -> Settings {
    let mut topology = Topology::default();
    topology.closed = !wanted.paths.is_empty();
    for path in &wanted.paths {
        let rule = Rule { least: path.min, most: Some(path.max) };
        topology.way(&path.from, &path.to, rule);
        if path.overlap {
            topology.overlap(&path.from, &path.to);
            // Good for both directions, where the other one has no path of its own.
            if !wanted.paths.iter().any(|back| back.from == path.to && back.to == path.from) {
                topology.way(&path.to, &path.from, rule);
            }
        }
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
fn write(path: &Path, gallery: &Gallery) -> io::Result<u64> {
    let new = beside(path);
    let written = write_new(&new, gallery).and_then(|bytes| fs::rename(&new, path).map(|()| bytes));
    if written.is_err() {
        // Half a file only takes room, where there may be none left.
        let _ = fs::remove_file(&new);
    }
    written
}

fn write_new(path: &Path, gallery: &Gallery) -> io::Result<u64> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let bytes = gallery.write_snapshot(&mut file)?;
    file.sync_all()?;
    Ok(bytes)
}

fn beside(path: &Path) -> PathBuf {
    path.with_extension("bin.new")
}

fn delete(path: &Path) -> anyhow::Result<()> {
    for path in [path.to_owned(), beside(path)] {
        match fs::remove_file(&path) {
            Ok(()) => tracing::info!("identities are switched off: {} is deleted", path.display()),
            // Whether the folder can be used at all is for others to say.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => {
                let path = path.display();
                anyhow::bail!("{path}: identities are switched off, and this cannot be deleted: {error}; delete it");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn model(digest: &str) -> Model {
        Model { digest: digest.to_owned(), dim: 4 }
    }

    #[test]
    fn no_number_is_given_twice_whatever_became_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert_eq!(restore(&path, Settings::default(), &model("a")).counters().given, 0);
        let mut gallery = Gallery::new(Settings::default(), model("a"));
        gallery.given_before(77);
        assert_eq!(write(&path, &gallery).unwrap(), fs::metadata(&path).unwrap().len());
        assert!(!beside(&path).exists());
        let given = |model: &Model| restore(&path, Settings::default(), model).counters().given;
        assert!((77..100_000).contains(&given(&model("a"))));
        assert_eq!(given(&model("b")), given(&model("a")), "of another model");
        let mut bytes = fs::read(&path).unwrap();
        for (at, what) in [(20, "damaged"), (4, "another format"), (0, "no such file at all")] {
            bytes[at] ^= 0xff;
            fs::write(&path, &bytes).unwrap();
            assert!(given(&model("a")) > 1_000_000_000_000, "{what}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        // A folder with something in it cannot be replaced by a file.
        fs::create_dir_all(path.join("in the way")).unwrap();
        assert!(write(&path, &Gallery::new(Settings::default(), model("a"))).is_err());
        assert!(!beside(&path).exists());
    }

    #[test]
    fn an_overlap_leaves_the_way_back_as_it_is_written() {
        let path = |from: &str, to: &str, most, overlap| config::IdentityPath {
            from: from.to_owned(),
            to: to.to_owned(),
            min: Duration::ZERO,
            max: Duration::from_secs(most),
            overlap,
        };
        let follows = |paths: Vec<config::IdentityPath>, gap| {
            let settings = settings(&config::Identity { paths, ..config::Identity::default() });
            settings.topology.follows("b", "a", Duration::from_secs(gap))
        };
        let (there, back) = (path("a", "b", 10, true), path("b", "a", 60, false));
        for paths in [vec![there.clone(), back.clone()], vec![back, there.clone()]] {
            assert!(follows(paths.clone(), 50) && !follows(paths, 70));
        }
        assert!(follows(vec![there.clone()], 5) && !follows(vec![there], 50));
    }
}
