//! How much a program logs.

use std::fmt;
use std::str::FromStr;

/// How much is logged, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Someone must act.
    Error,
    /// Something went wrong and was put right.
    Warn,
    /// The life of the program: start, enrolment, connection, drain.
    Info,
    /// Each report.
    Debug,
    /// Everything, libraries included.
    Trace,
}

/// A text that is no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not one of error, warn, info, debug, trace")]
pub struct InvalidLogLevel(String);

impl LogLevel {
    /// Every level.
    pub const ALL: &[Self] = &[Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// Its name in configuration, which is also what tracing's filters call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl FromStr for LogLevel {
    type Err = InvalidLogLevel;

    fn from_str(text: &str) -> Result<Self, InvalidLogLevel> {
        let found = Self::ALL.iter().find(|level| level.name() == text);
        found.copied().ok_or_else(|| InvalidLogLevel(text.to_owned()))
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for level in LogLevel::ALL {
            assert_eq!(level.name().parse(), Ok(*level));
        }
        assert!("loud".parse::<LogLevel>().is_err());
    }
}
