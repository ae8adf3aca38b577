//! Splits a report into envelopes that fit the wire.
//!
//! A chunk is filled up to a size that fits a message even when it doesn't compress; a compressed payload is used
//! only where it is smaller.

use bytes::Bytes;
use muster_common::time::EndpointTime;
use muster_proto::{convert, v1};
use prost::Message;

/// A chunk's items and errors, encoded, in bytes; the rest of a message is left for heads and framing.
const CHUNK_BYTES: usize = 768 * 1024;
/// The sections of one report, encoded, together, in bytes: whoever fills a report stops there. The bound of the
/// wire is higher, since chunks repeat heads.
pub const REPORT_BYTES: usize = 24 * 1024 * 1024;
/// Payloads shorter than this never become smaller.
const WORTH_COMPRESSING_BYTES: usize = 128;
/// zstd's own default: about as fast as the encoding, and close to the best for short texts.
const ZSTD_LEVEL: i32 = 3;

/// The envelopes of one report, in order; there is always at least one.
pub fn envelopes(
    sequence: u64,
    observed: Option<EndpointTime>,
    sections: Vec<v1::SectionReport>,
) -> Vec<v1::Envelope> {
    let mut chunks = Chunks { observed, done: Vec::new(), open: Vec::new(), used: 0 };
    for section in sections {
        chunks.add(section);
    }
    chunks.close();
    let last = chunks.done.len() - 1;
    chunks
        .done
        .into_iter()
        .enumerate()
        .map(|(index, payload)| {
            let (codec, payload) = compress(payload);
            v1::Envelope {
                sequence,
                chunk: u32::try_from(index).expect("a section's bounds keep chunks to a few dozen"),
                last_chunk: index == last,
                codec: codec.into(),
                payload,
            }
        })
        .collect()
}

struct Chunks {
    observed: Option<EndpointTime>,
    done: Vec<Vec<u8>>,
    open: Vec<v1::SectionReport>,
    used: usize,
}

impl Chunks {
    fn add(&mut self, section: v1::SectionReport) {
        let v1::SectionReport {
            section: name,
            status,
            base_digest,
            result_digest,
            upserts,
            removed_keys,
            errors,
            changed_times,
        } = section;
        let head = v1::SectionReport {
            section: name,
            status,
            base_digest,
            result_digest,
            upserts: Vec::new(),
            removed_keys: Vec::new(),
            errors: Vec::new(),
            changed_times: Vec::new(),
        };
        let error_bytes: usize = errors.iter().map(Message::encoded_len).sum();
        self.make_room(head.encoded_len() + error_bytes);
        self.used += head.encoded_len() + error_bytes;
        self.open.push(v1::SectionReport { errors, changed_times, ..head.clone() });
        for item in upserts {
            self.part(&head, item.encoded_len()).upserts.push(item);
        }
        for key in removed_keys {
            self.part(&head, key.len()).removed_keys.push(key);
        }
    }

    /// The open part of the section, in a new chunk when `length` more bytes would not fit.
    fn part(&mut self, head: &v1::SectionReport, length: usize) -> &mut v1::SectionReport {
        // Tag and length prefix.
        let length = length + 4;
        if self.make_room(length) {
            self.open.push(head.clone());
        }
        self.used += length;
        self.open.last_mut().expect("the section's own part was pushed first")
    }

    /// Closes the chunk when `length` more bytes would not fit; says whether it did.
    fn make_room(&mut self, length: usize) -> bool {
        let full = self.used > 0 && self.used + length > CHUNK_BYTES;
        if full {
            self.close();
        }
        full
    }

    fn close(&mut self) {
        let report = v1::Report {
            observed_time: self.observed.map(convert::to_timestamp_endpoint),
            sections: std::mem::take(&mut self.open),
        };
        self.done.push(report.encode_to_vec());
        self.used = 0;
    }
}

