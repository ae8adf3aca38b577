//! A signed report of the whole machine, as the bytes of a file that a person carries to the collector.
//!
//! It is signed with the enrolled key and says where exports and spool stood, so that a collector can tell which of two
//! reports is later without believing a clock. It takes no part in what the session believes to be acknowledged: the
//! service may run meanwhile. Knows nothing of the file's place and of who carries it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use muster_common::{
    governance::AgentSettings,
    id::AgentId,
    inventory::{SectionName, Usage},
    time::EndpointTime,
};
use muster_proto::{carried, convert, v1};
use prost::Message;
use ring::digest::{SHA256, digest};

use crate::{
    asked,
    config::Settings,
    credentials::{
        files::{CredentialError, CredentialFiles, Slot},
        identity::{Identity, IdentityError},
    },
    owner::{OwnerError, as_owner, is_root},
    permissions::Permissions,
    report::{EncodedInventory, EncodedSection, Held, REPORT_BYTES, envelopes, step},
    spool::{EpochError, Sequence},
    state_file::StateFileError,
    supervisor::{Machine, ReadError, StateLock, StateLockError},
    transport::disk::off_thread,
    usage,
};

/// A report, ready to be written to a file.
#[derive(Debug)]
pub struct Export {
    /// The file's content.
    pub file: Vec<u8>,
    /// Who signed it.
    pub agent: AgentId,
    /// Which of its exports it is.
    pub sequence: u64,
    /// When the machine was read, by its own clock.
    pub observed: Option<EndpointTime>,
    /// How many sections it has.
    pub sections: usize,
    /// How many items.
    pub items: usize,
    /// Sections that did not fit into one report.
    pub left_out: Vec<SectionName>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is no key that a collector knows.
    #[error(
        "this machine is not enrolled, so no collector could tell whose report it is: enrol it once where it reaches the collector (muster-agent enroll --token-file FILE), then carry reports from wherever it stands"
    )]
    NotEnrolled,
    /// The state folder's owner.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// The identity.
    #[error("the agent's identity can't be used")]
    Credentials(#[from] CredentialError),
    /// Another export is under way.
    #[error("another export may be under way")]
    Lock(#[from] StateLockError),
    /// The count of the session's reports.
    #[error("where the spool stands can't be read; start the service once, so that it begins a new one")]
    Spool(#[from] StateFileError),
    /// The count of exports.
    #[error("the number of this export can't be kept in {folder}")]
    Number {
        /// The state folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: EpochError,
    },
    /// The machine.
    #[error(transparent)]
    Machine(#[from] ReadError),
    /// What tells which machine it is was out of this user's reach.
    #[error(
        "{subject} can't be read by this user, and without it the report would seem to be another machine's; run muster-agent export as root"
    )]
    NotPermitted {
        /// What.
        subject: String,
    },
    /// The key.
    #[error("the report can't be signed")]
    Sign(#[from] IdentityError),
    /// More than an import takes.
    #[error(
        "the report has {bytes} bytes, and a collector takes {} at most; switch sources off in sources.disabled",
        carried::FILE_BYTES
    )]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
}

/// What the state folder says before the machine is read.
struct Known {
    identity: Identity,
    asked: AgentSettings,
    spool: Option<Sequence>,
    /// What the service found of the use of applications; whether it may be told is decided where it is read.
    uses: Option<Arc<[Usage]>>,
}

/// Reads the machine and signs what was found.
pub async fn export(settings: &Settings, machine: &Machine) -> Result<Export, ExportError> {
    let folder = settings.state_dir.clone();
    // A folder that nobody made yet is not made here: it would not belong to the service.
    if !folder.is_dir() {
        return Err(ExportError::NotEnrolled);
    }
    let known = in_state(folder.clone(), read_state).await?;
    let permissions = Permissions::new(settings.privacy, &known.asked);
    machine.told().set(known.uses);
    let inventory = machine.read_under(permissions).await?.inventory;
    if !is_root() {
        check_permitted(&inventory)?;
    }
    let number = in_state(folder, |folder| {
        let _lock = StateLock::take_exports(folder)?;
        Sequence::take_export(folder)
            .map_err(|source| ExportError::Number { folder: folder.to_owned(), source })
    })
    .await?;
    let agent = known.identity.agent_id;
    let (report, contents) = report(&inventory, number, known.spool);
    let file = sign(&known.identity, &report)?;
    if file.len() > carried::FILE_BYTES {
        return Err(ExportError::TooLarge { bytes: file.len() });
    }
    let Contents { sections, items, left_out } = contents;
    Ok(Export { file, agent, sequence: number.next, observed: inventory.observed, sections, items, left_out })
}

/// Signs a report; the result is the file.
pub fn sign(identity: &Identity, report: &v1::CarriedReport) -> Result<Vec<u8>, IdentityError> {
    let report = report.encode_to_vec();
    let hash = digest(&SHA256, &report);
    let hash = hash.as_ref().try_into().expect("SHA-256 has 32 bytes");
    let signed = v1::SignedReport {
        format: carried::FORMAT.to_owned(),
        certificate: identity.certificate()?.to_vec().into(),
        signature: identity.sign(&carried::signed_text(hash))?.into(),
        report: report.into(),
    };
    Ok(signed.encode_to_vec())
}

