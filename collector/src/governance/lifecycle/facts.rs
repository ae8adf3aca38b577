//! What a step is decided on.

use std::{collections::BTreeSet, fmt};

use muster_common::{
    device::Money,
    governance::{EvidenceKind, Role, State, WipeMethod},
    id::PersonId,
    time::Timestamp,
};

use super::Life;

/// Everything that a step is decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Which table of steps it goes by.
    pub life: Life,
    /// Where it stands; none: nobody has said.
    pub present: Option<State>,
    /// Since when it has stood there.
    pub since: Option<Timestamp>,
    /// Who asks, by the account.
    pub actor: String,
    /// That account's roles.
    pub roles: Vec<Role>,
    /// What was asked for; none for what was never requested.
    pub request: Option<Request>,
    /// The number of the order that it came with, or is to be ordered by.
    pub order: Option<Order>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Records that vouch for it, such as an imported order's line.
    pub purchases: Vec<Purchase>,
    /// Whose it is, or is to be.
    pub owner: Option<PersonId>,
    /// The last hand-over that was acknowledged.
    pub acknowledged: Option<Acknowledgement>,
    /// Why; as the person wrote it.
    pub reason: String,
    /// How it was wiped.
    pub wipe: Option<WipeMethod>,
    /// Whether the record tells of storage in it.
    pub has_storage: bool,
    /// Whether it is leased.
    pub leased: bool,
    /// What files are attached to it, or come with the step.
    pub evidence: BTreeSet<EvidenceKind>,
}

impl Facts {
    /// Of an asset of which nothing is known, asked by nobody.
    pub fn nothing(life: Life) -> Self {
        Self {
            life,
            present: None,
            since: None,
            actor: String::new(),
            roles: Vec::new(),
            request: None,
            order: None,
            serial: None,
            purchases: Vec::new(),
            owner: None,
            acknowledged: None,
            reason: String::new(),
            wipe: None,
            has_storage: false,
            leased: false,
            evidence: BTreeSet::new(),
        }
    }
}

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who asked, by the account.
    pub requester: String,
    /// Why.
    pub justification: String,
    /// What all of it costs.
    pub cost: Option<Money>,
}

/// A record that vouches for an asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    /// The number of its order.
    pub order: Option<Order>,
    /// The serial number in it.
    pub serial: Option<String>,
}

/// That a person has said that the asset is theirs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Who.
    pub person: PersonId,
    /// When.
    pub at: Timestamp,
}

/// The number of an order, as somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order(pub String);

impl Order {
    /// Whether both name one order: an invoice's line (`PO-7/2`) belongs to its order (`PO-7`); case and spaces don't
    /// count.
    pub fn same_as(&self, other: &Self) -> bool {
        let plain = |order: &Self| {
            let number = order.0.split('/').next().unwrap_or_default();
            number.chars().filter(|letter| !letter.is_whitespace()).collect::<String>().to_lowercase()
        };
        let (left, right) = (plain(self), plain(other));
        !left.is_empty() && left == right
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
