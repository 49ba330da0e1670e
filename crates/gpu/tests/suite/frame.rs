//! Once everything is made, the path of a frame allocates nothing: neither for the driver nor on the host's heap.

use allocation_counter::measure;
use gpu::kernels::{
    Candidates, CandidatesLayout, Channels, Colour, Crop, Letterbox, MaskGeometry, MaskRequest, Masks, Matrix,
    Normalisation, PixelRect, Placement, Range,
};
use gpu::{BoundTensor, Device, DeviceTensor, ElementType, FrameUpload, HostTensor, SharedTensor, Stream};

use super::picture::{Kind, Stored};
use crate::common::Numbers;

const PLACEMENT: Placement = Placement { left: 0, top: 14, columns: 64, rows: 36, width: 64, height: 64 };
const LAYOUT: CandidatesLayout = CandidatesLayout { boxes: 84, classes: 2, extras: 4 };
const GEOMETRY: MaskGeometry =
    MaskGeometry { frame: (192, 108), placement: PLACEMENT, prototypes: (16, 16), count: LAYOUT.extras };

/// What a camera has.
struct Camera {
    stream: Stream,
    upload: FrameUpload,
    letterbox: Letterbox,
    input: SharedTensor,
    output: BoundTensor,
    candidates: Candidates,
    prototypes: DeviceTensor,
    masks: Masks,
    crop: Crop,
    crops: SharedTensor,
    embeddings: HostTensor,
}

impl Camera {
    fn new(device: &Device) -> Self {
        let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("camera"));
        let input = Normalisation { bgr: false, pad: 114, mean: [0.0; 3], scale: [1.0 / 255.0; 3] };
        let channels = Channels::new(Colour { matrix: Matrix::Bt709, range: Range::Limited }, &input);
        let shared = |element, len| SharedTensor::new(element, &stream, &owner, len).expect("tensor");
        let own = |len| DeviceTensor::new(ElementType::F32, &stream, &owner, len).expect("tensor");
        let mut output = own(10 * LAYOUT.boxes);
        let mut scores = HostTensor::new(ElementType::F32, &stream, &owner, 10 * LAYOUT.boxes).expect("pinned");
        let HostTensor::F32(host) = &mut scores else { panic!("{scores:?}") };
        let mut numbers = Numbers(3);
        host.write().expect("write").iter_mut().for_each(|value| *value = 40.0 * numbers.share());
        stream.upload_tensor(&mut scores, &mut output, 10 * LAYOUT.boxes).expect("upload");
        Self {
            upload: FrameUpload::new(&stream, &owner),
            letterbox: Letterbox::new(PLACEMENT, channels).expect("letterbox"),
            input: shared(ElementType::F16, 3 * 64 * 64),
            output: output.into(),
            candidates: Candidates::new(&stream, &owner, LAYOUT, 50).expect("candidates"),
            prototypes: own(LAYOUT.extras * 16 * 16),
            masks: Masks::new(&stream, &owner, GEOMETRY, 50).expect("masks"),
            crop: Crop::new(32, 64, channels).expect("crop"),
            crops: shared(ElementType::F32, 2 * 3 * 32 * 64),
            embeddings: HostTensor::new(ElementType::F32, &stream, &owner, 2 * 3 * 32 * 64).expect("pinned"),
            stream,
        }
    }

    /// A frame, all the way; the number of masks.
    fn frame(&mut self, picture: &picture::Picture<'_>) -> Result<usize, gpu::Error> {
        let stream = &self.stream;
        let on_device = self.upload.load(picture)?;
        self.letterbox.launch(stream, &on_device, self.input.tensor_mut())?;
        self.candidates.launch(stream, &self.output, 20.0)?;
        let survivors = self.candidates.survivors()?;
        let requests = survivors.iter().map(|found| {
            let [x, y, width, height] = found.centre_size();
            let edges = [x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0];
            MaskRequest { edges, coefficients: found.extras() }
        });
        self.masks.launch(stream, &self.prototypes, requests)?;
        let boxes = [[0, 0, 50, 100], [90, 3, 40, 90]].map(|[x, y, width, height]| PixelRect { x, y, width, height });
        let on_device = self.upload.picture().expect("it is still there");
        self.crop.launch(stream, &on_device, &boxes, self.crops.tensor_mut())?;
        stream.download_tensor(&self.crops, &mut self.embeddings, 2 * 3 * 32 * 64)?;
        let HostTensor::F32(embeddings) = &self.embeddings else { panic!("{:?}", self.embeddings) };
        assert!(embeddings.read()?.iter().any(|&value| value > 0.0));
        Ok(self.masks.masks()?.len())
    }
}

pub fn allocates_nothing_after_the_first(device: &Device) {
    let (stream, scene) = (Stream::new(device).expect("stream"), device.owner("scene"));
    let stored = [0, 13, 300].map(|extra| Stored::new(&stream, &scene, (192, 108), Kind::I420, extra));
    let mut camera = Camera::new(device);
    // The one with the longest rows, so that there is room for all.
    camera.frame(&stored[1].host()).expect("the first frame");
    let (held, total) = (device.memory(), device.total_held());
    for stored in &stored {
        let picture = stored.host();
        let mut masks = Ok(0);
        let info = measure(|| masks = camera.frame(&picture));
        assert!(masks.expect("a frame") >= 30, "there was something to do");
        assert_eq!(info.count_total, 0, "{info:?}");
    }
    assert_eq!((device.memory(), device.total_held()), (held, total));
}
