//! Moments in milliseconds since the Unix epoch, UTC; the endpoint's clock and the collector's are different types.
//!
//! Order, staleness and expiry are decided by [`Timestamp`] alone; [`EndpointTime`] is evidence.

use std::{fmt, str::FromStr, time::Duration};

/// The latest moment that is kept: 9999-12-30T22:00:00Z, the end of what RFC 3339 text can carry.
const MAX_MS: i64 = 253_402_207_200_000;

/// A text that is not an RFC 3339 moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time (expected RFC 3339, such as 2026-11-01T00:00:00Z)")]
pub struct InvalidTime(String);

macro_rules! moment {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(i64);

        impl $name {
            /// From milliseconds since the epoch, clamped to the years 1970 to 9999.
            pub const fn from_millis(ms: i64) -> Self {
                if ms < 0 {
                    Self(0)
                } else if ms > MAX_MS {
                    Self(MAX_MS)
                } else {
                    Self(ms)
                }
            }

            /// Milliseconds since the epoch.
            pub const fn as_millis(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match jiff::Timestamp::from_millisecond(self.0) {
                    Ok(time) => time.fmt(f),
                    Err(_) => write!(f, "{} ms", self.0),
                }
            }
        }
    };
}

moment!(
    /// A moment by the collector's clock.
    Timestamp
);
moment!(
    /// A moment by an endpoint's clock: evidence, never used for order or staleness.
    EndpointTime
);

impl Timestamp {
    /// The moment `duration` later, clamped.
    pub fn after(self, duration: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The moment `duration` earlier, clamped.
    pub fn before(self, duration: Duration) -> Self {
        Self::from_millis(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this moment is; zero when it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTime;

    /// Reads RFC 3339; a bare date such as `2026-11-01` is midnight UTC.
    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let invalid = || InvalidTime(text.chars().take(64).collect());
        let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
        let time: jiff::Timestamp = whole.parse().map_err(|_| invalid())?;
        Ok(Self::from_millis(time.as_millisecond()))
    }
}

/// Where a loop takes the time from; policy and sources get `now` as an argument instead.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands until it is told to move: for tests and simulations.
#[derive(Debug, Default)]
pub struct ManualClock(std::sync::atomic::AtomicI64);

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(std::sync::atomic::AtomicI64::new(now.as_millis()))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(ms, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_dates_are_midnight() {
        let time: Timestamp = "2026-11-01T12:30:00.250Z".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-01T12:30:00.25Z");
        assert_eq!("2026-11-01".parse::<Timestamp>().unwrap().to_string(), "2026-11-01T00:00:00Z");
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn absurd_times_are_clamped() {
        assert_eq!(Timestamp::from_millis(-5).as_millis(), 0);
        assert_eq!(Timestamp::from_millis(i64::MAX).to_string(), "9999-12-30T22:00:00Z");
        assert_eq!(Timestamp::default().before(Duration::MAX), Timestamp::default());
    }
}
