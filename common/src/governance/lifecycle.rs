//! The life of an asset: its states, what may be attached to prove a step, and how it can be wiped.
//!
//! Words alone. Which step may follow which, who may take it and what it needs is decided by the collector's policy.

use std::{fmt, str::FromStr};

/// A text that is none of the words that may stand there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not one of {known}")]
pub struct UnknownWord {
    /// As it was written.
    pub found: String,
    /// Every word that may.
    pub known: String,
}

macro_rules! words {
    ($(#[$head:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident $text:literal,)* }) => {
        $(#[$head])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// Every one, in the usual order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in records, filters and output.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().find(|word| word.name() == text).copied().ok_or_else(|| UnknownWord {
                    found: text.chars().take(64).collect(),
                    known: Self::ALL.iter().map(|word| word.name()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

words! {
    /// Where an asset stands in its life.
    State {
        /// Somebody asked for it.
        Requested "requested",
        /// Somebody else agreed.
        Approved "approved",
        /// The supplier has the order.
        Ordered "ordered",
        /// The supplier has sent it.
        InTransit "in-transit",
        /// It is here, and it is what was bought.
        Received "received",
        /// Ready to be given out.
        InStock "in-stock",
        /// In use; its holder has acknowledged it.
        Deployed "deployed",
        /// Away for repair.
        InRepair "in-repair",
        /// Kept to stand in for another.
        Spare "spare",
        /// Nobody knows where it is.
        Lost "lost",
        /// Somebody took it.
        Stolen "stolen",
        /// It was lost or stolen and is back.
        Found "found",
        /// Not to be used any more.
        Retired "retired",
        /// Nothing of ours is on it any more.
        Wiped "wiped",
        /// Scrapped, with a certificate.
        Disposed "disposed",
        /// Somebody else's now.
        Sold "sold",
        /// Back with whom it was leased from.
        ReturnedToLessor "returned-to-lessor",
        /// Of what comes and goes by itself: it is there.
        Running "running",
        /// Of what comes and goes by itself: it is gone.
        Terminated "terminated",
    }
}

impl State {
    /// Whether an asset is in use.
    pub const fn is_in_use(self) -> bool {
        matches!(self, Self::Deployed | Self::Found | Self::Running)
    }

    /// Whether its life with us is over, or about to be: retired and whatever comes after.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Retired | Self::Wiped) || self.has_left()
    }

    /// Whether it isn't ours, or isn't, any more.
    pub const fn has_left(self) -> bool {
        matches!(self, Self::Disposed | Self::Sold | Self::ReturnedToLessor | Self::Terminated)
    }
}

words! {
    /// How an asset was made to hold nothing of ours any more.
    WipeMethod {
        /// Every block was written over.
        Overwrite "overwrite",
        /// The key was destroyed that everything was encrypted under.
        CryptoErase "crypto-erase",
        /// The storage itself was destroyed.
        Destruction "destruction",
        /// It never had any storage.
        NoStorage "no-storage",
    }
}

words! {
    /// What a file proves.
    EvidenceKind {
        /// That the asset was wiped.
        WipeCertificate "wipe-certificate",
        /// That it was disposed of.
        DisposalCertificate "disposal-certificate",
        /// To whom it was sold.
        SaleRecord "sale-record",
        /// That the lessor has it back.
        ReturnReceipt "return-receipt",
        /// What came with it when it arrived.
        DeliveryNote "delivery-note",
        /// What was paid.
        Invoice "invoice",
        /// What was repaired.
        RepairReport "repair-report",
        /// That a loss or theft was reported.
        LossReport "loss-report",
        /// Anything else.
        Other "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_and_others_are_refused_with_a_list() {
        for state in State::ALL {
            assert_eq!(state.name().parse(), Ok(*state));
        }
        for method in WipeMethod::ALL {
            assert_eq!(method.name().parse(), Ok(*method));
        }
        for kind in EvidenceKind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
        }
        let error = "gone".parse::<State>().unwrap_err().to_string();
        assert!(error.starts_with("\"gone\" is not one of requested, approved"), "{error}");
    }
}
