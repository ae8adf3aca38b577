//! The bytes of a file as text, in whatever encoding a spreadsheet wrote them, and what separates its cells.
//!
//! What is detected is told, since a wrong guess would put broken names into the inventory; what is chosen is not
//! guessed. Knows nothing of rows.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::{ImportError, MAX_COLUMNS, options::Options};

/// What may stand between two cells, with the word for it.
const DELIMITERS: &[(u8, &str)] = &[(b',', "comma"), (b';', "semicolon"), (b'\t', "tab"), (b'|', "bar")];

/// A line with more delimiters than this is refused before it is split.
const MAX_DELIMITERS: usize = MAX_COLUMNS * 16;

/// What is left when UTF-8 was read as Windows-1252 and saved again.
const GARBLED: &[&str] = &["Ã¼", "Ã¤", "Ã¶", "ÃŸ", "Ã©", "Ã¨", "â‚¬", "Â "];

/// A file's text.
#[derive(Debug)]
pub(super) struct Decoded<'a> {
    /// Without byte-order mark.
    pub(super) text: Cow<'a, str>,
    /// How it was read, as far as that has to be told.
    pub(super) remarks: Vec<String>,
}

/// Reads bytes as text.
pub(super) fn decode<'a>(content: &'a [u8], options: &Options) -> Result<Decoded<'a>, ImportError> {
    let mut remarks = Vec::new();
    let text = match options.encoding {
        Some(encoding) => strictly(content, encoding)?,
        None => {
            let (text, detected) = detect_encoding(content)?;
            remarks.extend(detected);
            text
        }
    };
    if text.trim().is_empty() {
        return Err(ImportError::Empty);
    }
    if GARBLED.iter().any(|sign| text.contains(sign)) {
        remarks.push(
            "some letters look garbled (\"ü\" as \"Ã¼\"): whoever wrote the file read UTF-8 as Windows-1252; export it again as UTF-8"
                .to_owned(),
        );
    }
    Ok(Decoded { text, remarks })
}

/// In the encoding that was chosen, without exception.
fn strictly<'a>(content: &'a [u8], encoding: &'static Encoding) -> Result<Cow<'a, str>, ImportError> {
    let (text, had_errors) = encoding.decode_with_bom_removal(content);
    if had_errors || text.contains('\0') {
        return Err(ImportError::Encoding { encoding: encoding.name() });
    }
    Ok(text)
}

fn detect_encoding(content: &[u8]) -> Result<(Cow<'_, str>, Option<String>), ImportError> {
    let utf_16 = match content {
        [0xff, 0xfe, ..] => Some(UTF_16LE),
        [0xfe, 0xff, ..] => Some(UTF_16BE),
        [0, 1..=255, ..] => Some(UTF_16BE),
        [1..=255, 0, ..] => Some(UTF_16LE),
        _ => None,
    };
    if let Some(encoding) = utf_16 {
        let (text, had_errors) = encoding.decode_with_bom_removal(content);
        if had_errors || text.contains('\0') {
            return Err(ImportError::NotText { line: 1 });
        }
        return Ok((text, Some(format!("the file was read as {}", encoding.name()))));
    }
    if let Some(at) = content.iter().position(|byte| *byte == 0) {
        return Err(ImportError::NotText { line: line_of(content, at) });
    }
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let error = match std::str::from_utf8(content) {
        Ok(text) => return Ok((Cow::Borrowed(text), None)),
        Err(error) => error,
    };
    // Control bytes other than these stand in no text of any of these encodings.
    if content.iter().any(|byte| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c)) {
        return Err(ImportError::NotText { line: line_of(content, error.valid_up_to()) });
    }
    let (text, _) = WINDOWS_1252.decode_without_bom_handling(content);
    let remark = format!(
        "the file is not {} and was read as {} (if umlauts come out wrong, choose another with encoding=NAME)",
        UTF_8.name(),
        WINDOWS_1252.name()
    );
    Ok((text, Some(remark)))
}

/// What stands between the cells of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Separated<'a> {
    /// Without `sep=` line.
    pub(super) text: &'a str,
    /// What stands between two cells.
    pub(super) delimiter: u8,
    /// The word for it.
    pub(super) name: &'static str,
    /// How many rows of the spreadsheet were taken from the front.
    pub(super) skipped_rows: u32,
}

/// Finds the delimiter; `knows` says of a heading whether it means something.
pub(super) fn separate<'a>(
    text: &'a str,
    options: &Options,
    knows: &dyn Fn(&str) -> bool,
) -> Result<Separated<'a>, ImportError> {
    let (text, named, skipped_rows) = without_separator_line(text);
    let wanted = options.delimiter.or(named);
    let (delimiter, name) = DELIMITERS
        .iter()
        .find(|(byte, _)| Some(*byte) == wanted)
        .copied()
        .unwrap_or_else(|| detect_delimiter(text, knows));
    for (index, line) in text.split(['\n', '\r']).enumerate() {
        if line.len() > MAX_DELIMITERS
            && memchr::memchr_iter(delimiter, line.as_bytes()).count() > MAX_DELIMITERS
        {
            return Err(ImportError::TooManyColumns { line: index + 1 });
        }
    }
    Ok(Separated { text, delimiter, name, skipped_rows })
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

