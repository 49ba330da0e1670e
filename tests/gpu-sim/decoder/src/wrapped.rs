//! The software decoder behind an element's pads.
//!
//! The element is no bin, as the real ones are none: what looks into bins, as decodebin and its users do, must not find
//! a software decoder in it. So the decoder is in a bin of its own that nothing contains, linked by ghost pads, and its
//! state and its messages are passed on here.

use std::sync::atomic::{AtomicU64, Ordering};

use gst::prelude::*;
use gst::{MessageView, PadProbeData, PadProbeReturn, PadProbeType, StateChange, StateChangeError, StateChangeSuccess};

use crate::codec::Codec;
use crate::faults::Faults;

/// What an element has inside.
pub(crate) struct Wrapped {
    /// Why there is none, where the software decoder cannot be made.
    hidden: Result<gst::Bin, String>,
    codec: &'static Codec,
    faults: Faults,
}

impl Wrapped {
    /// Makes the decoder and gives `element` its pads.
    pub(crate) fn new(element: &gst::Element, codec: &'static Codec) -> Self {
        let faults = Faults::of(codec.element);
        // Late frames are the decoder's to drop, not the conversion's.
        let filter = format!("capsfilter caps=\"video/x-raw, format = {}\"", codec.gives);
        let chain = format!("{} ! videoconvert qos=false ! {filter}", codec.software);
        let hidden = gst::parse::bin_from_description(&chain, true).map_err(|error| error.to_string());
        for template in element.pad_template_list() {
            let pad = gst::GhostPad::from_template(&template);
            let target = hidden.as_ref().ok().and_then(|hidden| hidden.static_pad(&pad.name()));
            if let Err(error) = pad.set_target(target.as_ref()).and_then(|()| element.add_pad(&pad)) {
                gst::glib::g_warning!("simdecoder", "{}: {error}", codec.element);
            }
            plant(&pad, element, &faults);
        }
        if let Ok(hidden) = &hidden {
            hidden.set_bus(Some(&bus(element)));
        }
        Self { hidden, codec, faults }
    }

    /// Changes the decoder's state with the element's, so that it can take data whenever the pads let data in.
    pub(crate) fn change_state(
        &self,
        element: &gst::Element,
        change: StateChange,
        parent: impl FnOnce() -> Result<StateChangeSuccess, StateChangeError>,
    ) -> Result<StateChangeSuccess, StateChangeError> {
        let hidden = match &self.hidden {
            Ok(hidden) if !(self.faults.fail && change == StateChange::NullToReady) => hidden,
            Ok(_) => {
                let debug = "[simulated] the decoder cannot be opened, as was asked for";
                gst::element_error!(element, gst::LibraryError::Init, ["{debug}"]);
                return Err(StateChangeError);
            }
            Err(reason) => {
                let (name, package) = (self.codec.element, self.codec.package);
                let words = format!("the simulated {name} needs a software decoder; install {package}");
                gst::element_error!(element, gst::CoreError::MissingPlugin, ("{words}"), ["{reason}"]);
                return Err(StateChangeError);
            }
        };
        let up = change.current() < change.next();
        if up {
            hidden.set_state(change.next())?;
        }
        let changed = parent()?;
        if !up {
            hidden.set_state(change.next())?;
        }
        Ok(changed)
    }
}

/// A bus that passes on what a decoder has to say.
fn bus(element: &gst::Element) -> gst::Bus {
    let (bus, element) = (gst::Bus::new(), element.downgrade());
    bus.set_sync_handler(move |_, message| {
        if let Some(element) = element.upgrade()
            && let Some(message) = passed_on(&element, message)
        {
            // Without a bus there is nobody to tell.
            let _ = element.post_message(message);
        }
        gst::BusSyncReply::Drop
    });
    bus
}

/// The message as the element's own; `None` for what only concerns the hidden bin.
fn passed_on(element: &gst::Element, message: &gst::Message) -> Option<gst::Message> {
    macro_rules! said {
        ($kind:ident, $message:expr) => {
            gst::message::$kind::builder_from_error($message.error())
                .debug_if_some($message.debug().as_deref())
                .details_if_some($message.details().map(gst::StructureRef::to_owned))
                .src(element)
                .build()
        };
    }
    Some(match message.view() {
        MessageView::Error(error) => said!(Error, error),
        MessageView::Warning(warning) => said!(Warning, warning),
        MessageView::Info(info) => said!(Info, info),
        MessageView::Latency(_) => gst::message::Latency::builder().src(element).build(),
        MessageView::Qos(_) | MessageView::Element(_) => message.clone(),
        _ => return None,
    })
}

/// Puts the faults that were asked for into a pad.
fn plant(pad: &gst::GhostPad, element: &gst::Element, faults: &Faults) {
    let sink = pad.direction() == gst::PadDirection::Sink;
    if sink && faults.fail_picture > 0 {
        let (element, due, pictures) = (element.downgrade(), faults.fail_picture, AtomicU64::new(0));
        pad.add_probe(PadProbeType::BUFFER, move |_, info| {
            if pictures.fetch_add(1, Ordering::Relaxed) + 1 != due {
                return PadProbeReturn::Ok;
            }
            if let Some(element) = element.upgrade() {
                let debug = format!("[simulated] picture {due} cannot be decoded, as was asked for");
                gst::element_error!(element, gst::StreamError::Decode, ["{debug}"]);
            }
            info.flow_res = Err(gst::FlowError::Error);
            PadProbeReturn::Handled
        });
    }
    if !sink && faults.no_frames {
        pad.add_probe(PadProbeType::BUFFER, |_, _| PadProbeReturn::Handled);
    }
    if !sink && faults.blank_frames {
        pad.add_probe(PadProbeType::BUFFER, |_, info| {
            if let Some(PadProbeData::Buffer(buffer)) = &mut info.data
                && let Ok(mut bytes) = buffer.make_mut().map_writable()
            {
                bytes.fill(0);
            }
            PadProbeReturn::Ok
        });
    }
}
