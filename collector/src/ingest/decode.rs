//! An agent's envelopes become section updates: assembled, scanned, decoded, bounded.
//!
//! Knows nothing of stores and identities. What can't be used is a reason for a NACK; the session goes on.

use bytes::Bytes;
use muster_common::{
    delta::{ItemDigest, KeyDigest, SectionDigest},
    inventory::SectionName,
};
use muster_proto::{
    convert::{Invalid, section_errors_from_wire, status_from_wire},
    limits, prescan, v1,
};
use prost::Message;

use crate::{pipeline::observation::SectionUpdate, records::content::RawItem};

/// Why a report can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The chunks do not come one after the other.
    #[error("chunk {found} of sequence {sequence} came where chunk {expected} was due")]
    Chunks {
        /// The report's sequence.
        sequence: u64,
        /// What was due.
        expected: u32,
        /// What came.
        found: u32,
    },
    /// All chunks together are over the bound.
    #[error("the report is larger than {} bytes", limits::REPORT_BYTES)]
    TooLarge,
    /// The envelope names a codec that this version does not know, or its content does not follow it.
    #[error("the payload can't be decompressed")]
    Codec,
    /// A message is not what it should be.
    #[error("the report is not usable: {0}")]
    Invalid(#[from] Invalid),
}

/// Puts the chunks of one report together.
#[derive(Debug, Default)]
pub struct Assembler {
    sequence: u64,
    next_chunk: u32,
    bytes: usize,
    chunks: Vec<Bytes>,
}

impl Assembler {
    /// Takes a chunk; returns the payloads of all chunks of a report when it was the last.
    ///
    /// # Errors
    /// When the chunk is out of order or a bound is passed; the report's chunks are forgotten then.
    pub fn push(&mut self, envelope: v1::Envelope) -> Result<Option<Vec<Bytes>>, Unusable> {
        let v1::Envelope { sequence, chunk, last_chunk, codec, payload } = envelope;
        if chunk == 0 {
            *self = Self { sequence, ..Self::default() };
        }
        if sequence != self.sequence || chunk != self.next_chunk || chunk >= limits::REPORT_CHUNKS {
            let expected = self.next_chunk;
            *self = Self::default();
            return Err(Unusable::Chunks { sequence, expected, found: chunk });
        }
        let payload = match v1::Codec::try_from(codec) {
            Ok(v1::Codec::Identity) => payload,
            Ok(v1::Codec::Zstd) => decompress(&payload)?,
            Ok(v1::Codec::Unspecified) | Err(_) => return Err(Unusable::Codec),
        };
        self.bytes += payload.len();
        if self.bytes > limits::REPORT_BYTES {
            *self = Self::default();
            return Err(Unusable::TooLarge);
        }
        self.next_chunk += 1;
        self.chunks.push(payload);
        Ok(last_chunk.then(|| std::mem::take(&mut self.chunks)))
    }
}

/// Bounded: a bomb is refused at the bound and never grows past it.
fn decompress(payload: &[u8]) -> Result<Bytes, Unusable> {
    use std::io::Read;

    let mut out = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(payload).map_err(|_| Unusable::Codec)?;
    let limit = limits::PAYLOAD_BYTES as u64;
    decoder.take(limit + 1).read_to_end(&mut out).map_err(|_| Unusable::Codec)?;
    if out.len() > limits::PAYLOAD_BYTES {
        return Err(Unusable::TooLarge);
    }
    Ok(Bytes::from(out))
}

/// Decodes the payloads of one report; a section that is split over chunks is one update.
///
/// # Errors
/// When anything in it can't be used: a report is taken whole or not at all.
pub fn updates(payloads: Vec<Bytes>) -> Result<Vec<SectionUpdate>, Unusable> {
    let mut updates: Vec<SectionUpdate> = Vec::new();
    for payload in payloads {
        prescan::report(&payload)?;
        let report = v1::Report::decode(payload)
            .map_err(|source| Invalid::Undecodable { message: "muster.v1.Report", source })?;
        for section in report.sections {
            let update = section_update(section)?;
            match updates.iter().position(|known| known.name == update.name) {
                Some(place) => join(&mut updates[place], update)?,
                None if updates.len() < limits::SECTIONS => updates.push(update),
                None => {
                    let (length, limit) = (updates.len() + 1, limits::SECTIONS);
                    return Err(Invalid::TooLong { field: "sections", length, limit }.into());
                }
            }
        }
    }
    Ok(updates)
}

/// Adds a later chunk's part of a section.
fn join(known: &mut SectionUpdate, part: SectionUpdate) -> Result<(), Invalid> {
    if known.base != part.base || known.result != part.result || known.status != part.status {
        return Err(Invalid::Malformed { field: "sections" });
    }
    known.upserts.extend(part.upserts);
    known.removed.extend(part.removed);
    for (field, length) in [("upserts", known.upserts.len()), ("removed_keys", known.removed.len())] {
        if length > limits::SECTION_ITEMS {
            return Err(Invalid::TooLong { field, length, limit: limits::SECTION_ITEMS });
        }
    }
    Ok(())
}

