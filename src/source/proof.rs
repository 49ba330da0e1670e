//! Decoders that are made to come up: that an element is registered proves little.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Duration;

use gst::prelude::*;

use super::decoder::{self, Choice, Codec};
use crate::config::Policy;

/// The first use of a sleeping GPU takes seconds.
const LIMIT: Duration = Duration::from_secs(10);

/// What decodes a codec on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecoderIdentity {
    /// Name of the element.
    pub element: String,
    /// It runs on the GPU or another engine.
    pub hardware: bool,
    /// The plugin that it comes from.
    pub plugin: String,
    /// That plugin's file; empty where it is built in.
    pub file: String,
}

/// `nvh264dec of nvcodec (/usr/lib/.../libgstnvcodec.so)`.
impl std::fmt::Display for DecoderIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let software = if self.hardware { "" } else { ", in software," };
        write!(f, "{}{software} of {}", self.element, self.plugin)?;
        if self.file.is_empty() { Ok(()) } else { write!(f, " ({})", self.file) }
    }
}

/// A codec, and the decoder a camera of it would get, or why it gets none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecoderProof {
    /// `H.264`, `H.265` or `MJPEG`.
    pub codec: &'static str,
    /// What it is.
    pub decoder: Result<DecoderIdentity, String>,
}

/// For each codec that a chain is built for the decoder that this policy chooses, H.264 first; under `gpu-only` each is
/// made and brought to READY, where it opens its device. [`super::init`] comes first.
#[must_use]
pub fn prove_decoders(policy: Policy) -> Vec<DecoderProof> {
    let codecs = [Codec::H264, Codec::H265, Codec::Jpeg];
    codecs.map(|codec| DecoderProof { codec: codec.name(), decoder: prove(codec, policy) }).into()
}

fn prove(codec: Codec, policy: Policy) -> Result<DecoderIdentity, String> {
    let choice = decoder::choose(codec, None, &BTreeSet::new(), policy).map_err(|fault| fault.detail)?;
    if policy == Policy::GpuOnly {
        come_up(&choice)?;
    }
    // Once it is loaded, the factory knows its plugin.
    let plugin = choice.factory.plugin();
    let file = plugin.as_ref().and_then(gst::Plugin::filename).unwrap_or_default();
    Ok(DecoderIdentity {
        element: choice.name(),
        hardware: choice.hardware,
        plugin: plugin.map(|plugin| plugin.plugin_name().to_string()).unwrap_or_default(),
        file: file.display().to_string(),
    })
}

/// Makes it, brings it to READY and lets it go, on a thread of its own: a driver may hang in either.
fn come_up(choice: &Choice) -> Result<(), String> {
    let name = choice.name();
    if let Some(download) = choice.download
        && gst::ElementFactory::find(download).is_none()
    {
        return Err(format!("{name} needs the element {download}, which is not installed"));
    }
    let (done, waits) = mpsc::channel();
    let choice = choice.clone();
    let started = std::thread::Builder::new().name("decoder proof".to_owned()).spawn(move || {
        let _ = done.send(ready(&choice));
    });
    started.map_err(|error| format!("no thread to try {name} on: {error}"))?;
    match waits.recv_timeout(LIMIT) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => {
            Err(format!("{name} does not open its device within {} s", LIMIT.as_secs()))
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(format!("{name} ended the thread that tried it")),
    }
}

fn ready(choice: &Choice) -> Result<(), String> {
    let decoder = choice.build().map_err(|fault| fault.detail)?;
    let bus = gst::Bus::new();
    decoder.set_bus(Some(&bus));
    let changed = decoder.set_state(gst::State::Ready);
    let words = bus.pop_filtered(&[gst::MessageType::Error]).and_then(|message| match message.view() {
        gst::MessageView::Error(error) => Some(format!(": {}", error.error())),
        _ => None,
    });
    decoder.set_bus(None);
    let _ = decoder.set_state(gst::State::Null);
    let refused = |_| format!("{} does not open its device{}", choice.name(), words.unwrap_or_default());
    changed.map(|_| ()).map_err(refused)
}
