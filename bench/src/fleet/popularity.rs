//! The power law by which software is installed: the n-th title is n times rarer than the first (Zipf's law).

use std::collections::HashSet;

use rand::Rng;

/// The chances of all titles.
#[derive(Debug)]
pub(super) struct Popularity {
    /// The chance of each title and all before it, times their sum.
    cumulative: Vec<f64>,
}

impl Popularity {
    /// For so many titles, the most popular first.
    pub(super) fn new(titles: u32) -> Self {
        let mut sum = 0.0;
        let cumulative = (1..=titles).map(|rank| {
            sum += 1.0 / f64::from(rank);
            sum
        });
        Self { cumulative: cumulative.collect() }
    }

    /// Draws until it has so many different titles; they come in their own order.
    pub(super) fn distinct(&self, draw: &mut impl Rng, count: usize) -> Vec<u32> {
        let whole = self.cumulative.last().copied().unwrap_or_default();
        let mut seen = HashSet::with_capacity(count);
        while seen.len() < count.min(self.cumulative.len()) {
            let at = draw.random::<f64>() * whole;
            let title = self.cumulative.partition_point(|sum| *sum <= at);
            seen.insert(title as u32);
        }
        let mut titles: Vec<u32> = seen.into_iter().collect();
        titles.sort_unstable();
        titles
    }
}
