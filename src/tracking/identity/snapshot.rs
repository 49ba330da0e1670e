//! Identities as bytes, so that they outlive the process.
//!
//! Little endian: `WKID`, format (u32), payload, and the SHA-256 of all before it. The payload: the model's digest and
//! dim, the last number given, what is known of likeness and ground, and the tracks that have an identity, one
//! embedding each. Strings and lists begin with their length (u32), times are nanoseconds (u64).

use std::io;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::evidence::Others;
use super::gallery::{Gallery, Track};
use super::ground::{Fit, Relation};
use super::homography::Homography;
use super::place::Path;
use super::{Model, Settings, TrackKey};

const MAGIC: &[u8; 4] = b"WKID";
const FORMAT: u32 = 1;
/// Numbers that may be given between two snapshots: they are passed over after a crash.
const SPARE: u64 = 10_000;
const DIGEST: usize = 32;
/// Bytes that are written at a time.
const PART: usize = 1 << 16;

/// Why what was kept cannot be used. Nothing of it was taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Not the beginning of such a file.
    #[error("these are no identities: the first bytes are not \"WKID\"")]
    NotIdentities,
    /// Written by another version.
    #[error(
        "identities in format {found}; this version reads format {FORMAT}: forget them, or go back to the version that \
         wrote them"
    )]
    Format {
        /// That it says.
        found: u32,
    },
    /// Cut short or changed.
    #[error("identities are damaged ({0}): forget them, or bring back a copy")]
    Damaged(&'static str),
    /// Of another ReID model: its embeddings mean something else.
    #[error(
        "identities of ReID model {found} cannot be compared with those of {wanted}: forget them, or go back to that \
         model"
    )]
    OtherModel {
        /// Digest and length of those kept.
        found: String,
        /// Digest and length of those to come.
        wanted: String,
        /// The last number that was given: see [`Gallery::given_before`].
        given: u64,
    },
}

impl Gallery {
    /// All that has to outlive the process, for [`Self::restore`], while more goes on: numbers given until the next
    /// snapshot, up to ten thousand, are not given again after a crash.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        self.written(self.counters.given + SPARE)
    }

    /// As [`Self::snapshot`], a part at a time. Says how many bytes that are.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_snapshot(&self, out: &mut dyn io::Write) -> io::Result<u64> {
        self.write(self.counters.given + SPARE, out)
    }

    /// The same at the end, when no number will be given any more.
    #[must_use]
    pub fn last_snapshot(&self) -> Vec<u8> {
        self.written(self.counters.given)
    }

    fn written(&self, given: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1024 + self.tracks.len() * (self.model.dim * 4 + 96));
        // Memory takes whatever is written.
        let _ = self.write(given, &mut bytes);
        bytes
    }

    fn write(&self, given: u64, out: &mut dyn io::Write) -> io::Result<u64> {
        let mut out = Writer { out, part: Vec::new(), digest: Sha256::new(), count: 0, result: Ok(()) };
        out.part.extend_from_slice(MAGIC);
        out.u32(FORMAT);
        out.text(&self.model.digest);
        out.u32(self.model.dim as u32);
        out.u64(given);
        out.time(self.clock);
        [self.others.count, self.others.mean, self.others.square].into_iter().for_each(|v| out.f32(v));
        let fits: Vec<_> = self.relations.iter().filter_map(|(key, relation)| Some((key, relation.fit?))).collect();
        out.u32(fits.len() as u32);
        for ((one, other), fit) in fits {
            out.text(one);
            out.text(other);
            fit.there.0.iter().chain(&fit.back.0).for_each(|v| out.u64(v.to_bits()));
        }
        out.u32(self.labels.len() as u32);
        self.labels.iter().for_each(|label| out.text(label));
        let held: Vec<_> =
            self.tracks.iter().enumerate().filter_map(|(at, track)| Some((at, track, track.identity?))).collect();
        out.u32(held.len() as u32);
        for (at, track, identity) in held {
            out.text(&track.key.camera);
            out.u32(track.key.run);
            out.u64(track.key.number);
            out.u32(track.label);
            out.time(track.since);
            out.time(track.last);
            out.u32(track.looks);
            out.f32(track.length);
            out.u64(identity);
            out.f32(track.score.unwrap_or(-1.0));
            self.rows.get(at).iter().for_each(|v| out.f32(*v));
            out.pass_on();
        }
        out.end()
    }

    /// What [`Self::snapshot`] gave. Its tracks have ended and keep their identities; [`Self::identity`] does not know
    /// them, since tracks of this process may have the same names.
    ///
    /// # Errors
    /// Bytes that are damaged, of another format, or of another model.
    pub fn restore(settings: Settings, model: Model, bytes: &[u8]) -> Result<Self, RestoreError> {
        if !bytes.starts_with(MAGIC) {
            return Err(RestoreError::NotIdentities);
        }
        let mut head = Reader(&bytes[MAGIC.len()..]);
        let found = head.u32()?;
        if found != FORMAT {
            return Err(RestoreError::Format { found });
        }
        let (body, digest) = bytes
            .len()
            .checked_sub(DIGEST)
            .and_then(|end| bytes.split_at_checked(end))
            .ok_or(RestoreError::Damaged("cut short"))?;
        if Sha256::digest(body).as_slice() != digest {
            return Err(RestoreError::Damaged("its checksum does not fit"));
        }
        let mut from = Reader(body.get(MAGIC.len() + 4..).unwrap_or(&[]));
        let kept = Model { digest: from.text()?, dim: from.u32()? as usize };
        if kept != model {
            let name = |model: &Model| format!("{} ({} numbers)", model.digest, model.dim);
            let (found, wanted, given) = (name(&kept), name(&model), from.u64()?);
            return Err(RestoreError::OtherModel { found, wanted, given });
        }
        let mut gallery = Self::new(settings, model);
        gallery.read(&mut from)?;
        if !from.0.is_empty() {
            return Err(RestoreError::Damaged("more than it says"));
        }
        Ok(gallery)
    }

    fn read(&mut self, from: &mut Reader<'_>) -> Result<(), RestoreError> {
        self.counters.given = from.u64()?;
        self.clock = from.time()?;
        self.others = Others { count: from.f32()?, mean: from.f32()?, square: from.f32()? };
        for _ in 0..from.u32()? {
            let cameras = (from.text()?, from.text()?);
            let mut values = [0.0; 18];
            for value in &mut values {
                *value = f64::from_bits(from.u64()?);
            }
            let part = |start: usize| Homography(std::array::from_fn(|at| values[start + at]));
            let relation = Relation::of(Fit { there: part(0), back: part(9) });
            self.relations.insert(cameras, relation);
        }
        for _ in 0..from.u32()? {
            self.labels.push(from.text()?);
        }
        let mut row = vec![0.0; self.model.dim];
        for _ in 0..from.u32()? {
            let key = TrackKey { camera: from.text()?, run: from.u32()?, number: from.u64()? };
            let label = from.u32()?;
            let (since, last, looks, length) = (from.time()?, from.time()?, from.u32()?, from.f32()?);
            let (identity, score) = (from.u64()?, from.f32()?);
            for value in &mut row {
                *value = from.f32()?;
            }
            self.rows.push(&row);
            self.count(None, Some(identity));
            self.tracks.push(Track {
                key,
                label,
                since,
                last,
                looks,
                length,
                identity: Some(identity),
                score: (score >= 0.0).then_some(score),
                reasons: None,
                ended: true,
                before: true,
                path: Path::default(),
                older: Vec::new(),
                searched: None,
                told: 0,
            });
        }
        self.drop_surplus();
        Ok(())
    }
}

