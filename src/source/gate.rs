//! A decoder that cannot keep up must not be fed ever later pictures: the gate drops coded pictures in
//! front of it, always up to a key frame, so that what it decodes is whole.

use std::time::Duration;

/// Above this lag the gate closes.
const CLOSE: Duration = Duration::from_millis(1500);
/// Below this lag it opens, at a key frame.
const OPEN: Duration = Duration::from_millis(750);

/// State of the gate.
#[derive(Debug)]
pub(super) struct Gate {
    closed: bool,
    /// Pictures may be this late without anybody being slow: the wait for missing packets.
    latency: Duration,
}

impl Gate {
    pub(super) fn new(latency: Duration) -> Self {
        Self { closed: false, latency }
    }

    /// True where the coded picture may pass.
    ///
    /// `lag` is how long ago it should have been decoded.
    pub(super) fn admit(&mut self, lag: Duration, key_frame: bool) -> bool {
        if !self.closed && lag > CLOSE + self.latency {
            self.closed = true;
        } else if self.closed && key_frame && lag < OPEN + self.latency {
            self.closed = false;
        }
        !self.closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_closes_on_lag_and_opens_at_a_key_frame_only() {
        let ms = Duration::from_millis;
        let mut late = Gate::new(ms(3000));
        assert!(late.admit(ms(4000), false), "waiting for packets is not being slow");
        let mut gate = Gate::new(ms(0));
        for (lag, key, want) in [
            (0, true, true),
            (1400, false, true),
            (1600, true, false),
            (1000, true, false),
            (700, false, false),
            (700, true, true),
            (700, false, true),
        ] {
            assert_eq!(gate.admit(ms(lag), key), want, "lag {lag} key {key}");
        }
    }
}
