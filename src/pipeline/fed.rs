//! A camera thread without a source.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::{Environment, start_worker};
use crate::config;
use crate::source::slot::FrameSlot;
use crate::telemetry::metrics::CameraMetrics;

/// A camera whose frames come from whoever holds its slot: decoding is left out, all else is as in
/// [`CameraPipeline`](super::CameraPipeline) with a live camera.
pub struct FedCamera {
    slot: Arc<FrameSlot>,
    thread: JoinHandle<()>,
    metrics: Arc<CameraMetrics>,
}

impl FedCamera {
    /// Starts the camera thread; its frames are taken from `slot`. Of `camera`, id, models and
    /// rules are looked at.
    ///
    /// # Errors
    /// Where its contexts or its thread cannot be made.
    pub fn start(
        environment: &Environment<'_>,
        camera: &Arc<config::Camera>,
        slot: &Arc<FrameSlot>,
    ) -> anyhow::Result<Self> {
        let (thread, metrics, _) = start_worker(environment, camera, slot, (1, true), None)?;
        Ok(Self { slot: Arc::clone(slot), thread, metrics })
    }

    /// Its counters.
    #[must_use]
    pub fn metrics(&self) -> &Arc<CameraMetrics> {
        &self.metrics
    }

    /// Closes the slot: what is in it and in flight is still analysed.
    pub fn stop(&self) {
        self.slot.close();
    }

    /// Waits for the thread's end, which comes after [`FedCamera::stop`].
    pub fn join(self) {
        let _ = self.thread.join();
    }
}
