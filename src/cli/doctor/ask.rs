//! Asks libraries in processes of their own: one that crashes or hangs is a finding, not the end of the report.

use std::io::Read;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use clap::ValueEnum as _;
use serde::de::DeserializeOwned;

use super::answers::{self, Question};
use crate::telemetry::redact::redact;

/// The first scan of GStreamer's plugins and the start of a sleeping GPU take seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// Large engines are loaded and run, and ONNX Runtime may build them first.
const CONTRACT_LIMIT: Duration = Duration::from_secs(1800);

/// A pipe may stay open longer than the process: a plugin's own children hold it too.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The answer, or why there is none.
pub(super) fn ask<T: DeserializeOwned>(question: Question, about: Option<&Path>) -> Result<T, String> {
    // This very program, even where an update has replaced its file.
    let mut command = Command::new("/proc/self/exe");
    command.arg("doctor").arg("--ask").arg(question.to_possible_value().map_or(String::new(), |v| v.get_name().into()));
    if let Some(about) = about {
        command.arg("--about").arg(about);
    }
    run(command, if question == Question::Contract { CONTRACT_LIMIT } else { LIMIT })
}

fn run<T: DeserializeOwned>(mut command: Command, limit: Duration) -> Result<T, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot be asked: {error}"))?;
    let (out, err) = (words(child.stdout.take()), words(child.stderr.take()));
    let status = wait(&mut child, limit);
    let said = out.recv_timeout(LAST_WORDS).unwrap_or_default();
    if let Some(answer) = answers::read(&said) {
        return answer;
    }
    let ending = match status {
        None => format!("does not answer within {} s, and was ended", limit.as_secs()),
        Some(status) => how(status),
    };
    let complaint = err.recv_timeout(LAST_WORDS).unwrap_or_default();
    match complaint.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => Err(format!("{ending}: {}", redact(line.trim()))),
        None => Err(ending),
    }
}

/// Everything that comes out of a pipe, once it closes.
fn words(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (send, receive) = mpsc::channel();
    if let Some(mut pipe) = pipe {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = pipe.read_to_end(&mut bytes);
            let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
        });
    }
    receive
}

/// `None` where it did not end by itself.
fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + limit;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= until {
            // A process that hangs inside the driver does not even die; it is not waited for.
            let _ = child.kill();
            let _ = child.try_wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn how(status: ExitStatus) -> String {
    match status.signal() {
        Some(signal) => {
            let name = match signal {
                4 => " (illegal instruction)",
                6 => " (abort)",
                7 => " (bus error)",
                8 => " (arithmetic)",
                9 => " (killed; out of memory?)",
                11 => " (segmentation fault)",
                _ => "",
            };
            format!("crashes when it is asked, with signal {signal}{name}")
        }
        None => format!("ends the process that asks it, with code {}", status.code().unwrap_or(-1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<usize, String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, limit)
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn an_answer_counts_even_when_the_process_crashes_after_it() {
        assert_eq!(shell("echo noise; printf '\\n@watchkeeper-answer {\"Ok\":7}\\n'; kill -SEGV $$", LONG), Ok(7));
        assert_eq!(shell("echo '@watchkeeper-answer {\"Err\":\"not there\"}'", LONG), Err("not there".to_owned()));
    }

    #[test]
    fn a_crash_is_told_with_its_last_words() {
        let error = shell("echo first >&2; echo 'Cannot load symbol x' >&2; kill -ABRT $$", LONG);
        assert_eq!(error, Err("crashes when it is asked, with signal 6 (abort): Cannot load symbol x".to_owned()));
        assert_eq!(shell("exit 3", LONG), Err("ends the process that asks it, with code 3".to_owned()));
    }

    #[test]
    fn what_hangs_is_ended() {
        let began = Instant::now();
        // The sleep is a child of the shell's and keeps the pipes open.
        let error = shell("sleep 3 & wait", Duration::from_millis(100));
        assert_eq!(error, Err("does not answer within 0 s, and was ended".to_owned()));
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}
