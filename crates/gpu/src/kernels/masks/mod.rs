mod axis;

use std::ffi::c_int;

use self::axis::{Axis, pixel};

use super::picture::check_size;
use super::{Kernel, LINE, Placement, arguments};
use crate::{CudaError, DeviceBuffer, DeviceView, Error, Owner, PinnedBuffer, Stream, TensorView};

/// Most pixels of all masks of a frame together, in frames.
const MOST_FRAMES: usize = 8;

/// Where masks come from and where they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskGeometry {
    /// Width and height of the frame, pixels.
    pub frame: (usize, usize),
    /// Where the frame lies in the model's input.
    pub placement: Placement,
    /// Width and height of the prototypes.
    pub prototypes: (usize, usize),
    /// How many there are; as many coefficients has a box.
    pub count: usize,
}

/// A box whose mask is wanted.
#[derive(Clone, Copy, Debug)]
pub struct MaskRequest<'a> {
    /// Edges in pixels of the frame: x1, y1, x2, y2; what lies outside the frame is left out.
    pub edges: [f32; 4],
    /// One for each prototype.
    pub coefficients: &'a [f32],
}

/// `MaskBox` of `kernels/masks.cu`, as words.
const BOX_WORDS: usize = 10;

/// What the host remembers of a launch.
#[derive(Clone, Copy, Debug)]
struct Placed {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    pixels: usize,
}

/// Makes masks: a box's is the sum of all prototypes, weighted with its coefficients, stretched to the frame, where
/// that is above 0, at the pixels whose centres lie in the box. Keeps its memory: a
/// launch allocates nothing, and masks are read where they were copied to.
#[derive(Debug)]
pub struct Masks {
    geometry: MaskGeometry,
    most: usize,
    x: Axis,
    y: Axis,
    taps: DeviceBuffer<u32>,
    request: PinnedBuffer<u32>,
    boxes: DeviceBuffer<u32>,
    sums: DeviceBuffer<f32>,
    /// A flag per box, then pixels.
    result: DeviceBuffer<u8>,
    host: PinnedBuffer<u8>,
    placed: Vec<Placed>,
}

impl Masks {
    /// For at most `most` boxes of a frame.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] where a side is 0 or too long, the placement lies outside the input, or there are no
    /// prototypes or boxes; [`Error::Allocate`].
    pub fn new(stream: &Stream, owner: &Owner, geometry: MaskGeometry, most: usize) -> Result<Self, Error> {
        let MaskGeometry { frame, placement: p, prototypes, count } = geometry;
        check_size("frame", frame.0, frame.1)?;
        check_size("model input", p.width, p.height)?;
        check_size("frame's place", p.columns, p.rows)?;
        check_size("prototypes", prototypes.0, prototypes.1)?;
        if p.left.saturating_add(p.columns) > p.width || p.top.saturating_add(p.rows) > p.height {
            return Err(Error::argument("frame's place", format!("{p:?} is not within the input")));
        }
        if !(1..=1024).contains(&count) || !(1..=4096).contains(&most) {
            let why = format!("{count} prototypes and {most} boxes; 1 to 1024 and 1 to 4096 are possible");
            return Err(Error::argument("masks", why));
        }
        let x = Axis::new(frame.0, p.columns, p.left, p.width, prototypes.0);
        let y = Axis::new(frame.1, p.rows, p.top, p.height, prototypes.1);
        let words = most * (BOX_WORDS + count);
        // A box has at most two prototypes a side more than its pixels cover; all boxes cover MOST_FRAMES frames.
        let (pw, ph) = prototypes;
        let sums = (MOST_FRAMES * pw * ph + most * (2 * (pw + ph) + 4)).min(most * pw * ph);
        let pixels = MOST_FRAMES.min(most) * frame.0 * frame.1;
        if c_int::try_from(sums).is_err() || c_int::try_from(pixels).is_err() {
            return Err(Error::argument("masks", format!("{geometry:?} makes too many pixels")));
        }
        let result = 4 * most + pixels;
        let mut masks = Self {
            geometry,
            most,
            taps: DeviceBuffer::new(stream, owner, 2 * (frame.0 + frame.1))?,
            request: PinnedBuffer::new(stream, owner, words)?,
            boxes: DeviceBuffer::new(stream, owner, words)?,
            sums: DeviceBuffer::new(stream, owner, sums)?,
            result: DeviceBuffer::new(stream, owner, result)?,
            host: PinnedBuffer::new(stream, owner, result)?,
            placed: Vec::with_capacity(most),
            x,
            y,
        };
        let mut taps = PinnedBuffer::new(stream, owner, masks.taps.len())?;
        taps.write()?.iter_mut().zip(masks.x.words().chain(masks.y.words())).for_each(|(to, word)| *to = word);
        stream.upload(&mut taps, 0..masks.taps.len(), masks.taps.view_mut())?;
        Ok(masks)
    }

