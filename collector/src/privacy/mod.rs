//! Personal values under a key for each person, and the vault that holds those keys.
//!
//! Records, journal and audit name a person by an id alone. Name and address are sealed under that person's own key,
//! and the key lies here, outside the journal: destroying it makes every sealed copy unreadable, in the journal, in
//! its backups and in every export, while the chain still verifies. Knows nothing of devices, records or commits.
//!
//! The vault is a folder of mode 0700 with two files of mode 0600:
//!
//! | file | content |
//! |---|---|
//! | `master` | 32 random bytes; from them come the key of the blind index and the key for the vault's own seals |
//! | `keys` | one record for each person, see `key_file` |
//!
//! **Order of writes**: a key is on disk before [`Vault::create`] returns, and only then may a commit refer to the
//! person. A crash in between leaves a key that nothing refers to, which harms nobody; the other order would leave
//! values that nobody can ever read.
//!
//! **What erasing can't do**: a file system or a disk may keep an older copy of an overwritten block, and so may a
//! backup of this folder. Keep backups of the vault apart from those of the journal and short-lived; after a restore,
//! erasures are repeated from the journal.

pub mod evidence;
mod key_file;
mod seal;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use muster_common::id::PersonId;
use muster_proto::{
    private_file::{self, PrivateFileError},
    store::v1::PersonValues,
};
use prost::Message;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use key_file::KeyFile;
pub use key_file::KeyFileError;
pub use seal::{SealError, Sealed};

/// The vault's own secret.
const MASTER_FILE: &str = "master";
/// The keys of persons.
const KEYS_FILE: &str = "keys";

/// A key; wiped when dropped.
type SecretKey = Zeroizing<[u8; 32]>;

/// Why the vault can't do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// A file or the folder is missing, unsafe or unreadable.
    #[error(transparent)]
    File(#[from] PrivateFileError),
    /// The master secret has not 32 bytes.
    #[error("{path} is damaged: {length} bytes, expected 32 (restore it from a backup of the vault)")]
    Master {
        /// The file.
        path: PathBuf,
        /// How many bytes it has.
        length: usize,
    },
    /// There are keys and no master secret, which can't be made again.
    #[error("{path} is missing beside a file of keys (restore it from a backup of the vault)")]
    MasterLost {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file of keys.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// No key was ever made for this person, or it was lost.
    #[error(
        "the vault has no key for person {person} (restore the vault from a backup as old as the journal or younger)"
    )]
    NoKey {
        /// Who.
        person: PersonId,
    },
    /// The person was erased, so nothing may be sealed for them again under this id.
    #[error("person {person} was erased (make a new id for a new record)")]
    Erased {
        /// Who.
        person: PersonId,
    },
    /// Sealing or opening.
    #[error("the values of person {person} can't be handled")]
    Values {
        /// Who.
        person: PersonId,
        /// What is wrong.
        #[source]
        source: SealError,
    },
    /// Sealing or opening of what belongs to no person.
    #[error("the vault's own seal can't be handled")]
    Own(#[source] SealError),
}

/// What the vault holds for a person.
enum Held {
    /// Their key, at this place in the file.
    Key { place: u64, key: SecretKey },
    /// They were erased.
    Erased,
}

/// The vault: one for each collector, locked against a second process.
pub struct Vault {
    master: SecretKey,
    inner: RwLock<Inner>,
}

struct Inner {
    file: KeyFile,
    held: BTreeMap<PersonId, Held>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

impl Vault {
    /// Opens the vault in `folder`, or makes it there; refuses files that others could have read or placed.
    ///
    /// Blocks on the disk, as [`Self::create`] and [`Self::erase`] do.
    pub fn open(folder: &Path) -> Result<Self, VaultError> {
        private_file::make_folder(folder)?;
        let master = open_master(&folder.join(MASTER_FILE), &folder.join(KEYS_FILE))?;
        let (file, records) = KeyFile::open(&folder.join(KEYS_FILE))?;
        let mut held = BTreeMap::new();
        for record in records {
            let entry = match record.key {
                Some(key) => Held::Key { place: record.place, key },
                None => Held::Erased,
            };
            held.insert(record.person, entry);
        }
        Ok(Self { master, inner: RwLock::new(Inner { file, held }) })
    }

    /// Where a name or an address is found again without being stored: a keyed hash, blind to spaces and case.
    pub fn blind(&self, text: &str) -> [u8; 16] {
        let composed: String = text.nfkc().collect();
        let plain = Zeroizing::new(composed.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase());
        seal::blind(&self.master, plain.as_bytes())
    }

