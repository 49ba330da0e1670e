//! The way to a device, and how each step of it fails.

mod common;

use std::path::Path;

use common::{Control, driver};
use gpu::{Class, DeviceBuffer, Driver, Error, OpenError, Stream};

fn refusal(name: &str, settings: &[(Control, i64)], ordinal: u32) -> (OpenError, String) {
    let (_folder, path) = driver(name, settings);
    let error = Driver::load_from(&path).and_then(|driver| driver.open(ordinal)).expect_err("refused");
    let text = error.to_string();
    assert!(!text.contains('\n'), "one line: {text}");
    (error, text)
}

#[test]
fn a_library_that_is_not_there_is_named() {
    let Err(error) = Driver::load_from(Path::new("/nowhere/libcuda.so.1")) else { panic!("found") };
    assert!(matches!(error, OpenError::Library { .. }));
    let text = error.to_string();
    assert!(text.starts_with("/nowhere/libcuda.so.1: ") && text.contains("install the NVIDIA driver"), "{text}");
}

#[test]
fn a_library_that_is_no_driver_is_told() {
    let Err(error) = Driver::load_from(Path::new("libc.so.6")) else { panic!("found") };
    assert!(matches!(error, OpenError::Function { function: "cuInit", .. }), "{error}");
}

#[test]
fn each_step_fails_in_its_own_words() {
    let (error, text) = refusal("init", &[(Control::Init, 803)], 0);
    assert!(matches!(error, OpenError::Init { .. }));
    assert!(text.contains("cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)") && text.contains("restart the machine"));

    type Row = (&'static str, &'static [(Control, i64)], u32, &'static str);
    let table: [Row; 7] = [
        ("unusable", &[(Control::Init, 500)], 0, "the GPU is visible but unusable"),
        ("retain", &[(Control::Retain, 500)], 0, "GPU 0 is visible but cannot be used"),
        ("none", &[(Control::Init, 100)], 0, "no GPU: the driver starts but finds none"),
        ("zero", &[(Control::Devices, 0)], 0, "no GPU: the driver starts but finds none"),
        ("one", &[], 3, "GPU 3 asked for, but there is 1; they count from 0"),
        ("two", &[(Control::Devices, 2)], 2, "GPU 2 asked for, but there are 2"),
        ("old", &[(Control::Version, 12_010)], 0, "the driver is CUDA 12.1's, the kernels need 12.2's or newer"),
    ];
    for (name, settings, ordinal, words) in table {
        let (_, text) = refusal(name, settings, ordinal);
        assert!(text.contains(words), "{name}: {text}");
    }
}

#[test]
fn an_unknown_error_code_is_an_error_like_any_other() {
    let (error, text) = refusal("new", &[(Control::Init, 4711)], 0);
    let OpenError::Init { source } = error else { panic!("{text}") };
    assert_eq!((source.code, source.class()), (4711, Class::Other));
    assert!(text.contains("an error that this driver has no name for (4711)"), "{text}");
}

#[test]
fn a_device_that_computes_wrongly_is_not_opened() {
    let (error, text) = refusal("wrong", &[(Control::Wrong, 1)], 0);
    assert!(matches!(error, OpenError::Wrong { at: 17, got, want, .. } if got == want ^ 1), "{text}");
    assert!(text.contains("computes wrongly"), "{text}");
}

#[test]
fn a_device_that_runs_no_kernel_is_not_opened() {
    let (error, text) = refusal("sticky", &[(Control::StickyAfter, 0)], 0);
    let OpenError::Proof { source, .. } = error else { panic!("{text}") };
    assert_eq!(source.class(), Class::Sticky);
}

#[test]
fn a_device_says_what_it_is() {
    let path = common::fake_driver();
    let driver = Driver::load_from(path).expect("driver");
    let devices = driver.devices().expect("devices");
    assert_eq!(devices.len(), 1);
    let info = &devices[0];
    assert_eq!((info.ordinal, info.name.as_str(), info.compute_capability), (0, "Fake GPU", (7, 5)));
    assert_eq!(info.uuid, "GPU-f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff");
    assert_eq!((info.driver, info.total_memory, info.integrated), ((12, 2), 1 << 30, false));
    assert_eq!(driver.open(0).expect("device").info(), info);
}

/// After a sticky error nothing is freed, because the device may still write; and nothing panics.
#[test]
fn a_sticky_error_is_told_by_every_later_call() {
    let (_folder, path) = driver("later", &[(Control::StickyAfter, 1)]);
    let device = Driver::load_from(&path).expect("driver").open(0).expect("the proof is the first launch");
    let (stream, owner) = (Stream::new(&device).expect("stream"), device.owner("gate"));
    let mut memory = DeviceBuffer::<u8>::new(&stream, &owner, 10).expect("device");
    let error = device.prove().expect_err("the second launch");
    assert!(matches!(&error, OpenError::Proof { source, .. } if source.class() == Class::Sticky), "{error}");
    let error = stream.fill(memory.view_mut(), 0).expect_err("every call");
    let Error::Cuda(cuda) = &error else { panic!("{error}") };
    assert_eq!((cuda.code, error.class()), (700, Class::Sticky));
    drop(memory);
    assert_eq!(owner.usage().device, 10, "kept, and counted as such");
}

#[test]
fn codes_have_classes() {
    for code in [46, 214, 220, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719] {
        assert_eq!(Class::of(code), Class::Sticky, "{code}");
    }
    assert_eq!(Class::of(2), Class::OutOfMemory);
    assert_eq!(Class::of(600), Class::NotReady);
    assert_eq!([1, 101, 201, 400].map(Class::of), [Class::Invalid; 4]);
    assert_eq!([801, 999, 12_345].map(Class::of), [Class::Other; 3]);
}
