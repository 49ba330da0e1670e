//! Work that takes long and leaves room beside it, and the time that work takes on the device.

use gpu::kernels::{Candidates, CandidatesLayout};
use gpu::{Device, DeviceBuffer, Event, Stream, Timing};

use super::machine;

/// A stream with a kernel of one block for it: a single warp looks through an output of 32 boxes and very many classes.
/// That takes milliseconds, and all multiprocessors but one stay free.
pub struct Busy {
    pub stream: Stream,
    candidates: Candidates,
    output: DeviceBuffer<f32>,
}

impl Busy {
    pub fn new(device: &Device) -> Self {
        let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("busy"));
        Self::on(&stream, device, &owner)
    }

    pub fn on(stream: &Stream, device: &Device, owner: &gpu::Owner) -> Self {
        let classes = if machine::is_simulated(device) { 20_000 } else { 500_000 };
        let layout = CandidatesLayout { boxes: 32, classes, extras: 0 };
        let candidates = Candidates::new(stream, owner, layout, 1).expect("candidates");
        let output = DeviceBuffer::new(stream, owner, 32 * (4 + classes)).expect("output");
        Self { stream: stream.clone(), candidates, output }
    }

    /// Puts the kernel into the stream.
    pub fn launch(&mut self) {
        self.candidates.launch(&self.stream, self.output.view(), 0.5).expect("launch");
    }
}

/// A stream and what to put into it.
pub type Work<'a> = (Stream, Box<dyn FnMut() + 'a>);

/// Milliseconds on the device from before all works begin, each in a stream of its own, until the last is done. The
/// median of five times.
pub fn together(device: &Device, works: &mut [Work<'_>]) -> f32 {
    let mark = || Event::new(device, Timing::On).expect("event");
    median((0..5).map(|_| {
        let start = mark();
        start.record(&works[0].0).expect("record");
        let ends: Vec<_> = works
            .iter_mut()
            .map(|(stream, work)| {
                stream.wait(&start).expect("wait");
                work();
                let end = mark();
                end.record(stream).expect("record");
                end
            })
            .collect();
        ends.iter().fold(0.0, |last: f32, end| {
            end.synchronize().expect("synchronize");
            last.max(end.since(&start).expect("time"))
        })
    }))
}

pub fn median(values: impl Iterator<Item = f32>) -> f32 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f32::total_cmp);
    values[values.len() / 2]
}
