//! What is wrong with a configuration, in the form in which a person repairs it.

use std::fmt;
use std::path::PathBuf;

/// One thing to repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file that holds it, or would have to.
    pub file: PathBuf,
    /// Counted from 1; none when the file as a whole is meant.
    pub line: Option<usize>,
    /// The dotted key, such as `schedule.interval`; empty when no key is meant.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(out, ":{line}")?;
        }
        match self.key.as_str() {
            "" => write!(out, ": {}", self.message),
            key => write!(out, ": {key}: {}", self.message),
        }
    }
}

/// Everything that is wrong with a configuration, one line each; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        debug_assert!(!problems.is_empty(), "no problem is no error");
        Self(problems)
    }

    /// The problems in the order of files and lines.
    pub fn list(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Problem::to_string).collect();
        out.write_str(&lines.join("\n"))
    }
}
