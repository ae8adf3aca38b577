//! Files that prove something: kept by the SHA-256 of their content, sealed under the vault's own key, outside the chain.
//!
//! So an auditor who has the file finds it again by `sha256sum`, and whoever copies the folder reads nothing. What is
//! given back is what was put in, or an error: the seal and the hash are both verified. Knows nothing of assets.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use muster_proto::{
    limits,
    private_file::{self, PrivateFileError},
};
use ring::digest;
use zeroize::Zeroizing;

use super::{Sealed, Vault, VaultError};

/// The largest file, in bytes.
pub const MAX_FILE_BYTES: usize = limits::EVIDENCE_BYTES;
/// A nonce, before the sealed bytes.
const NONCE_BYTES: usize = 12;

/// The SHA-256 of a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileHash([u8; 32]);

/// A text that is no such hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no SHA-256 (64 hexadecimal digits, as muster evidence add and sha256sum show it)")]
pub struct InvalidHash(String);

/// What a file is, by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// A document.
    Pdf,
    /// An image.
    Png,
    /// A photograph.
    Jpeg,
    /// Text in UTF-8 without control characters.
    Text,
}

/// Why a file can't be kept or given back.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// Over the bound.
    #[error("the file has {bytes} bytes, and evidence has at most {} MiB: scan it with fewer dots", MAX_FILE_BYTES / (1024 * 1024))]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// Neither of the kinds that are kept.
    #[error("the content is neither PDF, PNG, JPEG nor plain text (its name doesn't count): convert it")]
    Type,
    /// It was never here, or somebody took it away.
    #[error(
        "the file with hash {hash} is not among the collector's evidence any more: restore it from a backup, or add it again"
    )]
    Missing {
        /// Which.
        hash: FileHash,
    },
    /// It is not what was put in.
    #[error(
        "the file with hash {hash} was changed since it was added: restore it from a backup, or add it again"
    )]
    Damaged {
        /// Which.
        hash: FileHash,
    },
    /// The folder can't be used.
    #[error("the folder of evidence can't be used")]
    File(#[from] PrivateFileError),
    /// The vault can't seal.
    #[error("the file can't be sealed")]
    Seal(#[source] VaultError),
    /// The worker that talks to the disk ended.
    #[error("the worker that keeps evidence ended early: restart the collector")]
    Worker(#[from] tokio::task::JoinError),
}

/// The files of one collector.
#[derive(Debug, Clone)]
pub struct EvidenceFiles {
    folder: PathBuf,
    vault: Arc<Vault>,
}

impl FileHash {
    /// Of a file's content.
    pub fn of(content: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, content).as_ref());
        Self(hash)
    }

    /// From its bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileHash({self})")
    }
}

impl FromStr for FileHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let invalid = || InvalidHash(text.chars().take(80).collect());
        let bytes = text.as_bytes();
        if bytes.len() != 64 {
            return Err(invalid());
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let mut hash = [0; 32];
        for (place, pair) in hash.iter_mut().zip(bytes.chunks_exact(2)) {
            let (high, low) = (digit(pair[0]), digit(pair[1]));
            *place = high.zip(low).map(|(high, low)| high << 4 | low).ok_or_else(invalid)?;
        }
        Ok(Self(hash))
    }
}

impl MediaType {
    /// What a content is; none of these: `None`.
    pub fn of(content: &[u8]) -> Option<Self> {
        match infer::get(content).map(|found| found.mime_type()) {
            Some("application/pdf") => Some(Self::Pdf),
            Some("image/png") => Some(Self::Png),
            Some("image/jpeg") => Some(Self::Jpeg),
            // Mark-up is text that a browser would run.
            Some(_) => None,
            None => {
                let text = std::str::from_utf8(content).ok()?;
                let is_plain =
                    |letter: char| !letter.is_control() || matches!(letter, '\n' | '\r' | '\t' | '\u{c}');
                text.chars().all(is_plain).then_some(Self::Text)
            }
        }
    }

    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Text => "text/plain",
        }
    }
}

impl EvidenceFiles {
    /// In a folder, which is made at the first file.
    pub fn new(folder: PathBuf, vault: Arc<Vault>) -> Self {
        Self { folder, vault }
    }

    /// Keeps a file; on disk when this returns. One that is there already stays, if it is sound.
    ///
    /// # Errors
    /// When it is empty, too large or of no kind that is kept, or the disk can't be used.
    pub async fn put(&self, content: Vec<u8>) -> Result<(FileHash, MediaType), EvidenceError> {
        if content.is_empty() {
            return Err(EvidenceError::Empty);
        }
        if content.len() > MAX_FILE_BYTES {
            return Err(EvidenceError::TooLarge { bytes: content.len() });
        }
        let media_type = MediaType::of(&content).ok_or(EvidenceError::Type)?;
        let this = self.clone();
        let hash = tokio::task::spawn_blocking(move || this.write(&content)).await??;
        Ok((hash, media_type))
    }