fn section_update(section: v1::SectionReport) -> Result<SectionUpdate, Invalid> {
    let v1::SectionReport {
        section,
        status,
        base_digest,
        result_digest,
        upserts,
        removed_keys,
        errors,
        // History takes the newest state; the times between are not kept yet.
        changed_times: _,
    } = section;
    let digest = |field, bytes: &[u8]| SectionDigest::from_slice(bytes).ok_or(Invalid::Malformed { field });
    Ok(SectionUpdate {
        name: SectionName::new(section).map_err(|_| Invalid::Malformed { field: "section" })?,
        status: status_from_wire(status),
        base: base_digest.map(|bytes| digest("base_digest", &bytes)).transpose()?,
        result: digest("result_digest", &result_digest)?,
        upserts: upserts.into_iter().map(raw_item).collect::<Result<_, _>>()?,
        removed: removed_keys
            .iter()
            .map(|key| KeyDigest::from_slice(key).ok_or(Invalid::Malformed { field: "removed_keys" }))
            .collect::<Result<_, _>>()?,
        errors: section_errors_from_wire(errors)?,
    })
}

fn raw_item(item: v1::EncodedItem) -> Result<RawItem, Invalid> {
    let v1::EncodedItem { key_digest, body, installation } = item;
    for (field, length) in [("body", body.len()), ("installation", installation.len())] {
        if length > limits::ITEM_BYTES {
            return Err(Invalid::TooLong { field, length, limit: limits::ITEM_BYTES });
        }
    }
    let key = KeyDigest::from_slice(&key_digest).ok_or(Invalid::Malformed { field: "key_digest" })?;
    Ok(RawItem { key, digest: ItemDigest::of(&body, &installation), body, installation })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(sequence: u64, chunk: u32, last_chunk: bool, report: &v1::Report) -> v1::Envelope {
        let payload = zstd::encode_all(report.encode_to_vec().as_slice(), 1).unwrap().into();
        v1::Envelope { sequence, chunk, last_chunk, codec: v1::Codec::Zstd.into(), payload }
    }

    fn report(keys: &[u8]) -> v1::Report {
        let upserts = keys
            .iter()
            .map(|key| v1::EncodedItem {
                key_digest: vec![*key; 16].into(),
                body: vec![*key].into(),
                installation: Bytes::new(),
            })
            .collect();
        let section = v1::SectionReport {
            section: "software.dpkg".to_owned(),
            status: v1::SectionStatus::Complete.into(),
            result_digest: vec![7; 32],
            upserts,
            ..v1::SectionReport::default()
        };
        v1::Report { observed_time: None, sections: vec![section] }
    }

    #[test]
    fn chunks_of_a_section_become_one_update() {
        let mut assembler = Assembler::default();
        assert!(assembler.push(envelope(4, 0, false, &report(&[1, 2]))).unwrap().is_none());
        let payloads = assembler.push(envelope(4, 1, true, &report(&[3]))).unwrap().unwrap();
        let updates = updates(payloads).unwrap();
        assert_eq!(updates.len(), 1);
        assert_eq!(updates[0].upserts.len(), 3);
    }

    #[test]
    fn chunks_out_of_order_are_refused_and_forgotten() {
        let mut assembler = Assembler::default();
        assert!(assembler.push(envelope(4, 1, true, &report(&[1]))).is_err());
        assert!(assembler.push(envelope(4, 0, false, &report(&[1]))).unwrap().is_none());
        assert!(assembler.push(envelope(5, 1, true, &report(&[1]))).is_err(), "of another report");
        assert!(assembler.push(envelope(5, 0, true, &report(&[1]))).unwrap().is_some());
    }

    #[test]
    fn a_bomb_is_refused_at_the_bound() {
        let bomb = zstd::encode_all(vec![0u8; 64 * 1024 * 1024].as_slice(), 1).unwrap();
        assert!(bomb.len() < limits::MESSAGE_BYTES);
        let codec = v1::Codec::Zstd.into();
        let envelope = v1::Envelope { sequence: 1, chunk: 0, last_chunk: true, codec, payload: bomb.into() };
        assert!(matches!(Assembler::default().push(envelope), Err(Unusable::TooLarge)));
    }

    #[test]
    fn hostile_sections_are_refused() {
        let mut bad = report(&[1]);
        bad.sections[0].section = "../etc".to_owned();
        let mut short = report(&[1]);
        short.sections[0].result_digest = vec![1; 31];
        let mut key = report(&[1]);
        key.sections[0].upserts[0].key_digest = Bytes::new();
        for report in [bad, short, key] {
            assert!(updates(vec![report.encode_to_vec().into()]).is_err());
        }
    }
}
