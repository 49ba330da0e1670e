//! What has come of a file: the bytes, and which version on the server they are of.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use ureq::http::header;

use super::catalogue::Entry;
use super::download::Answer;
use super::failed::Failed;
use super::place::{Place, open_own};

/// `model.onnx.part`, open and locked by the place it is in.
pub(super) struct Part {
    file: File,
    path: PathBuf,
    /// What is known of the bytes, as it stands beside them.
    about: About,
    about_path: PathBuf,
    len: u64,
}

/// `model.onnx.part.json`: without it, or with another file's, nothing is taken over.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct About {
    schema: String,
    url: String,
    sha256: String,
    bytes: u64,
    version: Version,
}

/// How the server names the version of a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Version {
    etag: Option<String>,
    last_modified: Option<String>,
}

impl Version {
    pub fn of(answer: &Answer) -> Self {
        let text = |name| answer.header(name).map(str::to_owned);
        Self { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) }
    }

    /// For If-Range: an entity tag that is strong (RFC 9110 13.1.5 forbids weak ones), else the date.
    pub fn validator(&self) -> Option<&str> {
        self.etag.as_deref().filter(|tag| !tag.starts_with("W/")).or(self.last_modified.as_deref())
    }

    /// Whether both name a version, and not the same.
    pub fn contradicts(&self, other: &Self) -> bool {
        let differ = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
        differ(&self.etag, &other.etag) || (self.etag.is_none() && differ(&self.last_modified, &other.last_modified))
    }
}

impl Part {
    /// What an earlier run left of this very file, or nothing yet.
    pub fn open(place: &Place, entry: &Entry) -> Result<Self, Failed> {
        let (path, about_path) = (place.path("model.onnx.part"), place.path("model.onnx.part.json"));
        let file = open_own(&path).map_err(|error| Failed::at(&path, &error))?;
        let len = file.metadata().map_err(|error| Failed::at(&path, &error))?.len();
        let about = About {
            schema: "part/1".to_owned(),
            url: entry.url.clone(),
            sha256: entry.sha256.clone(),
            bytes: entry.bytes,
            version: Version::default(),
        };
        let mut part = Self { file, path, about, about_path, len };
        match part.left_behind() {
            Some(version) if len <= entry.bytes => part.about.version = version,
            _ => part.restart()?,
        }
        part.file.seek(SeekFrom::End(0)).map_err(|error| Failed::at(&part.path, &error))?;
        Ok(part)
    }

    /// The version that the bytes are of, where they are of this entry's file.
    fn left_behind(&self) -> Option<Version> {
        let about: About = serde_json::from_slice(&fs::read(&self.about_path).ok()?).ok()?;
        let version = about.version.clone();
        (About { version: Version::default(), ..about } == self.about).then_some(version)
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn version(&self) -> &Version {
        &self.about.version
    }

    /// Back to no bytes.
    pub fn restart(&mut self) -> Result<(), Failed> {
        let empty = |file: &mut File| file.set_len(0).and_then(|()| file.rewind());
        empty(&mut self.file).map_err(|error| Failed::at(&self.path, &error))?;
        self.len = 0;
        self.about.version = Version::default();
        Ok(())
    }

    /// The bytes to come are of this version.
    pub fn begin(&mut self, version: Version) -> Result<(), Failed> {
        self.about.version = version;
        let text = serde_json::to_vec(&self.about).unwrap_or_default();
        let written = remove(&self.about_path).and_then(|()| open_own(&self.about_path)?.write_all(&text));
        written.map_err(|error| Failed::at(&self.about_path, &error))
    }

    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(n) => (rest, self.len) = (&rest[n..], self.len + n as u64),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failed::at(&self.path, &error)),
            }
        }
        Ok(())
    }

    /// Away with it.
    pub fn discard(&mut self) -> Result<(), Failed> {
        self.len = 0;
        remove(&self.path).map_err(|error| Failed::at(&self.path, &error))?;
        remove(&self.about_path).map_err(|error| Failed::at(&self.about_path, &error))
    }

    /// Puts it in its place as `model.onnx`, if it is the file that the catalogue means.
    ///
    /// # Errors
    /// It is another (and is gone then), or the disk refuses.
    pub fn finish(mut self, place: &Place, entry: &Entry) -> Result<(), Failed> {
        let at = |error: io::Error| Failed::at(&self.path, &error);
        self.file.sync_all().map_err(at)?;
        self.file.rewind().map_err(at)?;
        let sum = sha256(&mut self.file).map_err(at)?;
        if sum != entry.sha256 {
            self.discard()?;
            return Err(Failed::data(format!(
                "{}: its sha256 is {sum}, and the catalogue says {}; what came is deleted. Either it was changed on the way \
                 (a proxy, a sign-in page), then try again on another network; or its makers changed it: see {}",
                entry.url, entry.sha256, entry.project
            )));
        }
        let onnx = place.path("model.onnx");
        fs::rename(&self.path, &onnx).map_err(|error| Failed::at(&onnx, &error))?;
        place.sync()?;
        remove(&self.about_path).map_err(|error| Failed::at(&self.about_path, &error))
    }
}

/// Of what is left to read, hexadecimal.
pub(super) fn sha256(file: &mut File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(format!("{:x}", hasher.finalize())),
            Ok(n) => hasher.update(&chunk[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn remove(path: &std::path::Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
