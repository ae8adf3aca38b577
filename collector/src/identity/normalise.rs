//! One form for each identifier, however it was typed, scanned or byte-ordered.
//!
//! What comes out is for comparing and for the keys of the store; what people see is the text as it was reported.

use muster_common::{inventory::MacAddress, scanner::without_prefix};
use unicode_normalization::UnicodeNormalization;

use super::placeholder;

/// The longest identifier that is kept as it is; a longer one is kept as its hash.
pub const MAX_IDENTIFIER_BYTES: usize = 100;

/// A number that a spreadsheet has destroyed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} was rounded by a spreadsheet: format the column as text and export it again")]
pub struct RoundedNumber {
    /// The text, at most 64 characters.
    pub text: String,
}

/// A serial number or asset tag in its compared form: trimmed, upper case, one space where there were several.
///
/// None when it is a placeholder.
pub fn serial(text: &str) -> Option<String> {
    let clean = visible(text);
    (!placeholder::is_serial(&clean)).then(|| bounded(clean.to_uppercase()))
}

/// The same for a text that a person typed or scanned, whose prefixes are taken off; `maker` is the family's name.
pub fn imported_serial(text: &str, maker: Option<&str>) -> Result<Option<String>, RoundedNumber> {
    let clean = visible(text);
    if is_scientific(&clean) {
        return Err(RoundedNumber { text: clean.chars().take(64).collect() });
    }
    let Some(upper) = serial(&clean) else { return Ok(None) };
    let plain = without_prefix(&upper, maker).unwrap_or(&upper);
    Ok(Some(plain.to_owned()))
}

/// A UUID in its compared form: of its two byte orders, the one that sorts first, so that a machine whose firmware or
/// hypervisor flips the first three groups stays the same machine. None when it is a placeholder or no UUID.
pub fn uuid(text: &str) -> Option<String> {
    let bytes = uuid_bytes(text)?;
    let flipped = flip(bytes);
    if placeholder::is_uuid(&bytes) || placeholder::is_uuid(&flipped) {
        return None;
    }
    Some(hyphenated(if flipped < bytes { &flipped } else { &bytes }))
}

/// A UUID as people read it, in the byte order in which it was reported; none when it is a placeholder.
pub fn shown_uuid(text: &str) -> Option<String> {
    uuid(text)?;
    uuid_bytes(text).map(|bytes| hyphenated(&bytes))
}

/// A machine id: 32 lower-case digits; none when it is a placeholder.
pub fn machine_id(text: &str) -> Option<String> {
    uuid_bytes(text).filter(|bytes| !placeholder::is_uuid(bytes)).map(|bytes| hex(&bytes))
}

/// A MAC address that can name one adapter.
pub fn mac(mac: MacAddress) -> Option<MacAddress> {
    (!placeholder::is_mac(mac)).then_some(mac)
}

/// A model's name in its compared form; none when it is a placeholder.
pub fn model(text: &str) -> Option<String> {
    let clean = visible(text);
    (!placeholder::is_product(&clean)).then(|| bounded(clean.to_lowercase()))
}

/// The text without what can't be seen, composed, with single spaces.
pub fn visible(text: &str) -> String {
    let seen: String = text
        .nfkc()
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}'))
        .map(|c| if c.is_whitespace() || c.is_control() { ' ' } else { c })
        .take(1024)
        .collect();
    seen.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The text, or its hash when it is too long for a key.
pub(super) fn bounded(text: String) -> String {
    if text.len() <= MAX_IDENTIFIER_BYTES {
        return text;
    }
    let hash = blake3::hash(text.as_bytes()).to_hex();
    format!("hash:{}", &hash.as_str()[..32])
}

/// `1.23457E+11` and its like: with a fraction or a sign, since `5E10` may well be a serial number.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let signed = exponent.strip_prefix(['+', '-']);
    let digits = signed.unwrap_or(exponent);
    let has_fraction = mantissa.contains(['.', ',']);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (signed.is_some() || has_fraction)
        && is_number(digits)
        && is_number(&mantissa.replacen(['.', ','], "", 1))
}

fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    if text.len() > 64 {
        return None;
    }
    let digits: Vec<u8> = text
        .trim()
        .trim_matches(['{', '}'])
        .chars()
        .filter(|c| *c != '-')
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] * 16 + pair[1]).collect();
    if digits.len() != 32 { None } else { bytes.try_into().ok() }
}

/// The other byte order of the first three groups.
fn flip(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

fn hyphenated(bytes: &[u8; 16]) -> String {
    let text = hex(bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders_of_a_uuid_meet() {
        let usual = uuid("4C4C4544-0051-3810-8054-B7C04F584432").unwrap();
        assert_eq!(uuid("44454c4c-5100-1038-8054-b7c04f584432"), Some(usual.clone()));
        assert_eq!(uuid("{4c4c4544005138108054b7c04f584432}"), Some(usual));
        assert_eq!(
            shown_uuid("4C4C4544-0051-3810-8054-B7C04F584432").unwrap(),
            "4c4c4544-0051-3810-8054-b7c04f584432"
        );
    }

    #[test]
    fn uuids_that_name_nobody_are_none() {
        for text in [
            "00000000-0000-0000-0000-000000000000",
            "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
            "01010101-0101-0101-0101-010101010101",
            "FEFEFEFE-FEFE-FEFE-FEFE-FEFEFEFEFEFE",
            "03000200-0400-0500-0006-000700080009",
            "00020003-0004-0005-0006-000700080009",
            "6AB5B300-538D-1014-9FB5-B0684D007B53",
            "12345678-1234-5678-90AB-CDDEEFAABBCC",
            "not a uuid",
            "",
        ] {
            assert_eq!(uuid(text), None, "{text}");
        }
    }

    #[test]
    fn imported_numbers_lose_what_people_and_scanners_add() {
        let check = |text: &str, maker: Option<&str>, expected: &str| {
            assert_eq!(imported_serial(text, maker).unwrap().as_deref(), Some(expected), "{text:?}");
        };
        check("\u{a0}pf0abcde\u{200b} ", Some("lenovo"), "PF0ABCDE");
        check("1S20L8S07A14PF0ABCDE", Some("lenovo"), "PF0ABCDE");
        check("SC02XK0AAJGH5", Some("apple"), "C02XK0AAJGH5");
        check("C02XK0AAJGH5", Some("apple"), "C02XK0AAJGH5");
        check("5E10", None, "5E10");
        assert_eq!(imported_serial("To be filled by O.E.M.", None), Ok(None));
        for rounded in ["1.23457E+11", "1,2E+05", "4E+15"] {
            assert!(imported_serial(rounded, None).is_err(), "{rounded} was accepted");
        }
    }

    #[test]
    fn a_long_text_becomes_a_short_key() {
        let long = "A1".repeat(400);
        assert!(serial(&long).unwrap().len() <= MAX_IDENTIFIER_BYTES);
        assert_ne!(serial(&long), serial(&long[1..]));
    }
}
