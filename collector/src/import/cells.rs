//! Cells as spreadsheets write them: text, numbers, words of a closed list.
//!
//! Knows nothing of rows and columns; each function takes one cell and says what is wrong with it in words that
//! tell what to write instead.

use muster_common::governance::State;
use unicode_normalization::UnicodeNormalization;

/// The most texts in one cell.
const MAX_ITEMS: usize = 32;

/// What people write into a cell that has no value.
const NOTHING: &[&str] = &["-", "--", "—", "n/a", "#n/a", "na", "null", "none", "nil"];

/// Who owns an asset.
const OWNERSHIPS: &[&str] = &["owned", "leased", "personal"];

/// Other words for the classes that limits are set for.
const CLASSES: &[(&str, &str)] = &[
    ("notebook", "laptop"),
    ("portable", "laptop"),
    ("workstation", "desktop"),
    ("pc", "desktop"),
    ("tower", "desktop"),
    ("vm", "virtual"),
    ("virtual-machine", "virtual"),
];

/// A cell's text, or none: composed, with single spaces, without the marks that spreadsheets add to keep it text.
pub(super) fn text(cell: &str) -> Option<String> {
    let text = tidy(unquoted(cell));
    (!text.is_empty() && !NOTHING.iter().any(|word| text.eq_ignore_ascii_case(word))).then_some(text)
}

/// Without `="…"`, by which a cell keeps its leading zeros, and without the apostrophe that guards a formula's sign.
pub(super) fn unquoted(cell: &str) -> &str {
    let cell = cell.trim();
    if let Some(inner) = cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) {
        return inner;
    }
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@']) => rest,
        Some(_) | None => cell,
    }
}

/// One line of text: control characters and spaces of every kind become single spaces, invisible marks go.
fn tidy(cell: &str) -> String {
    let bytes = cell.as_bytes();
    // Nearly every cell: nothing in it has to be changed.
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) && !bytes.windows(2).any(|pair| pair == b"  ") {
        return cell.trim().to_owned();
    }
    let composed: String = cell
        .nfc()
        .filter(|letter| !matches!(letter, '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{ad}'))
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    composed.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Yes or no.
pub(super) fn boolean(cell: &str) -> Result<bool, String> {
    match hyphenated(cell).as_str() {
        "yes" | "true" | "1" | "y" | "ja" | "wahr" | "oui" | "vrai" => Ok(true),
        "no" | "false" | "0" | "n" | "nein" | "falsch" | "non" | "faux" => Ok(false),
        _ => Err(format!("{} is neither yes nor no", shown(cell))),
    }
}

/// A whole number, with or without grouping.
pub(super) fn number(cell: &str) -> Result<u64, String> {
    let wrong = || format!("{} is not a whole number", shown(cell));
    let mut groups = cell.split([',', '.', '\'', ' ', '\u{a0}', '\u{202f}']);
    let first = groups.next().unwrap_or_default();
    let rest: Vec<&str> = groups.collect();
    if !rest.is_empty() && first.len() > 3 || rest.iter().any(|group| group.len() != 3) {
        return Err(wrong());
    }
    let digits: String = std::iter::once(first).chain(rest).collect();
    if digits.is_empty() || digits.len() > 18 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    digits.parse().map_err(|_| wrong())
}

/// A size in bytes: a number, or one with a unit such as `16 GB`, which counts in powers of 1,024 as sellers of memory do.
pub(super) fn size(cell: &str) -> Result<u64, String> {
    let wrong = || format!("{} is not a size (write it as 16 GB, or as a number of bytes)", shown(cell));
    let at = cell.find(char::is_alphabetic).unwrap_or(cell.len());
    let (amount, unit) = (cell[..at].trim(), cell[at..].trim().to_ascii_lowercase());
    let shift = match unit.as_str() {
        "" | "b" | "bytes" => return number(amount),
        "kb" | "kib" => 10,
        "mb" | "mib" => 20,
        "gb" | "gib" | "g" => 30,
        "tb" | "tib" => 40,
        _ => return Err(wrong()),
    };
    let amount: f64 = amount.replace(',', ".").parse().map_err(|_| wrong())?;
    let hundredths = (amount * 100.0).round();
    if !(0.0..=1e9).contains(&hundredths) {
        return Err(wrong());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number between 0 and a thousand million"
    )]
    let hundredths = hundredths as u64;
    Ok((hundredths << shift) / 100)
}