fn compress(payload: Vec<u8>) -> (v1::Codec, Bytes) {
    if payload.len() >= WORTH_COMPRESSING_BYTES {
        match zstd::bulk::compress(&payload, ZSTD_LEVEL) {
            Ok(smaller) if smaller.len() < payload.len() => return (v1::Codec::Zstd, smaller.into()),
            // Not worth it, or not possible: the plain form is always good.
            Ok(_) | Err(_) => {}
        }
    }
    (v1::Codec::Identity, payload.into())
}

#[cfg(test)]
mod tests {
    use muster_proto::limits;

    use super::*;

    /// Bytes that do not compress.
    fn noise(seed: u64, length: usize) -> Bytes {
        let mut bytes = vec![0; length];
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.finalize_xof().fill(&mut bytes);
        bytes.into()
    }

    fn section(name: &str, items: u64, item_bytes: usize) -> v1::SectionReport {
        let item = |n| v1::EncodedItem {
            key_digest: noise(n, 16),
            body: noise(n + 1_000_000, item_bytes),
            installation: Bytes::new(),
        };
        v1::SectionReport {
            section: name.to_owned(),
            status: v1::SectionStatus::Complete.into(),
            base_digest: Some(noise(1, 32).to_vec()),
            result_digest: noise(2, 32).to_vec(),
            upserts: (0..items).map(item).collect(),
            removed_keys: (0..items / 2).map(|n| noise(n, 16).to_vec()).collect(),
            errors: vec![v1::SourceError { subject: name.to_owned(), kind: 1, message: "m".repeat(1000) }],
            changed_times: vec![convert::to_timestamp_endpoint(EndpointTime::from_millis(5))],
        }
    }

    /// Puts chunks together the way a collector does.
    fn join(envelopes: &[v1::Envelope]) -> Vec<v1::SectionReport> {
        let mut joined: Vec<v1::SectionReport> = Vec::new();
        for (index, envelope) in envelopes.iter().enumerate() {
            assert_eq!(envelope.chunk as usize, index);
            assert_eq!(envelope.last_chunk, index + 1 == envelopes.len());
            assert!(envelope.encoded_len() + 64 <= limits::MESSAGE_BYTES, "{}", envelope.encoded_len());
            let payload = match envelope.codec() {
                v1::Codec::Zstd => zstd::bulk::decompress(&envelope.payload, limits::PAYLOAD_BYTES).unwrap(),
                v1::Codec::Identity | v1::Codec::Unspecified => envelope.payload.to_vec(),
            };
            for part in v1::Report::decode(payload.as_slice()).unwrap().sections {
                match joined.last_mut() {
                    Some(open) if open.section == part.section => {
                        assert_eq!(
                            (open.status, &open.base_digest, &open.result_digest),
                            (part.status, &part.base_digest, &part.result_digest)
                        );
                        open.upserts.extend(part.upserts);
                        open.removed_keys.extend(part.removed_keys);
                        open.errors.extend(part.errors);
                        open.changed_times.extend(part.changed_times);
                    }
                    Some(_) | None => joined.push(part),
                }
            }
        }
        joined
    }

    #[test]
    fn chunks_join_to_what_was_split() {
        for sections in [
            vec![],
            vec![section("a", 3, 10)],
            vec![section("a", 300, 16 * 1024), section("b", 2, 10), section("c", 100_000, 20)],
        ] {
            let envelopes = envelopes(7, None, sections.clone());
            assert!(envelopes.iter().all(|envelope| envelope.sequence == 7));
            assert_eq!(join(&envelopes), sections);
        }
    }

    #[test]
    fn a_payload_is_compressed_only_where_that_helps() {
        let codec = |section| envelopes(1, None, vec![section])[0].codec();
        assert_eq!(codec(section("a", 1, 100)), v1::Codec::Zstd);
        let noisy = v1::SectionReport { errors: Vec::new(), ..section("a", 1, 16_000) };
        assert_eq!(codec(noisy), v1::Codec::Identity);
    }
}
