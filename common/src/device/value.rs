//! What a field can hold.

use std::{fmt, str::FromStr};

use crate::{id::PersonId, time::Timestamp};

/// A field's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Text.
    Text(String),
    /// A count or a size.
    Number(u64),
    /// Yes or no.
    Boolean(bool),
    /// A moment.
    Time(Timestamp),
    /// An amount.
    Money(Money),
    /// A person; names are looked up elsewhere.
    Person(PersonId),
    /// Several texts, sorted, each once.
    List(Vec<String>),
}

/// An amount in a currency's smallest unit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money {
    /// Hundredths for most currencies.
    pub minor_units: i64,
    /// ISO 4217, upper case.
    pub currency: String,
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minor_units < 0 { "-" } else { "" };
        let minor = self.minor_units.unsigned_abs();
        match minor_digits(&self.currency) {
            0 => write!(f, "{sign}{minor} {}", self.currency),
            digits => {
                let unit = 10u64.pow(digits);
                let width = digits as usize;
                write!(f, "{sign}{}.{:0width$} {}", minor / unit, minor % unit, self.currency)
            }
        }
    }
}

/// A text that is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an amount (write it as \"1234.50 EUR\")")]
pub struct InvalidMoney(String);

impl FromStr for Money {
    type Err = InvalidMoney;

    /// Reads what [`Money`] shows: digits, a point before the smaller units if any, and three letters of ISO 4217.
    fn from_str(text: &str) -> Result<Self, InvalidMoney> {
        let invalid = || InvalidMoney(text.chars().take(64).collect());
        let (amount, currency) = text.rsplit_once(' ').ok_or_else(invalid)?;
        if currency.len() != 3 || !currency.bytes().all(|letter| letter.is_ascii_uppercase()) {
            return Err(invalid());
        }
        let (whole, minor) = amount.split_once('.').unwrap_or((amount, ""));
        let digits = minor_digits(currency) as usize;
        let is_number = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
        if whole.is_empty()
            || !is_number(whole)
            || !is_number(minor)
            || minor.len() > digits
            || amount.ends_with('.')
        {
            return Err(invalid());
        }
        let minor_units = format!("{whole}{minor:0<digits$}").parse().map_err(|_| invalid())?;
        Ok(Self { minor_units, currency: currency.to_owned() })
    }
}

/// How many decimal digits a currency has, by ISO 4217.
pub fn minor_digits(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Boolean(yes) => f.write_str(if *yes { "yes" } else { "no" }),
            Self::Time(time) => time.fmt(f),
            Self::Money(money) => money.fmt(f),
            Self::Person(person) => person.fmt(f),
            Self::List(items) => f.write_str(&items.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_back() {
        for (text, minor_units) in
            [("5000 EUR", 500_000), ("0.5 EUR", 50), ("12 JPY", 12), ("1.234 KWD", 1234)]
        {
            let money: Money = text.parse().unwrap();
            assert_eq!(money.minor_units, minor_units, "{text}");
            assert_eq!(money.to_string().parse(), Ok(money));
        }
        for bad in ["", "5000", "5000EUR", "5,000 EUR", "1.234 EUR", "1.5 JPY", "-1 EUR", "1. EUR", "5 eur"] {
            assert!(bad.parse::<Money>().is_err(), "{bad}");
        }
    }

    #[test]
    fn money_follows_its_currency() {
        let money =
            |minor_units, currency: &str| Money { minor_units, currency: currency.to_owned() }.to_string();
        assert_eq!(money(123_456, "EUR"), "1234.56 EUR");
        assert_eq!(money(-5, "USD"), "-0.05 USD");
        assert_eq!(money(9_000, "JPY"), "9000 JPY");
        assert_eq!(money(1_500, "KWD"), "1.500 KWD");
    }
}
