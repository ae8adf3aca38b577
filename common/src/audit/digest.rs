//! SHA-256 over parts that can't run together.
//!
//! Knows nothing of what the parts mean. SHA-256 and not BLAKE3 as elsewhere, since an auditor's tools have it.

use std::{fmt, str::FromStr};

use ring::digest::{Context, SHA256};

/// A SHA-256, 64 lower-case hexadecimal digits in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AuditDigest([u8; 32]);

/// A text that is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a SHA-256 (expected 64 hexadecimal digits)")]
pub struct InvalidDigest(String);

impl AuditDigest {
    /// What stands before the first entry.
    pub const ZERO: Self = Self([0; 32]);

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From bytes that came from outside; `None` when their number is wrong.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Of bytes as they are.
    pub fn of(bytes: &[u8]) -> Self {
        finish({
            let mut context = Context::new(&SHA256);
            context.update(bytes);
            context
        })
    }
}

/// Hashes parts.
pub(super) struct Parts(Context);

impl Parts {
    /// Begins with what kind of thing it is.
    pub(super) fn of(kind: &str) -> Self {
        Self(Context::new(&SHA256)).bytes(kind.as_bytes())
    }

    /// Adds bytes.
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.add(bytes);
        self
    }

    /// Adds text.
    pub(super) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// Adds a number by its decimal digits.
    pub(super) fn number(self, number: impl fmt::Display) -> Self {
        self.text(&number.to_string())
    }

    fn add(&mut self, bytes: &[u8]) {
        self.0.update(format!("{}:", bytes.len()).as_bytes());
        self.0.update(bytes);
    }

    /// The hash of all.
    pub(super) fn finish(self) -> AuditDigest {
        finish(self.0)
    }
}

fn finish(context: Context) -> AuditDigest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    AuditDigest(bytes)
}

/// What a commit wrote: for each write its key and the SHA-256 of its value, which is empty for a key taken away.
///
/// A value enters by its own hash, so that a pack can show one value of a commit and keep the others to itself.
pub fn digest_of_writes<'a>(writes: impl Iterator<Item = (&'a [u8], Option<AuditDigest>)>) -> AuditDigest {
    let mut parts = Parts::of("muster.audit.writes.1");
    for (key, value) in writes {
        parts.add(key);
        parts.add(value.as_ref().map_or(&[], |value| value.as_bytes().as_slice()));
    }
    parts.finish()
}

impl fmt::Display for AuditDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for AuditDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..6].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for AuditDigest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let invalid = || InvalidDigest(text.chars().take(80).collect());
        unhex(text).and_then(|bytes| Self::from_slice(&bytes)).ok_or_else(invalid)
    }
}

/// The bytes of lower-case hexadecimal digits; `None` for anything else.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    bytes.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sha_256_over_lengths_and_bytes() {
        let hash = Parts::of("kind").text("").number(17).finish();
        assert_eq!(hash, AuditDigest::of(b"4:kind0:2:17"));
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(AuditDigest::of(b"abc").to_string(), abc);
        assert_eq!(abc.parse::<AuditDigest>().unwrap(), AuditDigest::of(b"abc"));
        for wrong in ["", "ba", &abc[1..], &abc.to_uppercase(), &abc.replace('b', "g")] {
            assert!(wrong.parse::<AuditDigest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_taken_away_is_no_empty_value() {
        let one = |value| digest_of_writes(std::iter::once((b"d/1".as_slice(), value)));
        assert_ne!(one(None), one(Some(AuditDigest::of(b""))));
        assert_ne!(one(None), digest_of_writes(std::iter::empty()));
    }
}
