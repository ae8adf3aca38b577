//! Cells as spreadsheets write them: text, dates, words of a closed list.
//!
//! Knows nothing of rows and columns; each function takes one cell and says what is wrong with it in words that
//! tell what to write instead.

use muster_common::time::Timestamp;
use unicode_normalization::UnicodeNormalization;

/// The years that a purchase can lie in.
const YEARS: std::ops::RangeInclusive<u16> = 1970..=2199;

/// What people write into a cell that has no value.
const NOTHING: &[&str] = &["-", "--", "n/a", "#n/a", "na", "null", "none", "nil"];

/// States of an asset's life, as the charter names them.
const STATES: &[&str] = &[
    "requested",
    "approved",
    "ordered",
    "in-transit",
    "received",
    "in-stock",
    "deployed",
    "in-repair",
    "retired",
    "wiped",
    "disposed",
    "sold",
    "returned-to-lessor",
    "spare",
    "lost",
    "stolen",
    "found",
    "running",
    "terminated",
];

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
    let lower = text.to_lowercase();
    (!text.is_empty() && !NOTHING.contains(&lower.as_str())).then_some(text)
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
    let composed: String = cell
        .nfc()
        .filter(|letter| !matches!(letter, '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{ad}'))
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    composed.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A calendar date as midnight UTC; a time of day behind it is let go.
pub(super) fn date(cell: &str) -> Result<Timestamp, String> {
    let day = match cell.split_once(['T', ' ']) {
        Some((day, time)) if is_time_of_day(time) => day,
        Some(_) | None => cell,
    };
    let wrong = || {
        format!(
            "{} is not a date (write year-month-day, such as 2026-03-31; 31.03.26 or 03/31/26 can be read in two ways)",
            shown(cell)
        )
    };
    let bytes = day.as_bytes();
    let is_iso = bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !is_iso {
        return Err(wrong());
    }
    if !day[..4].parse().is_ok_and(|year: u16| YEARS.contains(&year)) {
        return Err(format!(
            "{} is not a date of the years {} to {}",
            shown(cell),
            YEARS.start(),
            YEARS.end()
        ));
    }
    day.parse().map_err(|_| format!("{} is not a day of the calendar", shown(cell)))
}

fn is_time_of_day(time: &str) -> bool {
    time.starts_with(|digit: char| digit.is_ascii_digit())
        && time.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'Z' | b'+' | b'-'))
}

/// A state of an asset's life.
pub(super) fn state(cell: &str) -> Result<String, String> {
    one_of(cell, STATES, "state")
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
    fn only_dates_that_read_in_one_way_are_taken() {
        for good in ["2026-03-31", "2026-03-31T00:00:00Z", "2026-03-31 00:00:00.000"] {
            assert_eq!(date(good).unwrap().to_string(), "2026-03-31T00:00:00Z", "{good}");
        }
        for (bad, word) in [
            ("31.03.2026", "year-month-day"),
            ("03/04/2026", "year-month-day"),
            ("45382", "year-month-day"),
            ("2026-3-31", "year-month-day"),
            ("2026-03-31 in spring", "year-month-day"),
            ("2026-02-30", "calendar"),
            ("0026-02-20", "years"),
            ("２０２６-03-31", "year-month-day"),
        ] {
            let reason = date(bad).unwrap_err();
            assert!(reason.contains(word), "{bad}: {reason}");
        }
    }

    #[test]
    fn words_of_closed_lists_are_found_however_spelt() {
        assert_eq!(state("In Stock").as_deref(), Ok("in-stock"));
        assert!(state("paid").unwrap_err().contains("in-stock"));
        assert_eq!(ownership("LEASED").as_deref(), Ok("leased"));
        assert_eq!(class("Notebook"), "laptop");
        assert_eq!(class("Monitor"), "monitor");
    }
}
