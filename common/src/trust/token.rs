//! The enrolment string `mst1.<id>.<secret>.<root pin>`: what an operator hands to a new machine.
//!
//! It names a token, proves it, and pins the collector's root, so that a machine with nothing but this string and an
//! address can be neither misled nor let in twice. Knows nothing of how a token is stored, spent or refused.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The first part of the string: what it is, and the version of its form.
const PREFIX: &str = "mst1";

/// No enrolment string is longer, in bytes; more is refused unread.
pub const MAX_TEXT_BYTES: usize = 256;

/// A text that is not an enrolment string; it never repeats the text, which may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Not four parts with dots between.
    #[error(
        "this is not an enrolment string (expected mst1.<id>.<secret>.<root pin>, as muster token create prints it)"
    )]
    Form,
    /// Another version.
    #[error("this enrolment string is of another version than mst1 (upgrade the agent or make a new token)")]
    Version,
    /// A part that can't be read.
    #[error(
        "the {0} in this enrolment string is damaged (copy the whole line that muster token create printed)"
    )]
    Part(&'static str),
}

/// A token's public name: 64 random bits, 16 lower-case hexadecimal digits in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId([u8; 8]);

impl TokenId {
    /// Takes bits that were drawn elsewhere.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The eight bytes.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

impl FromStr for TokenId {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let digits = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let value = u64::from_str_radix(text, 16).ok().filter(|_| digits).ok_or(InvalidToken::Part("id"))?;
        Ok(Self(value.to_be_bytes()))
    }
}

/// The 256 random bits that prove a token; wiped when dropped, never shown by `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct TokenSecret([u8; 32]);

impl TokenSecret {
    /// Takes bits that were drawn elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bits: hash them, or compare them in constant time; never print them.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(…)")
    }
}

/// SHA-256 of a root certificate's SubjectPublicKeyInfo in DER: survives a renewed root certificate of the same key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RootPin([u8; 32]);

impl RootPin {
    /// Takes a digest that was computed elsewhere.
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for RootPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for RootPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootPin({self})")
    }
}

impl FromStr for RootPin {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        decode(text).map(Self).ok_or(InvalidToken::Part("root pin"))
    }
}

/// The enrolment string, read. Its `Debug` hides the secret and it has no `Display`: printing it takes [`Self::reveal`].
#[derive(Debug, Clone)]
pub struct EnrollmentString {
    /// Which token.
    pub id: TokenId,
    /// Its proof.
    pub secret: TokenSecret,
    /// The root that the server's chain must end in.
    pub root_pin: RootPin,
}

impl EnrollmentString {
    /// The text, secret and all: to be shown once to the operator who asked for it.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}.{}.{}.{}", self.id, URL_SAFE_NO_PAD.encode(self.secret.expose()), self.root_pin)
    }
}

impl FromStr for EnrollmentString {
    type Err = InvalidToken;

    /// Spaces and line ends around the text are let go, since it comes from a file or a terminal.
    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let text = text.trim();
        if text.len() > MAX_TEXT_BYTES {
            return Err(InvalidToken::Form);
        }
        let mut parts = text.split('.');
        let (Some(prefix), Some(id), Some(secret), Some(pin), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidToken::Form);
        };
        if prefix != PREFIX {
            let versioned = prefix.strip_prefix("mst").is_some_and(|v| v.parse::<u32>().is_ok());
            return Err(if versioned { InvalidToken::Version } else { InvalidToken::Form });
        }
        Ok(Self {
            id: id.parse()?,
            secret: TokenSecret(decode(secret).ok_or(InvalidToken::Part("secret"))?),
            root_pin: pin.parse()?,
        })
    }
}

/// 32 bytes of unpadded base64url; none if the text is longer, shorter or not canonical.
fn decode(text: &str) -> Option<[u8; 32]> {
    if text.len() != 43 {
        return None;
    }
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> EnrollmentString {
        EnrollmentString {
            id: TokenId::from_bytes([0x0f, 1, 2, 3, 4, 5, 6, 7]),
            secret: TokenSecret::from_bytes([0xab; 32]),
            root_pin: RootPin::from_digest([0xfe; 32]),
        }
    }

    #[test]
    fn text_goes_both_ways() {
        let text = sample().reveal();
        let read: EnrollmentString = format!(" {text}\n").parse().unwrap();
        assert_eq!(read.reveal(), text);
        assert!(text.starts_with("mst1.0f01020304050607.q6ur"), "{text}");
    }

    #[test]
    fn damage_is_named() {
        let text = sample().reveal();
        let parts: Vec<&str> = text.split('.').collect();
        let (id, secret, pin) = (parts[1], parts[2], parts[3]);
        let cases = [
            (String::new(), InvalidToken::Form),
            ("hello".into(), InvalidToken::Form),
            (format!("mst1.{id}.{secret}"), InvalidToken::Form),
            (format!("mst1.{id}.{secret}.{pin}.x"), InvalidToken::Form),
            (format!("MST1.{id}.{secret}.{pin}"), InvalidToken::Form),
            (format!("mst2.{id}.{secret}.{pin}"), InvalidToken::Version),
            (format!("mst1.{}.{secret}.{pin}", id.to_uppercase()), InvalidToken::Part("id")),
            (format!("mst1..{secret}.{pin}"), InvalidToken::Part("id")),
            (format!("mst1.+f01020304050607.{secret}.{pin}"), InvalidToken::Part("id")),
            (format!("mst1.{id}..{pin}"), InvalidToken::Part("secret")),
            (format!("mst1.{id}.{secret}=.{pin}"), InvalidToken::Part("secret")),
            (format!("mst1.{id}.{secret}.{}", &pin[1..]), InvalidToken::Part("root pin")),
            ("x".repeat(1 << 20), InvalidToken::Form),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<EnrollmentString>().err(), Some(expected), "{:.80}", text);
        }
    }

    #[test]
    fn the_secret_is_in_no_debug_text() {
        let shown = format!("{:?} {:?}", sample(), sample().secret);
        assert!(!shown.contains("q6ur") && !shown.contains("171"), "{shown}");
    }
}
