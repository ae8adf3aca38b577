//! What is known of a device? Its record is a fold of what every source claims, field by field.
//!
//! Knows nothing of how claims are kept or which device they belong to: the pipeline brings everything that is attached
//! to one device, and stores what comes out. Claims are never thrown away by a fold, so another precedence, a merge or
//! a split is only another fold. The same claims give the same record in any order, and folding again changes nothing.
//!
//! [`claims`] reads an agent's items into fields and brings a subject up to date, [`peripherals`] those that are assets of
//! their own, [`precedence`] says who knows best,
//! [`fold()`] makes the record, and [`change`] tells two records apart.

pub mod claims;
pub mod peripherals;

pub mod precedence;

pub mod change;
pub mod fold;

use std::collections::BTreeMap;

use muster_common::{
    device::{Field, Value},
    source::{Source, SubjectKey},
    time::Timestamp,
};

pub use change::{FieldChange, changes};
pub use claims::{fields_from_items, update};
pub use fold::{Identity, current_agent, fold, same_facts};

/// Everything that one source says of one endpoint, as it stands now.
#[derive(Debug, Clone, PartialEq)]
pub struct SubjectClaims {
    /// Which subject.
    pub key: SubjectKey,
    /// Who speaks.
    pub source: Source,
    /// The agent's version; empty for other sources.
    pub agent_version: String,
    /// What it says, each with the moment at which it last changed its word, by the collector's clock.
    pub fields: BTreeMap<Field, (Value, Timestamp)>,
    /// When it was attached.
    pub first: Timestamp,
    /// When it last said something.
    pub last: Timestamp,
    /// Its agent has since reported from other hardware.
    pub superseded: bool,
    /// How many software items it reports.
    pub software_count: u32,
    /// An authoritative record: a purchase, or an operator's approval.
    pub vouches: bool,
}
