//! What one frame of the journal holds: the effects of one commit, as protobuf.
//!
//! Knows nothing of frames and files, and nothing of policy: replaying an entry puts values in place and decides
//! nothing. Field numbers are for ever; a field may be added, never used again for something else.

use muster_common::time::Timestamp;
use prost::Message;

use crate::store::{Change, Key, Position, Revision, Written};

/// The layout that is written now. Older ones are decoded for ever; a greater one is refused.
pub(crate) const PAYLOAD_VERSION: u32 = 1;

/// One commit's effects.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Entry {
    /// Always [`PAYLOAD_VERSION`] when written.
    #[prost(uint32, tag = "1")]
    pub(crate) payload_version: u32,
    /// As in `Commit::kind`.
    #[prost(string, tag = "2")]
    pub(crate) kind: String,
    /// The collector's clock in milliseconds since the epoch.
    #[prost(int64, tag = "3")]
    pub(crate) time_ms: i64,
    /// As in `Commit::actor`.
    #[prost(string, tag = "4")]
    pub(crate) actor: String,
    /// Every key that the commit wrote.
    #[prost(message, repeated, tag = "5")]
    pub(crate) effects: Vec<Effect>,
    /// The audit entry.
    #[prost(bytes = "vec", optional, tag = "6")]
    pub(crate) audit: Option<Vec<u8>>,
    /// Catalogue items that were numbered since the entry before.
    #[prost(message, repeated, tag = "7")]
    pub(crate) catalogue: Vec<Catalogued>,
    /// The record of the audit log that this commit made; not there when it waits to be folded in.
    #[prost(message, optional, tag = "8")]
    pub(crate) logged: Option<Effect>,
}

/// A key as the commit left it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Effect {
    /// 1 to 128 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) key: Vec<u8>,
    /// The new revision; 0 when a key was deleted that wasn't there.
    #[prost(uint64, tag = "2")]
    pub(crate) revision: u64,
    /// The new value; not there when the key was deleted.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub(crate) value: Option<Vec<u8>>,
}

/// A catalogue item and its number.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Catalogued {
    /// From 1.
    #[prost(uint32, tag = "1")]
    pub(crate) id: u32,
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) digest: Vec<u8>,
    /// The item.
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) value: Vec<u8>,
}

/// A payload whose frame was whole but that can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidEntry {
    /// Not protobuf of this message.
    #[error("not an entry")]
    Undecodable(#[from] prost::DecodeError),
    /// Written by a newer release.
    #[error("written by a newer release (payload version {0}): start that one")]
    NewerVersion(u32),
    /// A field breaks a bound.
    #[error("an entry with an impossible {0}")]
    Field(&'static str),
}

impl Entry {
    /// Reads a payload and checks what the view relies on.
    pub(crate) fn read(payload: &[u8]) -> Result<Self, InvalidEntry> {
        let entry = Self::decode(payload)?;
        if entry.payload_version > PAYLOAD_VERSION {
            return Err(InvalidEntry::NewerVersion(entry.payload_version));
        }
        for effect in entry.effects.iter().chain(&entry.logged) {
            Key::new(effect.key.as_slice()).map_err(|_| InvalidEntry::Field("key"))?;
            if effect.value.is_some() && effect.revision == 0 {
                return Err(InvalidEntry::Field("revision"));
            }
        }
        if entry.catalogue.iter().any(|item| item.id == 0 || item.digest.len() != 16) {
            return Err(InvalidEntry::Field("catalogue item"));
        }
        Ok(entry)
    }

    /// The entry as the log tells it.
    pub(crate) fn into_change(self, position: Position) -> Result<Change, InvalidEntry> {
        let Self { payload_version: _, kind, time_ms, actor, effects, audit, catalogue: _, logged: _ } = self;
        let writes = effects
            .into_iter()
            .map(|Effect { key, revision, value }| {
                let key = Key::new(key).map_err(|_| InvalidEntry::Field("key"))?;
                Ok(Written { key, value, revision: Revision::from_number(revision) })
            })
            .collect::<Result<_, InvalidEntry>>()?;
        Ok(Change { position, kind, time: Timestamp::from_millis(time_ms), actor, writes, audit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that the first release wrote: they are read for ever.
    const FIRST_RELEASE: &[u8] = &[
        0x08, 1, 0x12, 4, b't', b'e', b's', b't', 0x18, 0x80, 0xd0, 0x95, 0xff, 0xbc, 0x31, 0x22, 2, b'm',
        b'e', 0x2a, 8, 0x0a, 1, b'a', 0x10, 1, 0x1a, 1, b'x', 0x2a, 5, 0x0a, 1, b'b', 0x10, 7, 0x32, 1, b'!',
        0x3a, 0x18, 0x08, 1, 0x12, 16, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0x1a, 2, b'h', b'i',
    ];

    fn sample() -> Entry {
        Entry {
            payload_version: 1,
            kind: "test".into(),
            time_ms: 1_700_000_000_000,
            actor: "me".into(),
            effects: vec![
                Effect { key: b"a".to_vec(), revision: 1, value: Some(b"x".to_vec()) },
                Effect { key: b"b".to_vec(), revision: 7, value: None },
            ],
            audit: Some(b"!".to_vec()),
            catalogue: vec![Catalogued { id: 1, digest: vec![9; 16], value: b"hi".to_vec() }],
            logged: None,
        }
    }

    #[test]
    fn what_the_first_release_wrote_is_still_read() {
        assert_eq!(sample().encode_to_vec(), FIRST_RELEASE);
        assert_eq!(Entry::read(FIRST_RELEASE).unwrap(), sample());
    }

    #[test]
    fn what_the_view_could_not_use_is_refused() {
        let broken: [fn(&mut Entry); 5] = [
            |entry| entry.payload_version = 2,
            |entry| entry.effects[0].key.clear(),
            |entry| entry.effects[0].revision = 0,
            |entry| entry.catalogue[0].id = 0,
            |entry| entry.catalogue[0].digest.truncate(15),
        ];
        for (case, breaks) in broken.iter().enumerate() {
            let mut entry = sample();
            breaks(&mut entry);
            assert!(Entry::read(&entry.encode_to_vec()).is_err(), "case {case} was read");
        }
        assert!(Entry::read(b"\xff\xff").is_err());
    }
}
