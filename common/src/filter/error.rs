//! What is wrong with a filter, and where, for a person at a terminal and for a program.
//!
//! Keeps no copy of the whole filter, so that it is cheap to carry in a status message; [`FilterError::caret`]
//! takes the text again.

/// A filter that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the filter is wrong at column {column}: found {found}, expected {expected}")]
pub struct FilterError {
    /// Where, in bytes from the start.
    pub position: usize,
    /// Where, in characters, counted from 1.
    pub column: usize,
    /// What stands there.
    pub found: String,
    /// What could stand there, or what to do.
    pub expected: String,
}

/// How much of the filter stands on either side of the caret, in characters.
const CONTEXT: usize = 60;

impl FilterError {
    pub(super) fn new(
        filter: &str,
        position: usize,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        let before = filter.get(..position).unwrap_or(filter);
        Self { position, column: before.chars().count() + 1, found: found.into(), expected: expected.into() }
    }

    /// Two lines for a terminal: the part of `filter` around the place, and a caret below it. Control characters
    /// are shown as spaces.
    pub fn caret(&self, filter: &str) -> String {
        let start = self.column.saturating_sub(1).saturating_sub(CONTEXT);
        let shown: String = filter
            .chars()
            .skip(start)
            .take(2 * CONTEXT)
            .map(|character| if character.is_control() { ' ' } else { character })
            .collect();
        let indent = self.column.saturating_sub(1).saturating_sub(start);
        format!("{shown}\n{:indent$}^", "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_below_the_place() {
        let filter = "größe = \t)";
        let error = FilterError::new(filter, filter.find(')').unwrap(), "\")\"", "a value");
        assert_eq!(error.column, 10);
        assert_eq!(error.caret(filter), "größe =  )\n         ^");
        assert_eq!(error.to_string(), "the filter is wrong at column 10: found \")\", expected a value");
    }

    #[test]
    fn a_long_filter_is_cut_around_the_place() {
        let filter = "x".repeat(500);
        let caret = FilterError::new(&filter, 300, "", "").caret(&filter);
        let lines: Vec<_> = caret.lines().collect();
        assert_eq!((lines[0].len(), lines[1].len()), (120, 61));
    }
}
