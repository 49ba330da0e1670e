use std::fmt;
use std::sync::OnceLock;

/// A TensorRT version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 10 or 11.
    pub major: i32,
    /// Minor number.
    pub minor: i32,
    /// Patch number.
    pub patch: i32,
}

impl Version {
    /// Reads `10.7` or `10.13.3`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| number.parse::<i32>().ok());
        let version =
            Self { major: numbers.next()??, minor: numbers.next()??, patch: numbers.next().unwrap_or(Some(0))? };
        numbers.next().is_none().then_some(version)
    }

    /// As `getInferLibVersion` says it.
    #[must_use]
    pub fn number(self) -> i32 {
        self.major * 10_000 + self.minor * 100 + self.patch
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The version that a library of this major simulates: its newest, or what `WATCHKEEPER_SIM_TENSORRT` asks for where
/// that is of the same major. It is read once.
pub fn version(major: i32) -> Version {
    static ASKED: OnceLock<Option<Version>> = OnceLock::new();
    let asked = ASKED.get_or_init(|| {
        let text = std::env::var("WATCHKEEPER_SIM_TENSORRT").ok()?;
        let version = Version::parse(&text);
        if version.is_none() {
            eprintln!("[simulated] WATCHKEEPER_SIM_TENSORRT={text}: no version such as 10.3.0; it is ignored");
        }
        version
    });
    let newest =
        if major == 10 { Version { major, minor: 16, patch: 1 } } else { Version { major, minor: 4, patch: 0 } };
    asked.filter(|version| version.major == major).unwrap_or(newest)
}
