//! Runs one piece of work for each device, a bounded number at once.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::latency::Latencies;

/// What came of a phase.
#[derive(Debug)]
pub struct Driven<R> {
    /// What the pieces that went well gave, in the order in which they ended.
    pub done: Vec<R>,
    /// Failures by their text, with their number.
    pub failures: BTreeMap<String, u64>,
    /// Of the pieces that went well.
    pub latencies: Latencies,
    /// From the first piece's begin to the last one's end.
    pub elapsed: Duration,
}

impl<R> Driven<R> {
    /// How many pieces failed.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}

/// Does all the work, at most `at_once` pieces together; a failed piece is counted and not tried again.
pub async fn drive<T, R, E, F, W>(work: Vec<T>, at_once: usize, each: W) -> Driven<R>
where
    T: Send + 'static,
    R: Send + 'static,
    E: std::error::Error + 'static,
    F: Future<Output = Result<R, E>> + Send,
    W: Fn(T) -> F + Send + Sync + 'static,
{
    let queue = Arc::new(Mutex::new(work.into_iter()));
    let each = Arc::new(each);
    let mut workers = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..at_once.max(1) {
        let (queue, each) = (queue.clone(), each.clone());
        workers.spawn(async move {
            let mut own = Vec::new();
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(piece) = next else { return own };
                let begun = Instant::now();
                let result = each(piece).await.map_err(|error| chain(&error));
                own.push((result, begun.elapsed()));
            }
        });
    }
    let mut driven = Driven {
        done: Vec::new(),
        failures: BTreeMap::new(),
        latencies: Latencies::default(),
        elapsed: begun.elapsed(),
    };
    let mut durations = Vec::new();
    while let Some(own) = workers.join_next().await {
        let own =
            own.unwrap_or_else(|error| vec![(Err(format!("a worker failed: {error}")), Duration::ZERO)]);
        for (result, duration) in own {
            match result {
                Ok(done) => {
                    driven.done.push(done);
                    durations.push(duration);
                }
                Err(text) => *driven.failures.entry(text).or_default() += 1,
            }
        }
    }
    driven.elapsed = begun.elapsed();
    driven.latencies = Latencies::of(durations);
    driven
}

/// An error with its causes in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("odd")]
    struct Odd;

    #[tokio::test]
    async fn every_piece_is_done_once_and_failures_are_counted() {
        let driven =
            drive((0..100u32).collect(), 8, async |piece| if piece % 2 == 0 { Ok(piece) } else { Err(Odd) })
                .await;
        let mut done = driven.done.clone();
        done.sort_unstable();
        assert_eq!(done, (0..100).step_by(2).collect::<Vec<_>>());
        assert_eq!(driven.failures, BTreeMap::from([("odd".to_owned(), 50)]));
    }
}
