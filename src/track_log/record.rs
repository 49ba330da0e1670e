//! What rules are told, record after record: a byte that says what it is, then what it says.

use std::sync::Arc;

use super::Damaged;
use super::bytes::{Bytes, put, put_signed, put_text};
use super::frame::{FrameCoder, put_capture, take_capture};
use crate::types::event::EventModel;
use crate::types::observation::{Input, Model, Observation};
use crate::types::time::{CaptureTime, Timestamp};

const FRAME: u8 = 0;
const MODEL: u8 = 1;
const RESET: u8 = 2;
/// The model told last, said again for whoever begins to read here.
const MODEL_AGAIN: u8 = 3;

/// A record as it was read; a frame is where the caller wanted it.
#[derive(Debug)]
pub(super) enum Taken {
    Frame,
    Model(Arc<Model>),
    ModelAgain(Arc<Model>),
    Reset { capture: CaptureTime, arrival: Timestamp },
}

pub(super) fn put_input(input: &Input<'_>, coder: &mut FrameCoder, out: &mut Vec<u8>) {
    match input {
        Input::Frame(frame) => {
            out.push(FRAME);
            coder.encode(frame, out);
        }
        Input::Model(model) => {
            out.push(MODEL);
            put_model(model, out);
        }
        Input::Reset { capture, arrival } => {
            out.push(RESET);
            put_capture(*capture, out);
            put_signed(out, arrival.0);
        }
    }
}

pub(super) fn put_model_again(model: &Model, out: &mut Vec<u8>) {
    out.push(MODEL_AGAIN);
    put_model(model, out);
}

/// Does a block say the model again, first of all?
pub(super) fn begins_with_model(raw: &[u8]) -> bool {
    raw.first() == Some(&MODEL_AGAIN)
}

pub(super) fn take(bytes: &mut Bytes<'_>, coder: &mut FrameCoder, frame: &mut Observation) -> Result<Taken, Damaged> {
    Ok(match bytes.byte()? {
        FRAME => {
            coder.decode(bytes, frame)?;
            Taken::Frame
        }
        MODEL => Taken::Model(Arc::new(take_model(bytes)?)),
        MODEL_AGAIN => Taken::ModelAgain(Arc::new(take_model(bytes)?)),
        RESET => Taken::Reset { capture: take_capture(bytes)?, arrival: Timestamp(bytes.signed()?) },
        _ => return Err(Damaged),
    })
}

fn put_model(model: &Model, out: &mut Vec<u8>) {
    put(out, model.labels.len() as u64);
    model.labels.iter().for_each(|label| put_text(out, label));
    out.push(u8::from(model.event.is_some()));
    if let Some(EventModel { id, engine, precision }) = &model.event {
        put_text(out, id);
        put_text(out, engine);
        out.push(u8::from(precision.is_some()));
        if let Some(precision) = precision {
            put_text(out, precision);
        }
    }
}

fn take_model(bytes: &mut Bytes<'_>) -> Result<Model, Damaged> {
    let mut labels = Vec::new();
    for _ in 0..bytes.unsigned()? {
        labels.push(bytes.text()?.to_owned());
    }
    let event = if bytes.byte()? == 0 {
        None
    } else {
        let (id, engine) = (bytes.text()?.to_owned(), bytes.text()?.to_owned());
        let precision = if bytes.byte()? == 0 { None } else { Some(bytes.text()?.to_owned()) };
        Some(EventModel { id, engine, precision })
    };
    Ok(Model { labels, event })
}
