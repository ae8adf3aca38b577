//! Whether findings are only counted, or somebody is told of them.

use std::{fmt, str::FromStr};

use crate::time::Timestamp;

/// Where a charter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Findings are counted, nobody is told: what was there before the charter is nobody's fault.
    #[default]
    Baseline,
    /// From this moment on people are told, and what stays too long goes up the path of escalation.
    Enforce {
        /// The first moment.
        from: Timestamp,
    },
}

/// The name of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PhaseName {
    /// See [`Phase::Baseline`].
    #[default]
    Baseline,
    /// See [`Phase::Enforce`].
    Enforce,
}

impl Phase {
    /// Whether people are told of findings at a moment.
    pub fn is_enforced_at(self, now: Timestamp) -> bool {
        match self {
            Self::Baseline => false,
            Self::Enforce { from } => from <= now,
        }
    }

    /// Its name.
    pub const fn name(self) -> PhaseName {
        match self {
            Self::Baseline => PhaseName::Baseline,
            Self::Enforce { .. } => PhaseName::Enforce,
        }
    }
}

impl fmt::Display for PhaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Baseline => "baseline",
            Self::Enforce => "enforce",
        })
    }
}

impl FromStr for PhaseName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "baseline" => Ok(Self::Baseline),
            "enforce" => Ok(Self::Enforce),
            other => Err(format!("{other:?} is not one of baseline, enforce")),
        }
    }
}
