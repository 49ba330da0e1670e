//! `test-models [folder]` writes `blob.onnx` and `blob.txt`, the detector that works out of the box, to `engines`.
//! `test-models all <folder>` writes every model of this crate there, to look at with other tools.

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use test_models::{Layout, Object, lookup_detector, shipped, wrong};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        [] => ship(Path::new("engines")),
        ["all", folder] => ship(Path::new(folder)).and_then(|()| write_others(Path::new(folder))),
        [folder] => ship(Path::new(folder)),
        _ => {
            eprintln!("usage: test-models [folder] | test-models all <folder>");
            return ExitCode::from(64);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("test-models: {error}");
            ExitCode::FAILURE
        }
    }
}

fn ship(folder: &Path) -> io::Result<()> {
    write(folder, "blob.onnx", &shipped::onnx())?;
    write(folder, "blob.txt", shipped::LABELS.as_bytes())?;
    println!("{}", shipped::DESCRIPTION);
    Ok(())
}

fn write_others(folder: &Path) -> io::Result<()> {
    let objects = [
        Object { centre_and_size: [100.0, 200.0, 40.0, 80.0], class: 0, score: 0.9 },
        Object { centre_and_size: [400.0, 300.0, 200.0, 100.0], class: 2, score: 0.6 },
    ];
    for (name, layout) in [("lookup_yolox.onnx", Layout::YoloX), ("lookup_yolo.onnx", Layout::Yolo)] {
        write(folder, name, &lookup_detector(layout, 640, 640, 80, &objects))?;
    }
    for (name, model) in wrong::all() {
        write(folder, &format!("wrong_{name}.onnx"), &model)?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let path = folder.join(name);
    fs::write(&path, content)?;
    println!("{} ({} bytes)", path.display(), content.len());
    Ok(())
}
