//! Counts a report's entries before it is decoded, so that no message can make memory grow that its honest form
//! would not need: 4 MiB of empty entries would become more than 100 MiB.
//!
//! Walks the wire format (protobuf.dev/programming-guides/encoding) in one pass and allocates nothing.

use prost::encoding::{WireType, decode_key, decode_varint};

use crate::{convert::Invalid, limits};

/// Field numbers of `muster.v1.Report` and `muster.v1.SectionReport`.
const REPORT_SECTIONS: u32 = 2;
const SECTION_UPSERTS: u32 = 5;
const SECTION_REMOVED_KEYS: u32 = 6;
const SECTION_ERRORS: u32 = 7;
/// Field numbers of `muster.v1.CarriedReport`.
const CARRIED_NETWORKS: u32 = 8;
const CARRIED_EVIDENCE: u32 = 9;
const CARRIED_CHUNKS: u32 = 10;
const CARRIED_WITHHELD: u32 = 11;

/// Fields of a message that this version does not know or that stand once.
const OTHER_FIELDS: usize = 64;

/// Checks an encoded `muster.v1.Report`.
///
/// # Errors
/// [`Invalid::TooLong`] names the list that is over its bound, [`Invalid::Undecodable`] says that this is no report.
pub fn report(bytes: &[u8]) -> Result<(), Invalid> {
    let (mut sections, mut others) = (0, 0);
    walk(bytes, "muster.v1.Report", |field, content| {
        match (field, content) {
            (REPORT_SECTIONS, Some(section)) => {
                count("sections", &mut sections, limits::SECTIONS)?;
                self::section(section)?;
            }
            _ => count("fields of the report", &mut others, OTHER_FIELDS)?,
        }
        Ok(())
    })
}

/// Checks an encoded `muster.v1.CarriedReport`; its chunks hold reports, each to be checked by itself.
///
/// # Errors
/// As [`report`].
pub fn carried_report(bytes: &[u8]) -> Result<(), Invalid> {
    let (mut networks, mut items, mut chunks, mut withheld, mut others) = (0, 0, 0, 0, 0);
    let mut evidence_bytes = 0;
    walk(bytes, "muster.v1.CarriedReport", |field, content| match (field, content) {
        (CARRIED_NETWORKS, Some(_)) => count("neighbour_networks", &mut networks, limits::NEIGHBOUR_NETWORKS),
        (CARRIED_EVIDENCE, Some(item)) => {
            count("evidence", &mut items, limits::EVIDENCE_ITEMS)?;
            // On the stream all of it stands in one message.
            evidence_bytes += item.len();
            let limit = limits::MESSAGE_BYTES;
            if evidence_bytes > limit {
                return Err(Invalid::TooLong { field: "evidence", length: evidence_bytes, limit });
            }
            Ok(())
        }
        (CARRIED_CHUNKS, Some(_)) => count("chunks", &mut chunks, limits::REPORT_CHUNKS as usize),
        (CARRIED_WITHHELD, Some(_)) => count("withheld", &mut withheld, limits::SECTIONS),
        _ => count("fields of the report", &mut others, OTHER_FIELDS),
    })
}

fn section(bytes: &[u8]) -> Result<(), Invalid> {
    let (mut upserts, mut removed, mut errors, mut others) = (0, 0, 0, 0);
    walk(bytes, "muster.v1.SectionReport", |field, content| match (field, content) {
        (SECTION_UPSERTS, Some(item)) => {
            count("upserts", &mut upserts, limits::SECTION_ITEMS)?;
            if item.len() > limits::ITEM_BYTES * 2 {
                return Err(Invalid::TooLong {
                    field: "upserts",
                    length: item.len(),
                    limit: limits::ITEM_BYTES * 2,
                });
            }
            Ok(())
        }
        (SECTION_REMOVED_KEYS, Some(_)) => count("removed_keys", &mut removed, limits::SECTION_ITEMS),
        (SECTION_ERRORS, Some(_)) => count("errors", &mut errors, limits::SECTION_ERRORS),
        _ => count("fields of a section", &mut others, OTHER_FIELDS),
    })
}

fn count(field: &'static str, so_far: &mut usize, limit: usize) -> Result<(), Invalid> {
    *so_far += 1;
    if *so_far > limit {
        return Err(Invalid::TooLong { field, length: *so_far, limit });
    }
    Ok(())
}

/// Calls `visit` with each field's number and, where it has a length, its content.
fn walk(
    mut bytes: &[u8],
    message: &'static str,
    mut visit: impl FnMut(u32, Option<&[u8]>) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    let undecodable = |source| Invalid::Undecodable { message, source };
    while !bytes.is_empty() {
        let (field, wire_type) = decode_key(&mut bytes).map_err(undecodable)?;
        let length = match wire_type {
            WireType::Varint => {
                decode_varint(&mut bytes).map_err(undecodable)?;
                visit(field, None)?;
                continue;
            }
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            WireType::LengthDelimited => decode_varint(&mut bytes).map_err(undecodable)?,
            WireType::StartGroup | WireType::EndGroup => return Err(Invalid::Malformed { field: message }),
        };
        let content = usize::try_from(length).ok().and_then(|length| bytes.split_at_checked(length));
        let Some((content, rest)) = content else { return Err(Invalid::Malformed { field: message }) };
        visit(field, Some(content))?;
        bytes = rest;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::v1;

    #[test]
    fn an_honest_report_passes() {
        let item = v1::EncodedItem { body: vec![1; 100].into(), ..v1::EncodedItem::default() };
        let section = v1::SectionReport { upserts: vec![item; 1000], ..v1::SectionReport::default() };
        let report = v1::Report { sections: vec![section; 5], ..v1::Report::default() };
        assert_eq!(super::report(&report.encode_to_vec()), Ok(()));
    }

    #[test]
    fn what_would_grow_is_refused() {
        // A section (tag 0x12) of two million empty upserts (tag 0x2a, length 0).
        let entries = [0x2a, 0x00].repeat(2_000_000);
        let mut bytes = vec![0x12];
        prost::encoding::encode_varint(entries.len() as u64, &mut bytes);
        bytes.extend(entries);
        assert!(matches!(report(&bytes), Err(Invalid::TooLong { field: "upserts", .. })));
        assert!(matches!(report(&[0x12, 0x00].repeat(65)), Err(Invalid::TooLong { field: "sections", .. })));
        assert!(matches!(report(&[0x78, 0x00].repeat(100)), Err(Invalid::TooLong { .. })), "unknown fields");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bytes in [&[0x12, 0x05, 0x00][..], &[0x12, 0xff, 0xff, 0xff, 0xff, 0x7f], &[0x13, 0x14], &[0xff]]
        {
            assert!(report(bytes).is_err(), "{bytes:?}");
        }
    }
}
