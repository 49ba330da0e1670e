//! What does not fit, in words.

use std::fmt;

/// A camera that there is no room for. Bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Camera id.
    pub camera: String,
    /// Its place among all, from 1, and how many there are.
    pub place: (usize, usize),
    /// What it needs.
    pub need: u64,
    /// What is left for it.
    pub left: u64,
    /// What is free on the device with all engines loaded.
    pub free: u64,
    /// What is kept back of that.
    pub reserve: u64,
    /// What the cameras before it take of that.
    pub before: u64,
    /// What `runtime.concurrency = "serial"` would save.
    pub serial_saves: u64,
}

impl Refused {
    /// What is the matter.
    #[must_use]
    pub fn found(&self) -> String {
        let Self { camera, place: (place, of), need, left, free, reserve, before, .. } = self;
        let fits = match place - 1 {
            0 => "not even one camera fits".to_owned(),
            1 => "1 camera fits".to_owned(),
            more => format!("{more} cameras fit"),
        };
        format!(
            "camera {camera:?} ({} of {of}) needs {}, {} are free: {} after the engines, less {} that are kept back, less \
             {} for the cameras before it; {fits}",
            ordinal(*place),
            megabytes(*need),
            megabytes(*left),
            megabytes(*free),
            megabytes(*reserve),
            megabytes(*before),
        )
    }

    /// What to do about it.
    #[must_use]
    pub fn next(&self) -> String {
        let serial = if self.serial_saves > 0 {
            format!("runtime.concurrency = \"serial\" (saves {}), ", megabytes(self.serial_saves))
        } else {
            String::new()
        };
        format!("use fewer cameras, fewer models for each, {serial}or engines of a lower precision")
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.found(), self.next())
    }
}

impl std::error::Error for Refused {}

/// Gives each camera what it needs, in their order, of what is `free` with all engines loaded, less `reserve`; answers
/// what is left in the end.
///
/// # Errors
/// The first camera that there is no room for.
pub fn admit_all(cameras: &[(&str, u64)], free: u64, reserve: u64, serial_saves: u64) -> Result<u64, Box<Refused>> {
    let mut before = 0;
    for (index, &(camera, need)) in cameras.iter().enumerate() {
        let left = free.saturating_sub(reserve).saturating_sub(before);
        if need > left {
            let (camera, place) = (camera.to_owned(), (index + 1, cameras.len()));
            return Err(Box::new(Refused { camera, place, need, left, free, reserve, before, serial_saves }));
        }
        before += need;
    }
    Ok(free.saturating_sub(reserve).saturating_sub(before))
}

/// `812 MB`, of 2^20 bytes; small ones with a decimal.
#[must_use]
pub fn megabytes(bytes: u64) -> String {
    let megabytes = bytes as f64 / f64::from(1 << 20);
    if megabytes < 99.95 { format!("{megabytes:.1} MB") } else { format!("{megabytes:.0} MB") }
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}
