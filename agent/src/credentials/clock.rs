//! The clock that judges the server's certificate: never behind the build, nor behind what the server last told.
//!
//! An endpoint's clock may stand at 1970 after its battery died; judged by that, every certificate is not yet valid.
//! Time here only moves forward; what an endpoint reports as its own time comes from its own clock, not from here.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use muster_common::time::{Clock, Timestamp};

/// When this program's source was last set right: no certificate that it can meet is older.
const SOURCE_TIME_MS: i64 = 1_795_478_400_000;

/// The later of the own clock, the build time and the last time that a server told.
#[derive(Debug)]
pub struct JudgingClock {
    own: Arc<dyn Clock>,
    floor_ms: AtomicI64,
}

impl JudgingClock {
    /// Over the machine's own clock; reproducible builds set the floor by `SOURCE_DATE_EPOCH`.
    pub fn new(own: Arc<dyn Clock>) -> Self {
        let built = option_env!("SOURCE_DATE_EPOCH")
            .and_then(|seconds| seconds.parse::<i64>().ok())
            .map_or(SOURCE_TIME_MS, |seconds| seconds.saturating_mul(1000));
        Self { own, floor_ms: AtomicI64::new(built) }
    }

    /// Notes the time that a server told over an authenticated connection; an earlier one changes nothing.
    pub fn heard(&self, server_time: Timestamp) {
        self.floor_ms.fetch_max(server_time.as_millis(), Ordering::Relaxed);
    }
}

impl Clock for JudgingClock {
    fn now(&self) -> Timestamp {
        self.own.now().max(Timestamp::from_millis(self.floor_ms.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use muster_common::time::ManualClock;

    use super::*;

    #[test]
    fn it_is_never_behind_the_build_nor_the_server() {
        let own = |ms| Arc::new(ManualClock::at(Timestamp::from_millis(ms)));
        let clock = JudgingClock::new(own(0));
        assert!(clock.now() >= Timestamp::from_millis(1_700_000_000_000));
        let told = Timestamp::from_millis(4_000_000_000_000);
        clock.heard(told);
        clock.heard(Timestamp::from_millis(5));
        assert_eq!(clock.now(), told);
        let ahead = Timestamp::from_millis(5_000_000_000_000);
        assert_eq!(JudgingClock::new(own(ahead.as_millis())).now(), ahead);
    }
}
