//! The three digests, all BLAKE3; lengths are written before what they measure, so that no two inputs run together.

use std::fmt;

use crate::inventory::SectionName;

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }

            /// From bytes that came over a wire; `None` when their number is wrong.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0[..6].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    };
}

digest!(
    /// Names an item within its section: the first 16 bytes of BLAKE3 over the item's key.
    KeyDigest,
    16
);
digest!(
    /// The first 16 bytes of BLAKE3 over an item's encoded body and installation.
    ItemDigest,
    16
);
digest!(
    /// BLAKE3 over a section's name and its pairs of key and item digest in the order of the keys.
    SectionDigest,
    32
);

impl KeyDigest {
    /// Of an item's key.
    pub fn of(key: &str) -> Self {
        Self(shorten(blake3::hash(key.as_bytes())))
    }
}

impl ItemDigest {
    /// Of an item as it was encoded.
    pub fn of(body: &[u8], installation: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(body.len() as u64).to_le_bytes());
        hasher.update(body);
        hasher.update(installation);
        Self(shorten(hasher.finalize()))
    }
}

impl SectionDigest {
    /// Of a section; the pairs must come in the order of their keys, each key once.
    pub fn of(section: &SectionName, pairs: impl IntoIterator<Item = (KeyDigest, ItemDigest)>) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(section.as_str().len() as u64).to_le_bytes());
        hasher.update(section.as_str().as_bytes());
        for (key, item) in pairs {
            hasher.update(&key.0);
            hasher.update(&item.0);
        }
        Self(*hasher.finalize().as_bytes())
    }
}

fn shorten(hash: blake3::Hash) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&hash.as_bytes()[..16]);
    short
}
