//! Files that prove something of an asset: which are attached, and the files themselves.

use muster_common::{device::Device, governance::EvidenceKind, id::DeviceId, time::Timestamp};
use muster_proto::store::v1 as stored;
use zeroize::Zeroizing;

use super::{By, Lifecycle, LifecycleError, audit, check_text};
use crate::{
    privacy::{
        Sealed,
        evidence::{EvidenceError, FileHash},
    },
    records::{Read, key, put},
    store::{Commit, Key},
};

/// The most files of one asset.
const MOST_FILES: usize = 200;
/// The longest name of a file, in bytes.
const NAME_BYTES: usize = 255;

/// A file that is attached to an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceItem {
    /// By which it is found.
    pub hash: FileHash,
    /// Of which asset.
    pub asset: DeviceId,
    /// What it proves.
    pub kind: String,
    /// What it is.
    pub media_type: String,
    /// How long it is.
    pub size_bytes: u64,
    /// As it was called; for people.
    pub file_name: String,
    /// The account that added it.
    pub added_by: String,
    /// When.
    pub added: Timestamp,
    /// What is wrong with the stored file; empty: nothing.
    pub damage: String,
}

impl Lifecycle {
    /// Attaches a file; on disk when this returns. The same file again, with the same kind, is attached anew.
    ///
    /// # Errors
    /// When there is no such asset, or the file is not one that is kept.
    pub async fn add_evidence(
        &self,
        asset: DeviceId,
        kind: EvidenceKind,
        file_name: &str,
        content: Vec<u8>,
        by: &By,
    ) -> Result<EvidenceItem, LifecycleError> {
        if file_name.len() > NAME_BYTES {
            return Err(LifecycleError::TooLong { what: "file's name", most: NAME_BYTES });
        }
        check_text("file's name", file_name)?;
        let asset = self.asset(asset, by).await?;
        if asset.notes.len() >= MOST_FILES {
            return Err(LifecycleError::Unusable(format!("an asset has at most {MOST_FILES} files")));
        }
        let size_bytes = content.len() as u64;
        let (hash, media_type) = self.files.put(content).await?;
        let sealed = self.persons.vault().seal_own(file_name.as_bytes())?;
        let device = asset.device.id;
        let now = self.pipeline.now();
        let note = stored::EvidenceNote {
            sha256: hash.as_bytes().to_vec(),
            device: device.as_bytes().to_vec(),
            kind: kind.name().to_owned(),
            media_type: media_type.name().to_owned(),
            size_bytes,
            added_by: by.name.clone(),
            time_ms: now.as_millis(),
            sealed_name: sealed.bytes,
            nonce: sealed.nonce,
        };
        let read: Read<stored::EvidenceNote> =
            self.pipeline.records().get(key::evidence(device, hash.as_bytes())).await?;
        let commit = Commit {
            kind: "evidence".to_owned(),
            time: now,
            actor: by.name.clone(),
            expected: vec![read.expectation()],
            writes: vec![put(read.key, &note)],
            audit: Some(audit(
                "evidence.add",
                format!("devices/{device}"),
                format!("{kind} sha256:{hash} {} {size_bytes} bytes", media_type.name()),
            )),
        };
        self.pipeline.records().commit(commit).await?;
        self.item(note, String::new())
    }

    /// Every file of an asset, oldest first, each verified.
    ///
    /// # Errors
    /// When there is no such asset.
    pub async fn list_evidence(&self, asset: DeviceId, by: &By) -> Result<Vec<EvidenceItem>, LifecycleError> {
        let mut notes = self.asset(asset, by).await?.notes;
        notes.sort_by(|left, right| (left.time_ms, &left.sha256).cmp(&(right.time_ms, &right.sha256)));
        let mut items = Vec::with_capacity(notes.len());
        for note in notes {
            let damage = match self.files.get(hash_of(&note)).await {
                Ok(_) => String::new(),
                Err(error @ (EvidenceError::Missing { .. } | EvidenceError::Damaged { .. })) => {
                    error.to_string()
                }
                Err(error) => return Err(error.into()),
            };
            items.push(self.item(note, damage)?);
        }
        Ok(items)
    }

    /// A file of an asset as it was added; that somebody read it is in the audit.
    ///
    /// # Errors
    /// When the asset has no such file, or it is missing or damaged.
    pub async fn get_evidence(
        &self,
        asset: DeviceId,
        hash: FileHash,
        by: &By,
    ) -> Result<(EvidenceItem, Zeroizing<Vec<u8>>), LifecycleError> {
        let asset = self.asset(asset, by).await?;
        let note = asset.notes.iter().find(|note| note.sha256 == hash.as_bytes());
        let note = note.cloned().ok_or_else(|| LifecycleError::NoEvidence { hash: hash.to_string() })?;
        let content = self.files.get(hash).await?;
        let commit = Commit {
            kind: "evidence".to_owned(),
            time: self.pipeline.now(),
            actor: by.name.clone(),
            expected: Vec::new(),
            writes: Vec::new(),
            audit: Some(audit(
                "evidence.read",
                format!("devices/{}", asset.device.id),
                format!("sha256:{hash}"),
            )),
        };
        self.pipeline.records().commit(commit).await?;
        Ok((self.item(note, String::new())?, content))
    }

    /// What is attached to a device and to those that were merged into it.
    pub(super) async fn notes_of(
        &self,
        device: &Device,
    ) -> Result<Vec<stored::EvidenceNote>, LifecycleError> {
        let mut notes = Vec::new();
        for id in std::iter::once(&device.id).chain(&device.aliases) {
            let found: Vec<(Key, stored::EvidenceNote)> =
                self.pipeline.records().scan(&key::evidence_of(*id), None, MOST_FILES).await?;
            notes.extend(found.into_iter().map(|(_, note)| note));
        }
        Ok(notes)
    }

    fn item(&self, note: stored::EvidenceNote, damage: String) -> Result<EvidenceItem, LifecycleError> {
        let hash = hash_of(&note);
        let stored::EvidenceNote {
            sha256: _,
            device,
            kind,
            media_type,
            size_bytes,
            added_by,
            time_ms,
            sealed_name,
            nonce,
        } = note;
        let name = self.persons.vault().open_own(&Sealed { nonce, bytes: sealed_name })?;
        Ok(EvidenceItem {
            hash,
            asset: DeviceId::from_bytes(device.try_into().unwrap_or_default()),
            kind,
            media_type,
            size_bytes,
            file_name: String::from_utf8_lossy(&name).into_owned(),
            added_by,
            added: Timestamp::from_millis(time_ms),
            damage,
        })
    }
}

fn hash_of(note: &stored::EvidenceNote) -> FileHash {
    FileHash::from_bytes(note.sha256.as_slice().try_into().unwrap_or_default())
}
