//! May a plan run here? Asked before it is deserialised: plans contain code.

use std::fmt;

use serde::Serialize;

use super::{Manifest, Platform};

/// One thing that is not as it was when the plan was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// What it is about.
    pub what: &'static str,
    /// What it was.
    pub built: String,
    /// What it is.
    pub here: String,
}

/// Mismatches as one sentence.
pub struct Shown<'a>(pub &'a [Mismatch]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Mismatch { what, built, here }) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { "; " };
            write!(f, "{comma}{what}: built {built}, here {here}")?;
        }
        Ok(())
    }
}

impl Manifest {
    /// What forbids the plan here; empty: nothing.
    #[must_use]
    pub fn mismatches(&self, here: &Platform, onnx_sha256: &str, plan_sha256: &str) -> Vec<Mismatch> {
        let then = &self.platform;
        let mut found = Vec::new();
        let mut compare = |what, built: &str, here: &str| {
            if built != here {
                found.push(Mismatch { what, built: built.to_owned(), here: here.to_owned() });
            }
        };
        compare("plan file", &short(&self.plan.sha256), &short(plan_sha256));
        compare("model file", &short(&self.onnx.sha256), &short(onnx_sha256));
        compare("TensorRT", &then.tensorrt, &here.tensorrt);
        let (old, new) = (&then.gpu, &here.gpu);
        let differs = old.name != new.name
            || old.compute_capability != new.compute_capability
            || old.multiprocessors != new.multiprocessors
            || old.uuid_class != new.uuid_class;
        if differs {
            compare("GPU", &format!("on {}", old.words()), &format!("is {}", new.words()));
            // Two slices of one GPU may differ in nothing that words show.
            compare("kind of GPU", &old.uuid_class, &new.uuid_class);
        }
        found
    }

    /// What is worth a warning: a plan outlives another driver, but nobody measured it there.
    #[must_use]
    pub fn remarks(&self, here: &Platform) -> Vec<Mismatch> {
        let then = &self.platform;
        let mut found = Vec::new();
        let mut compare = |what, built: Option<&str>, here: Option<&str>| {
            if let (Some(built), Some(here)) = (built, here)
                && built != here
            {
                found.push(Mismatch { what, built: built.to_owned(), here: here.to_owned() });
            }
        };
        compare("CUDA of the driver", Some(&then.cuda), Some(&here.cuda));
        compare("driver", then.driver.as_deref(), here.driver.as_deref());
        compare("L4T", then.l4t.as_deref(), here.l4t.as_deref());
        found
    }
}

/// The first digits, which are enough to tell files apart.
fn short(sha256: &str) -> String {
    format!("sha256 {}", sha256.get(..12).unwrap_or(sha256))
}
