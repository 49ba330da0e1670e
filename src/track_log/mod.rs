//! What rules were told, kept on disk: compact and exact, so that a new or changed rule can be tried on the past.
//!
//! A camera's [`Encoder`] writes every [`Input`](crate::types::observation::Input) of its rules into a buffer: a few
//! microseconds a frame, and no allocation. Full buffers (64 KiB, or 10 seconds) go to the one thread of [`TrackLog`],
//! which packs them into blocks and appends these to `state_dir/tracks/<camera>/<UTC start>.wktl`, a file an hour and
//! a beginning. A camera never waits: where the disk does not keep up, or is full, blocks are dropped and counted, and
//! their numbers are missing, so that a [`Reader`] says where there is a hole.
//!
//! What may be lost: with the process, what is in buffers, at most 10 seconds of frames of each camera and what waits
//! to be written; with the power, what the system had not yet written, about 30 seconds with the settings of Linux
//! (nothing is synced by itself: this is no record of anything, events are in the outbox). A block that was cut off is
//! known by its checksum, costs itself, and is removed at the next start.
//!
//! ## Is a replay what live gave?
//! Yes, event for event, where it begins with a beginning ([`Record::Begin`] with `whole`) and meets no hole: rules are
//! pure, and what they are told is kept bit for bit. Where the log before was deleted, or reading begins later than the
//! rules did, what rules remember of before is missing: totals of counts begin at 0, and whoever was in a zone already
//! comes into it once more. All of it but the totals is as live once every track of then is over and every time in
//! the rules (dwell, cool-down, the hour of `max_per_hour`) has gone by. At a hole rules begin anew.

mod block;
mod bytes;
mod crc;
mod encoder;
mod files;
mod frame;
mod reader;
mod record;
mod retention;
mod view;
mod writer;

pub use encoder::Encoder;
pub use files::{cameras, folder};
pub use reader::{ReadError, Reader, Record, Start};
pub use view::{ViewKeeper, view_path};
pub use writer::{Stats, TrackLog};

/// Bytes that are not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Damaged;