/// Several texts in one cell.
pub(super) fn list(cell: &str) -> Vec<String> {
    let mut items: Vec<String> = cell.split([',', ';', '|', '\n']).filter_map(text).take(MAX_ITEMS).collect();
    items.sort();
    items.dedup();
    items
}

/// A state of an asset's life.
pub(super) fn state(cell: &str) -> Result<String, String> {
    let words: Vec<&str> = State::ALL.iter().map(|state| state.name()).collect();
    one_of(cell, &words, "state")
}

/// Who owns it.
pub(super) fn ownership(cell: &str) -> Result<String, String> {
    one_of(cell, OWNERSHIPS, "ownership")
}

/// A class: our word where we have one, else the word as it is, in lower case.
pub(super) fn class(cell: &str) -> String {
    let word = hyphenated(cell);
    CLASSES.iter().find(|(other, _)| *other == word).map_or(word, |(_, ours)| (*ours).to_owned())
}

fn one_of(cell: &str, words: &[&str], what: &str) -> Result<String, String> {
    let word = hyphenated(cell);
    if words.contains(&word.as_str()) {
        return Ok(word);
    }
    Err(format!("{} is not a {what} (use one of: {})", shown(cell), words.join(", ")))
}

fn hyphenated(cell: &str) -> String {
    cell.to_lowercase().replace([' ', '_'], "-")
}

/// A cell in a message: quoted, escaped, cut.
pub(super) fn shown(cell: &str) -> String {
    let mut short: String = cell.chars().take(40).collect();
    if short.len() < cell.len() {
        short.push('…');
    }
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_tidied() {
        for (cell, expected) in [
            ("  Berlin\u{a0}\u{200b} ", Some("Berlin")),
            ("Building 1\nRoom  2", Some("Building 1 Room 2")),
            ("Mu\u{308}nchen", Some("München")),
            ("=\"00123\"", Some("00123")),
            ("'=1+1", Some("=1+1")),
            ("'tis", Some("'tis")),
            ("N/A", None),
            ("-", None),
            (" ", None),
        ] {
            assert_eq!(text(cell).as_deref(), expected, "{cell:?}");
        }
    }

    #[test]
    fn words_of_closed_lists_are_found_however_spelt() {
        assert_eq!(state("In Stock").as_deref(), Ok("in-stock"));
        assert!(state("paid").unwrap_err().contains("in-stock"));
        assert_eq!(ownership("LEASED").as_deref(), Ok("leased"));
        assert_eq!(class("Notebook"), "laptop");
        assert_eq!(class("Monitor"), "monitor");
        assert_eq!((boolean("Ja"), boolean("FALSE")), (Ok(true), Ok(false)));
        assert!(boolean("maybe").is_err());
        assert_eq!((number("12"), number("1.234"), number("1,234,567")), (Ok(12), Ok(1234), Ok(1_234_567)));
        for bad in ["", "12.5", "1234.567", "-1", "99999999999999999999"] {
            assert!(number(bad).is_err(), "{bad}");
        }
        assert_eq!(
            (size("16 GB"), size("1,5GB"), size("17179869184")),
            (Ok(1 << 34), Ok(3 << 29), Ok(1 << 34))
        );
        for bad in ["16 sheep", "-1 GB", "1e30 GB", "nan GB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert_eq!(list("b, a;b"), ["a", "b"]);
    }
}
