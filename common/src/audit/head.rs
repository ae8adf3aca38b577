//! A head of the log, signed, to be kept where those who keep the log can't reach it.
//!
//! The chain alone finds what was changed inside it. That its end was cut off, or that all of it was hashed anew, is found
//! only by comparing it with a head that somebody else holds. Knows nothing of where heads are sent.

use std::fmt;

use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};

use super::{AuditDigest, digest::unhex};
use crate::{time::Timestamp, trust::name::TrustDomain};

/// How far the log went at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Whose log.
    pub trust_domain: TrustDomain,
    /// The number of its last entry.
    pub number: u64,
    /// The hash of that entry.
    pub hash: AuditDigest,
    /// When it was signed, by the collector's clock.
    pub time: Timestamp,
}

/// A head with an Ed25519 signature (RFC 8032) over its text.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// What is signed.
    pub head: Head,
    /// The public key.
    pub key: [u8; 32],
    /// The signature.
    pub signature: [u8; 64],
}

/// A signature that its key did not make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not that of the key")]
pub struct HeadForged;

impl Head {
    /// What is signed, and what is sent: one line of words with a single space between them.
    pub fn text(&self) -> String {
        let Self { trust_domain, number, hash, time } = self;
        format!("muster-audit-head 1 {trust_domain} {number} {hash} {}", time.as_millis())
    }

    /// Signs it.
    pub fn sign(self, key: &Ed25519KeyPair) -> SignedHead {
        use ring::signature::KeyPair as _;

        let signature = key.sign(self.text().as_bytes());
        let signature = signature.as_ref().try_into().expect("an Ed25519 signature has 64 bytes");
        let key = key.public_key().as_ref().try_into().expect("an Ed25519 key has 32 bytes");
        SignedHead { head: self, key, signature }
    }
}

impl SignedHead {
    /// Whether the key that it names made the signature; whether that is the collector's key is for the caller to know.
    ///
    /// # Errors
    /// When it didn't.
    pub fn verify(&self) -> Result<(), HeadForged> {
        let key = UnparsedPublicKey::new(&ED25519, &self.key);
        key.verify(self.head.text().as_bytes(), &self.signature).map_err(|_| HeadForged)
    }

    /// The key in hexadecimal digits.
    pub fn key_text(&self) -> String {
        hex(&self.key)
    }

    /// The head in a line that [`Self::parse`] finds again: the signed text, the key and the signature.
    pub fn line(&self) -> String {
        format!("{} {} {}", self.head.text(), hex(&self.key), hex(&self.signature))
    }

    /// The head in a line, wherever in it, so that a line of syslog will do; `None` when there is none.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace().skip_while(|word| *word != "muster-audit-head").skip(1);
        if words.next()? != "1" {
            return None;
        }
        let trust_domain = words.next()?.parse().ok()?;
        let number = words.next()?.parse().ok()?;
        let hash = words.next()?.parse().ok()?;
        let time = Timestamp::from_millis(words.next()?.parse().ok()?);
        let key = unhex(words.next()?)?.try_into().ok()?;
        let signature = unhex(words.next()?)?.try_into().ok()?;
        Some(Self { head: Head { trust_domain, number, hash, time }, key, signature })
    }
}

impl fmt::Debug for SignedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedHead").field("head", &self.head).finish_non_exhaustive()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> SignedHead {
        // RFC 8032, section 7.1, test 1.
        let seed = unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let key = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        Head {
            trust_domain: "muster.example.org".parse().unwrap(),
            number: 17,
            hash: AuditDigest::of(b"entry"),
            time: Timestamp::from_millis(1_700_000_000_000),
        }
        .sign(&key)
    }

    #[test]
    fn a_head_is_found_again_in_its_line_and_in_one_of_syslog() {
        let signed = signed();
        signed.verify().unwrap();
        assert_eq!(SignedHead::parse(&signed.line()), Some(signed.clone()));
        let in_syslog =
            format!("<109>1 2026-11-24T19:00:00Z host muster-collector 7 audit - {}\n", signed.line());
        assert_eq!(SignedHead::parse(&in_syslog), Some(signed.clone()));
        assert_eq!(signed.key_text(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        for cut in 0..signed.line().len() {
            assert_ne!(SignedHead::parse(&signed.line()[..cut]), Some(signed.clone()));
        }
    }

    #[test]
    fn a_head_that_says_something_else_is_forged() {
        let changes: [fn(&mut SignedHead); 6] = [
            |it| it.head.number += 1,
            |it| it.head.hash = AuditDigest::ZERO,
            |it| it.head.time = Timestamp::from_millis(1),
            |it| it.head.trust_domain = "other.example.org".parse().unwrap(),
            |it| it.key[0] ^= 1,
            |it| it.signature[0] ^= 1,
        ];
        for (case, change) in changes.iter().enumerate() {
            let mut signed = signed();
            change(&mut signed);
            assert_eq!(signed.verify(), Err(HeadForged), "case {case}");
        }
    }
}
