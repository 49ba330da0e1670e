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
    #[error("the model gives {found}; head \"{head}\" expects {expected}; {advice}")]
    Outputs {
        /// The head in the config.
        head: &'static str,
        /// All outputs.
        found: String,
        /// What the head reads.
        expected: String,
        /// What would do.
        advice: Advice,
    },
    /// Type or shape of an output.
    #[error("output \"{name}\" is {found}; head \"{head}\" expects {expected}; {advice}")]
    Output {
        /// The head in the config.
        head: &'static str,
        /// The output.
        name: String,
        /// Its type and shape.
        found: String,
        /// What the head reads.
        expected: String,
        /// What would do.
        advice: Advice,
    },
    /// The head cannot give what the task is about.
    #[error("task \"{task}\" is not for head \"{head}\"; heads for it: {heads}")]
    Task {
        /// The head in the config.
        head: &'static str,
        /// The task in the config.
        task: &'static str,
        /// Heads of that task.
        heads: &'static str,
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

/// What to change in the config so that a model fits, as the end of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Advice {
    /// Nothing in the config would help.
    #[default]
    None,
    /// Heads that would do.
    Heads(Vec<Head>),
    /// The model looks like one of another task; in words.
    Task(String),
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no head takes this layout with these labels"),
            Self::Task(text) => f.write_str(text),
            Self::Heads(heads) => {
                f.write_str("heads that take this layout:")?;
                for (i, &head) in heads.iter().enumerate() {
                    write!(f, "{} \"{}\"", if i > 0 { "," } else { "" }, head.name())?;
                }
                Ok(())
            }
        }
    }
}
