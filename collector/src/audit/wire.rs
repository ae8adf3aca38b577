//! Changes as they go over the wire and into packs.
//!
//! Knows nothing of where they come from.

use muster_common::audit::AuditDigest;
use muster_proto::{convert::to_timestamp, v1};

use crate::store::{Change, Key};

/// A change with the hash of each value; `shows` says of a key whether its value goes along, and how it reads.
pub(super) fn change(
    change: Change,
    shows: impl Fn(&Key, Option<&[u8]>) -> Option<String>,
) -> v1::AuditChange {
    let Change { position, kind, time, actor, writes, audit: _ } = change;
    let writes = writes.into_iter().map(|write| {
        let shown = shows(&write.key, write.value.as_deref());
        v1::AuditWrite {
            key: write.key.as_bytes().to_vec(),
            value_sha256: write
                .value
                .as_deref()
                .map(|value| AuditDigest::of(value).to_string())
                .unwrap_or_default(),
            value: if shown.is_some() { write.value.unwrap_or_default() } else { Vec::new() },
            shown: shown.unwrap_or_default(),
        }
    });
    v1::AuditChange {
        position: position.number(),
        time: Some(to_timestamp(time)),
        actor,
        kind,
        writes: writes.collect(),
    }
}
