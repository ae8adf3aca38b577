//! The files of the identity, and the token's: read with their modes checked, written whole.
//!
//! Two slots: a renewed identity is kept beside the present one until it has been used once, so that a lost answer or a
//! crash leaves a working one.

use std::path::{Path, PathBuf};

use muster_common::trust::token::{EnrollmentString, InvalidToken};
use muster_proto::private_file::{self, PrivateFileError};
use zeroize::Zeroizing;

use crate::credentials::{
    identity::{Identity, IdentityError},
    pending::{PendingEnrollment, PendingError},
};

const FOLDER: &str = "identity";
const PENDING: &str = "pending.toml";

/// Why credentials can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A file or folder is unsafe or unreadable.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// A file holds no text.
    #[error("{path} is not text; restore it, or remove it and enrol again with a new token")]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The identity in a file is not accepted.
    #[error("{path} can't be used")]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: IdentityError,
    },
    /// The begun enrolment in a file is not accepted.
    #[error("{path} can't be used")]
    Pending {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: PendingError,
    },
    /// The token file holds no enrolment string.
    #[error("{path} holds no enrolment string")]
    Token {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: InvalidToken,
    },
}

/// Which of the two identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The one in use.
    Current,
    /// The renewed one, until it has been used once.
    Next,
}

impl Slot {
    fn file(self) -> &'static str {
        match self {
            Self::Current => "identity.toml",
            Self::Next => "next.toml",
        }
    }
}

/// The folder of the identity.
#[derive(Debug, Clone)]
pub struct CredentialFiles {
    folder: PathBuf,
}

impl CredentialFiles {
    /// Opens `identity/` under the state folder, making both if they are not there, refusing them if others may write.
    pub fn open(state: &Path) -> Result<Self, CredentialError> {
        private_file::make_folder(state)?;
        let folder = state.join(FOLDER);
        private_file::make_folder(&folder)?;
        Ok(Self { folder })
    }

    /// Reads an identity; none if there is none.
    pub fn load(&self, slot: Slot) -> Result<Option<Identity>, CredentialError> {
        let path = self.folder.join(slot.file());
        let Some(text) = read_text(&path)? else { return Ok(None) };
        Identity::from_text(&text).map(Some).map_err(|source| CredentialError::Identity { path, source })
    }

    /// Writes an identity. Once the current one is there, nothing is left of the enrolment that led to it.
    pub fn store(&self, slot: Slot, identity: &Identity) -> Result<(), CredentialError> {
        let path = self.folder.join(slot.file());
        let text =
            identity.to_text().map_err(|source| CredentialError::Identity { path: path.clone(), source })?;
        private_file::write(&path, text.as_bytes())?;
        match slot {
            Slot::Current => private_file::remove(&self.folder.join(PENDING))?,
            Slot::Next => {}
        }
        Ok(())
    }

    /// Makes the next identity the current one, in one step.
    pub fn promote(&self) -> Result<(), CredentialError> {
        let (next, current) = (self.folder.join(Slot::Next.file()), self.folder.join(Slot::Current.file()));
        Ok(private_file::rename(&next, &current)?)
    }

    /// The enrolment that has begun, or a new one: on disk when this returns.
    pub fn pending(&self) -> Result<PendingEnrollment, CredentialError> {
        let path = self.folder.join(PENDING);
        let failed = |source| CredentialError::Pending { path: path.clone(), source };
        if let Some(text) = read_text(&path)? {
            return PendingEnrollment::from_text(&text).map_err(failed);
        }
        let pending = PendingEnrollment::begin().map_err(failed)?;
        private_file::write(&path, pending.to_text().map_err(failed)?.as_bytes())?;
        Ok(pending)
    }
}

/// Reads the enrolment string from a private file.
pub fn read_token(path: &Path) -> Result<EnrollmentString, CredentialError> {
    let not_text = || CredentialError::NotText { path: path.to_owned() };
    let bytes = private_file::read(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| not_text())?;
    text.parse().map_err(|source| CredentialError::Token { path: path.to_owned(), source })
}

/// Deletes the token's file once it has done its work; one that is gone already is no error.
pub fn delete_token(path: &Path) -> Result<(), CredentialError> {
    Ok(private_file::remove(path)?)
}

fn read_text(path: &Path) -> Result<Option<Zeroizing<String>>, CredentialError> {
    let bytes = match private_file::read(path) {
        Ok(bytes) => bytes,
        Err(PrivateFileError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| CredentialError::NotText { path: path.to_owned() })?;
    Ok(Some(Zeroizing::new(text.to_owned())))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;
    use crate::credentials::identity::tests::sample;

    #[test]
    fn an_enrolment_survives_crashes_and_ends_with_the_identity() {
        let state = tempfile::tempdir().unwrap();
        let files = CredentialFiles::open(state.path()).unwrap();
        assert!(files.load(Slot::Current).unwrap().is_none());
        let begun = files.pending().unwrap();
        assert_eq!(files.pending().unwrap().id(), begun.id());
        let identity = sample();
        files.store(Slot::Current, &identity).unwrap();
        let read = files.load(Slot::Current).unwrap().unwrap();
        assert_eq!(read.agent_id, identity.agent_id);
        assert_ne!(files.pending().unwrap().id(), begun.id());
    }

    #[test]
    fn a_renewed_identity_waits_in_its_slot() {
        let state = tempfile::tempdir().unwrap();
        let files = CredentialFiles::open(state.path()).unwrap();
        let (old, new) = (sample(), sample());
        files.store(Slot::Current, &old).unwrap();
        files.store(Slot::Next, &new).unwrap();
        assert_eq!(files.load(Slot::Current).unwrap().unwrap().agent_id, old.agent_id);
        files.promote().unwrap();
        assert_eq!(files.load(Slot::Current).unwrap().unwrap().agent_id, new.agent_id);
        assert!(files.load(Slot::Next).unwrap().is_none());
    }

    #[test]
    fn unsafe_files_stop_the_agent_with_a_reason() {
        let state = tempfile::tempdir().unwrap();
        let files = CredentialFiles::open(state.path()).unwrap();
        files.store(Slot::Current, &sample()).unwrap();
        let folder = state.path().join(FOLDER);
        let path = folder.join("identity.toml");
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();

        mode(&path, 0o644);
        let refused = files.load(Slot::Current).unwrap_err().to_string();
        assert!(refused.contains("0644") && refused.contains("chmod 0600"), "{refused}");
        mode(&path, 0o600);

        let elsewhere = state.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        let refused = files.load(Slot::Current).unwrap_err().to_string();
        assert!(refused.contains("symbolic link"), "{refused}");

        mode(&folder, 0o777);
        let refused = CredentialFiles::open(state.path()).unwrap_err().to_string();
        assert!(refused.contains("0777"), "{refused}");
    }

    #[test]
    fn a_token_is_read_from_a_private_file_and_deleted() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("token");
        let text = format!("mst1.0f01020304050607.{0}.{0}\n", "q".repeat(42) + "0");
        private_file::write(&path, text.as_bytes()).unwrap();
        assert_eq!(read_token(&path).unwrap().reveal(), text.trim());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read_token(&path).is_err());
        delete_token(&path).unwrap();
        delete_token(&path).unwrap();
        assert!(matches!(read_token(&path), Err(CredentialError::File(PrivateFileError::Missing { .. }))));
    }
}
