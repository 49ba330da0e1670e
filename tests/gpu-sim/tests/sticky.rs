//! What the crates that the daemon uses make of an error that the device never recovers from. One test, since each
//! round leaves things behind that nobody may destroy any more.

mod support;

use support::camera::{Camera, MAJORS, device, engine};
use support::{control, library};

#[test]
fn a_sticky_error_ends_every_execution_and_is_named() {
    let picture = vec![0.5; 3 * 64 * 64];
    for major in MAJORS {
        let device = device();
        let engine = engine(&device, major, test_models::blob_detector(64, 64, 32));
        let mut cameras = [0, 1].map(|number| Camera::new(&device, &engine, &format!("camera {number}")));
        for camera in &mut cameras {
            camera.run(&picture).expect("it runs");
        }
        control(library("libcuda.so.1"), r#"{"cuda":{"sticky_after":2,"sticky_error":719}}"#);
        let mut again = || cameras[0].bound().enqueue()?.wait();
        assert!(again().is_ok(), "the first of two");
        let error = again().expect_err("the second one fails");
        assert!(error.to_string().contains("719"), "{error}");
        for camera in &mut cameras {
            let error =
                camera.bound().enqueue().and_then(|running| running.wait()).expect_err("nothing works any more");
            assert!(matches!(error, tensorrt_rs::Error::Poisoned) || error.to_string().contains("719"), "{error}");
        }
        // Destructors would call a dead device.
        std::mem::forget((cameras, engine, device));
        control(library("libcuda.so.1"), r#"{"cuda":{"reset":true}}"#);
        // The crate initialises the driver once in a process.
        assert_eq!(support::cuda::cuInit(0), 0);
    }
}
