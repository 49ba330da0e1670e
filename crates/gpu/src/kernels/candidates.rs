use std::ffi::c_int;

use super::{Kernel, LINE, arguments};
use crate::{CudaError, DeviceBuffer, Error, Owner, PinnedBuffer, Stream, TensorView, Usage};

/// Words of a survivor before its extras, `HEAD` of `kernels/candidates.cu`.
const HEAD: usize = 7;

/// Layout of a detector's output, `f32[1, 4 + classes + extras, boxes]`: centre and size, scores after the sigmoid,
/// and what the task adds; a column per box (YOLOv8, v9, v11 as ultralytics exports them).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CandidatesLayout {
    /// Columns.
    pub boxes: usize,
    /// Scores of a box.
    pub classes: usize,
    /// Further values of a box: keypoints, mask coefficients.
    pub extras: usize,
}

/// `Table` of `kernels/candidates.cu`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct RawTable {
    data: u64,
    boxes: c_int,
    classes: c_int,
    extras: c_int,
    /// What the compiler would leave undefined.
    padding: c_int,
}

/// Elements of each buffer.
struct Lengths {
    capacity: usize,
    bits: usize,
    boxes: usize,
    words: usize,
}

impl Lengths {
    fn of(CandidatesLayout { boxes, extras, .. }: CandidatesLayout, capacity: usize) -> Self {
        let capacity = capacity.min(boxes);
        Self { capacity, bits: boxes.div_ceil(32), boxes, words: 1 + capacity * (HEAD + extras) }
    }
}

/// Finds the boxes of an output that score well enough, so that only they are copied to the host. Keeps its memory: a
/// launch allocates nothing, and survivors are read where they were copied to.
#[derive(Debug)]
pub struct Candidates {
    layout: CandidatesLayout,
    capacity: usize,
    bits: DeviceBuffer<u32>,
    scores: DeviceBuffer<f32>,
    classes: DeviceBuffer<u32>,
    /// Words, most of which are floats.
    found: DeviceBuffer<f32>,
    host: PinnedBuffer<f32>,
}

impl Candidates {
    /// For outputs of `layout` of which at most `capacity` boxes are wanted.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] where there are no boxes, no classes or no room; [`Error::Allocate`].
    pub fn new(stream: &Stream, owner: &Owner, layout: CandidatesLayout, capacity: usize) -> Result<Self, Error> {
        let CandidatesLayout { boxes, classes, extras } = layout;
        let most = c_int::MAX as usize;
        let rows = extras.checked_add(classes).and_then(|rows| rows.checked_add(4 + HEAD));
        if boxes == 0 || classes == 0 || rows.and_then(|rows| rows.checked_mul(boxes)).is_none_or(|n| n > most) {
            return Err(Error::argument("output", format!("{layout:?} is no layout of one")));
        }
        let Lengths { capacity, bits, boxes, words } = Lengths::of(layout, capacity);
        Ok(Self {
            layout,
            capacity,
            bits: DeviceBuffer::new(stream, owner, bits)?,
            scores: DeviceBuffer::new(stream, owner, boxes)?,
            classes: DeviceBuffer::new(stream, owner, boxes)?,
            found: DeviceBuffer::new(stream, owner, words)?,
            host: PinnedBuffer::new(stream, owner, words)?,
        })
    }

    /// Memory that [`Candidates::new`] takes.
    #[must_use]
    pub fn memory(layout: CandidatesLayout, capacity: usize) -> Usage {
        let Lengths { bits, boxes, words, .. } = Lengths::of(layout, capacity);
        // All of them are words of 32 bits.
        let [device, pinned] = [bits + 2 * boxes + words, words].map(|words| words * size_of::<u32>());
        Usage { device, pinned, mapped: 0 }
    }

