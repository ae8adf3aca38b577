//! Makes the messages of a phase before it begins, on all cores, so that encoding them is not measured.

use std::{ops::Range, sync::Arc};

use tokio::task::JoinSet;

/// Pairs each piece with what is made for it, on the threads that may block.
pub(super) async fn with<T: Send + 'static, M: Send + 'static>(
    pieces: Vec<T>,
    make: impl Fn(&T) -> M + Send + Sync + 'static,
) -> Vec<(T, M)> {
    let make = Arc::new(make);
    let mut pieces = pieces.into_iter();
    let mut made = Vec::with_capacity(pieces.len());
    let share = pieces.len().div_ceil(threads()).max(1);
    let mut tasks = JoinSet::new();
    loop {
        let part: Vec<T> = pieces.by_ref().take(share).collect();
        if part.is_empty() {
            break;
        }
        let make = make.clone();
        tasks.spawn_blocking(move || {
            let pair = |piece| {
                let made = make(&piece);
                (piece, made)
            };
            part.into_iter().map(pair).collect::<Vec<_>>()
        });
    }
    made.extend(tasks.join_all().await.into_iter().flatten());
    made
}

/// What is made for each device, in any order.
pub(super) async fn prepare<M: Send + 'static>(
    devices: Range<u64>,
    make: impl Fn(u64) -> M + Send + Sync + 'static,
) -> Vec<M> {
    let made = with(devices.collect(), move |device| make(*device)).await;
    made.into_iter().map(|(_, made)| made).collect()
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
