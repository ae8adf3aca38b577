//! A finding about an asset.

use std::{fmt, str::FromStr};

use crate::{id::ExceptionId, time::Timestamp};

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Someone should look at it.
    Warning,
    /// Someone must act.
    Critical,
}

impl Severity {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "info" => Ok(Self::Info),
            "warning" => Ok(Self::Warning),
            "critical" => Ok(Self::Critical),
            other => Err(format!("{other:?} is not one of info, warning, critical")),
        }
    }
}

/// A finding, with what was found and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// What kind of finding.
    pub code: FlagCode,
    /// How much it matters.
    pub severity: Severity,
    /// What was found, for people; holds no personal value.
    pub evidence: String,
    /// When it was raised; kept while it stands.
    pub since: Timestamp,
    /// Where it stands; cleared, it is gone.
    pub standing: Standing,
}

/// Where a finding stands between being raised and being cleared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Standing {
    /// Nobody has said anything of it.
    #[default]
    Open,
    /// Somebody has seen it and works on it; it counts as open.
    Acknowledged {
        /// Which account.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// An exception covers it; it doesn't count as open.
    Excepted {
        /// Which exception.
        exception: ExceptionId,
        /// When that ends.
        until: Timestamp,
        /// Its requester approved it; shown wherever it is shown.
        self_approved: bool,
    },
}

impl Flag {
    /// Whether it counts as something to do.
    pub fn is_open(&self) -> bool {
        match self.standing {
            Standing::Open | Standing::Acknowledged { .. } => true,
            Standing::Excepted { .. } => false,
        }
    }
}

/// A text that names no flag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no flag {0:?}")]
pub struct UnknownFlag(pub String);

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident $name:literal $severity:ident,)*) => {
        /// What kind of finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FlagCode {
            $($(#[$doc])* $variant,)*
        }

        impl FlagCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in filters and output.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How much it matters unless the charter says otherwise.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    /// It reports or is seen, and no authoritative record vouches for it.
    Unknown "unknown" Warning,
    /// Deployed by the record, an agent expected, and nothing ever reported.
    NeverSeen "never-seen" Warning,
    /// Silent past its class's limit.
    Stale "stale" Warning,
    /// Silent past the second limit, and seen by nobody.
    Missing "missing" Critical,
    /// Recorded as retired, disposed, sold or returned, and it reports.
    RetiredActive "retired-active" Critical,
    /// Sources of equal rank, or identities, contradict each other.
    Conflict "conflict" Warning,
    /// More devices than allowed claim one identifier.
    DuplicateIdentifier "duplicate-identifier" Warning,
    /// One agent identity on several machines.
    ClonedIdentity "cloned-identity" Critical,
    /// Decisive hardware changed while the machine stayed the same.
    HardwareChanged "hardware-changed" Info,
    /// Nobody is accountable for it.
    Unassigned "unassigned" Info,
    /// A field that the charter requires is not there.
    Incomplete "incomplete" Info,
    /// An agent is expected, other sources see it, and none ever reported.
    Unmanaged "unmanaged" Warning,
    /// Its agent is silent past its class's limit, and another source saw it since.
    AgentSilent "agent-silent" Warning,
    /// Its warranty ends soon.
    WarrantyEnding "warranty-ending" Info,
    /// A renewal, or the end of a lease or contract, is near or was passed over.
    RenewalDue "renewal-due" Warning,
    /// Retired for longer than allowed, without proof of wiping and disposal.
    DisposalUnproven "disposal-unproven" Warning,
}

impl fmt::Display for FlagCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FlagCode {
    type Err = UnknownFlag;

    fn from_str(name: &str) -> Result<Self, UnknownFlag> {
        Self::ALL
            .iter()
            .find(|code| code.name() == name)
            .copied()
            .ok_or_else(|| UnknownFlag(name.chars().take(64).collect()))
    }
}
