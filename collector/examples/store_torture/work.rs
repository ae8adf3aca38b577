//! What the torture commits, and how a write is told from any other.
//!
//! Knows nothing of who kills it, and is a module of a test too. Each task owns a few keys and writes one to three of them in a commit; a value says
//! which write of its key it is, so that a write that is missing, doubled or halved shows in a dump.
//!
//! ```text
//! ready POSITION                               the store is open
//! ack POSITION KEY:REVISION:COUNT…             that commit returned
//! ```

use std::{
    io::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use muster_collector::store::{
    CatalogueId, CatalogueItem, Commit, Key, Revision, Store, Write, Written,
    embedded::{EmbeddedOptions, EmbeddedStore},
};
use muster_common::time::{Clock, SystemClock};

/// How many keys a task has.
const KEYS: u64 = 8;
/// About how many bytes of values stand in front of the filler: the count and a catalogue number.
const HEAD_BYTES: usize = 12;

/// A store that begins many segments and makes many checkpoints while it is killed.
pub(crate) fn options(folder: &Path) -> EmbeddedOptions {
    EmbeddedOptions {
        segment_bytes: 4 << 20,
        checkpoint_every: Duration::from_millis(700),
        low_water_mib: 16,
        ..EmbeddedOptions::new(folder)
    }
}

fn key(task: u64, number: u64) -> Key {
    Key::new(format!("t{task}/{number}").into_bytes()).expect("a few bytes are a key")
}

/// A small generator: the same values for the same key and count, in every run.
fn mixed(key: &Key, count: u64) -> u64 {
    let mut state = count ^ 0x9e37_79b9_7f4a_7c15;
    for byte in key.as_bytes() {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17);
    }
    state ^ (state >> 29)
}

/// The value of a key's write number `count`: mostly some hundred bytes, sometimes many pieces.
fn value(key: &Key, count: u64, item: CatalogueId) -> Vec<u8> {
    let random = mixed(key, count);
    let size = if random.is_multiple_of(16) { random % 20_000 } else { random % 700 } as usize;
    let mut bytes = count.to_be_bytes().to_vec();
    bytes.extend_from_slice(&item.number().to_be_bytes());
    bytes.extend((0..size).map(|i| (random >> (i % 8 * 8)) as u8));
    bytes
}

/// Which write a value is of, if it is whole.
pub(crate) fn count_of(key: &Key, bytes: &[u8]) -> Option<(u64, CatalogueId)> {
    let (count, rest) = bytes.split_first_chunk()?;
    let (item, _) = rest.split_first_chunk()?;
    let (count, item) = (u64::from_be_bytes(*count), CatalogueId::from_number(u32::from_be_bytes(*item)));
    (bytes.len() >= HEAD_BYTES && value(key, count, item) == bytes).then_some((count, item))
}

/// The catalogue item that every write between two tens of a task mentions.
fn item(task: u64, ten: u64) -> CatalogueItem {
    let value = format!("item {task} {ten}").into_bytes();
    let mut digest = [0; 16];
    digest[..8].copy_from_slice(&task.to_be_bytes());
    digest[8..].copy_from_slice(&ten.to_be_bytes());
    CatalogueItem { digest, value }
}

/// Prints a line at once and whole, so that what was printed can be relied on when the process is gone.
fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).context("nobody listens")?;
    out.flush().context("nobody listens")
}

/// Commits from many tasks until the time is over.
pub(crate) async fn run(folder: &Path, tasks: u64, time: Duration) -> Result<()> {
    let store = Arc::new(EmbeddedStore::open(options(folder)).await?);
    say(&format!("ready {}", store.position().await))?;
    let end = Instant::now() + time;
    let tasks: Vec<_> = (0..tasks).map(|task| tokio::spawn(work(Arc::clone(&store), task, end))).collect();
    for task in tasks {
        task.await.context("a task panicked")??;
    }
    store.close().await.context("failed to close")
}

async fn work(store: Arc<EmbeddedStore>, task: u64, end: Instant) -> Result<()> {
    let keys: Vec<Key> = (0..KEYS).map(|number| key(task, number)).collect();
    let mut state = Vec::new();
    for (key, record) in keys.iter().zip(store.get(&keys).await?) {
        state.push(match record {
            None => (Revision::ABSENT, 0),
            Some(record) => {
                let (count, _) = count_of(key, &record.value).with_context(|| format!("{key} is damaged"))?;
                (record.revision, count)
            }
        });
    }
    let mut turn = state.iter().map(|(_, count)| count).sum::<u64>();
    while Instant::now() < end {
        turn += 1;
        let item = store.intern(vec![item(task, turn / 10)]).await?[0];
        let width = 1 + (mixed(&keys[0], turn) % 3) as usize;
        let chosen: Vec<usize> = (0..width).map(|step| (turn as usize + step) % keys.len()).collect();
        let commit = Commit {
            kind: "torture".to_owned(),
            time: SystemClock.now(),
            actor: format!("task {task}"),
            expected: chosen.iter().map(|place| (keys[*place].clone(), state[*place].0)).collect(),
            writes: chosen
                .iter()
                .map(|place| {
                    let value = value(&keys[*place], state[*place].1 + 1, item);
                    Write { key: keys[*place].clone(), value: Some(value) }
                })
                .collect(),
            audit: None,
        };
        let Some(Ok(position)) = store.commit(vec![commit]).await.pop() else {
            bail!("task {task} was refused although nobody else writes its keys: {:?}", store.health());
        };
        let mut line = format!("ack {position}");
        for place in chosen {
            let (revision, count) = &mut state[place];
            (*revision, *count) = (revision.next(position), *count + 1);
            line.push_str(&format!(" {}:{revision}:{count}", keys[place]));
        }
        say(&line)?;
    }
    Ok(())
}

/// A write of the log as it stands in an `ack` line.
pub(crate) fn shown_written(written: &Written) -> String {
    let whole = written.value.as_deref().and_then(|value| count_of(&written.key, value));
    shown(&written.key, written.revision, whole)
}

/// A write as text.
pub(crate) fn shown(key: &Key, revision: Revision, whole: Option<(u64, CatalogueId)>) -> String {
    let count = whole.map_or_else(|| "damaged".to_owned(), |(count, _)| count.to_string());
    format!("{key}:{revision}:{count}")
}
