//! A place in a filter's text, and the words that start there.
//!
//! Knows nothing of the grammar. There is no token list: what ends a word depends on where it stands (a value may
//! hold colons, as times and MAC addresses do, and a field may not), so the parser asks for the kind that it wants.

use super::{FilterError, Value};

pub(super) struct Cursor<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or("")
    }

    pub(super) fn skip_space(&mut self) {
        let rest = self.rest();
        self.position += rest.len() - rest.trim_start().len();
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Steps over `expected` when it stands here.
    pub(super) fn eat(&mut self, expected: &str) -> bool {
        let here = self.rest().starts_with(expected);
        if here {
            self.position += expected.len();
        }
        here
    }

    /// The bare word that stands here, without stepping over it.
    pub(super) fn peek_word(&self) -> &'a str {
        self.run(ends_word)
    }

    /// Steps over the bare word that stands here.
    pub(super) fn word(&mut self) -> &'a str {
        let word = self.peek_word();
        self.position += word.len();
        word
    }

    /// Reads a value without quotes: everything up to a space, a parenthesis, a quote or another comparator.
    pub(super) fn bare_value(&mut self) -> Result<Value, FilterError> {
        let start = self.position;
        let word = self.run(|c| ends_word(c) && c != ':');
        if word.is_empty() {
            return Err(self.unexpected("a value"));
        }
        self.position += word.len();
        self.pattern(start, word)
    }

    /// A bare word as a value, with its wildcards.
    pub(super) fn pattern(&self, start: usize, word: &str) -> Result<Value, FilterError> {
        let marked = word.chars().map(|character| match character {
            '*' => Mark::Wildcard,
            other => Mark::Plain(other),
        });
        value(marked.collect()).ok_or_else(|| self.inner_wildcard(start))
    }

    /// Reads a value in the quotes that open here.
    pub(super) fn quoted(&mut self) -> Result<Value, FilterError> {
        let start = self.position;
        let mut marks = Vec::new();
        let mut characters = self.rest().char_indices();
        let quote = characters.next().map(|(_, quote)| quote);
        while let Some((offset, character)) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some((_, escaped @ ('\\' | '"' | '\'' | '*'))) => marks.push(Mark::Plain(escaped)),
                    Some(_) | None => {
                        let expected = "\\\\ for a backslash (or \\\", \\', \\*)";
                        return Err(self.error(start + offset, "a single backslash", expected));
                    }
                },
                '*' => marks.push(Mark::Wildcard),
                _ if Some(character) == quote => {
                    self.position = start + offset + character.len_utf8();
                    return value(marks).ok_or_else(|| self.inner_wildcard(start));
                }
                plain => marks.push(Mark::Plain(plain)),
            }
        }
        Err(self.error(start, "a quote that is never closed", format!("a closing {}", quote.unwrap_or('"'))))
    }

    /// The error for what stands here.
    pub(super) fn unexpected(&self, expected: impl Into<String>) -> FilterError {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some('"' | '\'') => "a quoted text".to_owned(),
            Some(character) => {
                let word: String = self.peek_word().chars().take(40).collect();
                format!("{:?}", if word.is_empty() { character.to_string() } else { word })
            }
        };
        self.error(self.position, found, expected)
    }

    /// An error at a place that was already read.
    pub(super) fn error(
        &self,
        position: usize,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> FilterError {
        FilterError::new(self.text, position, found, expected)
    }

    fn inner_wildcard(&self, start: usize) -> FilterError {
        let expected = "wildcards at the start or the end only (inside quotes, \\* is the character itself)";
        self.error(start, "a * inside a text", expected)
    }

    fn run(&self, ends: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        rest.get(..rest.find(ends).unwrap_or(rest.len())).unwrap_or("")
    }
}

fn ends_word(character: char) -> bool {
    character.is_whitespace() || matches!(character, '(' | ')' | '"' | '\'' | '=' | '<' | '>' | '!' | ':')
}

/// A character of a value, its wildcards told from characters that were escaped.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Plain(char),
    Wildcard,
}

/// `None` when a wildcard stands inside.
fn value(mut marks: Vec<Mark>) -> Option<Value> {
    if marks == [Mark::Wildcard] || marks == [Mark::Wildcard, Mark::Wildcard] {
        return Some(Value::Any);
    }
    let trailing = marks.pop_if(|mark| *mark == Mark::Wildcard).is_some();
    let leading = marks.first() == Some(&Mark::Wildcard);
    let plain = marks.iter().skip(usize::from(leading)).map(|mark| match mark {
        Mark::Plain(character) => Some(*character),
        Mark::Wildcard => None,
    });
    let text: String = plain.collect::<Option<_>>()?;
    Some(match (leading, trailing) {
        (false, false) => Value::Exact(text),
        (false, true) => Value::Prefix(text),
        (true, false) => Value::Suffix(text),
        (true, true) => Value::Contains(text),
    })
}