    /// Makes keys for persons who have none; they are on disk when this returns. One disk flush for all of them.
    pub fn create(&self, persons: &[PersonId]) -> Result<(), VaultError> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let mut new: BTreeMap<PersonId, SecretKey> = BTreeMap::new();
        for person in persons {
            match inner.held.get(person) {
                Some(Held::Key { .. }) => {}
                Some(Held::Erased) => return Err(VaultError::Erased { person: *person }),
                None => {
                    let key = seal::random_key()
                        .map_err(|source| VaultError::Values { person: *person, source })?;
                    new.insert(*person, key);
                }
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        let first = inner.file.append(new.iter())?;
        for (place, (person, key)) in (first..).zip(new) {
            inner.held.insert(person, Held::Key { place, key });
        }
        Ok(())
    }

    /// Seals a person's values under their key.
    pub fn seal(&self, person: PersonId, values: &PersonValues) -> Result<Sealed, VaultError> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        match inner.held.get(&person) {
            Some(Held::Key { key, .. }) => {
                let plain = Zeroizing::new(values.encode_to_vec());
                seal::seal(key, &context(person), &plain)
                    .map_err(|source| VaultError::Values { person, source })
            }
            Some(Held::Erased) => Err(VaultError::Erased { person }),
            None => Err(VaultError::NoKey { person }),
        }
    }

    /// A person's values; none when they were erased.
    pub fn open_values(&self, person: PersonId, sealed: &Sealed) -> Result<Option<PersonValues>, VaultError> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        match inner.held.get(&person) {
            Some(Held::Key { key, .. }) => {
                let failed = |source| VaultError::Values { person, source };
                let plain = seal::open(key, &context(person), sealed).map_err(failed)?;
                let values = PersonValues::decode(plain.as_slice())
                    .map_err(|source| failed(SealError::Content(source)))?;
                Ok(Some(values))
            }
            Some(Held::Erased) => Ok(None),
            None => Err(VaultError::NoKey { person }),
        }
    }

    /// Destroys a person's key, on disk when this returns; false when there is none, now or any more.
    pub fn erase(&self, person: PersonId) -> Result<bool, VaultError> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let place = match inner.held.get(&person) {
            Some(Held::Key { place, .. }) => *place,
            Some(Held::Erased) | None => return Ok(false),
        };
        inner.file.erase(place, person)?;
        inner.held.insert(person, Held::Erased);
        Ok(true)
    }

    /// Seals what belongs to no one person, such as a refused row of an import.
    pub fn seal_own(&self, bytes: &[u8]) -> Result<Sealed, VaultError> {
        seal::seal(&seal::own_key(&self.master), OWN_CONTEXT, bytes).map_err(VaultError::Own)
    }

    /// Opens what [`Self::seal_own`] sealed.
    pub fn open_own(&self, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        seal::open(&seal::own_key(&self.master), OWN_CONTEXT, sealed).map_err(VaultError::Own)
    }
}

/// What a person's seal is bound to, so that it can't be passed off as another's.
fn context(person: PersonId) -> Vec<u8> {
    [b"muster person 1".as_slice(), person.as_bytes()].concat()
}

const OWN_CONTEXT: &[u8] = b"muster vault 1";

