//! Identifiers of machines: what kinds there are, and their names in keys and for people.
//!
//! Knows nothing of where an identifier comes from and of how strong it is.

use std::fmt;

/// What kind of identifier; the text is part of the store's keys and stays for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentifierKind {
    /// System UUID.
    Uuid,
    /// System serial number, without its maker.
    Serial,
    /// Cloud instance.
    Instance,
    /// Main board's serial number.
    BoardSerial,
    /// Agent.
    Agent,
    /// Burnt-in address of a built-in adapter.
    Mac,
    /// Operating system's machine id.
    MachineId,
    /// Asset tag within its scheme.
    AssetTag,
    /// Of an asset that is no device: its key within its category.
    AssetKey,
}

/// A normalised identifier, under which the store keeps who claims it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier {
    /// What kind.
    pub kind: IdentifierKind,
    /// At most 100 bytes.
    pub value: String,
}

impl IdentifierKind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::Uuid,
        Self::Serial,
        Self::Instance,
        Self::BoardSerial,
        Self::Agent,
        Self::Mac,
        Self::MachineId,
        Self::AssetTag,
        Self::AssetKey,
    ];

    /// Its name in keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Serial => "serial",
            Self::Instance => "instance",
            Self::BoardSerial => "board",
            Self::Agent => "agent",
            Self::Mac => "mac",
            Self::MachineId => "machine-id",
            Self::AssetTag => "asset-tag",
            Self::AssetKey => "asset-key",
        }
    }

    /// The kind of a name that was stored.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|kind| kind.name() == name).copied()
    }

    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Uuid => "system UUID",
            Self::Serial => "serial number",
            Self::Instance => "cloud instance",
            Self::BoardSerial => "main board's serial number",
            Self::Agent => "agent id",
            Self::Mac => "MAC address",
            Self::MachineId => "machine id",
            Self::AssetTag => "asset tag",
            Self::AssetKey => "key within its category",
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_kinds_read_back() {
        for kind in IdentifierKind::ALL {
            assert_eq!(IdentifierKind::from_name(kind.name()), Some(*kind));
        }
    }
}
