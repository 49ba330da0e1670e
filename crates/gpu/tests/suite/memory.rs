use gpu::{Class, Device, DeviceBuffer, Event, MappedBuffer, PinnedBuffer, Stream, Timing, Usage};

pub fn new_memory_is_zero_and_counted(device: &Device) {
    let stream = Stream::new(device).expect("stream");
    let (gate, yard) = (device.owner("gate"), device.owner("yard"));
    let mut a = DeviceBuffer::<f32>::new(&stream, &gate, 1000).expect("device");
    let mut b = PinnedBuffer::<f32>::new(&stream, &gate, 1000).expect("pinned");
    let mut c = MappedBuffer::<u16>::new(&stream, &yard, 30).expect("mapped");
    assert_eq!(gate.usage(), Usage { device: 4000, pinned: 4000, mapped: 0 });
    assert_eq!(yard.usage(), Usage { device: 0, pinned: 0, mapped: 60 });
    assert!(device.memory().iter().any(|(label, usage)| label == "yard" && usage.mapped == 60));
    b.write().expect("write").fill(1.0);
    stream.download(a.view(), &mut b, 0).expect("download");
    assert!(b.read().expect("read").iter().all(|&x| x == 0.0));
    assert!(c.read().expect("read").iter().all(|&x| x == 0));
    assert_eq!(a.view_mut().device_ptr(), a.device_ptr());
    drop((a, b, c));
    assert_eq!((gate.usage(), yard.usage()), (Usage::default(), Usage::default()));
    assert!(!device.memory().iter().any(|(label, _)| label == "gate" || label == "yard"));
    assert!(DeviceBuffer::<u8>::new(&stream, &gate, 0).is_err());
    assert!(DeviceBuffer::<f64>::new(&stream, &gate, usize::MAX / 4).is_err());
}

pub fn copies_arrive(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("copies"));
    let mut host = PinnedBuffer::<u32>::new(&stream, &owner, 100).expect("pinned");
    let mut back = PinnedBuffer::<u32>::new(&stream, &owner, 100).expect("pinned");
    let (mut a, mut b) = (
        DeviceBuffer::new(&stream, &owner, 100).expect("device"),
        DeviceBuffer::new(&stream, &owner, 50).expect("device"),
    );
    (0..).zip(host.write().expect("write")).for_each(|(i, to)| *to = i);
    stream.upload(&mut host, 10..60, a.view_mut().range(50..100).expect("range")).expect("upload");
    // The host's next bytes wait for the copy of these.
    host.write().expect("write").fill(7);
    stream.copy(a.view().range(50..100).expect("range"), b.view_mut()).expect("copy");
    stream.fill(a.view_mut().range(99..100).expect("range"), 0xff).expect("fill");
    stream.download(b.view(), &mut back, 50).expect("download");
    stream.download(a.view().range(50..100).expect("range"), &mut back, 0).expect("download");
    let got = back.read().expect("read");
    assert!(got[50..].iter().copied().eq(10..60), "{got:?}");
    assert!(got[..49].iter().copied().eq(10..59) && got[49] == u32::MAX, "{got:?}");

    assert!(stream.upload(&mut host, 60..101, b.view_mut()).is_err());
    assert!(stream.upload(&mut host, 0..49, b.view_mut()).is_err());
    assert!(stream.download(b.view(), &mut back, 51).is_err());
    assert!(a.view().range(0..101).is_err());
}

pub fn streams_keep_their_memory_to_themselves(device: &Device) {
    let owner = device.owner("streams");
    let (one, two) = (Stream::new(device).expect("stream"), Stream::new(device).expect("stream"));
    let mut host = PinnedBuffer::<u8>::new(&one, &owner, 64).expect("pinned");
    let mut memory = DeviceBuffer::<u8>::new(&one, &owner, 64).expect("device");
    let mut mapped = MappedBuffer::<u8>::new(&one, &owner, 64).expect("mapped");
    let error = two.fill(memory.view_mut(), 1).expect_err("refused");
    assert_eq!(error.class(), Class::Invalid);
    assert!(two.upload(&mut host, 0..64, memory.view_mut()).is_err());
    one.fill(memory.view_mut(), 5).expect("fill");
    one.copy(memory.view(), mapped.view_mut()).expect("copy");
    memory.hand_over(&two).expect("hand over");
    mapped.hand_over(&two).expect("hand over");
    assert!(two.download(memory.view(), &mut host, 0).is_err(), "the host's memory is still the first one's");
    host.hand_over(&two).expect("hand over");
    two.download(memory.view(), &mut host, 0).expect("download");
    assert!(host.read().expect("read").iter().all(|&byte| byte == 5), "the second stream waited for the first");
    assert!(mapped.read().expect("read").iter().all(|&byte| byte == 5));
    assert!(one.fill(memory.view_mut(), 1).is_err());
}

pub fn events_mark_places(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("events"));
    let [start, end] = [(); 2].map(|()| Event::new(device, Timing::On).expect("event"));
    assert!(start.is_passed().expect("query"), "never recorded");
    let mut memory = DeviceBuffer::<u8>::new(&stream, &owner, 1 << 20).expect("device");
    start.record(&stream).expect("record");
    stream.fill(memory.view_mut(), 1).expect("fill");
    end.record(&stream).expect("record");
    end.synchronize().expect("synchronize");
    assert!(start.is_passed().expect("query") && end.is_passed().expect("query"));
    assert!(end.since(&start).expect("time") >= 0.0);
    stream.synchronize().expect("synchronize");
    assert!(stream.is_idle().expect("query"));
}

pub fn a_device_without_room_says_who_asked(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("camera yard"));
    let error = DeviceBuffer::<u8>::new(&stream, &owner, 1 << 45).expect_err("no room");
    assert_eq!(error.class(), Class::OutOfMemory);
    let text = error.to_string();
    assert!(text.starts_with("camera yard: no 35184372088832 bytes of device memory ("), "{text}");
    assert_eq!(owner.usage(), Usage::default());
    stream.synchronize().expect("the stream works on");
}
