//! The filter language of lists and counts: AIP-160 (google.aip.dev/160) text to a typed tree and back.
//!
//! Knows nothing of which fields exist, of their types and of how a tree is evaluated: the index does. So one
//! language serves devices, software and flags, and a client can check and quote a filter without a collector.
//!
//! What is particular to Muster:
//! - `OR` binds tighter than `AND`, as AIP-160 has it: `a AND b OR c` is `a AND (b OR c)`. Words side by side are
//!   joined by `AND`.
//! - `field:*` asks whether there is a value. `!=` asks for a value that is another one; `NOT field = x` also takes
//!   what has no value.
//! - `*` at the start or the end of a text is a wildcard; `\*` inside quotes is the character.
//! - `software:( … )` binds its terms to one and the same package.
//! - `and`, `or` and `not` in lower case are refused, since they would silently search for those words.

mod cursor;
mod display;
mod error;
mod parse;

use std::{fmt, str::FromStr};

pub use error::FilterError;

/// The longest filter text, in bytes.
pub const MAX_LENGTH_BYTES: usize = 8 * 1024;
/// The deepest nesting of parentheses.
pub const MAX_DEPTH: usize = 64;
/// The most comparisons and search words in one filter.
pub const MAX_TERMS: usize = 512;

/// What is asked for. Trees from [`Filter::parse`] never nest `And` in `And` or `Or` in `Or`, and both have two
/// or more parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Everything: the empty filter, or `*`.
    All,
    /// What matches every part.
    And(Vec<Filter>),
    /// What matches any part.
    Or(Vec<Filter>),
    /// What doesn't match.
    Not(Box<Filter>),
    /// A field against a value.
    Comparison(Comparison),
    /// A bare word or phrase, looked for in the fields that people search by.
    Search(Value),
    /// `software:( … )`: one package that matches all of the inner filter.
    Software(Box<Filter>),
}

/// A field against a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The field.
    pub field: FieldPath,
    /// How they are compared.
    pub operator: Operator,
    /// With what. Anything but [`Value::Exact`] comes with `=`, `!=` or `:` only, [`Value::Any`] not with `!=`.
    pub value: Value,
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `:` has: a text that contains the value, a list with such a member.
    Has,
}

/// What a field is compared with. The text is as written; what it means (a number, a time, a version) depends on
/// the field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// `*`: any value at all.
    Any,
    /// The text itself.
    Exact(String),
    /// `text*`
    Prefix(String),
    /// `*text`
    Suffix(String),
    /// `*text*`
    Contains(String),
}

/// A dotted path such as `os.name`: words of ASCII letters, digits, `_` and `-` that start with a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(String);

/// A text that is no field path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a field (expected words of letters, digits, _ and -, joined by dots, such as os.name)")]
pub struct InvalidFieldPath(String);

impl Filter {
    /// Reads a filter; the empty text is [`Filter::All`]. Takes time linear in the text, whose length, depth and
    /// number of terms are bounded by the constants above.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::parse(text)
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

impl Operator {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Has => ":",
        }
    }

    /// Whether it asks for an order rather than for likeness.
    pub const fn is_order(self) -> bool {
        match self {
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => true,
            Self::Equal | Self::NotEqual | Self::Has => false,
        }
    }
}

impl Value {
    /// The text without its wildcards; `None` for [`Value::Any`].
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Any => None,
            Self::Exact(text) | Self::Prefix(text) | Self::Suffix(text) | Self::Contains(text) => Some(text),
        }
    }
}

impl FieldPath {
    /// Checks and takes a path.
    pub fn new(path: impl Into<String>) -> Result<Self, InvalidFieldPath> {
        let path = path.into();
        let good = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_alphabetic())
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if path.len() > 128 || !path.split('.').all(good) {
            return Err(InvalidFieldPath(path.chars().take(64).collect()));
        }
        Ok(Self(path))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
