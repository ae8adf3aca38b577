//! Reviews by cadence, and whom a finding goes to that stays too long.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use super::DAY;

macro_rules! cadences {
    ($($(#[$doc:meta])* $variant:ident $name:literal $days:literal,)*) => {
        /// How often something is reviewed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cadence {
            $($(#[$doc])* $variant,)*
        }

        impl Cadence {
            /// Every cadence.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// After so long without one, a review is overdue.
            pub const fn period(self) -> Duration {
                match self { $(Self::$variant => Duration::from_secs($days * 24 * 3600),)* }
            }
        }
    };
}

cadences! {
    /// Every week.
    Weekly "weekly" 7,
    /// Every month.
    Monthly "monthly" 31,
    /// Every quarter.
    Quarterly "quarterly" 92,
    /// Every year.
    Annual "annual" 366,
}

impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Cadence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|cadence| cadence.name() == text).copied();
        found.ok_or_else(|| format!("{text:?} is not one of weekly, monthly, quarterly, annual"))
    }
}

/// The reviews that there are, each with the cadence that it has unless the charter says otherwise.
pub const REVIEWS: &[(&str, Cadence)] = &[
    ("exceptions", Cadence::Monthly),
    ("renewals", Cadence::Monthly),
    ("policy", Cadence::Quarterly),
    ("lifecycle", Cadence::Annual),
];

/// One review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// How often.
    pub every: Cadence,
    /// Whose it is; empty: the first of the path of escalation.
    pub by: Vec<String>,
}

/// Whom findings go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// After so long, counted again at each step, an open finding goes one step up.
    pub after: Duration,
    /// Accounts, the first one first; empty: nobody is told.
    pub path: Vec<String>,
    /// Who stands in for an account that is away.
    pub deputies: BTreeMap<String, String>,
}

impl Default for Escalation {
    fn default() -> Self {
        Self { after: 7 * DAY, path: Vec::new(), deputies: BTreeMap::new() }
    }
}
