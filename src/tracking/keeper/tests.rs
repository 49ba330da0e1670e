//! Behaviours, on small scenes.
