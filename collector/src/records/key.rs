//! Which key holds what: a letter for the kind, a slash, and the id. Never changed, since data lies under them.

use muster_common::{
    id::{AgentId, DeviceId, EnrollmentId, ExceptionId, PersonId, RequestId},
    inventory::SectionName,
    source::{ImportName, SubjectKey},
};

use crate::store::{InvalidKey, Key};

/// What scans go over.
pub const DEVICES: &[u8] = b"d/";
/// Subjects.
pub const SUBJECTS: &[u8] = b"s/";
/// Enrolment tokens.
pub const TOKENS: &[u8] = b"t/";
/// Agents' identities.
pub const AGENTS: &[u8] = b"a/";
/// Accounts of the API.
pub const ACCOUNTS: &[u8] = b"o/";
/// Persons.
pub const PERSONS: &[u8] = b"p/";
/// Histories of all devices.
pub const HISTORIES: &[u8] = b"h/";
/// Versions of the charter.
pub const CHARTERS: &[u8] = b"g/";
/// Exceptions from findings.
pub const EXCEPTIONS: &[u8] = b"x/";
/// What was chosen about kinds of files that are imported.
pub const MAPPINGS: &[u8] = b"k/m/";
/// Rows of imports that could not be used.
pub const REFUSED_ROWS: &[u8] = b"r/";
/// Requests to buy something.
pub const REQUESTS: &[u8] = b"l/r";

fn short(prefix: &[u8], rest: &[u8]) -> Key {
    Key::new([prefix, rest].concat()).expect("a prefix and at most 100 bytes fit a key")
}

/// A device's record.
pub fn device(id: DeviceId) -> Key {
    short(DEVICES, id.as_bytes())
}

/// A subject's record.
pub fn subject(key: &SubjectKey) -> Key {
    short(SUBJECTS, key.as_str().as_bytes())
}

/// Where the records of subjects lie whose keys begin so.
pub fn subjects_beginning(start: &str) -> Vec<u8> {
    [SUBJECTS, start.as_bytes()].concat()
}

/// The content of a section of a subject.
///
/// # Errors
/// When both names together are over the bound of keys.
pub fn content(subject: &SubjectKey, section: &SectionName) -> Result<Key, InvalidKey> {
    Key::new([b"c/", subject.as_str().as_bytes(), b"\0", section.as_str().as_bytes()].concat())
}

/// Who claims an identifier; the value is at most 100 bytes.
///
/// # Errors
/// When both together are over the bound of keys.
pub fn identifier(kind: &str, value: &str) -> Result<Key, InvalidKey> {
    Key::new([b"i/", kind.as_bytes(), b"/", value.as_bytes()].concat())
}

/// An agent's identity.
pub fn agent(id: AgentId) -> Key {
    short(AGENTS, id.as_bytes())
}

/// An enrolment token; its id is at most 32 bytes.
pub fn token(id: &str) -> Key {
    short(TOKENS, &id.as_bytes()[..id.len().min(64)])
}

/// Which enrolment used which key.
pub fn enrolment(id: EnrollmentId) -> Key {
    short(b"e/", id.as_bytes())
}

/// An account of the API.
///
/// # Errors
/// When the name is over the bound of keys.
pub fn account(name: &str) -> Result<Key, InvalidKey> {
    Key::new([ACCOUNTS, name.as_bytes()].concat())
}

/// A person.
pub fn person(id: PersonId) -> Key {
    short(PERSONS, id.as_bytes())
}

/// The person behind a name or address, by its keyed hash.
pub fn person_reference(blind: &[u8; 16]) -> Key {
    short(b"q/", blind)
}

/// The prefix of a device's history.
pub fn history_of(device: DeviceId) -> Vec<u8> {
    [HISTORIES, device.as_bytes()].concat()
}

/// A device's change to a version; newer versions come first in scans.
pub fn history(device: DeviceId, version: u64) -> Key {
    short(&history_of(device), &(u64::MAX - version).to_be_bytes())
}

/// The device that a key of its history names; `None` for any other key.
pub fn device_of_history(key: &Key) -> Option<DeviceId> {
    let rest = key.as_bytes().strip_prefix(HISTORIES)?;
    rest.first_chunk::<16>().copied().map(DeviceId::from_bytes)
}

/// A version of the charter; newer ones come first in scans.
pub fn charter(version: u64) -> Key {
    short(CHARTERS, &(u64::MAX - version).to_be_bytes())
}

/// An exception from a finding.
pub fn exception(id: ExceptionId) -> Key {
    short(EXCEPTIONS, id.as_bytes())
}

/// The prefix of the rows of one import that could not be used.
pub fn refused_rows_of(source: &str) -> Vec<u8> {
    [REFUSED_ROWS, source.as_bytes(), b"/"].concat()
}

/// A mapping of an import.
pub fn mapping(name: &ImportName) -> Key {
    short(MAPPINGS, name.as_str().as_bytes())
}

/// A row of an import that could not be used, by a digest of its content.
pub fn refused_row(source: &str, digest: &[u8; 16]) -> Key {
    short(REFUSED_ROWS, &[source.as_bytes(), b"/", digest].concat())
}

/// Counts of the gaps between sources, by day.
pub const GAP_COUNTS: &[u8] = b"k/g/";

/// The counts of one day, in days since the epoch; later days come later in scans.
pub fn gap_counts(day: u32) -> Key {
    short(GAP_COUNTS, &day.to_be_bytes())
}

/// The prefix of the reviews that name a device as a candidate.
pub fn reviews_naming(device: DeviceId) -> Vec<u8> {
    [b"w/", device.as_bytes().as_slice()].concat()
}

/// That a subject's review names a device as a candidate.
pub fn review_naming(device: DeviceId, subject: &SubjectKey) -> Key {
    short(&reviews_naming(device), subject.as_str().as_bytes())
}

/// An identity decision that waits for an operator.
pub fn review(subject: &SubjectKey) -> Key {
    short(b"v/", subject.as_str().as_bytes())
}

/// A request to buy something.
pub fn request(id: RequestId) -> Key {
    short(REQUESTS, id.as_bytes())
}

/// A hand-over, by the hash of its code.
pub fn handover(code: &[u8; 32]) -> Key {
    short(b"l/h", code)
}

/// The prefix of the evidence that belongs to a device.
pub fn evidence_of(device: DeviceId) -> Vec<u8> {
    [b"b/", device.as_bytes().as_slice()].concat()
}

/// That a file proves something of a device, by the file's SHA-256.
pub fn evidence(device: DeviceId, sha256: &[u8; 32]) -> Key {
    short(&evidence_of(device), sha256)
}
