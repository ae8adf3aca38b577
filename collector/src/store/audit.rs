//! The audit log: the chain over every commit, kept as records that the store alone writes.
//!
//! Knows nothing of devices and of who may read it. It is a part of the store, and not of those who commit, so that no
//! change can come past it, and so that an entry is durable in the very moment in which its change is. Entries are
//! records under [`PREFIX`] whose keys are their numbers: whatever keeps the records (a view made again, a snapshot that
//! stands in for the journal's start) keeps the log, and a backend of another make needs no second place for it. A
//! commit that writes there is refused.
//!
//! A commit with an audit note, or by an operator or service, is an entry of its own; others are folded into the next
//! entry, at the latest every [`FOLDED_AT_MOST`] ones. `muster_common::audit` says how everything is hashed.

use muster_common::{
    audit::{AuditDigest, Entry, Folded, Linked, Walk, digest_of_writes},
    time::Timestamp,
};
use prost::Message;

use crate::store::{Change, Commit, Key, Position, Store, StoreError};

/// Where entries lie.
pub const PREFIX: &[u8] = b"z/";
/// How many commits are folded into one entry; the one after so many is an entry, whoever made it.
pub const FOLDED_AT_MOST: usize = 255;
/// The layout that is written now; a greater one is refused.
const VERSION: u32 = 1;
/// The longest action, target and detail in bytes; what is longer is cut.
const TEXT_BYTES: usize = 4096;

/// An entry at rest. Field numbers are for ever.
#[derive(Clone, PartialEq, Message)]
struct Stored {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(uint64, tag = "2")]
    number: u64,
    #[prost(uint64, tag = "3")]
    first: u64,
    #[prost(uint64, tag = "4")]
    position: u64,
    #[prost(int64, tag = "5")]
    time_ms: i64,
    #[prost(string, tag = "6")]
    actor: String,
    #[prost(string, tag = "7")]
    kind: String,
    #[prost(string, tag = "8")]
    action: String,
    #[prost(string, tag = "9")]
    target: String,
    #[prost(string, tag = "10")]
    detail: String,
    #[prost(bytes = "vec", tag = "11")]
    writes: Vec<u8>,
    /// 32 bytes each.
    #[prost(bytes = "vec", tag = "12")]
    folded: Vec<u8>,
    #[prost(bytes = "vec", tag = "13")]
    previous: Vec<u8>,
    #[prost(bytes = "vec", tag = "14")]
    hash: Vec<u8>,
}

/// What a commit's note says: the same bytes as `muster.store.v1.Audit`.
#[derive(Clone, PartialEq, Message)]
struct Note {
    #[prost(string, tag = "1")]
    action: String,
    #[prost(string, tag = "2")]
    target: String,
    #[prost(string, tag = "3")]
    detail: String,
}

/// What of a commit enters the chain.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) position: Position,
    pub(super) time: Timestamp,
    pub(super) actor: &'a str,
    pub(super) kind: &'a str,
    pub(super) note: Option<&'a [u8]>,
    pub(super) writes: AuditDigest,
}

/// Where the chain stands, and what waits to be folded in.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    walk: Walk,
    /// The position of the first change that no entry accounts for.
    first: u64,
    folded: Vec<AuditDigest>,
}

impl Chain {
    /// Of a store that is new.
    pub(super) fn begin() -> Self {
        Self::behind(Walk::begin(), 1)
    }

    /// Behind the last entry; `first` is the position that it accounts for next.
    pub(super) fn behind(walk: Walk, first: u64) -> Self {
        Self { walk, first, folded: Vec::new() }
    }

    /// Takes a commit in; the record of its entry if it is one.
    pub(super) fn add(&mut self, told: Told<'_>) -> Option<(Key, Vec<u8>)> {
        let Told { position, time, actor, kind, note, writes } = told;
        if note.is_none() && !is_of_a_person(actor) && self.folded.len() < FOLDED_AT_MOST {
            let (actor, kind) = (actor.to_owned(), kind.to_owned());
            let folded = Folded { position: position.number(), time, actor, kind, writes };
            self.folded.push(folded.digest());
            return None;
        }
        let Note { action, target, detail } = read_note(kind, note);
        let number = self.walk.number() + 1;
        let linked = Entry {
            number,
            first: self.first,
            position: position.number(),
            time,
            actor: actor.to_owned(),
            kind: kind.to_owned(),
            action,
            target,
            detail,
            writes,
            folded: std::mem::take(&mut self.folded),
        }
        .after(self.walk.hash());
        self.walk = Walk::behind(number, position.number(), linked.hash);
        self.first = position.number() + 1;
        Some((key(number), write(linked)))
    }

    /// Takes in again what was committed after the last entry; nothing of that is an entry.
    pub(super) fn recall(&mut self, change: &Change) {
        self.folded.push(folded_of(change).digest());
    }
}

