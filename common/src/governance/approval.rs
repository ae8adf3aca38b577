//! Up to which cost a role may approve.

use std::{fmt, str::FromStr};

use crate::device::{InvalidMoney, Money};

/// Up to which cost a role approves requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApprovalLimit {
    /// This much and less, in this currency alone: an exchange rate is nobody's approval.
    UpTo(Money),
    /// Any cost.
    Unlimited,
}

/// A text that is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is neither \"unlimited\" nor an amount such as \"5000 EUR\"")]
pub struct InvalidLimit {
    found: String,
    #[source]
    cause: InvalidMoney,
}

impl ApprovalLimit {
    /// Whether a cost lies within it; a request without a cost does only where there is no limit.
    pub fn covers(&self, cost: Option<&Money>) -> bool {
        match self {
            Self::Unlimited => true,
            Self::UpTo(limit) => cost
                .is_some_and(|cost| cost.currency == limit.currency && cost.minor_units <= limit.minor_units),
        }
    }
}

impl fmt::Display for ApprovalLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UpTo(money) => money.fmt(f),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

impl FromStr for ApprovalLimit {
    type Err = InvalidLimit;

    fn from_str(text: &str) -> Result<Self, InvalidLimit> {
        if text == "unlimited" {
            return Ok(Self::Unlimited);
        }
        text.parse()
            .map(Self::UpTo)
            .map_err(|cause| InvalidLimit { found: text.chars().take(64).collect(), cause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(limit: &str, cost: Option<&str>, expected: bool) {
        let cost: Option<Money> = cost.map(|cost| cost.parse().unwrap());
        let limit: ApprovalLimit = limit.parse().unwrap();
        assert_eq!(limit.covers(cost.as_ref()), expected, "{limit} for {cost:?}");
    }

    #[test]
    fn a_limit_covers_its_own_currency_up_to_itself() {
        check("5000 EUR", Some("5000 EUR"), true);
        check("5000 EUR", Some("5000.01 EUR"), false);
        check("5000 EUR", Some("1 USD"), false);
        check("5000 EUR", None, false);
        check("unlimited", Some("1000000 USD"), true);
        check("unlimited", None, true);
        assert!("lots".parse::<ApprovalLimit>().is_err());
    }
}
