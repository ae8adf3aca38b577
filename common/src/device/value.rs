//! What a field can hold.

use std::fmt;

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
    fn money_follows_its_currency() {
        let money =
            |minor_units, currency: &str| Money { minor_units, currency: currency.to_owned() }.to_string();
        assert_eq!(money(123_456, "EUR"), "1234.56 EUR");
        assert_eq!(money(-5, "USD"), "-0.05 USD");
        assert_eq!(money(9_000, "JPY"), "9000 JPY");
        assert_eq!(money(1_500, "KWD"), "1.500 KWD");
    }
}
