//! The bytes of a file as text: UTF-8 with or without a byte-order mark, and what separates its cells.
//!
//! Guesses only in order to say what is wrong: a file in another encoding is refused with the command that converts
//! it, since a wrong guess would put broken names into the inventory.

use super::{ImportError, MAX_COLUMNS, columns};

/// What may stand between two cells, with the word for it.
const DELIMITERS: &[(u8, &str)] = &[(b',', "comma"), (b';', "semicolon"), (b'\t', "tab")];

/// A line with more delimiters than this is refused before it is split.
const MAX_DELIMITERS: usize = MAX_COLUMNS * 16;

/// A file's text and the delimiter in it.
#[derive(Debug)]
pub(super) struct Decoded<'a> {
    /// Without byte-order mark and `sep=` line.
    pub(super) text: &'a str,
    /// What stands between two cells.
    pub(super) delimiter: u8,
    /// The word for it.
    pub(super) delimiter_name: &'static str,
    /// How many rows of the spreadsheet were taken from the front.
    pub(super) skipped_rows: u32,
}

/// Reads bytes as text and finds the delimiter.
pub(super) fn decode(content: &[u8]) -> Result<Decoded<'_>, ImportError> {
    let content = match content {
        [0xef, 0xbb, 0xbf, rest @ ..] => rest,
        [0xff, 0xfe, ..] => return Err(ImportError::Encoding { encoding: "UTF-16LE" }),
        [0xfe, 0xff, ..] => return Err(ImportError::Encoding { encoding: "UTF-16BE" }),
        other => other,
    };
    if let [first, second, ..] = content {
        match (first, second) {
            (0, 1..) => return Err(ImportError::Encoding { encoding: "UTF-16BE" }),
            (1.., 0) => return Err(ImportError::Encoding { encoding: "UTF-16LE" }),
            (0, 0) | (1.., 1..) => {}
        }
    }
    if let Some(at) = content.iter().position(|byte| *byte == 0) {
        return Err(ImportError::NotText { line: line_of(content, at) });
    }
    let text = match std::str::from_utf8(content) {
        Ok(text) => text,
        Err(error) => return Err(not_utf8(content, error.valid_up_to())),
    };
    if text.trim().is_empty() {
        return Err(ImportError::Empty);
    }
    let (text, named, skipped_rows) = without_separator_line(text);
    let (delimiter, delimiter_name) =
        DELIMITERS.iter().find(|(byte, _)| Some(*byte) == named).copied().unwrap_or_else(|| detect(text));
    for (index, line) in text.split(['\n', '\r']).enumerate() {
        if line.bytes().filter(|byte| *byte == delimiter).count() > MAX_DELIMITERS {
            return Err(ImportError::TooManyColumns { line: index + 1 });
        }
    }
    Ok(Decoded { text, delimiter, delimiter_name, skipped_rows })
}

/// Spreadsheets write `sep=;` in front of the heading for each other.
fn without_separator_line(text: &str) -> (&str, Option<u8>, u32) {
    let Some(rest) = text.strip_prefix("sep=") else { return (text, None, 0) };
    let mut letters = rest.chars();
    let named = letters.next().and_then(|letter| u8::try_from(letter).ok());
    match letters.as_str().split_once('\n') {
        Some((end, rest)) if end.trim_end().is_empty() => (rest, named, 1),
        Some(_) | None => (text, None, 0),
    }
}

/// The delimiter with which the heading has the most columns that we know, then the most columns.
fn detect(text: &str) -> (u8, &'static str) {
    let heading: String =
        text.trim_start().lines().next().unwrap_or_default().chars().take(16 * 1024).collect();
    let score = |delimiter: u8| {
        let cells = heading.split(char::from(delimiter));
        let known =
            cells.clone().filter(|cell| columns::Column::from_heading(cell.trim_matches('"')).is_some());
        (known.count(), cells.count())
    };
    // The first of equals wins, so that a single column counts as separated by commas.
    let mut best = DELIMITERS[0];
    for candidate in &DELIMITERS[1..] {
        if score(candidate.0) > score(best.0) {
            best = *candidate;
        }
    }
    best
}

/// Names what text that is not UTF-8 seems to be.
fn not_utf8(content: &[u8], at: usize) -> ImportError {
    // Control bytes other than tab, line feed and carriage return stand in no text of any of these encodings.
    let is_binary = content.iter().any(|byte| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c));
    if is_binary {
        return ImportError::NotText { line: line_of(content, at) };
    }
    // Latin-1 leaves 0x80 to 0x9f to control characters; Windows has quotes, dashes and the euro sign there.
    let is_windows = content.iter().any(|byte| (0x80..0xa0).contains(byte));
    ImportError::Encoding { encoding: if is_windows { "WINDOWS-1252" } else { "ISO-8859-1" } }
}

fn line_of(content: &[u8], at: usize) -> usize {
    content[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_found() {
        for (text, expected) in [
            ("serial,model\nA,B", "comma"),
            ("serial;model;\"location, room\"\nA;B;C", "semicolon"),
            ("Serial Number\tModel\nA\tB", "tab"),
            ("serial\nA", "comma"),
            ("sep=;\r\nserial,model\nA", "semicolon"),
            ("\u{feff}serial;model\n", "semicolon"),
        ] {
            assert_eq!(decode(text.as_bytes()).unwrap().delimiter_name, expected, "{text:?}");
        }
    }

    #[test]
    fn other_encodings_are_named() {
        let encoding = |encoding| ImportError::Encoding { encoding };
        let cases: [(&[u8], ImportError); 9] = [
            (b"\xff\xfes\0e\0", encoding("UTF-16LE")),
            (b"\xfe\xff\0s\0e", encoding("UTF-16BE")),
            (b"s\0e\0r\0", encoding("UTF-16LE")),
            (b"\0s\0e\0r", encoding("UTF-16BE")),
            (b"serial,location\nA,M\xfcnchen\n", encoding("ISO-8859-1")),
            (b"serial,price\nA,\x80 5\n", encoding("WINDOWS-1252")),
            (b"PK\x03\x04\x14\0", ImportError::NotText { line: 1 }),
            (b"", ImportError::Empty),
            (b"\xef\xbb\xbf \r\n", ImportError::Empty),
        ];
        for (content, expected) in cases {
            assert_eq!(decode(content).unwrap_err(), expected, "{}", content.escape_ascii());
        }
    }

    #[test]
    fn a_line_of_delimiters_is_refused_before_it_is_split() {
        let text = format!("serial,model\n{}", ",".repeat(1 << 20));
        assert_eq!(decode(text.as_bytes()).unwrap_err(), ImportError::TooManyColumns { line: 2 });
    }
}
