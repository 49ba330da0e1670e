use gpu::kernels::{Channels, Colour, Letterbox, Matrix, Normalisation, Placement, Range, TensorMut};
use gpu::{
    BoundTensor, Class, Device, DeviceTensor, ElementType, Error, HostTensor, Owner, SharedTensor, Stream, TensorView,
    TensorViewMut,
};

use super::picture::{Kind, Stored};

/// Bits of 1, 2, -0.5 and infinity.
const HALVES: [u16; 4] = [0x3c00, 0x4000, 0xb800, 0x7c00];

pub fn elements_arrive_as_their_bits(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("tensors"));
    let host = || HostTensor::new(ElementType::F16, &stream, &owner, 4).expect("pinned");
    let (mut up, mut down) = (host(), host());
    let mut tensor = DeviceTensor::new(ElementType::F16, &stream, &owner, 4).expect("device");
    let HostTensor::F16(halves) = &mut up else { panic!("{up:?}") };
    halves.write().expect("write").copy_from_slice(&HALVES);
    stream.upload_tensor(&mut up, &mut tensor, 4).expect("upload");
    stream.download_tensor(&tensor, &mut down, 4).expect("download");
    let HostTensor::F16(halves) = &down else { panic!("{down:?}") };
    assert_eq!(halves.read().expect("read"), HALVES);
    assert_eq!(owner.usage().device, 8, "two bytes each");
}

pub fn elements_of_another_type_are_refused(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("tensors"));
    // As many bytes, and not the same.
    for (one, other) in [(ElementType::Bool, ElementType::U8), (ElementType::F32, ElementType::I32)] {
        let mut host = HostTensor::new(one, &stream, &owner, 4).expect("pinned");
        let mut tensor = DeviceTensor::new(other, &stream, &owner, 4).expect("device");
        assert_eq!((host.element(), tensor.element()), (one, other));
        let error = stream.upload_tensor(&mut host, &mut tensor, 4).expect_err("refused");
        assert_eq!(
            (error.class(), error.to_string()),
            (Class::Invalid, format!("upload: {one} to a tensor of {other}"))
        );
        assert!(stream.download_tensor(&tensor, &mut host, 4).is_err());
    }
}

/// A kernel writes through one clone what another one reads.
pub fn clones_of_a_shared_tensor_are_the_same_memory(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("tensors"));
    let stored = Stored::new(&stream, &owner, (20, 10), Kind::Nv12, 3);
    let placement = Placement { left: 0, top: 2, columns: 8, rows: 4, width: 8, height: 8 };
    let input = Normalisation { bgr: false, pad: 114, mean: [0.0; 3], scale: [1.0 / 255.0; 3] };
    let letterbox =
        Letterbox::new(placement, Channels::new(Colour { matrix: Matrix::Bt709, range: Range::Limited }, &input))
            .expect("letterbox");
    for (element, bytes) in [(ElementType::F32, 4), (ElementType::F16, 2)] {
        let before = owner.usage().device;
        let shared = SharedTensor::new(element, &stream, &owner, 192).expect("tensor");
        assert_eq!((shared.element(), shared.len(), shared.byte_len()), (element, 192, 192 * bytes));
        let bound = [BoundTensor::from(shared.clone()), BoundTensor::from(shared.clone())];
        assert_eq!(owner.usage().device - before, 192 * bytes, "counted once");
        letterbox.launch(&stream, &stored.picture(), shared.tensor_mut()).expect("launch");
        let mut own = DeviceTensor::new(element, &stream, &owner, 192).expect("tensor");
        let target = match own.view_mut() {
            TensorViewMut::F32(view) => TensorMut::F32(view),
            TensorViewMut::F16(view) => TensorMut::F16(view),
            other => panic!("{other:?}"),
        };
        letterbox.launch(&stream, &stored.picture(), target).expect("launch");
        let want = words(&stream, &owner, (&own).into(), element);
        drop(shared);
        for tensor in &bound {
            assert!(words(&stream, &owner, tensor.into(), element) == want);
        }
        drop((bound, own));
        assert_eq!(owner.usage().device, before);
    }
}

fn words(stream: &Stream, owner: &Owner, tensor: TensorView<'_>, element: ElementType) -> Vec<u32> {
    let mut host = HostTensor::new(element, stream, owner, 192).expect("pinned");
    stream.download_tensor(tensor, &mut host, 192).expect("download");
    match &host {
        HostTensor::F32(host) => host.read().expect("read").iter().map(|value| value.to_bits()).collect(),
        HostTensor::F16(host) => host.read().expect("read").iter().map(|&value| value.into()).collect(),
        other => panic!("{other:?}"),
    }
}

pub fn shared_tensors_are_what_kernels_write_in_one_stream(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("tensors"));
    let error = SharedTensor::new(ElementType::I64, &stream, &owner, 4).expect_err("refused");
    assert_eq!(error.to_string(), "shared tensor: 64-bit integers; kernels write 32-bit floats and 16-bit floats");
    let shared = SharedTensor::new(ElementType::F16, &stream, &owner, 4).expect("tensor");
    let mut host = HostTensor::new(ElementType::F16, &stream, &owner, 4).expect("pinned");
    stream.upload_tensor(&mut host, &shared, 4).expect("a test pattern, say");
    let other = Stream::new(device).expect("stream");
    let mut elsewhere = HostTensor::new(ElementType::F16, &other, &owner, 4).expect("pinned");
    let error = other.upload_tensor(&mut elsewhere, &shared, 4).expect_err("another stream");
    assert!(matches!(error, Error::Stream { .. }), "{error}");
    let error = shared.view().f32().expect_err("they are halves");
    assert_eq!(error.to_string(), "tensor: has 16-bit floats, a kernel reads 32-bit floats");
    let mut bound = BoundTensor::from(DeviceTensor::new(ElementType::F32, &stream, &owner, 4).expect("tensor"));
    let TensorViewMut::F32(view) = bound.view_mut() else { panic!("{bound:?}") };
    stream.fill(view, 0).expect("fill");
    assert_eq!(bound.view().f32().expect("floats").len(), 4);
}
