//! Who says something, and about which endpoint.

use std::{fmt, str::FromStr};

use crate::id::{AgentId, DeviceId};

/// Who says so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// An installed agent.
    Agent(AgentId),
    /// A file of another system, by the import's name.
    Import(ImportName),
    /// A person at the controls, by account name.
    Operator(String),
    /// An agent that saw another endpoint on its network.
    Neighbour,
}

/// The name of an import, such as `purchase`: lower-case letters, digits, hyphens, at most 32.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImportName(String);

/// How the keys of what agents find on their machines begin.
const FOUND: &str = "found/";

/// A text that names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a source (agent:ID, import:NAME, operator:NAME or neighbour; names: lower-case letters, digits, hyphens)"
)]
pub struct InvalidSource(String);

impl ImportName {
    /// Checks and takes a name.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidSource> {
        let name = name.into();
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > 32 || !name.bytes().all(good) {
            return Err(InvalidSource(name.chars().take(64).collect()));
        }
        Ok(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Source {
    /// The name under which `seen_by` keeps this kind of source: every agent is `agent`, an import its name.
    pub fn kind(&self) -> &str {
        match self {
            Self::Agent(_) => "agent",
            Self::Import(name) => name.as_str(),
            Self::Operator(_) => "operator",
            Self::Neighbour => "neighbour",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(id) => write!(f, "agent:{id}"),
            Self::Import(name) => write!(f, "import:{}", name.as_str()),
            Self::Operator(name) => write!(f, "operator:{name}"),
            Self::Neighbour => f.write_str("neighbour"),
        }
    }
}

impl FromStr for Source {
    type Err = InvalidSource;

    fn from_str(text: &str) -> Result<Self, InvalidSource> {
        let invalid = || InvalidSource(text.chars().take(64).collect());
        match text.split_once(':') {
            Some(("agent", id)) => id.parse().map(Self::Agent).map_err(|_| invalid()),
            Some(("import", name)) => ImportName::new(name).map(Self::Import),
            Some(("operator", name)) if !name.is_empty() => Ok(Self::Operator(name.to_owned())),
            None if text == "neighbour" => Ok(Self::Neighbour),
            Some(_) | None => Err(invalid()),
        }
    }
}

/// One endpoint as one source sees it, the unit that is attached to a device: text of at most 100 bytes.
///
/// For an agent it is the agent id with a fingerprint of the hardware, so that clones of one image are different
/// subjects from their first word on; for an import it is the row's own key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectKey(String);

impl SubjectKey {
    /// An agent on a machine whose decisive identifiers have this fingerprint (16 hexadecimal digits, or `none`).
    pub fn agent(agent: AgentId, fingerprint: &str) -> Self {
        Self(format!("agent/{agent}/{fingerprint}"))
    }

    /// A row of an import; the row's key is hashed, since it may be long or personal.
    pub fn import(name: &ImportName, row_key: &str) -> Self {
        let hash = blake3::hash(row_key.as_bytes()).to_hex();
        Self(format!("import/{}/{}", name.as_str(), &hash.as_str()[..32]))
    }

    /// What a source states of one device that it names itself, not by evidence: a lock, a hand-over, an adoption.
    pub fn stated(source: &Source, device: DeviceId) -> Self {
        let hash = blake3::hash(source.to_string().as_bytes()).to_hex();
        Self(format!("stated/{device}/{}", &hash.as_str()[..16]))
    }

    /// Whether it is what somebody states of a device, and so says nothing about which device that is.
    pub fn is_stated(&self) -> bool {
        self.0.starts_with("stated/")
    }

    /// What the agents of one device find on it that is an asset of its own, by what tells that from others.
    pub fn found(device: DeviceId, key: &str) -> Self {
        let hash = blake3::hash(key.as_bytes()).to_hex();
        Self(format!("{FOUND}{device}/{}", &hash.as_str()[..32]))
    }

    /// How the keys of everything that was found on a device begin.
    pub fn found_on(device: DeviceId) -> String {
        format!("{FOUND}{device}/")
    }

    /// Whether it is what an agent finds on its machine, and so says nothing of an agent on the asset itself.
    pub fn is_found(&self) -> bool {
        self.0.starts_with(FOUND)
    }

    /// A key that was stored by one of the others.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// Of an agent's subject: the fingerprint of the hardware that it speaks from.
    pub fn fingerprint(&self) -> Option<&str> {
        self.0
            .strip_prefix("agent/")
            .and_then(|rest| rest.split_once('/'))
            .map(|(_, fingerprint)| fingerprint)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for text in
            ["agent:6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11", "import:purchase", "operator:jo", "neighbour"]
        {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        for text in ["", "agent:x", "import:", "import:A b", "operator:", "else"] {
            assert!(text.parse::<Source>().is_err(), "{text} was accepted");
        }
    }
}
