//! Runs tests one after the other on one device, and says how they went.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use gpu::{Device, Driver};

use super::machine;

/// How a test ended that did not panic.
pub enum Verdict {
    Passed,
    /// What it needs is not there.
    Skipped(String),
}

#[derive(Clone, Copy)]
pub struct Test {
    pub name: &'static str,
    pub run: fn(&Device) -> Verdict,
}

/// What this program does as its own child, by name.
pub type Child = (&'static str, fn() -> ExitCode);

const NO_GPU: u8 = 69;
const FAILED: u8 = 101;

#[derive(Default)]
struct Options {
    run: bool,
    list: bool,
    simulated: bool,
    child: Option<String>,
    filters: Vec<String>,
}

impl Options {
    /// Also takes what `cargo test` passes on to every test program.
    fn read(mut words: impl Iterator<Item = String>) -> Self {
        let mut options = Self::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--ignored" | "--include-ignored" => options.run = true,
                "--list" => options.list = true,
                "--simulated" => options.simulated = true,
                "--child" => options.child = words.next(),
                "--test-threads" | "--skip" | "--format" | "--color" | "-Z" => drop(words.next()),
                _ if word.starts_with('-') => {}
                _ => options.filters.push(word),
            }
        }
        options
    }

    fn wants(&self, test: &Test) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| test.name.contains(filter.as_str()))
    }
}

pub fn run(tests: &[Test], children: &[Child]) -> ExitCode {
    let options = Options::read(std::env::args().skip(1));
    if let Some(name) = &options.child {
        let child = children.iter().find(|(known, _)| known == name).expect("a child of that name");
        return child.1();
    }
    let tests: Vec<_> = tests.iter().filter(|test| options.wants(test)).collect();
    if options.list {
        tests.iter().for_each(|test| println!("{}: test", test.name));
        return ExitCode::SUCCESS;
    }
    if !options.run {
        super::tensorrt::check_model();
        println!("{} tests need an NVIDIA GPU: `make test-gpu`, or this program with --ignored", tests.len());
        return ExitCode::SUCCESS;
    }
    let device = match Driver::load().and_then(|driver| driver.open(0)) {
        Ok(device) => device,
        Err(error) => {
            eprintln!("the GPU tests need an NVIDIA GPU: {error}");
            return ExitCode::from(NO_GPU);
        }
    };
    if machine::is_simulated(&device) && !options.simulated {
        eprintln!(
            "the GPU tests need an NVIDIA GPU: {:?} is none; --simulated tries the tests on it",
            device.info().name
        );
        return ExitCode::from(NO_GPU);
    }
    machine::print(&device);
    all(&tests, &device)
}

fn all(tests: &[&Test], device: &Device) -> ExitCode {
    let (mut passed, mut skipped, mut failed) = (0, Vec::new(), Vec::new());
    for test in tests {
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| (test.run)(device)));
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(Verdict::Passed) => {
                println!("ok       {} ({seconds:.2} s)", test.name);
                passed += 1;
            }
            Ok(Verdict::Skipped(why)) => {
                println!("skipped  {}: {why}", test.name);
                skipped.push(test.name);
            }
            Err(_) => {
                println!("FAILED   {} ({seconds:.2} s)", test.name);
                failed.push(test.name);
                if let Err(error) = device.prove() {
                    println!("the device is broken, so the tests end here: {error}");
                    break;
                }
            }
        }
    }
    println!("{passed} passed, {} skipped, {} failed", skipped.len(), failed.len());
    failed.iter().for_each(|name| println!("  failed: {name}"));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}
