//! The file of a report that a person carries: what it begins with, what is signed, and reading it strictly.
//!
//! Agent and collector share these rules, and the command line looks at the beginning before it sends a file. Knows
//! nothing of keys and certificates: whoever calls signs or verifies [`signed_text`].

use bytes::Bytes;
use prost::Message;

use crate::{convert::Invalid, limits, prescan, v1};

/// The value of the first field of every such file.
pub const FORMAT: &str = "muster.v1.SignedReport";
/// The file's first bytes: tag and length of that field, and its value.
pub const BEGINNING: &[u8] = b"\x0a\x16muster.v1.SignedReport";
/// The most bytes of a file.
pub const FILE_BYTES: usize = limits::IMPORT_BYTES;

/// No certificate is longer, in bytes.
const CERTIFICATE_BYTES: usize = 16 * 1024;
/// No signature is longer, in bytes.
const SIGNATURE_BYTES: usize = 256;
/// Random bytes that name a count.
const EPOCH_BYTES: usize = 16;

/// Why a file is no carried report. What to do about it is the reader's to say.
#[derive(Debug, thiserror::Error)]
pub enum NotCarried {
    /// It does not begin as one.
    #[error("it does not begin as a report that muster-agent export wrote")]
    Format,
    /// Longer than [`FILE_BYTES`].
    #[error("it is longer than the {FILE_BYTES} bytes that a report may have")]
    TooLong,
    /// It begins as one and does not go on as one.
    #[error("it was cut short, or changed after it was written")]
    Damaged,
    /// The report within can't be read, though it is as it was signed.
    #[error("the report in it is not usable: {0}")]
    Report(#[from] Invalid),
}

/// What is signed: the format, so that no other signature of the same key fits, and the SHA-256 of the report.
pub fn signed_text(report_sha256: &[u8; 32]) -> Vec<u8> {
    [FORMAT.as_bytes(), b"\0", report_sha256].concat()
}

/// Reads a file. Nothing may stand in it beside its four fields, each once and in the one form that is written.
///
/// # Errors
/// When it is anything else.
pub fn read_file(file: Bytes) -> Result<v1::SignedReport, NotCarried> {
    if file.len() > FILE_BYTES {
        return Err(NotCarried::TooLong);
    }
    if !file.starts_with(BEGINNING) {
        return Err(NotCarried::Format);
    }
    let length = file.len();
    let signed = v1::SignedReport::decode(file).map_err(|_| NotCarried::Damaged)?;
    let within = signed.certificate.len() <= CERTIFICATE_BYTES && signed.signature.len() <= SIGNATURE_BYTES;
    if signed.format != FORMAT || !within || signed.encoded_len() != length {
        return Err(NotCarried::Damaged);
    }
    Ok(signed)
}

/// Reads the report of a file whose signature has been verified: whoever holds an agent's key may still be hostile.
///
/// # Errors
/// When a list is over its bound or a field holds what it can't.
pub fn read_report(report: Bytes) -> Result<v1::CarriedReport, NotCarried> {
    prescan::carried_report(&report)?;
    let carried = v1::CarriedReport::decode(report)
        .map_err(|source| Invalid::Undecodable { message: "muster.v1.CarriedReport", source })?;
    let v1::CarriedReport {
        agent_version,
        export_epoch,
        sequence,
        spool_epoch,
        spool_next,
        observed_time: _,
        privacy: _,
        neighbour_networks: _,
        evidence: _,
        chunks,
        withheld: _,
    } = &carried;
    let malformed = |field| Err(Invalid::Malformed { field }.into());
    if agent_version.len() > limits::TEXT_BYTES {
        return malformed("agent_version");
    }
    if export_epoch.len() != EPOCH_BYTES || *sequence == 0 {
        return malformed("export_epoch");
    }
    if (spool_epoch.len() != EPOCH_BYTES || *spool_next == 0) && !(spool_epoch.is_empty() && *spool_next == 0)
    {
        return malformed("spool_epoch");
    }
    if chunks.iter().any(|chunk| chunk.sequence != *sequence) {
        return malformed("chunks");
    }
    Ok(carried)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> v1::SignedReport {
        v1::SignedReport {
            format: FORMAT.to_owned(),
            certificate: vec![1; 300].into(),
            signature: vec![2; 70].into(),
            report: report().encode_to_vec().into(),
        }
    }

    fn report() -> v1::CarriedReport {
        v1::CarriedReport {
            export_epoch: vec![3; EPOCH_BYTES],
            sequence: 7,
            chunks: vec![v1::Envelope { sequence: 7, ..v1::Envelope::default() }],
            ..v1::CarriedReport::default()
        }
    }

    #[test]
    fn a_file_begins_as_it_should_and_is_read() {
        let file = signed().encode_to_vec();
        assert!(file.starts_with(BEGINNING));
        assert_eq!(read_file(file.into()).unwrap(), signed());
        assert_eq!(read_report(report().encode_to_vec().into()).unwrap(), report());
    }

    #[test]
    fn a_file_that_holds_anything_else_is_refused() {
        let whole = signed().encode_to_vec();
        for end in 0..whole.len() {
            // Cut between two fields it is a message still, of which one field is empty; that has no signature.
            if let Ok(read) = read_file(whole[..end].to_vec().into()) {
                assert!(read.signature.is_empty() || read.report.is_empty(), "cut at {end}");
            }
        }
        let and = |more: &[u8]| [whole.as_slice(), more].concat();
        let twice = v1::SignedReport { report: vec![9].into(), ..v1::SignedReport::default() };
        for (what, file) in [
            ("an unknown field", and(&[0x78, 0x01])),
            ("a field twice", and(&twice.encode_to_vec())),
            ("an empty field", and(&[0x22, 0x00])),
            ("something behind it", and(b"\0")),
            ("another format", v1::SignedReport { format: format!("{FORMAT}2"), ..signed() }.encode_to_vec()),
            (
                "a giant certificate",
                v1::SignedReport { certificate: vec![0; 20_000].into(), ..signed() }.encode_to_vec(),
            ),
            ("nothing", Vec::new()),
            ("more than there may be", vec![0; FILE_BYTES + 1]),
        ] {
            assert!(read_file(file.into()).is_err(), "{what}");
        }
    }

    #[test]
    fn a_report_that_grows_or_contradicts_itself_is_refused() {
        let evidence = [0x4a, 0x00].repeat(limits::EVIDENCE_ITEMS + 1);
        let large = v1::Item { installation: Some(v1::Installation::default()), ..v1::Item::default() };
        for (what, bytes) in [
            ("too much evidence", evidence),
            ("chunks without end", [0x52, 0x00].repeat(1_000)),
            ("no epoch", v1::CarriedReport { export_epoch: Vec::new(), ..report() }.encode_to_vec()),
            ("sequence 0", v1::CarriedReport { sequence: 0, chunks: Vec::new(), ..report() }.encode_to_vec()),
            ("half a spool", v1::CarriedReport { spool_next: 4, ..report() }.encode_to_vec()),
            ("another report's chunk", v1::CarriedReport { sequence: 8, ..report() }.encode_to_vec()),
        ] {
            assert!(read_report(bytes.into()).is_err(), "{what}");
        }
        let fits = v1::CarriedReport { evidence: vec![large; limits::EVIDENCE_ITEMS], ..report() };
        assert!(read_report(fits.encode_to_vec().into()).is_ok());
    }
}
