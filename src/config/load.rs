//! From files and environment to a [`Config`], or to everything that is wrong with it.

use std::path::Path;

use super::environment::{self, PREFIX, Variables};
use super::file::File;
use super::meaning::Config;
use super::problem::{Location, Problem, Problems};
use super::report::Report;
use super::{check, layers, resolve, schema};

/// A configuration that is right, and what is worth a warning about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// As meant.
    pub config: Config,
    /// Nothing is wrong, but somebody should look.
    pub warnings: Vec<Problem>,
}

/// Reads a configuration file, `conf.d/*.toml` beside it, and this process's environment.
///
/// # Errors
/// Everything that is wrong, found in one pass.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    load_into(path, Report::new())
}

/// As [`load`], for whoever works on engines: plans need not be there, nor passwords, which may be told to the service
/// only. Cameras have none then.
///
/// # Errors
/// As [`load`].
pub fn load_for_engines(path: &Path) -> Result<Loaded, Problems> {
    let mut report = Report::new();
    report.engines_only = true;
    load_into(path, report)
}

fn load_into(path: &Path, mut report: Report) -> Result<Loaded, Problems> {
    let mut variables = Variables::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => {
                variables.insert(name, value);
            }
            Err(_) if name.starts_with(PREFIX) => {
                report.problem_at(Some(Location::Environment { variable: name }), "not UTF-8; set it again");
            }
            Err(_) => {}
        }
    }
    read(path, &variables, report)
}

/// As [`load`], with other environment variables than this process's.
///
/// # Errors
/// As [`load`].
pub fn load_with_env(path: &Path, env: impl Iterator<Item = (String, String)>) -> Result<Loaded, Problems> {
    read(path, &env.collect(), Report::new())
}

fn read(path: &Path, variables: &Variables, mut report: Report) -> Result<Loaded, Problems> {
    let schema = schema::schema();
    let files = layers::read(path, &mut report);
    let environment = environment::read(variables, &schema, &mut report);
    let kept = match config::Config::builder().add_source(files).add_source(environment).build() {
        Ok(merged) => check::check(&merged.cache, &schema, &mut report),
        // Its message may repeat a value.
        Err(_) => return Err(internal("the layers could not be merged")),
    };
    if report.incomplete {
        return Err(report.finish().err().unwrap_or_else(|| internal("a file was not read, and nobody said why")));
    }
    let Ok(written) = serde_json::from_value::<File>(kept) else {
        return Err(report.finish().err().unwrap_or_else(|| internal("the schema and the types disagree")));
    };
    let config = resolve::resolve(&written, variables, &mut report);
    remarks(&config, &mut report);
    report.finish().map(|warnings| Loaded { config, warnings })
}

/// What is allowed, and rarely meant.
fn remarks(config: &Config, report: &mut Report) {
    if config.cameras.is_empty() {
        report.warn("cameras", "there is none; add [[cameras]]");
    }
    if config.sinks.is_empty() {
        report.warn("sinks", "there is none, so events go nowhere; add [[sinks]]");
    }
    for (i, model) in config.models.iter().enumerate() {
        if !config.cameras.is_empty() && config.cameras.iter().all(|camera| !camera.models.contains(&i)) {
            report.warn(format!("models.{}", model.name), "no camera uses it; name it in models of a camera");
        }
    }
}

fn internal(what: &str) -> Problems {
    let message = format!("{what}; this is a fault of watchkeeper, please report it");
    Problems(vec![Problem { location: None, key: String::new(), message }])
}
