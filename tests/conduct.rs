//! Rules about what subjects do: crowd, absence, wrong way, stopped, abandoned, speed, fallen; the heat map; posture.

#![allow(clippy::unwrap_used)]

#[path = "conduct/abandoned.rs"]
mod abandoned;
#[path = "conduct/absence.rs"]
mod absence;
#[path = "conduct/crowd.rs"]
mod crowd;
#[path = "conduct/fallen.rs"]
mod fallen;
#[path = "conduct/heat.rs"]
mod heat;
#[path = "conduct/pairs.rs"]
mod pairs;
#[path = "conduct/posture.rs"]
mod posture;
#[path = "conduct/scene.rs"]
mod scene;
#[path = "conduct/speed.rs"]
mod speed;
#[path = "conduct/stopped.rs"]
mod stopped;
#[path = "conduct/street.rs"]
mod street;
#[path = "conduct/wrong_way.rs"]
mod wrong_way;
