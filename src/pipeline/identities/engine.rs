//! Which ReID engine the gallery's embeddings are of, while cameras change over one by one.

use std::time::{Duration, Instant};

use crate::tracking::identity::Model;

/// Another engine's looks replace those of the one before when for so long none of its own came.
const CHANGE_AFTER: Duration = Duration::from_secs(3);

/// The engine whose looks count.
#[derive(Debug)]
pub(super) struct Engine {
    own: Model,
    /// Another one whose looks come in, and since when there was none of our own beside them.
    other: Option<(Model, Instant)>,
}

/// Whose a look is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Own,
    Foreign,
    /// Of the engine that counts from now on.
    Changed(Model),
}

impl Engine {
    pub(super) fn new(own: Model) -> Self {
        Self { own, other: None }
    }

    /// A look came at `moment`.
    pub(super) fn look(&mut self, digest: &str, dim: usize, moment: Instant) -> Look {
        if *digest == *self.own.digest && dim == self.own.dim {
            self.other = None;
            return Look::Own;
        }
        match &self.other {
            Some((other, since)) if *digest == *other.digest && dim == other.dim => {
                if moment.saturating_duration_since(*since) < CHANGE_AFTER {
                    return Look::Foreign;
                }
                self.own = other.clone();
                self.other = None;
                Look::Changed(self.own.clone())
            }
            _ => {
                self.other = Some((Model { digest: digest.to_owned(), dim }, moment));
                Look::Foreign
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(digest: &str) -> Model {
        Model { digest: digest.to_owned(), dim: 8 }
    }

    #[test]
    fn another_engine_counts_when_it_alone_looked_for_a_while() {
        let start = Instant::now();
        let at = |seconds: f32| start + Duration::from_secs_f32(seconds);
        let mut engine = Engine::new(model("old"));
        assert_eq!(engine.look("old", 8, at(0.0)), Look::Own);
        // Nobody was there for a minute: that says nothing of the engine.
        assert_eq!(engine.look("new", 8, at(60.0)), Look::Foreign);
        assert_eq!(engine.look("new", 8, at(62.5)), Look::Foreign);
        assert_eq!(engine.look("old", 8, at(62.6)), Look::Own, "a camera that has not changed over yet");
        assert_eq!(engine.look("new", 8, at(63.5)), Look::Foreign);
        assert_eq!(engine.look("third", 8, at(66.0)), Look::Foreign, "each for itself");
        assert_eq!(engine.look("new", 8, at(67.0)), Look::Foreign);
        assert_eq!(engine.look("new", 8, at(70.0)), Look::Changed(model("new")));
        assert_eq!(engine.look("new", 8, at(70.1)), Look::Own);
        assert_eq!(engine.look("old", 8, at(70.1)), Look::Foreign, "now it is the other");
    }
}