    /// A file as it was put in.
    ///
    /// # Errors
    /// [`EvidenceError::Missing`] and [`EvidenceError::Damaged`] beside what the disk says.
    pub async fn get(&self, hash: FileHash) -> Result<Zeroizing<Vec<u8>>, EvidenceError> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.read(hash)).await?
    }

    fn write(&self, content: &[u8]) -> Result<FileHash, EvidenceError> {
        let hash = FileHash::of(content);
        if self.read(hash).is_ok() {
            return Ok(hash);
        }
        let sealed = self.vault.seal_own(content).map_err(EvidenceError::Seal)?;
        let path = self.path(hash);
        private_file::make_folder(&self.folder)?;
        if let Some(parent) = path.parent() {
            private_file::make_folder(parent)?;
        }
        private_file::write(&path, &[sealed.nonce, sealed.bytes].concat())?;
        Ok(hash)
    }

    fn read(&self, hash: FileHash) -> Result<Zeroizing<Vec<u8>>, EvidenceError> {
        let path = self.path(hash);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(EvidenceError::Missing { hash });
            }
            Err(_) => return Err(EvidenceError::Damaged { hash }),
        };
        let damaged = || EvidenceError::Damaged { hash };
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES).ok_or_else(damaged)?;
        let sealed = Sealed { nonce: nonce.to_vec(), bytes: sealed.to_vec() };
        let content = self.vault.open_own(&sealed).map_err(|_| damaged())?;
        if FileHash::of(&content) == hash { Ok(content) } else { Err(damaged()) }
    }

    fn path(&self, hash: FileHash) -> PathBuf {
        let name = hash.to_string();
        self.folder.join(&name[..2]).join(Path::new(&name))
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn files() -> (TempDir, EvidenceFiles) {
        let folder = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::open(&folder.path().join("vault")).unwrap());
        let files = EvidenceFiles::new(folder.path().join("evidence"), vault);
        (folder, files)
    }

    fn pdf() -> Vec<u8> {
        b"%PDF-1.7\nwiped".to_vec()
    }

    #[tokio::test]
    async fn a_file_comes_back_as_it_was_and_lies_sealed() {
        let (_guard, files) = files();
        let (hash, media_type) = files.put(pdf()).await.unwrap();
        assert_eq!(media_type, MediaType::Pdf);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(files.get(hash).await.unwrap().as_slice(), pdf());
        assert_eq!(files.put(pdf()).await.unwrap().0, hash);
        let on_disk = std::fs::read(files.path(hash)).unwrap();
        assert!(!on_disk.windows(5).any(|window| window == b"wiped"), "it lies open");
        let empty = FileHash::of(b"").to_string();
        assert_eq!(empty, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[tokio::test]
    async fn what_is_gone_or_changed_is_told_and_can_be_added_again() {
        let (_guard, files) = files();
        let (hash, _) = files.put(pdf()).await.unwrap();
        let other = files.put(b"another".to_vec()).await.unwrap().0;
        let path = files.path(hash);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(files.get(hash).await, Err(EvidenceError::Damaged { .. })));
        // One sound file in the place of another.
        std::fs::copy(files.path(other), &path).unwrap();
        assert!(matches!(files.get(hash).await, Err(EvidenceError::Damaged { .. })));
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(files.get(hash).await, Err(EvidenceError::Damaged { .. })));
        files.put(pdf()).await.unwrap();
        assert_eq!(files.get(hash).await.unwrap().as_slice(), pdf());
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(files.get(hash).await, Err(EvidenceError::Missing { .. })));
    }

    #[tokio::test]
    async fn size_and_type_are_bounded_by_content() {
        let (_guard, files) = files();
        assert!(matches!(files.put(Vec::new()).await, Err(EvidenceError::Empty)));
        let large = vec![b'a'; MAX_FILE_BYTES + 1];
        assert!(matches!(files.put(large).await, Err(EvidenceError::TooLarge { .. })));
        let check = |content: &[u8], expected| assert_eq!(MediaType::of(content), expected, "{content:?}");
        check(b"%PDF-1.4\n", Some(MediaType::Pdf));
        check(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Some(MediaType::Png));
        check(b"\xff\xd8\xff\xe0\0\x10JFIF", Some(MediaType::Jpeg));
        check("Gelöscht am 3.\r\n".as_bytes(), Some(MediaType::Text));
        check(b"MZ\x90\0\x03", None);
        check(b"\x7fELF\x02\x01\x01", None);
        check(b"PK\x03\x04", None);
        check(b"<html><script>", None);
        check(b"#!/bin/sh\nrm", None);
        check(b"Gel\xf6scht", None);
        check(b"a\x1b[31m", None);
    }

    #[test]
    fn a_hash_is_64_digits() {
        for bad in ["", "00", &"g".repeat(64), &"0".repeat(63), &"ä".repeat(32)] {
            assert!(bad.parse::<FileHash>().is_err(), "{bad}");
        }
    }
}