    /// Puts the masks of `requests` into `stream`; waits for the last launch first. A mask is empty where its box has
    /// no pixel's centre or where the masks before it have as many pixels as eight frames.
    ///
    /// `prototypes` is `f32[count, height, width]`: a view of floats, or a tensor of a model's.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] where there are more boxes than said, other coefficients or prototypes,
    /// [`Error::Stream`]; the driver's. There are no masks then.
    pub fn launch<'a, 'r>(
        &mut self,
        stream: &Stream,
        prototypes: impl Into<TensorView<'a>>,
        requests: impl IntoIterator<Item = MaskRequest<'r>, IntoIter: ExactSizeIterator>,
    ) -> Result<(), Error> {
        self.placed.clear();
        let (prototypes, requests) = (prototypes.into().f32()?, requests.into_iter());
        let MaskGeometry { prototypes: (width, height), count, .. } = self.geometry;
        if requests.len() > self.most {
            return Err(Error::argument("masks", format!("{} boxes, room for {}", requests.len(), self.most)));
        }
        if prototypes.len() != count * width * height {
            let why = format!("{} elements, not {count}x{height}x{width}", prototypes.len());
            return Err(Error::argument("prototypes", why));
        }
        prototypes.check("prototypes", stream)?;
        let boxes = requests.len();
        if boxes == 0 {
            return Ok(());
        }
        let result =
            self.place(requests).and_then(|(sums, pixels)| self.run(stream, prototypes, (boxes, sums, pixels)));
        if result.is_err() {
            self.placed.clear();
        }
        result
    }