async fn in_state<T: Send + 'static>(
    folder: PathBuf,
    work: impl FnOnce(&Path) -> Result<T, ExportError> + Send + 'static,
) -> Result<T, ExportError> {
    off_thread(move || as_owner(&folder, || work(&folder))?).await
}

fn read_state(folder: &Path) -> Result<Known, ExportError> {
    let identity = CredentialFiles::open(folder)?.load(Slot::Current)?.ok_or(ExportError::NotEnrolled)?;
    Ok(Known {
        identity,
        // Without a word of the charter nothing is granted.
        asked: asked::load(folder).unwrap_or_default(),
        spool: Sequence::load(folder)?,
        uses: usage::kept(folder),
    })
}

/// Refuses a reading without the machine's serial numbers: the service has a capability for them, other users don't.
fn check_permitted(inventory: &EncodedInventory) -> Result<(), ExportError> {
    let hardware = inventory.sections.get(&SectionName::known(SectionName::HARDWARE));
    let mut errors = hardware.into_iter().flat_map(|section| section.errors());
    match errors.find(|error| error.kind() == v1::ErrorKind::NotPermitted) {
        Some(error) => Err(ExportError::NotPermitted { subject: error.subject.clone() }),
        None => Ok(()),
    }
}

/// What a report has.
struct Contents {
    sections: usize,
    items: usize,
    left_out: Vec<SectionName>,
}

/// Every section in full, the small ones first while they fit.
fn report(
    inventory: &EncodedInventory,
    number: Sequence,
    spool: Option<Sequence>,
) -> (v1::CarriedReport, Contents) {
    let EncodedInventory { observed, sections, evidence, permissions, withheld } = inventory;
    let mut whole: Vec<&EncodedSection> = sections.values().map(AsRef::as_ref).collect();
    whole.sort_by_key(|section| section.item_bytes());
    let mut contents = Contents { sections: 0, items: 0, left_out: Vec::new() };
    let (mut full, mut used) = (Vec::new(), 0);
    for section in whole {
        let Some(step) = step(section, &Held::default(), true) else { continue };
        let length = step.report.encoded_len();
        if used + length > REPORT_BYTES {
            contents.left_out.push(section.name().clone());
            continue;
        }
        used += length;
        contents.sections += 1;
        contents.items += step.report.upserts.len();
        full.push(step.report);
    }
    let granted = convert::settings_to_wire(&permissions.in_words_of_charter());
    let report = v1::CarriedReport {
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        export_epoch: number.epoch.as_bytes().to_vec(),
        sequence: number.next,
        spool_epoch: spool.map(|spool| spool.epoch.as_bytes().to_vec()).unwrap_or_default(),
        spool_next: spool.map_or(0, |spool| spool.next),
        observed_time: observed.map(convert::to_timestamp_endpoint),
        privacy: granted.privacy,
        neighbour_networks: granted.neighbour_networks,
        evidence: evidence.clone(),
        chunks: envelopes(number.next, *observed, full),
        withheld: withheld.iter().map(|name| name.as_str().to_owned()).collect(),
    };
    (report, contents)
}

#[cfg(test)]
mod tests {
    use muster_common::inventory::{ErrorKind, Inventory, Section, SectionStatus, SourceError};

    use super::*;

    fn inventory(section: &'static str, kind: ErrorKind) -> EncodedInventory {
        let error = SourceError {
            subject: "sys/class/dmi/id/product_serial".to_owned(),
            kind,
            message: "permission denied".to_owned(),
        };
        EncodedInventory::new(&Inventory {
            collected: None,
            agent_version: String::new(),
            sections: vec![Section {
                name: SectionName::known(section),
                status: SectionStatus::Partial,
                items: Vec::new(),
                errors: vec![error],
            }],
        })
    }

    #[test]
    fn a_reading_without_serial_numbers_is_refused() {
        let check = |section, kind| check_permitted(&inventory(section, kind));
        let refused = check(SectionName::HARDWARE, ErrorKind::NotPermitted).unwrap_err().to_string();
        assert!(refused.starts_with("sys/class/dmi/id/product_serial can't be read"), "{refused}");
        check(SectionName::HARDWARE, ErrorKind::Malformed).unwrap();
        check(SectionName::SOFTWARE_DPKG, ErrorKind::NotPermitted).unwrap();
    }

    #[test]
    fn a_report_holds_every_section_in_full_and_says_where_the_spool_stood() {
        let taken = |next| Sequence { epoch: crate::spool::SpoolEpoch::from_bytes([5; 16]), next };
        let encoded = inventory(SectionName::HARDWARE, ErrorKind::Malformed)
            .read_under(Permissions::default(), vec![SectionName::known("usage")]);
        let (carried, contents) = report(&encoded, taken(4), Some(taken(9)));
        assert_eq!((contents.sections, contents.items, contents.left_out.len()), (1, 0, 0));
        assert_eq!((carried.sequence, carried.spool_next, carried.export_epoch.len()), (4, 9, 16));
        assert_eq!(carried.withheld, ["usage"]);
        assert!(carried.chunks.iter().all(|chunk| chunk.sequence == 4));
        assert_eq!(report(&encoded, taken(4), None).0.spool_epoch, Vec::<u8>::new());
    }
}
