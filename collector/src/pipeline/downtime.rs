//! How long the collector itself was deaf: its own silence is no endpoint's.
//!
//! One gap is known, the one before this start; it is what matters, for a device that was heard since has no gap.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use muster_common::time::Timestamp;

/// When the collector did not listen.
#[derive(Debug, Default)]
pub(super) struct Downtime {
    gap: Mutex<Option<(Timestamp, Timestamp)>>,
}

impl Downtime {
    /// Notes that nothing could be heard from `from` to `to`.
    pub(super) fn set(&self, from: Timestamp, to: Timestamp) {
        *self.gap.lock().unwrap_or_else(PoisonError::into_inner) = (from < to).then_some((from, to));
    }

    /// How much of the time from `heard` to `now` nothing could be heard.
    pub(super) fn since(&self, heard: Option<Timestamp>, now: Timestamp) -> Duration {
        let Some((from, to)) = *self.gap.lock().unwrap_or_else(PoisonError::into_inner) else {
            return Duration::ZERO;
        };
        let heard = heard.unwrap_or_default();
        if heard >= to { Duration::ZERO } else { to.min(now).since(from.max(heard)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_gap_within_the_silence_counts() {
        let at = |second: i64| Timestamp::from_millis(second * 1000);
        let downtime = Downtime::default();
        assert_eq!(downtime.since(Some(at(5)), at(100)), Duration::ZERO);
        downtime.set(at(10), at(40));
        for (heard, expected) in [(5, 30), (10, 30), (25, 15), (40, 0), (60, 0)] {
            assert_eq!(
                downtime.since(Some(at(heard)), at(100)),
                Duration::from_secs(expected),
                "heard at {heard}"
            );
        }
    }
}
