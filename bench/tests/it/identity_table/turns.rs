//! Whose turn it is: stories about different endpoints, told in an order that a seed draws.
//!
//! One story moves at a time, from one of its turns to the next; which of them moves is the seed's choice. So the order
//! within a story stays as it is written, and the order between stories is another with each seed.

use std::future::Future;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::JoinHandle,
};

/// A story's side: it may go on when the scheduler says so.
pub(crate) struct Turns {
    permits: Receiver<()>,
    pauses: Sender<()>,
    is_first: bool,
    rng: ChaCha8Rng,
}

impl Turns {
    /// Waits for the story's turn.
    pub(crate) async fn next(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.pauses.send(()).await.unwrap();
        }
        self.permits.recv().await.unwrap();
    }

    /// A choice that the story leaves open.
    pub(crate) fn choose(&mut self) -> bool {
        self.rng.random()
    }

    /// Things in an order that the story leaves open.
    pub(crate) fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.rng.random_range(0..=last));
        }
    }
}

struct Told {
    name: &'static str,
    permits: Sender<()>,
    pauses: Receiver<()>,
    task: JoinHandle<()>,
}

/// Stories that are being told.
pub(crate) struct Stories {
    seed: u64,
    told: Vec<Told>,
}

impl Stories {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, told: Vec::new() }
    }

    /// Adds a story; it begins with its first turn.
    pub(crate) fn add<F>(&mut self, name: &'static str, story: impl FnOnce(Turns) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (permits, permitted) = channel(1);
        let (pausing, pauses) = channel(1);
        let number = u64::try_from(self.told.len()).unwrap();
        let rng = ChaCha8Rng::seed_from_u64(self.seed << 16 | number);
        let turns = Turns { permits: permitted, pauses: pausing, is_first: true, rng };
        self.told.push(Told { name, permits, pauses, task: tokio::spawn(story(turns)) });
    }

    /// Tells all of them to their ends, also when one of them fails; returns how many turns there were.
    pub(crate) async fn tell(mut self) -> usize {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut turns = 0;
        let mut failed = Vec::new();
        while !self.told.is_empty() {
            let place = rng.random_range(0..self.told.len());
            let story = &mut self.told[place];
            // A story that has ended does not take it, and says so below.
            let _ = story.permits.send(()).await;
            turns += 1;
            if story.pauses.recv().await.is_none() {
                let Told { name, task, .. } = self.told.swap_remove(place);
                if let Err(error) = task.await {
                    failed.push(format!("{name}: {error}"));
                }
            }
        }
        assert!(failed.is_empty(), "order {}: {failed:#?}", self.seed);
        turns
    }
}
