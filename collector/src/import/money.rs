//! Prices as people write them: point or comma, with or without grouping, never guessed.
//!
//! `1,234` is one thousand here and one and a bit there, so it is refused unless the currency has no small unit.

use muster_common::device::{Money, minor_digits};

use super::{cells::shown, options::DecimalMark};

/// The currencies of ISO 4217 that money is paid in.
const CURRENCIES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP \
    BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF \
    GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR \
    LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP \
    PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP \
    TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// Reads a price, with its currency from a column of its own or from the cell itself (`1234.56 EUR`).
///
/// `mark` decides what can be read in two ways.
pub(super) fn price(cell: &str, currency: Option<&str>, mark: Option<DecimalMark>) -> Result<Money, String> {
    let (amount, own) = split_currency(cell);
    let currency = match (own, currency.map(str::trim).filter(|text| !text.is_empty())) {
        (Some(own), Some(column)) if !own.eq_ignore_ascii_case(column) => {
            return Err(format!("the price {} has another currency than the column ({column})", shown(cell)));
        }
        (Some(text), Some(_) | None) | (None, Some(text)) => text,
        (None, None) => {
            return Err(format!(
                "the price {} has no currency (choose one, such as currency=EUR, or add a column currency)",
                shown(cell)
            ));
        }
    };
    let currency = currency.to_ascii_uppercase();
    if currency.len() != 3 || !CURRENCIES.split_ascii_whitespace().any(|known| known == currency) {
        return Err(format!(
            "{} is not a currency (use the three letters of ISO 4217, such as EUR)",
            shown(&currency)
        ));
    }
    let minor_units = minor_units(amount, minor_digits(&currency), mark).map_err(|what| match what {
        Wrong::Ambiguous => {
            format!(
                "the price {} can be read in two ways (choose with decimal=comma or decimal=point)",
                shown(cell)
            )
        }
        Wrong::Digits => {
            format!("the price {} has more digits after the point than {currency} has", shown(cell))
        }
        Wrong::Form => format!("{} is not a price (write digits, such as 1234.56)", shown(cell)),
    })?;
    Ok(Money { minor_units, currency })
}

/// What a cell proves of its decimal mark; none when it can be read in two ways, or has neither mark.
pub(super) fn proven_mark(cell: &str) -> Option<DecimalMark> {
    let (amount, _) = split_currency(cell);
    let (last, first) = (amount.rfind([',', '.'])?, amount.find([',', '.'])?);
    if !amount.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b',' | b'.' | b'-' | b'\'' | b' '))
    {
        return None;
    }
    let here = mark_of(amount.as_bytes()[last])?;
    let other = match here {
        DecimalMark::Comma => DecimalMark::Point,
        DecimalMark::Point => DecimalMark::Comma,
    };
    let is_repeated = amount.bytes().filter(|byte| *byte == amount.as_bytes()[last]).count() > 1;
    match amount.len() - last - 1 {
        // `1.234.567` groups; `1.234,567` has a fraction.
        3 if is_repeated => Some(other),
        3 if first == last => None,
        _ if is_repeated => None,
        _ => Some(here),
    }
}

fn mark_of(byte: u8) -> Option<DecimalMark> {
    match byte {
        b',' => Some(DecimalMark::Comma),
        b'.' => Some(DecimalMark::Point),
        _ => None,
    }
}

/// Signs that stand for one currency alone.
const SIGNS: &[(char, &str)] =
    &[('€', "EUR"), ('£', "GBP"), ('₹', "INR"), ('₩', "KRW"), ('₺', "TRY"), ('₴', "UAH")];

/// Three letters or a sign in front of or behind the amount.
fn split_currency(cell: &str) -> (&str, Option<&str>) {
    let cell = cell.trim();
    for (sign, code) in SIGNS {
        if let Some(amount) = cell.strip_prefix(*sign).or_else(|| cell.strip_suffix(*sign)) {
            return (amount.trim(), Some(code));
        }
    }
    let is_code = |text: &str| text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    // A letter beside the code makes it part of a word.
    let is_amount = |text: &str| !text.is_empty() && !text.contains(char::is_alphabetic);
    if let Some((code, rest)) =
        cell.split_at_checked(3).filter(|(code, rest)| is_code(code) && is_amount(rest))
    {
        return (rest.trim_start(), Some(code));
    }
    let end = cell.len().saturating_sub(3);
    match cell.split_at_checked(end).filter(|(rest, code)| is_code(code) && is_amount(rest)) {
        Some((rest, code)) => (rest.trim_end(), Some(code)),
        None => (cell, None),
    }
}

enum Wrong {
    Ambiguous,
    Digits,
    Form,
}

fn minor_units(amount: &str, digits: u32, mark: Option<DecimalMark>) -> Result<i64, Wrong> {
    let (sign, amount) = match amount.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, amount),
    };
    let (whole, fraction) = split_fraction(amount, digits, mark)?;
    let whole = ungrouped(whole)?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 13 || !is_number(&whole) || !is_number(fraction) {
        return Err(Wrong::Form);
    }
    let width = digits as usize;
    let used = fraction.trim_end_matches('0');
    if used.len() > width {
        return Err(Wrong::Digits);
    }
    let text = format!("{whole}{used:0<width$}");
    text.parse::<i64>().map(|units| sign * units).map_err(|_| Wrong::Form)
}

