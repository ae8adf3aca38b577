//! Prints all that a store holds, so that a prover can compare it with what it heard.
//!
//! Knows nothing of how it got there. The lines are those of `work`, and besides:
//!
//! ```text
//! start WHAT                                   how the view was found
//! chain COUNT                                  the journal's chain is whole
//! change POSITION KEY:REVISION:COUNT…          a change as the log has it
//! record KEY:REVISION:COUNT                    a record as the view has it
//! ```
//! COUNT is `damaged` when the value isn't that of any write.

use std::{io::Write as _, path::Path};

use anyhow::{Context, Result};
use muster_collector::store::{Key, Position, Store, embedded::EmbeddedStore};

use crate::work;

/// Prints all that is in the store.
pub(crate) async fn run(folder: &Path) -> Result<()> {
    let store = EmbeddedStore::open(work::options(folder)).await?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    writeln!(out, "start {:?}", store.start())?;
    writeln!(out, "chain {}", store.verify().await?)?;
    let mut after = Position::START;
    loop {
        let changes = store.changes(after, 1000).await?;
        let Some(last) = changes.last() else { break };
        after = last.position;
        for change in changes {
            write!(out, "change {}", change.position)?;
            for written in change.writes {
                write!(out, " {}", work::shown_written(&written))?;
            }
            writeln!(out)?;
        }
    }
    let mut last: Option<Key> = None;
    loop {
        let records = store.scan(b"t", last.as_ref(), 1000).await?;
        let Some((key, _)) = records.last() else { break };
        last = Some(key.clone());
        for (key, record) in records {
            let mut whole = work::count_of(&key, &record.value);
            if let Some((_, id)) = whole
                && !store.catalogue(&[id]).await?.iter().flatten().any(|value| value.starts_with(b"item "))
            {
                whole = None;
            }
            writeln!(out, "record {}", work::shown(&key, record.revision, whole))?;
        }
    }
    out.flush()?;
    store.close().await.context("failed to close")
}
