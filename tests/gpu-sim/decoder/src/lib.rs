//! Simulated hardware decoders: elements under the names of NVIDIA's, with a software decoder inside.
//!
//! - `codec`: which elements there are, and what each takes, gives and wraps;
//! - `element`: their types;
//! - `wrapped`: the hidden decoder behind an element's pads;
//! - `faults`: the section `decoder` of the fault document.

mod codec;
mod element;
mod faults;
mod wrapped;

/// The plugin's description and entry point.
mod plugin {
    use super::element::register;

    // GStreamer derives the name of the entry point from the file's, libgstsimdecoder.so.
    gst::plugin_define!(
        simdecoder,
        "Simulated hardware decoders (software inside)",
        register,
        env!("CARGO_PKG_VERSION"),
        "MIT/X11",
        "watchkeeper",
        "watchkeeper",
        "https://gstreamer.freedesktop.org"
    );
}
