//! Identifiers as people and scanners write them, made comparable with what a machine says of itself.
//!
//! Knows nothing of which identifier decides: it only makes the same thing look the same, and refuses what a
//! spreadsheet has destroyed.

use muster_common::{inventory::MacAddress, scanner::without_prefix};
use unicode_normalization::UnicodeNormalization;

use super::cells::{shown, unquoted};

/// The longest identifier, in bytes.
const MAX_BYTES: usize = 128;
/// The most MAC addresses in a cell.
const MAX_MACS: usize = 16;

/// A key: trimmed (invisible marks and no-break spaces too), full-width letters made plain, upper case.
pub(super) fn key(cell: &str) -> String {
    let visible: String = unquoted(cell)
        .nfkc()
        .filter(|letter| !is_invisible(*letter))
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase()
}

fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A serial number, without what a scanner puts before it.
pub(super) fn serial(cell: &str, maker: Option<&str>) -> Result<String, String> {
    let key = whole(cell, "serial")?;
    Ok(without_prefix(&key, maker).map_or_else(|| key.clone(), str::to_owned))
}

/// An asset tag within its scheme.
pub(super) fn asset_tag(cell: &str, scheme: &str) -> Result<String, String> {
    Ok(format!("{}/{}", key(scheme), whole(cell, "asset tag")?))
}

/// A UUID in lower case with hyphens.
pub(super) fn uuid(cell: &str) -> Result<String, String> {
    let text = key(cell);
    let bare = text.trim_matches(['{', '}']);
    uuid::Uuid::try_parse(bare).map(|uuid| uuid.hyphenated().to_string()).map_err(|_| {
        format!(
            "{} is not a UUID (expected 32 hexadecimal digits, such as 6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11)",
            shown(cell)
        )
    })
}

/// A machine id in lower case.
pub(super) fn machine_id(cell: &str) -> Result<String, String> {
    let text = key(cell).to_lowercase();
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text);
    }
    Err(format!(
        "{} is not a machine id (expected the 32 hexadecimal digits of /etc/machine-id)",
        shown(cell)
    ))
}

/// One or several MAC addresses, sorted, each once.
pub(super) fn macs(cell: &str) -> Result<Vec<MacAddress>, String> {
    let text = key(cell);
    let parts = text.split([' ', ',', ';', '|']).filter(|part| !part.is_empty());
    let mut macs = parts
        .take(MAX_MACS + 1)
        .map(|part| {
            part.parse().map_err(|_| {
                format!("{} is not a MAC address (write six pairs, such as 00:1b:21:3a:4f:5e)", shown(part))
            })
        })
        .collect::<Result<Vec<_>, String>>()?;
    if macs.len() > MAX_MACS {
        return Err(format!("there are more than {MAX_MACS} MAC addresses in one cell"));
    }
    macs.sort_unstable();
    macs.dedup();
    Ok(macs)
}

/// A key that is neither too long nor what a spreadsheet left of a long number.
fn whole(cell: &str, what: &str) -> Result<String, String> {
    let key = key(cell);
    if key.len() > MAX_BYTES {
        return Err(format!("the {what} {} is longer than {MAX_BYTES} bytes", shown(&key)));
    }
    if is_scientific(&key) {
        return Err(format!(
            "the {what} {} is a number in scientific notation, its last digits are lost (format the column as text in the spreadsheet, enter it again, and export again)",
            shown(&key)
        ));
    }
    Ok(key)
}

/// Whether a spreadsheet wrote it: `1.23E+11` or `1,23E+11`. `7E12345` is not, it is a service tag.
fn is_scientific(key: &str) -> bool {
    let Some((mantissa, exponent)) = key.split_once('E') else { return false };
    let (has_sign, digits) = match exponent.strip_prefix(['+', '-']) {
        Some(digits) => (true, digits),
        None => (false, exponent),
    };
    let (whole, fraction) = match mantissa.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number(whole)
        && fraction.is_none_or(is_number)
        && is_number(digits)
        && (has_sign || fraction.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_are_made_comparable() {
        for (cell, maker, expected) in [
            (" pf1abcde\u{a0}", None, "PF1ABCDE"),
            ("\u{200b}PF1\u{feff}ABCDE\u{202f}", None, "PF1ABCDE"),
            ("ＰＦ１ABCDE", None, "PF1ABCDE"),
            ("1S20L8S07A14PF1ABCDE", Some("LENOVO"), "PF1ABCDE"),
            ("1s20l8s07a14pf1abcde", None, "PF1ABCDE"),
            ("1S200726GL3A1234", Some("IBM"), "L3A1234"),
            ("1S20L8S07A14PF1ABCDE", Some("Dell Inc."), "1S20L8S07A14PF1ABCDE"),
            ("1SABC", Some("Lenovo"), "1SABC"),
            ("SC02XG2JHJG5H", Some("Apple Inc."), "C02XG2JHJG5H"),
            ("SC02XG2JHJG5H", None, "SC02XG2JHJG5H"),
            ("C02XG2JHJG5H", Some("Apple"), "C02XG2JHJG5H"),
            ("7E12345", Some("Dell"), "7E12345"),
            ("=\"00123456\"", None, "00123456"),
            ("1.2.E", None, "1.2.E"),
        ] {
            assert_eq!(serial(cell, maker).as_deref(), Ok(expected), "{cell}");
        }
    }

    #[test]
    fn numbers_that_a_spreadsheet_shortened_are_refused() {
        for cell in ["1.23457E+11", "1,23457E+11", "5E+14", "5.01e14"] {
            let reason = serial(cell, None).unwrap_err();
            assert!(reason.contains("as text"), "{cell}: {reason}");
        }
    }

    #[test]
    fn the_other_identifiers_are_read() {
        assert_eq!(asset_tag(" 001234", "Acme GmbH").as_deref(), Ok("ACME GMBH/001234"));
        assert_eq!(
            uuid("{6F1C0D52-8A6E-4B0E-9A44-0D6F9E5F2C11}").as_deref(),
            Ok("6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11")
        );
        assert!(uuid("6f1c").is_err());
        assert_eq!(
            machine_id("ABCDEF0123456789ABCDEF0123456789").as_deref(),
            Ok("abcdef0123456789abcdef0123456789")
        );
        assert!(machine_id("xyz").is_err());
        let two = macs("00-1B-21-3A-4F-5F, 001b.213a.4f5e; 00:1b:21:3a:4f:5e").unwrap();
        assert_eq!(
            two.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["00:1b:21:3a:4f:5e", "00:1b:21:3a:4f:5f"]
        );
        assert!(macs("00:1b").is_err());
    }
}
