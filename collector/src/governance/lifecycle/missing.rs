//! Why a step is not taken, in words that say what to do.

use std::fmt;

use muster_common::{
    device::Money,
    governance::{EvidenceKind, Role, State},
};

use super::{Life, Order};

/// Why a step is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The table has no such step from here.
    NoWay {
        /// Of which kind of asset.
        life: Life,
        /// From where; none: no state is known.
        from: Option<State>,
        /// To where.
        to: State,
        /// Where it could go from here.
        possible: Vec<State>,
    },
    /// The step is there, and something that it needs is not.
    Missing {
        /// To where.
        to: State,
        /// Everything that is missing.
        missing: Vec<Missing>,
    },
    /// A request that was decided before.
    Decided {
        /// How it stands.
        present: State,
    },
}

/// One thing that a step needs and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// Who asks has none of the roles that may.
    Role {
        /// To where.
        to: State,
        /// Any of these may.
        roles: &'static [Role],
    },
    /// Nobody said why it is needed.
    Justification,
    /// None of the roles of who asks approves anything.
    NoLimit,
    /// The cost is over the limit.
    Limit {
        /// The cost, if there is one.
        cost: Option<Money>,
    },
    /// Who asked may not decide.
    OtherPerson,
    /// There is no number of an order.
    Order,
    /// No record of a purchase is attached to it.
    Purchase,
    /// Only records of other orders are.
    OtherOrder {
        /// The order that was placed.
        wanted: Order,
        /// One that is there.
        found: Option<Order>,
    },
    /// The record is of another serial number.
    OtherSerial {
        /// What the asset says.
        here: String,
    },
    /// It belongs to nobody.
    Owner,
    /// The owner has not said that it arrived.
    Acknowledgement,
    /// Nobody said why.
    Reason,
    /// Nobody said how it was wiped.
    WipeMethod,
    /// It is said to have no storage, and its record tells of some.
    HasStorage,
    /// A file is not attached.
    Certificate {
        /// Which.
        kind: EvidenceKind,
    },
    /// It is not leased.
    Lease,
}

impl Refused {
    /// What is missing, a sentence each.
    pub fn sentences(&self) -> Vec<String> {
        match self {
            Self::NoWay { .. } | Self::Decided { .. } => vec![self.to_string()],
            Self::Missing { missing, .. } => missing.iter().map(ToString::to_string).collect(),
        }
    }
}

impl std::error::Error for Refused {}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWay { life, from: Some(from), to, .. } if from == to => {
                write!(f, "this {life} is {to} already")
            }
            Self::NoWay { life, from, to, possible } => {
                let next =
                    if possible.is_empty() { "nothing".to_owned() } else { list(possible.iter().copied()) };
                match from {
                    Some(from) => {
                        write!(f, "a {life} does not go from {from} to {to}: after {from} comes {next}")
                    }
                    None => write!(
                        f,
                        "this {life} has no state yet, and {to} is not its first: receive it with its purchase record ({next}), or enter what was there before by muster adopt"
                    ),
                }
            }
            Self::Missing { to, missing } => {
                write!(f, "not {to} yet: ")?;
                for (index, missing) in missing.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    write!(f, "{separator}{missing}")?;
                }
                Ok(())
            }
            Self::Decided { present } => {
                write!(f, "the request is {present}: only an open one can be refused")
            }
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role { to, roles } => {
                let roles = list(roles.iter().chain([&Role::Admin]));
                write!(f, "the role {roles} (ask somebody who has it to make it {to})")
            }
            Self::Justification => f.write_str("a justification (--justification says why it is needed)"),
            Self::NoLimit => f.write_str(
                "a role that approves costs (the charter's [approvals] names them, and up to what: ask one of those people)",
            ),
            Self::Limit { cost: Some(cost) } => {
                write!(f, "an approver whose limit covers {cost} (the charter's [approvals] has the limits)")
            }
            Self::Limit { cost: None } => {
                f.write_str("a cost (only who approves without limit approves a request that names none)")
            }
            Self::OtherPerson => f.write_str("another person (nobody approves their own request)"),
            Self::Order => f.write_str("the number of the order (--order NUMBER)"),
            Self::Purchase => f.write_str(
                "a purchase record with its serial number (muster import FILE --source purchase takes the supplier's list in)",
            ),
            Self::OtherOrder { wanted, found: Some(found) } => write!(
                f,
                "a purchase record of order {wanted} (the one that is there is of order {found}: name that one, or import the right list)"
            ),
            Self::OtherOrder { wanted, found: None } => write!(
                f,
                "a purchase record of order {wanted} (the one that is there names no order: import a list that does)"
            ),
            Self::OtherSerial { here } => write!(
                f,
                "a purchase record of serial number {here} (the one that is there is of another: correct the list and import it again)"
            ),
            Self::Owner => f.write_str("an owner (--owner PERSON)"),
            Self::Acknowledgement => f.write_str(
                "the owner's acknowledgement (muster handover create ASSET --to PERSON makes the code that they confirm it with)",
            ),
            Self::Reason => f.write_str("a reason (--reason says what happened)"),
            Self::WipeMethod => f.write_str(
                "how it was wiped (--wipe-method overwrite, crypto-erase, destruction or no-storage)",
            ),
            Self::HasStorage => {
                f.write_str("another wipe method than no-storage (its record tells of storage in it)")
            }
            Self::Certificate { kind } => {
                write!(f, "a file of kind {kind} (muster evidence add ASSET FILE --kind {kind})")
            }
            Self::Lease => f.write_str("a lease (its record does not say that it is leased)"),
        }
    }
}

/// `a`, `a or b`, `a, b or c`.
fn list<T: ToString>(words: impl Iterator<Item = T>) -> String {
    let mut words: Vec<String> = words.map(|word| word.to_string()).collect();
    words.dedup();
    match words.pop() {
        None => String::new(),
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} or {last}", words.join(", ")),
    }
}