/// Reads the master secret, or makes it when the vault is new.
fn open_master(path: &Path, keys: &Path) -> Result<SecretKey, VaultError> {
    let bytes = match private_file::read(path) {
        Ok(bytes) => bytes,
        Err(PrivateFileError::Missing { .. }) => {
            if keys.symlink_metadata().is_ok() {
                return Err(VaultError::MasterLost { path: path.to_owned() });
            }
            let master = seal::random_key().map_err(VaultError::Own)?;
            private_file::write(path, master.as_slice())?;
            return Ok(master);
        }
        Err(error) => return Err(error.into()),
    };
    let mut master = SecretKey::default();
    if bytes.len() != master.len() {
        return Err(VaultError::Master { path: path.to_owned(), length: bytes.len() });
    }
    master.copy_from_slice(&bytes);
    Ok(master)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn person(number: u8) -> PersonId {
        PersonId::from_bytes([number; 16])
    }

    fn values(name: &str) -> PersonValues {
        PersonValues {
            display_name: name.to_owned(),
            email: format!("{name}@example.org"),
            ..PersonValues::default()
        }
    }

    fn folder() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        (folder, path)
    }

    #[test]
    fn values_come_back_after_a_restart_and_only_under_their_own_name() {
        let (_guard, path) = folder();
        let sealed = {
            let vault = Vault::open(&path).unwrap();
            vault.create(&[person(1), person(2)]).unwrap();
            vault.seal(person(1), &values("jo")).unwrap()
        };
        let vault = Vault::open(&path).unwrap();
        assert_eq!(vault.open_values(person(1), &sealed).unwrap(), Some(values("jo")));
        assert!(matches!(vault.open_values(person(2), &sealed), Err(VaultError::Values { .. })));
        assert!(matches!(vault.open_values(person(3), &sealed), Err(VaultError::NoKey { .. })));
        assert!(matches!(vault.seal(person(3), &values("x")), Err(VaultError::NoKey { .. })));
        let again = vault.seal(person(1), &values("jo")).unwrap();
        assert_ne!((&again.nonce, &again.bytes), (&sealed.nonce, &sealed.bytes), "a nonce was used twice");
    }

    #[test]
    fn making_a_key_again_keeps_the_first() {
        let (_guard, path) = folder();
        let vault = Vault::open(&path).unwrap();
        vault.create(&[person(1)]).unwrap();
        let sealed = vault.seal(person(1), &values("jo")).unwrap();
        vault.create(&[person(1), person(2), person(2)]).unwrap();
        assert_eq!(vault.open_values(person(1), &sealed).unwrap(), Some(values("jo")));
    }

    #[test]
    fn who_is_erased_stays_unreadable() {
        let (_guard, path) = folder();
        let (jo, al) = {
            let vault = Vault::open(&path).unwrap();
            vault.create(&[person(1), person(2)]).unwrap();
            let jo = vault.seal(person(1), &values("jo")).unwrap();
            let al = vault.seal(person(2), &values("al")).unwrap();
            let before = fs::read(path.join(KEYS_FILE)).unwrap();
            let key = match vault.inner.read().unwrap().held.get(&person(1)) {
                Some(Held::Key { key, .. }) => key.to_vec(),
                Some(Held::Erased) | None => panic!("no key"),
            };
            let holds = |file: &[u8]| file.windows(32).any(|window| window == key);
            assert!(holds(&before));
            assert!(vault.erase(person(1)).unwrap());
            assert!(!holds(&fs::read(path.join(KEYS_FILE)).unwrap()), "the key is still on disk");
            assert_eq!(vault.open_values(person(1), &jo).unwrap(), None);
            (jo, al)
        };
        let vault = Vault::open(&path).unwrap();
        assert_eq!(vault.open_values(person(1), &jo).unwrap(), None);
        assert_eq!(vault.open_values(person(2), &al).unwrap(), Some(values("al")));
        assert!(!vault.erase(person(1)).unwrap());
        assert!(!vault.erase(person(9)).unwrap());
        assert!(matches!(vault.create(&[person(1)]), Err(VaultError::Erased { .. })));
        assert!(matches!(vault.seal(person(1), &values("jo")), Err(VaultError::Erased { .. })));
    }

    #[test]
    fn the_blind_index_finds_a_name_however_typed_and_tells_vaults_apart() {
        let (_one_guard, one) = folder();
        let (_two_guard, two) = folder();
        let vault = Vault::open(&one).unwrap();
        assert_eq!(vault.blind("Jo@Example.org"), vault.blind(" jo@example.ORG\u{a0}"));
        assert_ne!(vault.blind("jo@example.org"), vault.blind("al@example.org"));
        assert_ne!(vault.blind("jo@example.org"), Vault::open(&two).unwrap().blind("jo@example.org"));
    }

    #[test]
    fn what_belongs_to_nobody_is_sealed_too() {
        let (_guard, path) = folder();
        let vault = Vault::open(&path).unwrap();
        let mut sealed = vault.seal_own(b"A1,Jo Doe").unwrap();
        assert_eq!(vault.open_own(&sealed).unwrap().as_slice(), b"A1,Jo Doe");
        sealed.bytes[0] ^= 1;
        assert!(matches!(vault.open_own(&sealed), Err(VaultError::Own(SealError::Broken))));
        sealed.nonce.clear();
        assert!(matches!(vault.open_own(&sealed), Err(VaultError::Own(SealError::Broken))));
    }

    #[test]
    fn a_second_process_is_kept_out() {
        let (_guard, path) = folder();
        let _vault = Vault::open(&path).unwrap();
        assert!(matches!(Vault::open(&path), Err(VaultError::Keys(KeyFileError::InUse { .. }))));
    }

    #[test]
    fn a_lost_or_damaged_master_is_not_replaced() {
        let (_guard, path) = folder();
        drop(Vault::open(&path).unwrap());
        private_file::write(&path.join(MASTER_FILE), b"short").unwrap();
        assert!(matches!(Vault::open(&path), Err(VaultError::Master { length: 5, .. })));
        fs::remove_file(path.join(MASTER_FILE)).unwrap();
        assert!(matches!(Vault::open(&path), Err(VaultError::MasterLost { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn files_that_others_can_read_are_refused() {
        use std::os::unix::fs::PermissionsExt;

        let (_guard, path) = folder();
        drop(Vault::open(&path).unwrap());
        for name in [MASTER_FILE, KEYS_FILE] {
            let file = path.join(name);
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
            let refused = Vault::open(&path).unwrap_err().to_string();
            assert!(refused.contains("chmod 0600"), "{name}: {refused}");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Vault::open(&path).unwrap_err().to_string().contains("chmod 0700"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let (_guard, path) = folder();
        assert_eq!(format!("{:?}", Vault::open(&path).unwrap()), "Vault(…)");
    }
}
