//! What kinds of assets there are: one record and one list for all of them.
//!
//! A device is the asset that can speak for itself. Everything else that an organisation owns, rents or pays for is the
//! same record with another category, so that provenance, history, findings and rights are the same for all.

use std::{fmt, str::FromStr};

macro_rules! categories {
    ($($(#[$doc:meta])* $variant:ident $name:literal,)*) => {
        /// What kind of asset a record is of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub enum Category {
            $($(#[$doc])* $variant,)*
        }

        impl Category {
            /// Every category.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in filters and output.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

categories! {
    /// A physical or virtual machine, a phone, a switch: what has a network of its own.
    #[default]
    Device "device",
    /// What hangs on a device: monitor, dock, headset.
    Peripheral "peripheral",
    /// A service that is paid by seats or by use.
    Subscription "subscription",
    /// One person's seat of a subscription.
    Seat "seat",
    /// What a cloud bills that is no machine: storage, database, address.
    CloudResource "cloud-resource",
    /// A contract: maintenance, lease, support.
    Contract "contract",
    /// Spare parts and consumables that are counted and not told apart.
    Stock "stock",
}

/// A text that names no category.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no category {0:?} (use one of: device, peripheral, subscription, seat, cloud-resource, contract, stock)"
)]
pub struct UnknownCategory(pub String);

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Category {
    type Err = UnknownCategory;

    fn from_str(name: &str) -> Result<Self, UnknownCategory> {
        Self::ALL
            .iter()
            .find(|category| category.name() == name)
            .copied()
            .ok_or_else(|| UnknownCategory(name.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_the_message_names_them_all() {
        let message = UnknownCategory("x".to_owned()).to_string();
        for category in Category::ALL {
            assert_eq!(category.name().parse(), Ok(*category));
            assert!(message.contains(category.name()), "{category}");
        }
    }
}