    /// Puts the search through `output` into `stream`: a view of floats, or a tensor of a model's. Survivors score at
    /// least `threshold` in their best class, the lowest of equals; a box with a score that is no number survives too, with NaN for its score.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] where `output` is not of the layout's size or has no 32-bit floats, [`Error::Stream`]; the
    /// driver's.
    pub fn launch<'a>(
        &mut self,
        stream: &Stream,
        output: impl Into<TensorView<'a>>,
        threshold: f32,
    ) -> Result<(), Error> {
        let output = output.into().f32()?;
        let CandidatesLayout { boxes, classes, extras } = self.layout;
        let need = (4 + classes + extras) * boxes;
        if output.len() != need {
            return Err(Error::argument("output", format!("{} elements, {:?} has {need}", output.len(), self.layout)));
        }
        output.check("output", stream)?;
        stream.fill(self.bits.view_mut(), 0)?;
        let table = RawTable {
            data: output.address(),
            boxes: boxes as c_int,
            classes: classes as c_int,
            extras: extras as c_int,
            padding: 0,
        };
        let (bits, scores, numbers) = (self.bits.device_ptr(), self.scores.device_ptr(), self.classes.device_ptr());
        let (capacity, found) = (self.capacity as u32, self.found.device_ptr());
        let threads = [boxes as u32, 1, 1];
        // SAFETY: the kernels have these parameters; the buffers were made for the layout and the capacity, and are
        // this stream's, as `fill` and the checks found.
        unsafe {
            let scan = arguments![table, threshold, bits, scores, numbers];
            stream.launch(Kernel::CandidatesScan, threads, LINE, scan)?;
            let gather = arguments![table, bits, scores, numbers, capacity, found];
            stream.launch(Kernel::CandidatesGather, threads, LINE, gather)?;
        }
        stream.download(self.found.view(), &mut self.host, 0)
    }

    /// The survivors of the last launch; waits for it.
    ///
    /// # Errors
    ///
    /// That of the work which failed.
    pub fn survivors(&self) -> Result<Survivors<'_>, CudaError> {
        let (&count, words) = match self.host.read()?.split_first() {
            Some(parts) => parts,
            None => (&0.0, &[][..]),
        };
        // No more than there are boxes, whatever the device says.
        let count = (count.to_bits() as usize).min(self.layout.boxes);
        let stride = HEAD + self.layout.extras;
        let words = &words[..count.min(self.capacity) * stride];
        Ok(Survivors { count, words, stride })
    }
}

/// Survivors of an output, in its order.
#[derive(Clone, Copy, Debug)]
pub struct Survivors<'a> {
    count: usize,
    words: &'a [f32],
    stride: usize,
}

impl<'a> Survivors<'a> {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many of them there was no room for: those at the end of the output.
    #[must_use]
    pub fn overflow(&self) -> usize {
        self.count - self.words.len() / self.stride
    }

    /// Those that there was room for, as rows one after the other, and the length of a row: place in the output and
    /// class (both as bits), score, centre x and y, width, height, and what the task adds.
    #[must_use]
    pub fn rows(&self) -> (&'a [f32], usize) {
        (self.words, self.stride)
    }

    /// One of those that there was room for.
    #[must_use]
    pub fn get(&self, i: usize) -> Option<Candidate<'a>> {
        let start = i.checked_mul(self.stride)?;
        self.words.get(start..start.checked_add(self.stride)?).map(|words| Candidate { words })
    }

    /// Those that there was room for.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Candidate<'a>> + use<'a> {
        self.words.chunks_exact(self.stride).map(|words| Candidate { words })
    }
}

/// A box as the output has it, in input pixels.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    words: &'a [f32],
}

impl<'a> Candidate<'a> {
    /// Its column in the output.
    #[must_use]
    pub fn index(&self) -> usize {
        self.words[0].to_bits() as usize
    }

    /// Its best class.
    #[must_use]
    pub fn class(&self) -> usize {
        self.words[1].to_bits() as usize
    }

    /// That class's score; NaN where one of its scores is.
    #[must_use]
    pub fn score(&self) -> f32 {
        self.words[2]
    }

    /// Centre x and y, width, height.
    #[must_use]
    pub fn centre_size(&self) -> [f32; 4] {
        std::array::from_fn(|i| self.words[3 + i])
    }

    /// What the task adds: keypoints, or the coefficients that [`Masks`](super::Masks) wants.
    #[must_use]
    pub fn extras(&self) -> &'a [f32] {
        &self.words[HEAD..]
    }
}