/// Cuts at the decimal point or comma, if there is one.
fn split_fraction(amount: &str, digits: u32, mark: Option<DecimalMark>) -> Result<(&str, &str), Wrong> {
    let marks = amount.bytes().filter(|byte| matches!(byte, b'.' | b',')).count();
    let Some(last) = amount.rfind(['.', ',']) else { return Ok((amount, "")) };
    let (whole, fraction) = (&amount[..last], &amount[last + 1..]);
    let mark_byte = amount.as_bytes()[last];
    let is_other = |byte: u8| matches!(byte, b'.' | b',') && byte != mark_byte;
    if whole.bytes().any(is_other) || whole.contains([' ', '\u{a0}', '\u{202f}', '\'', '’']) {
        // Two kinds of marks: the last is the decimal one and may stand only once.
        return if whole.bytes().any(|byte| byte == mark_byte) {
            Err(Wrong::Form)
        } else {
            Ok((whole, fraction))
        };
    }
    if marks > 1 {
        // One kind, several times: it groups.
        return Ok((amount, ""));
    }
    match fraction.len() {
        3 if digits == 0 => Ok((amount, "")),
        3 if !whole.trim_start_matches('0').is_empty() => match mark_of(mark_byte).zip(mark) {
            None => Err(Wrong::Ambiguous),
            Some((here, decimal)) if here == decimal => Ok((whole, fraction)),
            Some(_) => Ok((amount, "")),
        },
        0 => Err(Wrong::Form),
        _ => Ok((whole, fraction)),
    }
}

/// Takes out grouping marks, which must be of one kind and stand before each three digits.
fn ungrouped(whole: &str) -> Result<String, Wrong> {
    let is_mark = |letter: char| matches!(letter, '.' | ',' | ' ' | '\u{a0}' | '\u{202f}' | '\'' | '’');
    let Some(mark) = whole.chars().find(|letter| is_mark(*letter)) else { return Ok(whole.to_owned()) };
    let mut groups = whole.split(mark);
    let first = groups.next().unwrap_or_default();
    let is_grouped = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
    if is_grouped { Ok(whole.split(mark).collect()) } else { Err(Wrong::Form) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_that_read_in_one_way_are_taken() {
        for (cell, currency, expected) in [
            ("1234.56", Some("EUR"), "1234.56 EUR"),
            ("1234,56", Some("eur"), "1234.56 EUR"),
            ("1.234,56", Some("EUR"), "1234.56 EUR"),
            ("1,234.56", Some("USD"), "1234.56 USD"),
            ("1 234,5", Some("EUR"), "1234.50 EUR"),
            ("1'234.50", Some("CHF"), "1234.50 CHF"),
            ("1,234,567", Some("USD"), "1234567.00 USD"),
            ("1234", Some("EUR"), "1234.00 EUR"),
            ("12.3400", Some("EUR"), "12.34 EUR"),
            ("0.500", Some("EUR"), "0.50 EUR"),
            ("150,000", Some("JPY"), "150000 JPY"),
            ("12.5", Some("KWD"), "12.500 KWD"),
            ("1234.56 EUR", None, "1234.56 EUR"),
            ("USD 1,234.56", Some("USD"), "1234.56 USD"),
            ("-20.00", Some("EUR"), "-20.00 EUR"),
            ("1.234,50 €", None, "1234.50 EUR"),
            ("€ 12", Some("EUR"), "12.00 EUR"),
        ] {
            assert_eq!(
                price(cell, currency, None).map(|money| money.to_string()).as_deref(),
                Ok(expected),
                "{cell}"
            );
        }
    }

    #[test]
    fn a_column_or_a_choice_settles_what_reads_in_two_ways() {
        for (cell, expected) in [
            ("1.234,56", Some(DecimalMark::Comma)),
            ("1234,5", Some(DecimalMark::Comma)),
            ("1.234.567", Some(DecimalMark::Comma)),
            ("EUR 1,234.56", Some(DecimalMark::Point)),
            ("1,234", None),
            ("1234", None),
            ("1.2.3", None),
            ("free", None),
        ] {
            assert_eq!(proven_mark(cell), expected, "{cell}");
        }
        let shown = |mark| price("1.234", Some("EUR"), Some(mark)).map(|money| money.to_string());
        assert_eq!(shown(DecimalMark::Comma).as_deref(), Ok("1234.00 EUR"));
        assert!(shown(DecimalMark::Point).unwrap_err().contains("more digits"));
    }

    #[test]
    fn the_rest_is_refused_with_what_to_write() {
        for (cell, currency, word) in [
            ("1,234", Some("EUR"), "two ways"),
            ("1.234", Some("KWD"), "two ways"),
            ("12.345", None, "no currency"),
            ("12.34567", Some("EUR"), "more digits"),
            ("1.5", Some("JPY"), "more digits"),
            ("12", Some("€"), "ISO 4217"),
            ("12", Some("ABC"), "ISO 4217"),
            ("12 EUR", Some("USD"), "another currency"),
            ("1.2.3,4,5", Some("EUR"), "not a price"),
            ("12,34,567", Some("INR"), "not a price"),
            ("free", Some("EUR"), "not a price"),
            ("1e5", Some("EUR"), "not a price"),
            ("", Some("EUR"), "not a price"),
            ("99999999999999999999", Some("EUR"), "not a price"),
        ] {
            let reason = price(cell, currency, None).unwrap_err();
            assert!(reason.contains(word), "{cell}: {reason}");
        }
    }
}
