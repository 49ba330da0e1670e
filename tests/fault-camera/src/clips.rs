//! Clips made on the spot: a white ball, 38 pixels wide, that moves over a black picture.
//!
//! They are encoded by GStreamer's command line tools the first time a test asks for them, and kept in the `tmp` folder
//! of the cargo target directory. Debian 12 and Ubuntu need `gstreamer1.0-tools`, `gstreamer1.0-plugins-base`,
//! `gstreamer1.0-plugins-good` (JPEG) and `gstreamer1.0-plugins-bad` (parsers, H.265, H.264); where the last has no
//! `openh264enc`, `gstreamer1.0-plugins-ugly` brings `x264enc`.
//!
//! The ball follows the picture number, see [`ball`], and jumps when the clip begins again.

use std::env;
use std::f64::consts::{PI, SQRT_2};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::Mutex;

use crate::clip::{Clip, Codec};
use crate::session::locked;

/// Pictures per second.
pub const FPS: u32 = 15;
/// Pictures in a clip: four seconds.
pub const PICTURES: u32 = 60;

/// How far from the edges videotestsrc keeps the middle of its ball.
const MARGIN: f64 = 20.0;

const H264: &[(&str, &str)] = &[
    ("openh264enc", "openh264enc gop-size=15 bitrate=1000000 ! h264parse config-interval=-1"),
    ("x264enc", "x264enc tune=zerolatency key-int-max=15 bframes=0 bitrate=1000 ! h264parse config-interval=-1"),
];
const H265: &[(&str, &str)] = &[(
    "x265enc",
    "x265enc speed-preset=ultrafast tune=zerolatency bitrate=1000 log-level=none \
     option-string=keyint=15:min-keyint=15:open-gop=0:bframes=0:aud=1 ! h265parse config-interval=-1",
)];
const JPEG: &[(&str, &str)] = &[("jpegenc", "jpegenc quality=90")];

/// 320x240 H.264 with a key frame and its parameter sets every second.
///
/// # Panics
/// If it cannot be made: the message says which package is missing.
#[must_use]
pub fn h264_320x240() -> Clip {
    h264(320, 240)
}

/// 640x480 H.264, like [`h264_320x240`].
///
/// # Panics
/// As [`h264_320x240`].
#[must_use]
pub fn h264_640x480() -> Clip {
    h264(640, 480)
}

/// H.264 of any size, named for example `h264_320x240`.
///
/// # Panics
/// As [`h264_320x240`].
#[must_use]
pub fn h264(width: u32, height: u32) -> Clip {
    let clip = make(Codec::H264, H264, width, height);
    clip.expect(
        "no H.264 encoder: install gstreamer1.0-plugins-bad (openh264enc) or gstreamer1.0-plugins-ugly (x264enc)",
    )
}

/// 320x240 H.265, like [`h264_320x240`]; none if GStreamer has no encoder for it (`gstreamer1.0-plugins-bad`).
///
/// # Panics
/// If there is an encoder and it fails.
#[must_use]
pub fn h265_320x240() -> Option<Clip> {
    make(Codec::H265, H265, 320, 240)
}

/// 320x240 Motion JPEG.
///
/// # Panics
/// As [`h264_320x240`].
#[must_use]
pub fn mjpeg_320x240() -> Clip {
    make(Codec::Jpeg, JPEG, 320, 240).expect("no JPEG encoder: install gstreamer1.0-plugins-good")
}

/// The ball's box in picture `index` of a clip of this size, as left, top, right and bottom edge in pixels. It is right
/// to a pixel; the edge of the ball is soft.
#[must_use]
pub fn ball(index: u32, width: u32, height: u32) -> [f64; 4] {
    // The `wavy` motion of videotestsrc.
    let turn = 2.0 * PI * f64::from(index) / 200.0;
    let middle = |size: u32, turn: f64| (MARGIN + (0.5 + 0.5 * turn.sin()) * (f64::from(size) - 2.0 * MARGIN)).floor();
    let (x, y) = (middle(width, turn), middle(height, turn * SQRT_2));
    [x - 18.0, y - 18.0, x + 20.0, y + 20.0]
}

