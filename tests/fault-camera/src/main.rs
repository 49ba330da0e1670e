//! `fault-camera <port> [folder]` serves the clips of a folder, or a generated one, to people who look for trouble.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io, thread};

use fault_camera::{Clip, Codec, FaultCamera, PASSWORD, USER, clips};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (port, folder) = match &arguments[..] {
        [port] => (port.parse(), None),
        [port, folder] => (port.parse(), Some(Path::new(folder))),
        _ => (String::new().parse::<u16>(), None),
    };
    let Ok(port) = port else {
        eprintln!("usage: fault-camera <port> [folder with .h264, .h265 and .mjpeg clips, 15 frames per second]");
        return ExitCode::from(64);
    };
    match serve(port, folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fault-camera: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(port: u16, folder: Option<&Path>) -> io::Result<()> {
    let clips = match folder {
        Some(folder) => load(folder)?,
        None => vec![clips::h264_320x240()],
    };
    let names: Vec<String> = clips.iter().map(|clip| clip.name.clone()).collect();
    let camera = FaultCamera::start_on(port, clips)?;
    for name in names {
        println!("{}", camera.url(&name));
    }
    println!("append faults, as in ?stall=3 or ?auth=digest (user {USER}, password {PASSWORD})");
    loop {
        thread::park();
    }
}

/// Every file with a clip's extension, named after the file without it.
fn load(folder: &Path) -> io::Result<Vec<Clip>> {
    let mut clips = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        if let Some(codec) = Codec::from_extension(&text(path.extension())) {
            clips.push(Clip::from_annexb(&text(path.file_stem()), codec, f64::from(clips::FPS), &fs::read(&path)?));
        }
    }
    Ok(clips)
}