/// A change as the entry after it keeps it.
pub fn folded_of(change: &Change) -> Folded {
    Folded {
        position: change.position.number(),
        time: change.time,
        actor: change.actor.clone(),
        kind: change.kind.clone(),
        writes: digest_of_change(change),
    }
}

/// Whether a change by this actor is always an entry of its own.
fn is_of_a_person(actor: &str) -> bool {
    // An account by the name in its certificate, or a source of claims that a person is.
    ["operator/", "service/", "operator:"].iter().any(|kind| actor.starts_with(kind))
}

/// A note that is none is shown as it is: nothing that was committed is left out for its form.
fn read_note(kind: &str, note: Option<&[u8]>) -> Note {
    let read = note.map(|bytes| {
        Note::decode(bytes)
            .unwrap_or_else(|_| Note { detail: bytes.escape_ascii().to_string(), ..Note::default() })
    });
    let Note { mut action, mut target, mut detail } = read.unwrap_or_default();
    if action.is_empty() {
        kind.clone_into(&mut action);
    }
    for text in [&mut action, &mut target, &mut detail] {
        text.truncate(text.floor_char_boundary(TEXT_BYTES));
    }
    Note { action, target, detail }
}

/// The digest of what a commit writes; it takes as long as reading the values does.
pub(super) fn digest_of_commit(commit: &Commit) -> AuditDigest {
    digest_of_writes(
        commit.writes.iter().map(|write| (write.key.as_bytes(), write.value.as_deref().map(AuditDigest::of))),
    )
}

/// The same of a change as the log tells it.
pub fn digest_of_change(change: &Change) -> AuditDigest {
    digest_of_writes(
        change.writes.iter().map(|write| (write.key.as_bytes(), write.value.as_deref().map(AuditDigest::of))),
    )
}

/// Where an entry lies.
pub(crate) fn key(number: u64) -> Key {
    Key::new([PREFIX, &number.to_be_bytes()].concat()).expect("ten bytes are a key")
}

/// The record of an entry.
pub(crate) fn write(linked: Linked) -> Vec<u8> {
    let Linked { entry, previous, hash } = linked;
    let Entry { number, first, position, time, actor, kind, action, target, detail, writes, folded } = entry;
    Stored {
        version: VERSION,
        number,
        first,
        position,
        time_ms: time.as_millis(),
        actor,
        kind,
        action,
        target,
        detail,
        writes: writes.as_bytes().to_vec(),
        folded: folded.iter().flat_map(AuditDigest::as_bytes).copied().collect(),
        previous: previous.as_bytes().to_vec(),
        hash: hash.as_bytes().to_vec(),
    }
    .encode_to_vec()
}

/// An entry from its record; `None` when the bytes are none, or a newer release's.
pub(crate) fn read(bytes: &[u8]) -> Option<Linked> {
    let stored = Stored::decode(bytes).ok()?;
    let Stored { version, number, first, position, time_ms, .. } = stored;
    if version != VERSION {
        return None;
    }
    let (whole, rest) = stored.folded.as_chunks::<32>();
    if !rest.is_empty() {
        return None;
    }
    let entry = Entry {
        number,
        first,
        position,
        time: Timestamp::from_millis(time_ms),
        actor: stored.actor,
        kind: stored.kind,
        action: stored.action,
        target: stored.target,
        detail: stored.detail,
        writes: AuditDigest::from_slice(&stored.writes)?,
        folded: whole.iter().copied().map(AuditDigest::from_bytes).collect(),
    };
    let previous = AuditDigest::from_slice(&stored.previous)?;
    Some(Linked { entry, previous, hash: AuditDigest::from_slice(&stored.hash)? })
}

/// The entries behind number `after`, at most `limit`, as they lie there: whether they are whole is for a
/// [`Walk`] to say. Empty at the end only.
///
/// # Errors
/// When the store can't be read, or a record there is no entry.
pub async fn entries(store: &dyn Store, after: u64, limit: usize) -> Result<Vec<Linked>, StoreError> {
    let found = store.scan(PREFIX, (after > 0).then(|| key(after)).as_ref(), limit).await?;
    found
        .into_iter()
        .map(|(key, record)| {
            read(&record.value).ok_or_else(|| {
                StoreError::damaged(
                    key.to_string(),
                    "it is no entry of the audit log: restore a backup, or start the release that wrote it",
                )
            })
        })
        .collect()
}

/// The number of the last entry, 0 when there is none. Numbers are dense, so that it is found by halving.
///
/// # Errors
/// When the store can't be read.
pub async fn last_number(store: &dyn Store) -> Result<u64, StoreError> {
    // The steps of `last_dense`, with a read that waits.
    let mut search = Dense::default();
    while let Some(number) = search.asks() {
        search.answer(store.get(&[key(number)]).await?[0].is_some());
    }
    Ok(search.below)
}

