//! Trackers on scenes of any bytes.

#![no_main]

#[path = "../scene.rs"]
#[allow(dead_code)]
mod scene;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| scene::drive(bytes));
