//! Prices as people write them: point or comma, with or without grouping, never guessed.
//!
//! `1,234` is one thousand here and one and a bit there, so it is refused unless the currency has no small unit.

use muster_common::device::{Money, minor_digits};

use super::cells::shown;

/// The currencies of ISO 4217 that money is paid in.
const CURRENCIES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP \
    BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF \
    GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR \
    LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP \
    PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP \
    TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// Reads a price, with its currency from a column of its own or from the cell itself (`1234.56 EUR`).
pub(super) fn price(cell: &str, currency: Option<&str>) -> Result<Money, String> {
    let (amount, own) = split_currency(cell);
    let currency = match (own, currency.map(str::trim).filter(|text| !text.is_empty())) {
        (Some(own), Some(column)) if !own.eq_ignore_ascii_case(column) => {
            return Err(format!("the price {} has another currency than the column ({column})", shown(cell)));
        }
        (Some(text), Some(_) | None) | (None, Some(text)) => text,
        (None, None) => {
            return Err(format!(
                "the price {} has no currency (add a column currency, such as EUR)",
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
    let minor_units = minor_units(amount, minor_digits(&currency)).map_err(|what| match what {
        Wrong::Ambiguous => {
            format!(
                "the price {} can be read in two ways (write it without grouping, such as 1234.00)",
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

/// Three letters in front of or behind the amount.
fn split_currency(cell: &str) -> (&str, Option<&str>) {
    let cell = cell.trim();
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

fn minor_units(amount: &str, digits: u32) -> Result<i64, Wrong> {
    let (sign, amount) = match amount.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, amount),
    };
    let (whole, fraction) = split_fraction(amount, digits)?;
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
fn split_fraction(amount: &str, digits: u32) -> Result<(&str, &str), Wrong> {
    let marks = amount.bytes().filter(|byte| matches!(byte, b'.' | b',')).count();
    let Some(last) = amount.rfind(['.', ',']) else { return Ok((amount, "")) };
    let (whole, fraction) = (&amount[..last], &amount[last + 1..]);
    let mark = amount.as_bytes()[last];
    let is_other = |byte: u8| matches!(byte, b'.' | b',') && byte != mark;
    if whole.bytes().any(is_other) || whole.contains([' ', '\u{a0}', '\u{202f}', '\'', '’']) {
        // Two kinds of marks: the last is the decimal one and may stand only once.
        return if whole.bytes().any(|byte| byte == mark) { Err(Wrong::Form) } else { Ok((whole, fraction)) };
    }
    if marks > 1 {
        // One kind, several times: it groups.
        return Ok((amount, ""));
    }
    match fraction.len() {
        3 if digits == 0 => Ok((amount, "")),
        3 if !whole.trim_start_matches('0').is_empty() => Err(Wrong::Ambiguous),
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
        ] {
            assert_eq!(
                price(cell, currency).map(|money| money.to_string()).as_deref(),
                Ok(expected),
                "{cell}"
            );
        }
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
            let reason = price(cell, currency).unwrap_err();
            assert!(reason.contains(word), "{cell}: {reason}");
        }
    }
}
