//! What a filter's text means for a column of numbers: sizes, moments, amounts.
//!
//! Knows nothing of columns. A date is its whole day, so that `purchase_date = 2026-03-01` finds what was bought
//! on that day and `<= 2026-03-01` includes it.

use std::time::Duration;

use muster_common::{device::minor_digits, time::Timestamp};

use super::number::Interval;

/// A day in milliseconds.
pub(super) const DAY_MS: i64 = 86_400_000;
/// Amounts are held in thousandths, so that currencies with different smallest units compare.
const THOUSANDTHS: i64 = 1000;

pub(super) const NUMBER: &str = "a whole number, or a size such as 8GiB or 500GB";
pub(super) const TIME: &str =
    "a date, a time such as 2026-11-01T00:00:00Z, or a distance from now such as -30d";
pub(super) const MONEY: &str = "an amount such as 1200, 1200.50 or \"1200.50 EUR\"";

/// A count, or a size with a unit: `KiB`, `MiB`, … in powers of 1024, `kB`, `MB`, … in powers of 1000.
pub(super) fn number(text: &str) -> Option<Interval> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(digits)?;
    let factor: i64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    let value = digits.parse::<i64>().ok()?.checked_mul(factor)?;
    Some(Interval { low: value, high: value })
}

/// A moment, a day, or a distance from `now`: `-30d`, `+12w`, `-24h`, `-15m`.
pub(super) fn time(text: &str, now: Timestamp) -> Option<Interval> {
    if let Some(distance) = text.strip_prefix(['-', '+']) {
        let (digits, unit) = distance.split_at_checked(distance.len().checked_sub(1)?)?;
        let seconds = match unit {
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            _ => return None,
        };
        let distance = Duration::from_secs(u64::from(digits.parse::<u32>().ok()?) * seconds);
        let moment = if text.starts_with('-') { now.before(distance) } else { now.after(distance) };
        return Some(Interval { low: moment.as_millis(), high: moment.as_millis() });
    }
    let low = text.parse::<Timestamp>().ok()?.as_millis();
    let whole_day = text.len() == 10;
    Some(Interval { low, high: if whole_day { low + DAY_MS - 1 } else { low } })
}

/// An amount in thousandths, and its currency when it is named.
pub(super) fn money(text: &str) -> Option<(Interval, Option<String>)> {
    let text = text.trim();
    let (amount, currency) = match text.split_once(char::is_whitespace) {
        None => (text, None),
        Some((amount, currency)) => (amount, Some(currency.trim().to_ascii_uppercase())),
    };
    if currency.as_ref().is_some_and(|code| code.len() != 3 || !code.bytes().all(|b| b.is_ascii_uppercase()))
    {
        return None;
    }
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let parts: i64 = format!("{fraction:0<3}").parse().ok()?;
    let parts = if whole.starts_with('-') { -parts } else { parts };
    let value = whole.parse::<i64>().ok()?.checked_mul(THOUSANDTHS)?.checked_add(parts)?;
    Some((Interval { low: value, high: value }, currency))
}

/// An amount in its currency's smallest unit as thousandths.
pub(super) fn thousandths(minor_units: i64, currency: &str) -> i64 {
    minor_units.saturating_mul(10i64.pow(3u32.saturating_sub(minor_digits(currency))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sizes() {
        let check = |text, expected: Option<i64>| assert_eq!(number(text).map(|n| n.low), expected, "{text}");
        check("16", Some(16));
        check("-1", Some(-1));
        check("8GiB", Some(8 << 30));
        check("8 gib", Some(8 << 30));
        check("500GB", Some(500_000_000_000));
        check("8G", None);
        check("", None);
        check("1.5", None);
        check("99999999999999999999", None);
        check("9999999TiB", None);
        check("größe", None);
    }

    #[test]
    fn reads_times() {
        let now = "2026-11-10T12:00:00Z".parse().unwrap();
        let check = |text: &str, expected: Option<(&str, i64)>| {
            let expected = expected.map(|(start, length)| {
                let low = start.parse::<Timestamp>().unwrap().as_millis();
                Interval { low, high: low + length }
            });
            assert_eq!(time(text, now), expected, "{text}");
        };
        check("2026-11-01", Some(("2026-11-01", DAY_MS - 1)));
        check("2026-11-01T10:00:00+01:00", Some(("2026-11-01T09:00:00Z", 0)));
        check("-30d", Some(("2026-10-11T12:00:00Z", 0)));
        check("+2w", Some(("2026-11-24T12:00:00Z", 0)));
        check("-90m", Some(("2026-11-10T10:30:00Z", 0)));
        for bad in ["", "-", "-d", "-5y", "-5ä", "yesterday", "-99999999999d", "2026-13-01"] {
            check(bad, None);
        }
    }

    #[test]
    fn reads_amounts() {
        let check = |text, expected: Option<(i64, Option<&str>)>| {
            let read = money(text);
            let read = read.as_ref().map(|(n, currency)| (n.low, currency.as_deref()));
            assert_eq!(read, expected, "{text}");
        };
        check("1200", Some((1_200_000, None)));
        check("1200.5 eur", Some((1_200_500, Some("EUR"))));
        check("-0.25", Some((-250, None)));
        check("1.2345", None);
        check("1200 Euro", None);
        check("12€", None);
        assert_eq!(thousandths(123_456, "EUR"), 1_234_560);
        assert_eq!(thousandths(9_000, "JPY"), 9_000_000);
        assert_eq!(thousandths(1_500, "KWD"), 1_500);
    }
}
