//! Where passwords and other secrets come from. Nothing here repeats what was written: it may be the password itself.

use std::path::{Path, PathBuf};

use crate::config::environment::Variables;
use crate::config::layers;
use crate::config::meaning::Credentials;
use crate::config::report::Report;
use crate::types::secret::Secret;

use super::beside;

const MAX_BYTES: u64 = 4096;

/// Set by systemd for a unit with `LoadCredential=`.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The three ways to say where a secret is: in a file, in the environment, as a credential of systemd.
pub(super) type Ways<'a> = [Option<&'a str>; 3];

const WAYS: [&str; 3] = ["file", "env", "credential"];

/// User and password, where `key` is the section that has them.
pub(super) fn login(
    username: Option<&str>,
    password: Ways<'_>,
    key: &str,
    variables: &Variables,
    report: &mut Report,
) -> Option<Credentials> {
    let user_key = format!("{key}.username");
    let set = WAYS.iter().zip(password).find_map(|(way, value)| value.map(|_| way));
    let refused = WAYS.iter().any(|way| report.has(&format!("{key}.password_{way}")));
    match (username, set) {
        (None, None) => None,
        (None, Some(way)) => {
            let name = format!("password_{way}");
            let message = format!("{name} is set and username is not; write the user name, or take {name} out");
            report.problem(user_key, message);
            None
        }
        (Some(_), None) => {
            if !refused {
                let names = WAYS.map(|way| format!("password_{way}")).join(", ");
                report.problem(user_key, format!("has no password; add one of {names}"));
            }
            None
        }
        (Some(username), Some(_)) => {
            let password = one("password", password, key, variables, report)?;
            Some(Credentials { username: username.to_owned(), password })
        }
    }
}

/// The secret of the keys `<name>_file`, `<name>_env` and `<name>_credential`; `None`: none of them is set, or it
/// cannot be had, which is reported.
pub(super) fn one(name: &str, ways: Ways<'_>, key: &str, variables: &Variables, report: &mut Report) -> Option<Secret> {
    let set: Vec<(&str, &str)> = WAYS.into_iter().zip(ways).filter_map(|(way, value)| Some((way, value?))).collect();
    match set.as_slice() {
        [] => None,
        [(way, value)] => {
            let key = format!("{key}.{name}_{way}");
            match read(name, way, value, &key, variables, report) {
                Ok(secret) => Some(secret),
                Err(_) if report.engines_only => None,
                Err(message) => {
                    report.problem(key, message);
                    None
                }
            }
        }
        [(first, _), (second, _), ..] => {
            report.problem(format!("{key}.{name}_{second}"), format!("{name}_{first} is set too; keep one of them"));
            None
        }
    }
}

fn read(
    name: &str,
    way: &str,
    value: &str,
    key: &str,
    variables: &Variables,
    report: &mut Report,
) -> Result<Secret, String> {
    match way {
        "file" => {
            let path = beside(value, key, report);
            let secret = from_file(&path)?;
            if readable_by_everybody(&path) {
                report.warn(key, format!("every user can read {0}; run: chmod o-rwx {0}", path.display()));
            }
            Ok(secret)
        }
        "env" => match variables.get(value) {
            Some(text) => secret(text.as_bytes()).map_err(|e| format!("that variable is {e}")),
            None => Err("no variable of this name is set; set it for this process, and write its name here".to_owned()),
        },
        _ => from_file(&credential(name, value, variables)?),
    }
}

fn credential(what: &str, name: &str, variables: &Variables) -> Result<PathBuf, String> {
    if name.contains('/') || name == "." || name == ".." {
        return Err(format!("must be the name of a credential, not a path; for a path use {what}_file"));
    }
    let folder = variables.get(CREDENTIALS).ok_or_else(|| {
        format!("{CREDENTIALS} is not set; start under systemd, with LoadCredential=<name>:<file> in the unit")
    })?;
    Ok(Path::new(folder).join(name))
}

fn from_file(path: &Path) -> Result<Secret, String> {
    secret(&layers::read_bytes(path, MAX_BYTES)?).map_err(str::to_owned)
}

fn secret(bytes: &[u8]) -> Result<Secret, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8; write the password as UTF-8 text")?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err("empty; write the password into it");
    }
    // It goes into a line of a request.
    if text.chars().any(char::is_control) {
        return Err("more than one line of text; write the password and nothing else into it");
    }
    Ok(Secret::new(text))
}

fn readable_by_everybody(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).is_ok_and(|m| m.mode() & 0o004 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_newline_at_the_end_is_left_out() {
        for (bytes, password) in [
            (b"a b\n".as_slice(), Ok("a b")),
            (b"a\r\n", Ok("a")),
            (b" a ", Ok(" a ")),
            (b"a\n\n", Err("more than one line")),
            (b"a\nb", Err("more than one line")),
            (b"\n", Err("empty")),
            (b"", Err("empty")),
            (b"\xff", Err("not UTF-8")),
        ] {
            match (secret(bytes), password) {
                (Ok(found), Ok(wanted)) => assert_eq!(found.expose(), wanted),
                (Err(found), Err(wanted)) => assert!(found.starts_with(wanted), "{found}"),
                (found, wanted) => panic!("{found:?}, {wanted:?}"),
            }
        }
    }
}