/// The delimiter with which one of the first lines has the most columns that we know, then the most columns.
fn detect_delimiter(text: &str, knows: &dyn Fn(&str) -> bool) -> (u8, &'static str) {
    let mut end = text.len().min(16 * 1024);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let lines = text[..end].trim_start().lines().take(super::table::MAX_PREAMBLE);
    let score = |delimiter: u8, line: &str| {
        let cells = line.split(char::from(delimiter)).take(MAX_COLUMNS);
        (cells.clone().filter(|cell| knows(cell.trim().trim_matches('"'))).count(), cells.count())
    };
    // The first of equals wins, so that a single column counts as separated by commas.
    let mut best = (DELIMITERS[0], (0, 0));
    for line in lines {
        for candidate in DELIMITERS {
            let score = score(candidate.0, line);
            if score > best.1 && (score.0 > best.1.0 || best.1.0 == 0) {
                best = (*candidate, score);
            }
        }
        if best.1.0 > 0 {
            break;
        }
    }
    best.0
}

fn line_of(content: &[u8], at: usize) -> usize {
    content[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(heading: &str) -> bool {
        ["serial", "model", "location", "Serial Number"].contains(&heading)
    }

    #[test]
    fn the_delimiter_is_found() {
        for (text, expected) in [
            ("serial,model\nA,B", "comma"),
            ("serial;model;\"location, room\"\nA;B;C", "semicolon"),
            ("Serial Number\tModel\nA\tB", "tab"),
            ("serial|model\nA|B", "bar"),
            ("serial\nA", "comma"),
            ("a;b\nA;B", "semicolon"),
            ("sep=;\r\nserial,model\nA", "semicolon"),
            ("Report, of\nserial;model\nA;B", "semicolon"),
        ] {
            assert_eq!(separate(text, &Options::default(), &knows).unwrap().name, expected, "{text:?}");
        }
        let mut options = Options::default();
        options.set("delimiter", "tab").unwrap();
        assert_eq!(separate("serial,model\n", &options, &knows).unwrap().name, "tab");
    }

    #[test]
    fn encodings_are_detected_and_told() {
        let cases: [(&[u8], &str, &str); 7] = [
            ("serial,Straße".as_bytes(), "serial,Straße", ""),
            (b"\xef\xbb\xbfserial", "serial", ""),
            (b"\xff\xfes\0\xfc\0", "sü", "UTF-16LE"),
            (b"\xfe\xff\0s\0e", "se", "UTF-16BE"),
            (b"s\0e\0", "se", "UTF-16LE"),
            (b"A,M\xfcnchen", "A,München", "windows-1252"),
            (b"A,\x80 5", "A,€ 5", "windows-1252"),
        ];
        for (content, text, remark) in cases {
            let decoded = decode(content, &Options::default()).unwrap();
            assert_eq!(decoded.text, text);
            assert_eq!(decoded.remarks.len(), usize::from(!remark.is_empty()), "{text}");
            assert!(decoded.remarks.iter().all(|line| line.contains(remark)), "{:?}", decoded.remarks);
        }
        let garbled = decode("A,MÃ¼nchen".as_bytes(), &Options::default()).unwrap();
        assert!(garbled.remarks[0].contains("garbled"), "{:?}", garbled.remarks);
    }

    #[test]
    fn a_chosen_encoding_is_kept_to() {
        let mut options = Options::default();
        options.set("encoding", "macintosh").unwrap();
        assert_eq!(decode(b"M\x9fnchen", &options).unwrap().text, "München");
        options.set("encoding", "utf-8").unwrap();
        assert!(matches!(decode(b"M\xfcnchen", &options), Err(ImportError::Encoding { encoding: "UTF-8" })));
    }

    #[test]
    fn what_is_no_text_is_refused() {
        for (content, expected) in [
            (&b"PK\x03\x04\x14\0"[..], ImportError::NotText { line: 1 }),
            (b"a\n\x01\xff", ImportError::NotText { line: 2 }),
            (b"", ImportError::Empty),
            (b"\xef\xbb\xbf \r\n", ImportError::Empty),
        ] {
            let refused = decode(content, &Options::default()).unwrap_err();
            assert_eq!(refused, expected, "{}", content.escape_ascii());
        }
    }

    #[test]
    fn a_line_of_delimiters_is_refused_before_it_is_split() {
        let text = format!("serial,model\n{}", ",".repeat(1 << 20));
        let refused = separate(&text, &Options::default(), &knows).unwrap_err();
        assert_eq!(refused, ImportError::TooManyColumns { line: 2 });
    }
}
