//! Bounds on everything that comes from a wire, checked before anything is allocated for it.
//!
//! Each number is the most that an honest endpoint needs, several times over; docs/adr says how to widen one.

/// A message on a stream, before it is decoded.
pub const MESSAGE_BYTES: usize = 1024 * 1024;
/// An envelope's payload after decompression.
pub const PAYLOAD_BYTES: usize = 4 * 1024 * 1024;
/// The payloads of all chunks of one report together.
pub const REPORT_BYTES: usize = 32 * 1024 * 1024;
/// Chunks of one report.
pub const REPORT_CHUNKS: u32 = 256;
/// Sections in a report or an inventory.
pub const SECTIONS: usize = 64;
/// Items in one section.
pub const SECTION_ITEMS: usize = 100_000;
/// One encoded item's body.
pub const ITEM_BYTES: usize = 16 * 1024;
/// Errors in one section.
pub const SECTION_ERRORS: usize = 64;
/// Times at which one section changed while it could not be reported.
pub const SECTION_CHANGED_TIMES: usize = 32;
/// Any text that a device or a person wrote, in bytes.
pub const TEXT_BYTES: usize = 1024;
/// Texts in a list of one item, such as the members of a group.
pub const TEXT_LIST: usize = 1000;
/// Addresses of one adapter.
pub const ADAPTER_ADDRESSES: usize = 64;
/// Items of evidence at enrolment and in Hello.
pub const EVIDENCE_ITEMS: usize = 512;
/// Networks on which neighbours may be listed.
pub const NEIGHBOUR_NETWORKS: usize = muster_common::governance::NEIGHBOUR_NETWORKS;
/// A certificate request.
pub const CSR_BYTES: usize = 16 * 1024;
/// A digest of a key: BLAKE3, shortened.
pub const KEY_DIGEST_BYTES: usize = 16;
/// A digest of a section: BLAKE3, whole.
pub const SECTION_DIGEST_BYTES: usize = 32;
/// A filter, as text.
pub const FILTER_BYTES: usize = 8 * 1024;
/// A file that proves something of an asset.
pub const EVIDENCE_BYTES: usize = 10 * 1024 * 1024;
/// A file to import.
pub const IMPORT_BYTES: usize = 16 * 1024 * 1024;
/// A file to import that comes in parts.
pub const IMPORT_FILE_BYTES: usize = 64 * 1024 * 1024;
/// One part of such a file.
pub const IMPORT_PART_BYTES: usize = 256 * 1024;