    /// Writes the request: boxes, then coefficients. Gives the largest numbers of sums and of pixels of a box.
    fn place<'r>(&mut self, requests: impl ExactSizeIterator<Item = MaskRequest<'r>>) -> Result<(usize, usize), Error> {
        let MaskGeometry { frame, count, .. } = self.geometry;
        // Where there are fewer in the end than were said, the kernels find empty boxes.
        let (boxes, coefficients) = self.request.write()?.split_at_mut(requests.len() * BOX_WORDS);
        boxes.fill(0);
        let (mut sums, mut pixels, mut most_sums, mut most_pixels) = (0, 0, 0, 0);
        let requested = boxes.chunks_exact_mut(BOX_WORDS).zip(coefficients.chunks_exact_mut(count)).zip(requests);
        for ((words, coefficients), request) in requested {
            if request.coefficients.len() != count {
                let why = format!("{} for {count} prototypes", request.coefficients.len());
                return Err(Error::argument("mask coefficients", why));
            }
            coefficients.iter_mut().zip(request.coefficients).for_each(|(to, value)| *to = value.to_bits());
            let [x1, y1, x2, y2] = request.edges;
            let (left, right) = (pixel(x1, frame.0), pixel(x2, frame.0));
            let (top, bottom) = (pixel(y1, frame.1), pixel(y2, frame.1));
            let area = right.saturating_sub(left) * bottom.saturating_sub(top);
            if area == 0 || pixels + area > MOST_FRAMES * frame.0 * frame.1 {
                self.placed.push(Placed { left: 0, top: 0, width: 0, height: 0, pixels });
                continue;
            }
            let (width, height) = (right - left, bottom - top);
            let ((column, columns), (row, rows)) = (self.x.span(left, right), self.y.span(top, bottom));
            let numbers = [left, top, width, height, column, columns, row, rows, sums, pixels];
            words.iter_mut().zip(numbers).for_each(|(to, number)| *to = number as u32);
            self.placed.push(Placed { left, top, width, height, pixels });
            (most_sums, most_pixels) = (most_sums.max(columns * rows), most_pixels.max(area));
            (sums, pixels) = (sums + columns * rows, pixels + area);
        }
        if sums > self.sums.len() {
            return Err(Error::argument("masks", format!("{sums} sums, room for {}", self.sums.len())));
        }
        Ok((most_sums, most_pixels))
    }

    fn run(
        &mut self,
        stream: &Stream,
        prototypes: DeviceView<'_, f32>,
        (requests, most_sums, most_pixels): (usize, usize, usize),
    ) -> Result<(), Error> {
        let MaskGeometry { frame, prototypes: (width, height), count, .. } = self.geometry;
        let words = requests * (BOX_WORDS + count);
        let flags = 4 * self.most;
        let used = flags + self.placed.last().map_or(0, |last| last.pixels + last.width * last.height);
        stream.upload(&mut self.request, 0..words, self.boxes.view_mut().range(0..words)?)?;
        stream.fill(self.result.view_mut().range(0..flags)?, 0)?;
        if most_pixels > 0 {
            let (count, width, height) = (count as c_int, width as c_int, height as c_int);
            let (boxes, sums) = (self.boxes.device_ptr(), self.sums.device_ptr());
            let (unsound, pixels) = (self.result.device_ptr(), self.result.device_ptr() + flags as u64);
            let coefficients = boxes + (requests * BOX_WORDS * size_of::<u32>()) as u64;
            let (columns, data) = (self.taps.device_ptr(), prototypes.address());
            let rows = columns + (2 * frame.0 * size_of::<u32>()) as u64;
            let threads = |each: usize| [each as u32, requests as u32, 1];
            // SAFETY: the kernels have these parameters; boxes lie within the frame and their prototypes within
            // theirs, sums and pixels were counted against their buffers' sizes; all is this stream's.
            unsafe {
                let sum = arguments![data, count, width, height, coefficients, boxes, sums, unsound];
                stream.launch(Kernel::MasksSum, threads(most_sums), LINE, sum)?;
                let stretch = arguments![sums, boxes, columns, rows, pixels];
                stream.launch(Kernel::MasksStretch, threads(most_pixels), LINE, stretch)?;
            }
        }
        stream.download(self.result.view().range(0..used)?, &mut self.host, 0)
    }

    /// The masks of the last launch, in the order of its requests; waits for it.
    ///
    /// # Errors
    ///
    /// That of the work which failed.
    pub fn masks(&self) -> Result<impl ExactSizeIterator<Item = Mask<'_>>, CudaError> {
        let (flags, pixels) = self.host.read()?.split_at(4 * self.most);
        Ok(self.placed.iter().zip(flags.chunks_exact(4)).map(|(p, flag)| Mask {
            x: p.left,
            y: p.top,
            width: p.width,
            height: p.height,
            pixels: &pixels[p.pixels..][..p.width * p.height],
            sound: flag.iter().all(|&byte| byte == 0),
        }))
    }
}

/// A mask: a rectangle of the frame, outside which nothing belongs to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask<'a> {
    /// Left column in the frame, pixels.
    pub x: usize,
    /// Top row in the frame, pixels.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `height` rows of `width` bytes, 1 where the object is, else 0.
    pub pixels: &'a [u8],
    /// False where a sum is no number: the pixels then mean nothing.
    pub sound: bool,
}
