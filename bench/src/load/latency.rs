//! How long operations took.

use std::time::Duration;

/// Durations of the operations of a phase.
#[derive(Debug, Clone, Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Of these operations, in any order.
    pub fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self(durations)
    }

    /// The duration that so many of a thousand operations did not exceed; zero when there was none.
    pub fn per_mille(&self, share: usize) -> Duration {
        let place = (self.0.len() * share).div_ceil(1000).max(1) - 1;
        self.0.get(place.min(self.0.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_list() {
        let latencies = Latencies::of((1..=100).rev().map(Duration::from_millis).collect());
        for (share, expected) in [(500, 50), (990, 99), (999, 100), (1000, 100), (1, 1)] {
            assert_eq!(latencies.per_mille(share), Duration::from_millis(expected), "{share}");
        }
        assert_eq!(Latencies::default().per_mille(500), Duration::ZERO);
    }
}
