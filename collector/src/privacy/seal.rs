//! Authenticated encryption and keyed hashes, as the vault needs them: ChaCha20-Poly1305 with random nonces.
//!
//! Knows nothing of persons and files. A random nonce of 96 bits is safe here because a person's key seals a handful
//! of values in its life, and the vault's own key stays far below the 2³² seals that such a nonce bears.

use std::fmt;

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use zeroize::Zeroizing;

use super::SecretKey;

/// What is sealed, and the nonce that it was sealed with; both may be stored in the open.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// 12 bytes.
    pub nonce: Vec<u8>,
    /// Ciphertext and tag.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.bytes.len())
    }
}

/// Why something can't be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandom,
    /// Too long to seal.
    #[error("it is too long to be sealed")]
    TooLong,
    /// Changed since it was sealed, or sealed under another key or name.
    #[error(
        "it was changed, or sealed under another key (restore the vault and the journal from the same time)"
    )]
    Broken,
    /// Opened, and not what was expected.
    #[error("its content can't be read")]
    Content(#[source] prost::DecodeError),
}

/// A new key.
pub(super) fn random_key() -> Result<SecretKey, SealError> {
    let mut key = SecretKey::default();
    SystemRandom::new().fill(key.as_mut_slice()).map_err(|_| SealError::NoRandom)?;
    Ok(key)
}

/// Seals bytes under a key, bound to a context.
pub(super) fn seal(key: &SecretKey, context: &[u8], plain: &[u8]) -> Result<Sealed, SealError> {
    let mut nonce = [0u8; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).map_err(|_| SealError::NoRandom)?;
    let mut bytes = plain.to_vec();
    cipher(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut bytes)
        .map_err(|_| SealError::TooLong)?;
    Ok(Sealed { nonce: nonce.to_vec(), bytes })
}

/// Opens what was sealed under the same key and context.
pub(super) fn open(
    key: &SecretKey,
    context: &[u8],
    sealed: &Sealed,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let nonce = Nonce::try_assume_unique_for_key(&sealed.nonce).map_err(|_| SealError::Broken)?;
    let mut bytes = Zeroizing::new(sealed.bytes.clone());
    let length = cipher(key)
        .open_in_place(nonce, Aad::from(context), bytes.as_mut_slice())
        .map_err(|_| SealError::Broken)?
        .len();
    bytes.truncate(length);
    Ok(bytes)
}

/// The key for the vault's own seals.
pub(super) fn own_key(master: &SecretKey) -> SecretKey {
    derive(master, b"muster vault 1: own seals")
}

/// A keyed hash, shortened to what an index needs.
pub(super) fn blind(master: &SecretKey, text: &[u8]) -> [u8; 16] {
    let whole = mac(&derive(master, b"muster vault 1: blind index"), text);
    let mut short = [0u8; 16];
    short.copy_from_slice(&whole[..16]);
    short
}

/// A key for one purpose, so that no two purposes share one.
fn derive(master: &SecretKey, purpose: &[u8]) -> SecretKey {
    mac(master, purpose)
}

fn mac(key: &SecretKey, text: &[u8]) -> SecretKey {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()), text);
    let mut out = SecretKey::default();
    out.copy_from_slice(tag.as_ref());
    out
}

fn cipher(key: &SecretKey) -> LessSafeKey {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_slice()).expect("the key has the cipher's length");
    LessSafeKey::new(key)
}
