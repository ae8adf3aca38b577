//! How long to wait before the next try: full jitter over a ceiling that doubles, so that a fleet never comes at once.
//!
//! Pure: chance is an argument.

use std::time::Duration;

/// No try follows sooner.
const LEAST: Duration = Duration::from_secs(1);
/// The first ceiling of each pace, and the last.
const NORMAL: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(5 * 60));
const SLOW: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));
/// What is added by chance to a time that the collector named, at most.
const SPREAD: Duration = Duration::from_secs(30);

/// A number from 0 up to but not including 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance(f64);

/// How patient to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// It may pass any moment: seconds at first, five minutes at most.
    Normal,
    /// Somebody has to do something: a minute at first, an hour at most.
    Slow,
    /// The collector named a time.
    After(Duration),
}

/// Counts failures in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Chance {
    /// From random bits.
    pub fn from_bits(bits: u32) -> Self {
        Self(f64::from(bits) / (f64::from(u32::MAX) + 1.0))
    }

    /// Draws from the system's random bytes; one half when it has none, since a wait must not fail.
    pub fn draw() -> Self {
        let mut bytes = [0; 4];
        match ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes) {
            Ok(()) => Self::from_bits(u32::from_le_bytes(bytes)),
            Err(_) => Self(0.5),
        }
    }

    /// This part of a time.
    pub fn of(self, time: Duration) -> Duration {
        time.mul_f64(self.0)
    }

    /// A time that is up to `percent` longer or shorter.
    pub fn around(self, time: Duration, percent: u8) -> Duration {
        let part = f64::from(percent.min(100)) / 100.0;
        time.mul_f64(1.0 - part + 2.0 * part * self.0)
    }
}

impl Backoff {
    /// The wait after one more failure.
    pub fn next(&mut self, pace: Pace, chance: Chance) -> Duration {
        let doubled = |(first, last): (Duration, Duration)| {
            first.saturating_mul(2_u32.saturating_pow(self.failures)).min(last)
        };
        let wait = match pace {
            Pace::Normal => LEAST + chance.of(doubled(NORMAL) - LEAST),
            Pace::Slow => LEAST + chance.of(doubled(SLOW) - LEAST),
            Pace::After(time) => time + chance.of(SPREAD.min(time)),
        };
        self.failures = self.failures.saturating_add(1);
        wait
    }

    /// It went well.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Chance = Chance(0.0);

    fn most() -> Chance {
        Chance::from_bits(u32::MAX)
    }

    #[test]
    fn ceilings_double_up_to_the_last_and_start_again() {
        for (pace, expected) in [
            (Pace::Normal, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]),
            (Pace::Slow, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600]),
        ] {
            let mut backoff = Backoff::default();
            let waits = expected.map(|_| backoff.next(pace, most()).as_secs_f64().round() as i32);
            assert_eq!(waits, expected, "{pace:?}");
            assert_eq!(backoff.next(pace, NONE), LEAST, "the jitter is full");
            backoff.reset();
            assert!(backoff.next(pace, most()) <= Duration::from_secs(60));
        }
        let mut tired = Backoff { failures: u32::MAX };
        assert_eq!(tired.next(Pace::Normal, most()).as_secs_f64().round() as i32, 300);
    }

    #[test]
    fn a_named_time_is_kept_and_spread() {
        let wait =
            |seconds, chance| Backoff::default().next(Pace::After(Duration::from_secs(seconds)), chance);
        assert_eq!(wait(100, NONE).as_secs(), 100);
        assert_eq!(wait(100, most()).as_secs_f64().round() as i32, 130);
        assert_eq!(wait(0, most()), Duration::ZERO);
    }

    #[test]
    fn around_is_to_both_sides() {
        let hour = Duration::from_secs(3600);
        assert_eq!(NONE.around(hour, 10).as_secs(), 3240);
        assert_eq!(most().around(hour, 10).as_secs_f64().round() as i32, 3960);
        assert_eq!(Chance(0.5).around(hour, 0), hour);
    }
}
