use gpu::kernels::{Channels, Colour, Letterbox, Matrix, Normalisation, Picture, Placement, Range, TensorMut};
use gpu::{Class, Device, DeviceBuffer, FrameUpload, Owner, Stream, Usage};

use super::picture::{Kind, Stored, download};

const KINDS: [Kind; 4] = [Kind::Nv12, Kind::I420, Kind::Y42b, Kind::Y444];

fn letterbox() -> Letterbox {
    let placement = Placement { left: 0, top: 1, columns: 16, rows: 9, width: 16, height: 12 };
    let input = Normalisation { bgr: false, pad: 114, mean: [0.0; 3], scale: [1.0; 3] };
    let colour = Colour { matrix: Matrix::Bt709, range: Range::Limited };
    Letterbox::new(placement, Channels::new(colour, &input)).expect("letterbox")
}

fn tensor(stream: &Stream, owner: &Owner) -> DeviceBuffer<f32> {
    DeviceBuffer::new(stream, owner, 3 * 16 * 12).expect("tensor")
}

fn launch(stream: &Stream, picture: &Picture<'_>, out: &mut DeviceBuffer<f32>) {
    letterbox().launch(stream, picture, TensorMut::F32(out.view_mut())).expect("launch");
}

/// Rows that touch, rows a little apart and rows far apart, odd sides included.
pub fn pictures_arrive_whatever_their_layout(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("upload"));
    let mut upload = FrameUpload::new(&stream, &device.owner("frames"));
    assert!(upload.picture().is_none());
    for size in [(192, 108), (31, 17), (1, 1), (640, 360)] {
        for kind in KINDS {
            for extra in [0, 13, 300] {
                let stored = Stored::new(&stream, &owner, size, kind, extra);
                let (mut want, mut got, mut again) =
                    (tensor(&stream, &owner), tensor(&stream, &owner), tensor(&stream, &owner));
                launch(&stream, &stored.picture(), &mut want);
                launch(&stream, &upload.load(&stored.host()).expect("load"), &mut got);
                launch(&stream, &upload.picture().expect("it stays"), &mut again);
                let want = download(&stream, &owner, &want);
                assert!(download(&stream, &owner, &got) == want, "{size:?} {kind:?} {extra}");
                assert!(download(&stream, &owner, &again) == want, "{size:?} {kind:?} {extra}");
            }
        }
    }
}

/// Nobody waits between the pictures, so each is overwritten as soon as that is allowed.
pub fn each_launch_sees_its_own_picture(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("upload"));
    let mut upload = FrameUpload::new(&stream, &owner);
    let frames: Vec<_> = (0..7).map(|i| Stored::new(&stream, &owner, (64, 36), KINDS[i % 4], i)).collect();
    let mut outputs: Vec<_> = frames.iter().map(|_| tensor(&stream, &owner)).collect();
    for (frame, out) in frames.iter().zip(&mut outputs) {
        launch(&stream, &upload.load(&frame.host()).expect("load"), out);
    }
    for (i, (frame, out)) in frames.iter().zip(&outputs).enumerate() {
        let mut want = tensor(&stream, &owner);
        launch(&stream, &frame.picture(), &mut want);
        assert!(download(&stream, &owner, out) == download(&stream, &owner, &want), "frame {i}");
    }
}

pub fn memory_is_taken_for_larger_pictures_only(device: &Device) {
    let (stream, owner, scene) = (Stream::new(device).expect("stream"), device.owner("frames"), device.owner("scene"));
    let integrated = device.info().integrated;
    let usage = |bytes: usize| match integrated {
        true => Usage { device: 0, pinned: 0, mapped: 2 * bytes },
        false => Usage { device: bytes, pinned: 2 * bytes, mapped: 0 },
    };
    assert_eq!(FrameUpload::memory(64, 36, integrated), usage(2304 + 1152));
    assert_eq!(FrameUpload::memory(63, 37, integrated), usage(2560 + 1216), "odd sides round up");
    let mut upload = FrameUpload::new(&stream, &owner);
    assert_eq!(owner.usage(), Usage::default());
    // 64 * 36, at the next multiple of 256 another half of it.
    for (size, bytes) in [((64, 36), 2304 + 1152), ((32, 18), 2304 + 1152), ((64, 37), 2560 + 1216), ((2, 2), 3776)] {
        let stored = Stored::new(&stream, &scene, size, Kind::Nv12, 0);
        upload.load(&stored.host()).expect("load");
        assert_eq!(owner.usage(), usage(bytes), "{size:?}");
    }
    drop(upload);
    assert_eq!(owner.usage(), Usage::default());
}

pub fn pictures_that_are_too_short_are_refused(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("upload"));
    let stored = Stored::new(&stream, &owner, (64, 36), Kind::I420, 0);
    let mut upload = FrameUpload::new(&stream, &owner);
    let (mut before, mut after) = (tensor(&stream, &owner), tensor(&stream, &owner));
    launch(&stream, &upload.load(&stored.host()).expect("load"), &mut before);
    let good = stored.host();
    for (picture, words) in [
        (::picture::Picture { height: 37, ..good }, "picture: plane U has 576 bytes of 608"),
        (::picture::Picture { width: 65, ..good }, "picture: plane U has 32 bytes a row, its rows hold 33"),
        (::picture::Picture { width: 0, ..good }, "picture: 0x36 pixels; sides from 1 to 16384 are possible"),
    ] {
        let error = upload.load(&picture).expect_err("refused");
        assert_eq!((error.class(), error.to_string().as_str()), (Class::Invalid, words));
    }
    launch(&stream, &upload.picture().expect("the last one is still there"), &mut after);
    assert!(download(&stream, &owner, &before) == download(&stream, &owner, &after));
}
