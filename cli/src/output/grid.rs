//! Rows and columns, before anybody decides how they look.
//!
//! A cell has two texts: the one that people like to read, and the exact one for spreadsheets.

/// How a cell stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tone {
    /// It doesn't.
    #[default]
    Plain,
    /// Less than the others.
    Quiet,
    /// All is well.
    Good,
    /// Someone should look at it.
    Warning,
    /// Someone must act.
    Critical,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cell {
    /// For people.
    pub(crate) shown: String,
    /// For spreadsheets.
    pub(crate) exact: String,
    /// How it stands out.
    pub(crate) tone: Tone,
}

impl Cell {
    /// The same text for both.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { exact: text.clone(), shown: text, tone: Tone::Plain }
    }

    /// One text for people and another for spreadsheets.
    pub(crate) fn pair(shown: impl Into<String>, exact: impl Into<String>) -> Self {
        Self { shown: shown.into(), exact: exact.into(), tone: Tone::Plain }
    }

    /// The same cell in another tone.
    pub(crate) fn in_tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    /// In lower case with underscores; tables show it in capitals with spaces.
    pub(crate) name: &'static str,
    /// Numbers stand at the right.
    pub(crate) is_number: bool,
    /// Whether its text may take several lines.
    pub(crate) wraps: bool,
    /// Left out first when the terminal is too narrow; 0: never left out.
    pub(crate) spare: u8,
}

impl Column {
    /// A column of text on one line, never left out.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, is_number: false, wraps: false, spare: 0 }
    }

    /// A column of numbers.
    pub(crate) const fn number(name: &'static str) -> Self {
        Self { is_number: true, ..Self::new(name) }
    }

    /// A column of sentences.
    pub(crate) const fn sentences(name: &'static str) -> Self {
        Self { wraps: true, ..Self::new(name) }
    }

    /// The same column, left out where there is no room; the highest number goes first.
    pub(crate) const fn spare(mut self, order: u8) -> Self {
        self.spare = order;
        self
    }
}

/// Rows and columns; each row has a cell for each column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Grid {
    /// The columns.
    pub(crate) columns: Vec<Column>,
    /// The rows.
    pub(crate) rows: Vec<Vec<Cell>>,
}

impl Grid {
    /// No rows yet.
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }
}
