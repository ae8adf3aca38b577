//! Fields that an organisation adds, and how they are checked.

use std::{fmt, str::FromStr};

/// What a custom field's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CustomKind {
    /// Any text.
    #[default]
    Text,
    /// A whole number.
    Number,
    /// A date such as `2026-11-30`.
    Date,
    /// One of a list.
    Choice,
}

/// A field that the organisation adds; its name is the key under `custom`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CustomField {
    /// What its values are.
    pub kind: CustomKind,
    /// What it is called on pages; empty: its name.
    pub label: String,
    /// The values of a choice.
    pub choices: Vec<String>,
    /// Which classes or categories have it; empty: all.
    pub of: Vec<String>,
}

impl CustomField {
    /// Why a text is not a value of it.
    ///
    /// # Errors
    /// What would be right.
    pub fn check(&self, value: &str) -> Result<(), String> {
        let good = match self.kind {
            CustomKind::Text => true,
            CustomKind::Number => value.parse::<i64>().is_ok(),
            CustomKind::Date => value.len() == 10 && value.parse::<crate::time::Timestamp>().is_ok(),
            CustomKind::Choice => self.choices.iter().any(|choice| choice == value),
        };
        if good {
            return Ok(());
        }
        let shown: String = value.chars().take(64).collect();
        Err(match self.kind {
            CustomKind::Text | CustomKind::Number => format!("{shown:?} is not a whole number"),
            CustomKind::Date => format!("{shown:?} is not a date such as 2026-11-30"),
            CustomKind::Choice => format!("{shown:?} is not one of {}", self.choices.join(", ")),
        })
    }
}

impl fmt::Display for CustomKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Date => "date",
            Self::Choice => "choice",
        })
    }
}

impl FromStr for CustomKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "number" => Ok(Self::Number),
            "date" => Ok(Self::Date),
            "choice" => Ok(Self::Choice),
            other => Err(format!("{other:?} is not one of text, number, date, choice")),
        }
    }
}
