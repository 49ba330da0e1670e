//! Who holds how much memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A kind of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Of the device.
    Device,
    /// Of the host, page-locked so that copies run beside the host.
    Pinned,
    /// Of the host, page-locked and with an address on the device.
    Mapped,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device => "device",
            Self::Pinned => "pinned",
            Self::Mapped => "mapped",
        })
    }
}

/// Bytes by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of [`Kind::Device`].
    pub device: usize,
    /// Of [`Kind::Pinned`].
    pub pinned: usize,
    /// Of [`Kind::Mapped`].
    pub mapped: usize,
}

impl Usage {
    /// All kinds together.
    #[must_use]
    pub const fn total(self) -> usize {
        self.device + self.pinned + self.mapped
    }

    fn of(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Device => &mut self.device,
            Kind::Pinned => &mut self.pinned,
            Kind::Mapped => &mut self.mapped,
        }
    }
}

impl std::ops::Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            device: self.device + other.device,
            pinned: self.pinned + other.pinned,
            mapped: self.mapped + other.mapped,
        }
    }
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(usages: I) -> Self {
        usages.fold(Self::default(), |sum, usage| sum + usage)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<BTreeMap<Arc<str>, Usage>>);

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Usage>> {
        // Nothing panics between the two halves of a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn total(&self) -> Usage {
        self.lock().values().copied().sum()
    }

    pub fn list(&self) -> Vec<(String, Usage)> {
        self.lock().iter().map(|(owner, usage)| (owner.to_string(), *usage)).collect()
    }
}

/// Somebody whose memory is counted: a camera, a model.
#[derive(Clone, Debug)]
pub struct Owner {
    ledger: Arc<Ledger>,
    label: Arc<str>,
}

impl Owner {
    pub(crate) fn new(ledger: &Arc<Ledger>, label: &str) -> Self {
        Self { ledger: Arc::clone(ledger), label: label.into() }
    }

    /// Its name.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What it holds now; the same as in [`Device::memory`](crate::Device::memory).
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.ledger.lock().get(&self.label).copied().unwrap_or_default()
    }

    /// Counts memory that another library holds for this owner, an engine's weights say, until the answer drops.
    #[must_use]
    pub fn hold(&self, kind: Kind, bytes: usize) -> Held {
        *self.ledger.lock().entry(Arc::clone(&self.label)).or_default().of(kind) += bytes;
        Held { owner: self.clone(), kind, bytes }
    }
}

/// Bytes counted for an [`Owner`], until it drops.
#[derive(Debug)]
pub struct Held {
    owner: Owner,
    kind: Kind,
    bytes: usize,
}

impl Held {
    /// How many.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut ledger = self.owner.ledger.lock();
        if let Some(usage) = ledger.get_mut(&self.owner.label) {
            let bytes = usage.of(self.kind);
            *bytes = bytes.saturating_sub(self.bytes);
            if *usage == Usage::default() {
                ledger.remove(&self.owner.label);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_by_owner_and_kind_until_they_go() {
        let ledger = Arc::new(Ledger::default());
        let (gate, yard) = (Owner::new(&ledger, "gate"), Owner::new(&ledger, "yard"));
        let same = Owner::new(&ledger, "gate");
        let (a, b, c) = (gate.hold(Kind::Device, 100), same.hold(Kind::Device, 20), yard.hold(Kind::Pinned, 3));
        assert_eq!(gate.usage(), Usage { device: 120, pinned: 0, mapped: 0 });
        assert_eq!(ledger.list().len(), 2);
        assert_eq!(ledger.total(), Usage { device: 120, pinned: 3, mapped: 0 });
        drop(a);
        assert_eq!((same.usage().device, yard.usage().pinned), (20, 3));
        drop((b, c));
        assert_eq!((gate.usage(), ledger.list(), ledger.total()), (Usage::default(), vec![], Usage::default()));
    }
}
