use gpu::{Class, Device, DeviceTensor, ElementType, HostTensor, Stream};

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
