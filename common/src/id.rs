//! Typed identifiers: random UUIDs (version 4), lower case in text.
//!
//! Random and not time-ordered, since ordered keys make hot shards in range-sharded databases.

use std::{fmt, str::FromStr};

use uuid::Uuid;

/// A text that is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {kind} (expected 36 characters such as 6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11)")]
pub struct InvalidId {
    kind: &'static str,
    text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Draws a new random identifier.
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// Takes an identifier that was drawn elsewhere, for example by a seeded generator.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The 16 bytes in network order.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = || InvalidId { kind: $kind, text: text.chars().take(64).collect() };
                if text.len() != 36 || text.bytes().any(|b| b.is_ascii_uppercase()) {
                    return Err(invalid());
                }
                Uuid::try_parse(text).map(Self).map_err(|_| invalid())
            }
        }
    };
}

id!(
    /// The reconciled record of one physical or virtual machine; never changes and is never reused.
    DeviceId,
    "device id"
);
id!(
    /// One installed copy of `muster-agent`: the identity in its certificate.
    AgentId,
    "agent id"
);
id!(
    /// One request to buy something.
    RequestId,
    "request id"
);
id!(
    /// A person; names and addresses lie encrypted elsewhere, under that person's key.
    PersonId,
    "person id"
);
id!(
    /// Drawn by an agent before its first try to enrol, so that a repeated try is the same enrolment.
    EnrollmentId,
    "enrollment id"
);
id!(
    /// An exception from a finding.
    ExceptionId,
    "exception id"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_strict() {
        let id = DeviceId::random();
        assert_eq!(id.to_string().parse::<DeviceId>(), Ok(id));
        for bad in ["", "x", "6F1C0D52-8A6E-4B0E-9A44-0D6F9E5F2C11", "{6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11}"]
        {
            assert!(bad.parse::<DeviceId>().is_err(), "{bad} was accepted");
        }
    }
}