/// The clip from the cache or from the first encoder there is.
fn make(codec: Codec, encoders: &[(&str, &str)], width: u32, height: u32) -> Option<Clip> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = locked(&ONE_AT_A_TIME);

    let (extension, stream) = match codec {
        Codec::H264 => ("h264", "! video/x-h264,stream-format=byte-stream,alignment=au"),
        Codec::H265 => ("h265", "! video/x-h265,stream-format=byte-stream,alignment=au"),
        Codec::Jpeg => ("mjpeg", ""),
    };
    let name = format!("{extension}_{width}x{height}");
    let (_, encoder) = encoders.iter().find(|(element, _)| is_installed(element))?;
    let pipeline = format!(
        "videotestsrc pattern=ball num-buffers={PICTURES} \
         ! video/x-raw,format=I420,width={width},height={height},framerate={FPS}/1 ! {encoder} {stream}"
    );
    // The recipe is part of the name: a clip made by another one is not taken for this.
    let file = cache().join(format!("{name}.{:.8}.{extension}", crate::auth::hash(&pipeline)));
    if !file.exists() {
        encode(&pipeline, &file);
    }
    let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let clip = Clip::from_annexb(&name, codec, f64::from(FPS), &bytes);
    assert_eq!(clip.access_units.len(), PICTURES as usize, "{}: remove it and try again", file.display());
    Some(clip)
}

fn is_installed(element: &str) -> bool {
    let found = Command::new("gst-inspect-1.0").args(["--exists", element]).output();
    found.expect("gst-inspect-1.0 cannot be run: install gstreamer1.0-tools").status.success()
}

/// Writes next to the file first, so that a test process that runs at the same time never reads half of it.
fn encode(pipeline: &str, file: &Path) {
    let half = file.with_extension(format!("{}.tmp", process::id()));
    let mut arguments: Vec<&str> = pipeline.split_whitespace().collect();
    let location = format!("location={}", half.display());
    arguments.extend(["!", "filesink", &location]);
    let output = Command::new("gst-launch-1.0").arg("-q").args(&arguments).output();
    let output = output.expect("gst-launch-1.0 cannot be run: install gstreamer1.0-tools");
    let made = output.status.success() && fs::metadata(&half).is_ok_and(|file| file.len() > 0);
    assert!(made, "gst-launch-1.0 {pipeline}\n{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(&half, file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

/// A folder that lives as long as the build: the target directory's `tmp`, where cargo lets tests write.
fn cache() -> PathBuf {
    let target = || {
        let program = env::current_exe().ok()?;
        let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists())?;
        Some(target.join("tmp"))
    };
    let base = env::var_os("CARGO_TARGET_TMPDIR").map(PathBuf::from).or_else(target);
    let folder = base.unwrap_or_else(env::temp_dir).join("fault-camera");
    fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ball_is_where_videotestsrc_draws_it() {
        for (width, height) in [(320, 240), (640, 480)] {
            let file = cache().join(format!("ball_{width}x{height}.{}.grey", process::id()));
            let caps = format!("video/x-raw,format=GRAY8,width={width},height={height},framerate={FPS}/1");
            encode(&format!("videotestsrc pattern=ball num-buffers={PICTURES} ! {caps}"), &file);
            let bytes = fs::read(&file).expect("pictures");
            fs::remove_file(&file).expect("a file to remove");
            let pictures = bytes.chunks_exact((width * height) as usize);
            assert_eq!(pictures.len(), PICTURES as usize);
            for (index, picture) in (0..).zip(pictures) {
                let bright = || (0..width * height).filter(|&at| picture[at as usize] > 127);
                let (columns, rows) = (|| bright().map(|at| at % width), || bright().map(|at| at / width));
                let edges = [columns().min(), rows().min(), columns().max(), rows().max()];
                let expected = ball(index, width, height);
                for (side, (edge, expected)) in edges.into_iter().zip(expected).enumerate() {
                    let edge = f64::from(edge.expect("a ball")) + if side < 2 { 0.0 } else { 1.0 };
                    assert!((edge - expected).abs() <= 1.0, "picture {index}, side {side}: {edge}, not {expected}");
                }
            }
        }
    }
}