/// The greatest number that is there, when all from 1 up to it are; 0 when none is.
pub(super) fn last_dense(has: impl Fn(u64) -> Result<bool, StoreError>) -> Result<u64, StoreError> {
    let mut search = Dense::default();
    while let Some(number) = search.asks() {
        search.answer(has(number)?);
    }
    Ok(search.below)
}

/// A search by doubling and halving for the end of numbers that are dense from 1.
#[derive(Debug, Default)]
struct Dense {
    /// This one is there, or it is 0.
    below: u64,
    /// This one isn't.
    above: Option<u64>,
}

impl Dense {
    /// Which number to look for next; `None` when `below` is the last one.
    fn asks(&self) -> Option<u64> {
        match self.above {
            None => Some((self.below * 2).max(1)),
            Some(above) if above - self.below > 1 => Some(self.below + (above - self.below) / 2),
            Some(_) => None,
        }
    }

    /// Takes whether the number of [`Self::asks`] is there.
    fn answer(&mut self, there: bool) {
        let Some(number) = self.asks() else { return };
        if there {
            self.below = number;
        } else {
            self.above = Some(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(position: u64, actor: &'static str, note: Option<&'static [u8]>) -> Told<'static> {
        Told {
            position: Position::from_number(position),
            time: Timestamp::from_millis(1_700_000_000_000),
            actor,
            kind: "test",
            note,
            writes: AuditDigest::of(b"writes"),
        }
    }

    fn entry(record: Option<(Key, Vec<u8>)>) -> Linked {
        let (key, bytes) = record.unwrap();
        let linked = read(&bytes).unwrap();
        assert_eq!(key, super::key(linked.entry.number));
        linked
    }

    #[test]
    fn people_and_notes_are_entries_and_machines_are_folded() {
        let mut chain = Chain::begin();
        assert_eq!(chain.add(told(1, "agent:a", None)), None);
        let noted = entry(chain.add(told(2, "import:b", Some(b"\x0a\x03act\x12\x02to\x1a\x03why"))));
        assert_eq!((noted.entry.first, noted.entry.folded.len()), (1, 1));
        let Entry { action, target, detail, .. } = &noted.entry;
        assert_eq!((action.as_str(), target.as_str(), detail.as_str()), ("act", "to", "why"));
        for (position, actor) in [(3, "operator/alice"), (4, "service/siem"), (5, "operator:alice")] {
            let own = entry(chain.add(told(position, actor, None)));
            assert_eq!((own.entry.number, own.entry.action.as_str()), (position - 1, "test"));
        }
        let strange = entry(chain.add(told(6, "clock", Some(b"\xffno note"))));
        assert_eq!((strange.entry.action.as_str(), strange.entry.detail.as_str()), ("test", "\\xffno note"));
        let mut walk = Walk::begin();
        walk.step(&noted).unwrap();
        assert_eq!(walk.hash(), noted.hash);
    }

    #[test]
    fn the_256th_commit_of_machines_is_an_entry() {
        let mut chain = Chain::begin();
        let entries: Vec<Linked> = (1..=600)
            .filter_map(|position| chain.add(told(position, "agent:a", None)))
            .filter_map(|it| read(&it.1))
            .collect();
        assert_eq!(entries.iter().map(|it| it.entry.position).collect::<Vec<_>>(), [256, 512]);
        let mut walk = Walk::begin();
        entries.iter().try_for_each(|linked| walk.step(linked)).unwrap();
    }

    #[test]
    fn an_entry_reads_back_and_a_newer_release_s_does_not() {
        let mut chain = Chain::begin();
        chain.add(told(1, "agent:a", None));
        let (_, bytes) = chain.add(told(2, "operator/alice", None)).unwrap();
        assert_eq!(write(read(&bytes).unwrap()), bytes);
        let stored = Stored::decode(bytes.as_slice()).unwrap();
        for broken in [
            Stored { version: 2, ..stored.clone() },
            Stored { folded: vec![0; 31], ..stored.clone() },
            Stored { hash: vec![0; 31], ..stored },
        ] {
            assert_eq!(read(&broken.encode_to_vec()), None);
        }
    }

    #[test]
    fn the_end_of_dense_numbers_is_found() {
        for last in (0..70).chain([1000, 1 << 20, (1 << 20) + 1]) {
            assert_eq!(last_dense(|number| Ok(number <= last)).unwrap(), last);
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let note = Note { detail: "ü".repeat(4000), ..Note::default() }.encode_to_vec();
        assert_eq!(read_note("test", Some(&note)).detail.len(), 4096);
    }
}
