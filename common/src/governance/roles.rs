//! Roles: what a person or a tool may do, and for how long.
//!
//! Knows nothing of which call needs which role; that is the collector's table.

use std::{fmt, str::FromStr};

use crate::time::Timestamp;

macro_rules! roles {
    ($($(#[$doc:meta])* $variant:ident $name:literal,)*) => {
        /// What an account may do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Role {
            $($(#[$doc])* $variant,)*
        }

        impl Role {
            /// Every role.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

roles! {
    /// Looks at everything that is not personal evidence.
    Reader "reader",
    /// Looks at everything, the audit log included, until a date.
    Auditor "auditor",
    /// Handles machines: receives, deploys, repairs, retires.
    Technician "technician",
    /// Looks after the devices of its own departments.
    Custodian "custodian",
    /// Acknowledges what was handed over, by a one-time link.
    Employee "employee",
    /// Imports and orders what is bought.
    Procurement "procurement",
    /// Knows what things cost and who pays.
    Finance "finance",
    /// Approves exceptions and watches findings.
    Security "security",
    /// Approves requests of its people.
    Manager "manager",
    /// Everything.
    Admin "admin",
}

impl Role {
    /// Whether who has it may look at the records of all departments.
    pub const fn sees_everything(self) -> bool {
        match self {
            Self::Reader
            | Self::Auditor
            | Self::Technician
            | Self::Procurement
            | Self::Finance
            | Self::Security
            | Self::Manager
            | Self::Admin => true,
            Self::Custodian | Self::Employee => false,
        }
    }
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not one of {known}")]
pub struct UnknownRole {
    /// As it was written.
    pub found: String,
    /// Every role.
    pub known: String,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.iter().find(|role| role.name() == text).copied().ok_or_else(|| UnknownRole {
            found: text.chars().take(64).collect(),
            known: Self::ALL.iter().map(|role| role.name()).collect::<Vec<_>>().join(", "),
        })
    }
}

/// What the charter gives an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// What it may do; each once.
    pub roles: Vec<Role>,
    /// Whose devices it sees, those of departments below them included; empty: all.
    pub departments: Vec<String>,
    /// When it ends; none: when somebody ends it.
    pub until: Option<Timestamp>,
}

impl Grant {
    /// Whether it is good at a moment.
    pub fn is_good_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_others_are_refused_with_a_list() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(*role));
        }
        let error = "root".parse::<Role>().unwrap_err().to_string();
        assert!(error.starts_with("\"root\" is not one of reader, auditor"), "{error}");
    }

    #[test]
    fn a_grant_ends_at_its_moment() {
        let until = Timestamp::from_millis(10);
        let grant = Grant { until: Some(until), ..Grant::default() };
        assert!(grant.is_good_at(Timestamp::from_millis(9)) && !grant.is_good_at(until));
        assert!(Grant::default().is_good_at(until));
    }
}
