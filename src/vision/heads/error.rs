//! Why a model and a head do not go together.

use std::fmt;

use crate::config::Head;

/// A model that its configured head cannot read. Messages name no model: the caller knows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Number or names of the inputs.
    #[error("the model takes {found}; head \"{head}\" expects {expected}")]
    Inputs {
        /// The head in the config.
        head: &'static str,
        /// All inputs.
        found: String,
        /// What the head feeds.
        expected: String,
    },
    /// Type or shape of an input.
    #[error("input \"{name}\" is {found}; head \"{head}\" expects {expected}: {remedy}")]
    Input {
        /// The head in the config.
        head: &'static str,
        /// The input.
        name: String,
        /// Its type and shape.
        found: String,
        /// What the head feeds.
        expected: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Number or names of the outputs.
    #[error("the model gives {found}; head \"{head}\" expects {expected}; {others}")]
    Outputs {
        /// The head in the config.
        head: &'static str,
        /// All outputs.
        found: String,
        /// What the head reads.
        expected: String,
        /// Heads that would do.
        others: OtherHeads,
    },
    /// Type or shape of an output.
    #[error("output \"{name}\" is {found}; head \"{head}\" expects {expected}; {others}")]
    Output {
        /// The head in the config.
        head: &'static str,
        /// The output.
        name: String,
        /// Its type and shape.
        found: String,
        /// What the head reads.
        expected: String,
        /// Heads that would do.
        others: OtherHeads,
    },
    /// Number of classes.
    #[error(
        "output \"{name}\" is {found}: {classes} classes for head \"{head}\", labels in the config: {labels}; \
         `labels` must name all classes in the model's order, `classes` chooses among them"
    )]
    Labels {
        /// The head in the config.
        head: &'static str,
        /// The output.
        name: String,
        /// Its type and shape.
        found: String,
        /// Classes in it.
        classes: i64,
        /// Labels in the config.
        labels: usize,
    },
    /// An output of a run is not what the model declares, or what a head can read.
    #[error("output \"{name}\" came as {found}; head \"{head}\" expects {expected}")]
    Given {
        /// The head in the config.
        head: &'static str,
        /// The output.
        name: String,
        /// Type and shape of what came, or that nothing came.
        found: String,
        /// What the head reads.
        expected: String,
    },
}

/// Heads that a model fits, as the end of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherHeads(pub Vec<Head>);

impl fmt::Display for OtherHeads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no head takes this layout with these labels");
        }
        f.write_str("heads that take this layout:")?;
        for (i, &head) in self.0.iter().enumerate() {
            write!(f, "{} \"{}\"", if i > 0 { "," } else { "" }, super::name(head))?;
        }
        Ok(())
    }
}
