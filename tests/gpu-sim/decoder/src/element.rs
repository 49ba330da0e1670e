//! The element types, one for each codec: GStreamer keeps name, kind and pads with the type.

use gst::glib;
use gst::prelude::*;

use crate::codec::{self, Codec};

macro_rules! element {
    ($module:ident, $codec:expr, $type_name:literal) => {
        mod $module {
            use std::sync::OnceLock;

            use gst::prelude::*;
            use gst::subclass::prelude::*;
            use gst::{StateChange, StateChangeError, StateChangeSuccess, glib};

            use crate::wrapped::Wrapped;

            #[derive(Default)]
            pub struct Imp(OnceLock<Wrapped>);

            #[glib::object_subclass]
            impl ObjectSubclass for Imp {
                const NAME: &'static str = $type_name;
                type Type = super::$module::Decoder;
                type ParentType = gst::Element;
            }

            impl ObjectImpl for Imp {
                fn constructed(&self) {
                    self.parent_constructed();
                    self.0.get_or_init(|| Wrapped::new(self.obj().upcast_ref(), &$codec));
                }
            }

            impl GstObjectImpl for Imp {}

            impl ElementImpl for Imp {
                fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                    static METADATA: OnceLock<gst::subclass::ElementMetadata> = OnceLock::new();
                    Some(METADATA.get_or_init(|| super::metadata(&$codec)))
                }

                fn pad_templates() -> &'static [gst::PadTemplate] {
                    static TEMPLATES: OnceLock<Vec<gst::PadTemplate>> = OnceLock::new();
                    TEMPLATES.get_or_init(|| super::templates(&$codec))
                }

                fn change_state(&self, change: StateChange) -> Result<StateChangeSuccess, StateChangeError> {
                    let wrapped = self.0.get().ok_or(StateChangeError)?;
                    wrapped.change_state(self.obj().upcast_ref(), change, || self.parent_change_state(change))
                }
            }

            glib::wrapper! {
                pub struct Decoder(ObjectSubclass<Imp>) @extends gst::Element, gst::Object;
            }
        }
    };
}

element!(h264, crate::codec::H264, "SimNvH264Dec");
element!(h265, crate::codec::H265, "SimNvH265Dec");
element!(jpeg, crate::codec::JPEG, "SimNvJpegDec");

/// Adds the elements to the plugin, one rank above the software decoders as the real ones are.
pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    let rank = gst::Rank::PRIMARY + 1;
    for (codec, of_type) in [
        (&codec::H264, h264::Decoder::static_type()),
        (&codec::H265, h265::Decoder::static_type()),
        (&codec::JPEG, jpeg::Decoder::static_type()),
    ] {
        gst::Element::register(Some(plugin), codec.element, rank, of_type)?;
    }
    Ok(())
}

fn metadata(codec: &Codec) -> gst::subclass::ElementMetadata {
    gst::subclass::ElementMetadata::new(
        &format!("Simulated {} hardware decoder", codec.name),
        "Codec/Decoder/Video/Hardware",
        &format!("Simulated: decodes {} in software and calls itself hardware, for tests", codec.name),
        "The Watchkeeper developers (simulated)",
    )
}

fn templates(codec: &Codec) -> Vec<gst::PadTemplate> {
    let gives = format!("video/x-raw, format = {}", codec.gives);
    [("sink", gst::PadDirection::Sink, codec.takes), ("src", gst::PadDirection::Src, gives.as_str())]
        .into_iter()
        .filter_map(|(name, direction, caps)| {
            let caps = caps.parse::<gst::Caps>().ok()?;
            gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).ok()
        })
        .collect()
}
