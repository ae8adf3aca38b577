//! How quick the store is: a rough table, to be read beside the disk's own time for a sync.
//!
//! Knows nothing of crashes.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use muster_collector::store::{
    Commit, Key, Store, Write,
    embedded::{EmbeddedOptions, EmbeddedStore},
};
use muster_common::time::{Clock, SystemClock};

const RUN: Duration = Duration::from_secs(3);

/// Prints the table.
pub(crate) async fn run(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut file = File::create(folder.join("sync-time"))?;
    let started = Instant::now();
    let mut syncs = 0_u32;
    while started.elapsed() < Duration::from_secs(1) {
        file.write_all(&[1; 1000])?;
        file.sync_data()?;
        syncs += 1;
    }
    println!("append of 1,000 bytes with fdatasync: {:?}", started.elapsed() / syncs.max(1));
    println!(
        "{:>6} {:>7} {:>10} {:>12} {:>12} {:>14}",
        "tasks", "bytes", "commits/s", "mean ms", "worst ms", "CPU µs/commit"
    );
    for (tasks, bytes) in [(1, 300), (8, 300), (64, 300), (512, 300), (64, 4000), (64, 40_000)] {
        let place = folder.join(format!("{tasks}-{bytes}"));
        let store = Arc::new(EmbeddedStore::open(EmbeddedOptions::new(&place)).await?);
        let cpu = cpu_time()?;
        let started = Instant::now();
        let running: Vec<_> =
            (0..tasks).map(|task| tokio::spawn(commit_for(Arc::clone(&store), task, bytes))).collect();
        let mut count = 0_u32;
        let mut worst = Duration::ZERO;
        for task in running {
            let (of_task, worst_of_task) = task.await.context("a task panicked")??;
            count += of_task;
            worst = worst.max(worst_of_task);
        }
        let (time, cpu) = (started.elapsed(), cpu_time()? - cpu);
        println!(
            "{tasks:>6} {bytes:>7} {:>10.0} {:>12.2} {:>12.1} {:>14.1}",
            f64::from(count) / time.as_secs_f64(),
            time.as_secs_f64() * 1000.0 * f64::from(tasks) / f64::from(count),
            worst.as_secs_f64() * 1000.0,
            cpu.as_secs_f64() * 1e6 / f64::from(count)
        );
        store.close().await?;
        let started = Instant::now();
        let store = EmbeddedStore::open(EmbeddedOptions::new(&place)).await?;
        let probed = started.elapsed();
        store.close().await?;
        std::fs::remove_dir_all(place.join("view"))?;
        let started = Instant::now();
        let store = EmbeddedStore::open(EmbeddedOptions::new(&place)).await?;
        println!("{:>14} opened in {probed:.1?}, without its view in {:.1?}", "", started.elapsed());
        store.close().await?;
    }
    Ok(())
}

async fn commit_for(store: Arc<EmbeddedStore>, task: u32, bytes: usize) -> Result<(u32, Duration)> {
    let end = Instant::now() + RUN;
    let mut count = 0;
    let mut worst = Duration::ZERO;
    while Instant::now() < end {
        let key =
            Key::new(format!("d{task}/{}", count % 100).into_bytes()).context("a few bytes are a key")?;
        let commit = Commit {
            kind: "measure".to_owned(),
            time: SystemClock.now(),
            actor: "measure".to_owned(),
            expected: Vec::new(),
            writes: vec![Write { key, value: Some(vec![7; bytes]) }],
            audit: None,
        };
        let started = Instant::now();
        store.commit(vec![commit]).await.remove(0)?;
        worst = worst.max(started.elapsed());
        count += 1;
    }
    Ok((count, worst))
}

/// The CPU time that this process has used, its threads together.
fn cpu_time() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, after_name) = stat.rsplit_once(") ").context("an odd /proc/self/stat")?;
    let ticks: u64 =
        after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}
