//! The stores of a configuration's models.

use std::path::Path;
use std::sync::Arc;

use crate::cli::exit::{BadInput, Busy};
use crate::config::{Backend, Config, Model};
use crate::inference::artefact::{Lock, Store};

/// The configuration, also where plans are not there yet.
pub(super) fn load(path: &Path) -> anyhow::Result<Config> {
    Ok(crate::config::load_for_engines(path)?.config)
}

/// The models that TensorRT runs: those named, or all. At least one.
pub(super) fn models(config: &Config, names: &[String]) -> anyhow::Result<Vec<Arc<Model>>> {
    let on_tensorrt = |model: &&Arc<Model>| model.backend == Backend::Tensorrt;
    if names.is_empty() {
        let all: Vec<Arc<Model>> = config.models.iter().filter(on_tensorrt).cloned().collect();
        if all.is_empty() {
            let words = "the configuration has no model with backend = \"tensorrt\", so there are no engines";
            return Err(BadInput(words.to_owned()).into());
        }
        return Ok(all);
    }
    names
        .iter()
        .map(|name| match config.models.iter().find(|model| model.name == *name) {
            Some(model) if on_tensorrt(&model) => Ok(Arc::clone(model)),
            Some(_) => {
                let words = format!("model {name:?} is not for TensorRT; set models.{name}.backend = \"tensorrt\"");
                Err(BadInput(words).into())
            }
            None => {
                let known: Vec<&str> = config.models.iter().map(|model| model.name.as_str()).collect();
                let words = format!("there is no model {name:?} in the configuration; there are: {}", known.join(", "));
                Err(BadInput(words).into())
            }
        })
        .collect()
}

/// Each store once, and the models whose plans it has.
pub(super) fn stores(models: Vec<Arc<Model>>) -> Vec<(Store, Vec<Arc<Model>>)> {
    let mut stores: Vec<(Store, Vec<Arc<Model>>)> = Vec::new();
    for model in models {
        let store = Store::of(&model.plan);
        match stores.iter_mut().find(|(known, _)| known.folder() == store.folder()) {
            Some((_, of_it)) => of_it.push(model),
            None => stores.push((store, vec![model])),
        }
    }
    stores
}

/// The right to change a store, now.
pub(super) fn lock(store: &Store) -> anyhow::Result<Lock> {
    store.lock(|| false).map_err(|error| {
        if error.kind() == std::io::ErrorKind::WouldBlock {
            let words =
                format!("{}: somebody builds or changes engines there; try again later", store.folder().display());
            return Busy(words).into();
        }
        unusable(store, &error)
    })
}

pub(super) fn unusable(store: &Store, error: &std::io::Error) -> anyhow::Error {
    let next = match error.kind() {
        std::io::ErrorKind::PermissionDenied => "; run it as the user that owns the folder, or as root",
        std::io::ErrorKind::StorageFull => "; make room (`watchkeeper engine gc`)",
        _ => "",
    };
    BadInput(format!("{}: {error}{next}", store.folder().display())).into()
}
