//! Names as a charter writes them: accounts, classes, flags, fields; what is nearly one gets a suggestion.

use std::fmt;
use std::str::FromStr;

use muster_common::device::Field;
use muster_common::flag::FlagCode;
use muster_common::governance::Role;
use muster_common::source::ImportName;
use muster_common::trust::name::ShortName;

/// The longest text that is shown of a wrong name, in characters.
const SHOWN: usize = 64;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident($inner:ty) $noun:literal $known:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct $name(pub(crate) $inner);

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                text.parse().map(Self).map_err(|_| unknown($noun, text, $known))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    };
}

name!(
    /// A flag.
    Flag(FlagCode) "flag" FlagCode::ALL.iter().map(|code| code.name())
);
name!(
    /// A field.
    FieldName(Field) "field" Field::ALL.iter().map(|field| field.name())
);
name!(
    /// A role.
    RoleName(Role) "role" Role::ALL.iter().map(|role| role.name())
);

/// An account by the name in its certificate; a bare name is an operator's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Account(pub(crate) String);

impl Account {
    /// As a key may have written it.
    pub(crate) fn spellings(&self) -> impl Iterator<Item = &str> {
        let bare = self.0.strip_prefix("operator/");
        [Some(self.0.as_str()), bare].into_iter().flatten()
    }
}

impl FromStr for Account {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once('/').unwrap_or(("operator", text));
        let is_good = matches!(kind, "operator" | "service") && name.parse::<ShortName>().is_ok();
        if is_good {
            return Ok(Self(format!("{kind}/{name}")));
        }
        let shown: String = text.chars().take(SHOWN).collect();
        Err(format!("{shown:?} is not an account (write alice, operator/alice or service/siem)"))
    }
}

impl fmt::Display for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The name of a class, a category or a custom field: lower-case letters, digits, hyphens and underscores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Word(pub(crate) String);

impl FromStr for Word {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_good =
            |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_".contains(letter);
        if (1..=48).contains(&text.len()) && text.chars().all(is_good) {
            return Ok(Self(text.to_owned()));
        }
        let shown: String = text.chars().take(SHOWN).collect();
        Err(format!(
            "{shown:?} is not a name (lower-case letters, digits, hyphens and underscores, at most 48)"
        ))
    }
}

impl fmt::Display for Word {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Who is believed: an office such as `hr`, `operator`, `agent`, or the name of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Believed(pub(crate) String);

impl FromStr for Believed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shown = || text.chars().take(SHOWN).collect::<String>();
        ImportName::new(text).map(|name| Self(name.as_str().to_owned())).map_err(|_| {
            format!("{:?} is neither an office nor the name of an import (such as hr, finance, mdm)", shown())
        })
    }
}

impl fmt::Display for Believed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Why a name isn't one, with the nearest that is.
pub(crate) fn unknown<'a>(noun: &str, text: &str, known: impl Iterator<Item = &'a str>) -> String {
    let shown: String = text.chars().take(SHOWN).collect();
    let near = known
        .map(|name| (strsim::osa_distance(&shown, name), name))
        .filter(|(distance, _)| *distance <= 3)
        .min();
    match near {
        Some((_, name)) => format!("there is no {noun} {shown:?}; did you mean {name}?"),
        None => format!("there is no {noun} {shown:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_account_is_an_operator() {
        assert_eq!("alice".parse(), Ok(Account("operator/alice".to_owned())));
        assert_eq!("service/siem".parse(), Ok(Account("service/siem".to_owned())));
        for bad in ["", "agent/x", "Alice", "operator/", "a b"] {
            assert!(bad.parse::<Account>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_nearly_a_name_gets_a_suggestion() {
        assert_eq!("stael".parse::<Flag>().unwrap_err(), "there is no flag \"stael\"; did you mean stale?");
        assert_eq!("xyzzyxyzzy".parse::<FieldName>().unwrap_err(), "there is no field \"xyzzyxyzzy\"");
    }
}
