use crate::event::{Event, Timing};
use crate::{DeviceBuffer, DeviceView, Error, MappedBuffer, Owner, PinnedBuffer, Stream, Usage};

const SLOTS: usize = 2;

/// Two slots of host memory, filled in turn, and how the device comes by what is in them.
#[derive(Debug)]
pub(super) enum Staging {
    /// It copies. One buffer is enough: the stream does not copy over what a kernel before still reads.
    Copied { slots: [PinnedBuffer<u8>; SLOTS], current: usize, device: DeviceBuffer<u8> },
    /// It reads them in place.
    Mapped { slots: [MappedSlot; SLOTS], current: usize },
}

/// A slot that kernels read.
#[derive(Debug)]
pub(super) struct MappedSlot {
    memory: MappedBuffer<u8>,
    read: Event,
    last: LastRead,
}

/// How to know that the device has read a slot.
#[derive(Clone, Copy, Debug)]
enum LastRead {
    /// Nothing was put into the stream that reads it.
    Never,
    /// All of that stands before the event.
    Event,
    /// The event could not be recorded behind it, or not yet.
    Stream,
}

impl Staging {
    /// What [`Staging::new`] takes.
    pub fn memory(len: usize, integrated: bool) -> Usage {
        if integrated {
            Usage { mapped: SLOTS * len, ..Usage::default() }
        } else {
            Usage { pinned: SLOTS * len, device: len, mapped: 0 }
        }
    }

    pub fn new(stream: &Stream, owner: &Owner, len: usize) -> Result<Self, Error> {
        if stream.device().info().integrated {
            let slot = || {
                let (memory, read) =
                    (MappedBuffer::new(stream, owner, len)?, Event::new(stream.device(), Timing::Off)?);
                Ok::<_, Error>(MappedSlot { memory, read, last: LastRead::Never })
            };
            return Ok(Self::Mapped { slots: [slot()?, slot()?], current: 0 });
        }
        let slots = [PinnedBuffer::new(stream, owner, len)?, PinnedBuffer::new(stream, owner, len)?];
        Ok(Self::Copied { slots, current: 0, device: DeviceBuffer::new(stream, owner, len)? })
    }

    /// Bytes of a slot.
    pub fn len(&self) -> usize {
        match self {
            Self::Copied { device, .. } => device.len(),
            Self::Mapped { slots: [slot, _], .. } => slot.memory.len(),
        }
    }

    /// The slot whose turn it is, once the device has read what is in it. Nobody can have a view of either any more,
    /// so all work on what was loaded last is in the stream.
    pub fn next(&mut self, stream: &Stream) -> Result<&mut [u8], Error> {
        match self {
            Self::Copied { slots, current, .. } => {
                *current ^= 1;
                Ok(slots[*current].write()?)
            }
            Self::Mapped { slots, current } => {
                let left = &mut slots[*current];
                if let LastRead::Stream = left.last
                    && left.read.record(stream).is_ok()
                {
                    left.last = LastRead::Event;
                }
                *current ^= 1;
                let slot = &mut slots[*current];
                match slot.last {
                    LastRead::Never => {}
                    LastRead::Event => slot.read.synchronize()?,
                    LastRead::Stream => stream.synchronize()?,
                }
                slot.last = LastRead::Never;
                // SAFETY: all work that reads the slot was put into the stream before its event, or into the stream,
                // which was just waited for; views of it end before `self` is borrowed for this.
                Ok(unsafe { slot.memory.write_unawaited() })
            }
        }
    }

    /// Gives the device what was just written, `len` bytes of it.
    pub fn send(&mut self, stream: &Stream, len: usize) -> Result<(), Error> {
        match self {
            Self::Copied { slots, current, device } => {
                stream.upload(&mut slots[*current], 0..len, device.view_mut().range(0..len)?)
            }
            Self::Mapped { slots, current } => {
                // From here on there can be views.
                slots[*current].last = LastRead::Stream;
                Ok(())
            }
        }
    }

    /// What was sent last, for the device.
    pub fn view(&self) -> DeviceView<'_, u8> {
        match self {
            Self::Copied { device, .. } => device.view(),
            Self::Mapped { slots, current } => slots[*current].memory.view(),
        }
    }
}
