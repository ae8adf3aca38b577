//! Periods and sizes as people write them: `90s`, `16MiB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A text that is neither period nor size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUnit {
    /// Not a whole number with a unit of time.
    #[error(
        "{0:?} is not a period: write a whole number and a unit, such as \"90s\", \"15m\", \"24h\" or \"30d\""
    )]
    Period(String),
    /// Not a whole number with a unit of bytes.
    #[error(
        "{0:?} is not a size: write a whole number and a unit, such as \"512KiB\", \"16MiB\" or \"2GiB\""
    )]
    Size(String),
}

const PERIODS: &[(&str, u64)] =
    &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const SIZES: &[(&str, u64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A span of time in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

impl Period {
    /// A period of so many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// A period of so many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A period of so many days of 24 hours.
    pub const fn from_days(days: u64) -> Self {
        Self(Duration::from_secs(days * 86_400))
    }

    /// The same span as the standard library's type.
    pub const fn duration(self) -> Duration {
        self.0
    }

    fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl FromStr for Period {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        let millis = number_with_unit(text, PERIODS).ok_or_else(|| InvalidUnit::Period(text.to_owned()))?;
        Ok(Self::from_millis(millis))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with_unit(out, self.millis(), PERIODS, "s")
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    /// A size of so many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// A size of so many mebibytes.
    pub const fn from_mebibytes(mebibytes: u64) -> Self {
        Self(mebibytes << 20)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = InvalidUnit;

    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        number_with_unit(text, SIZES).map(Self).ok_or_else(|| InvalidUnit::Size(text.to_owned()))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with_unit(out, self.0, SIZES, "B")
    }
}

fn number_with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// Writes the number in the largest unit that leaves it whole.
fn write_with_unit(
    out: &mut fmt::Formatter<'_>,
    number: u64,
    units: &[(&str, u64)],
    of_zero: &str,
) -> fmt::Result {
    let fitting = units.iter().find(|(_, factor)| number > 0 && number.is_multiple_of(*factor));
    match fitting {
        Some((unit, factor)) => write!(out, "{}{unit}", number / factor),
        None => write!(out, "0{of_zero}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: FromStr + fmt::Display>(text: &str, expected: Option<&str>) {
        assert_eq!(text.parse::<T>().ok().map(|value| value.to_string()).as_deref(), expected, "{text}");
    }

    #[test]
    fn periods() {
        check::<Period>("90s", Some("90s"));
        check::<Period>("60 m", Some("1h"));
        check::<Period>("5ms", Some("5ms"));
        check::<Period>("0s", Some("0s"));
        for wrong in ["", "90", "1.5h", "-1h", "1w", "h", "99999999999999999999d", "300000000000d"] {
            check::<Period>(wrong, None);
        }
    }

    #[test]
    fn sizes() {
        check::<Size>("16MiB", Some("16MiB"));
        check::<Size>("1024KiB", Some("1MiB"));
        check::<Size>("1500B", Some("1500B"));
        for wrong in ["16", "16MB", "16 mib", "99999999999GiB"] {
            check::<Size>(wrong, None);
        }
    }
}