struct Writer<'a> {
    out: &'a mut dyn io::Write,
    part: Vec<u8>,
    digest: Sha256,
    count: u64,
    /// Nothing is written after the first error.
    result: io::Result<()>,
}

impl Writer<'_> {
    /// Writes what there is, where that is enough.
    fn pass_on(&mut self) {
        if self.part.len() >= PART {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.digest.update(&self.part);
        self.count += self.part.len() as u64;
        if self.result.is_ok() {
            self.result = self.out.write_all(&self.part);
        }
        self.part.clear();
    }

    fn end(mut self) -> io::Result<u64> {
        self.flush();
        let digest = self.digest.finalize();
        self.result?;
        self.out.write_all(&digest)?;
        Ok(self.count + digest.len() as u64)
    }

    fn u32(&mut self, value: u32) {
        self.part.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.part.extend_from_slice(&value.to_le_bytes());
    }

    fn f32(&mut self, value: f32) {
        self.u32(value.to_bits());
    }

    fn time(&mut self, time: Duration) {
        self.u64(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    fn text(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.part.extend_from_slice(text.as_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], RestoreError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(RestoreError::Damaged("cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, RestoreError> {
        let bytes = self.take(4)?.try_into();
        bytes.map(u32::from_le_bytes).map_err(|_| RestoreError::Damaged("cut short"))
    }

    fn u64(&mut self) -> Result<u64, RestoreError> {
        let bytes = self.take(8)?.try_into();
        bytes.map(u64::from_le_bytes).map_err(|_| RestoreError::Damaged("cut short"))
    }

    fn f32(&mut self) -> Result<f32, RestoreError> {
        let value = f32::from_bits(self.u32()?);
        if value.is_finite() { Ok(value) } else { Err(RestoreError::Damaged("a number that is none")) }
    }

    fn time(&mut self) -> Result<Duration, RestoreError> {
        Ok(Duration::from_nanos(self.u64()?))
    }

    fn text(&mut self) -> Result<String, RestoreError> {
        let length = self.u32()? as usize;
        let bytes = self.take(length)?.to_vec();
        String::from_utf8(bytes).map_err(|_| RestoreError::Damaged("a name that is no text"))
    }
}
