//! Why a question was not answered.

use muster_common::{
    filter::FilterError,
    id::DeviceId,
    page::{InvalidOrder, InvalidPageToken},
    time::Timestamp,
};

use crate::{
    index::QueryError,
    privacy::VaultError,
    records::{Malformed, RecordError},
    registry::PersonsError,
    store::StoreError,
};

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum QueryFailure {
    /// The filter can't be read.
    #[error("{error}\n{caret}")]
    Filter {
        /// What is wrong.
        error: FilterError,
        /// Two lines that show where.
        caret: String,
    },
    /// The order can't be read.
    #[error(transparent)]
    Order(#[from] InvalidOrder),
    /// The page token is of another list.
    #[error(transparent)]
    Token(#[from] InvalidPageToken),
    /// The index does not understand it.
    #[error(transparent)]
    Index(#[from] QueryError),
    /// Names lie encrypted, so that only whole ones are found.
    #[error(
        "{field} is a person, and persons are found only by their whole name or e-mail address (use {field} = \"Jo Doe\")"
    )]
    PartOfName {
        /// The field.
        field: String,
    },
    /// Not the name of a device.
    #[error("{name:?} is not the name of a device (expected devices/ and its id)")]
    Name {
        /// As it was asked for.
        name: String,
    },
    /// Nobody by that name.
    #[error(
        "there is no person {name:?} (name one by id, whole name, address or number; of several with one name use the address)"
    )]
    NoPerson {
        /// As it was asked for.
        name: String,
    },
    /// A count that could not be kept.
    #[error("could not keep the counts of today")]
    Commit(#[from] crate::store::CommitError),
    /// A code that no flag has.
    #[error("there is no flag {code:?} (flags: {known})")]
    Code {
        /// As it was asked for.
        code: String,
        /// Every code.
        known: String,
    },
    /// Nothing to look up.
    #[error("the identifier is empty or longer than 1024 bytes")]
    Identifier,
    /// A position that no write has given.
    #[error("min_position is not a position (use the one in a write's answer)")]
    Position,
    /// The write that the asker has seen is not here yet.
    #[error("the collector has not come to that write yet: ask again in a second")]
    Ahead,
    /// No such device.
    #[error("there is no device {device}")]
    NoDevice {
        /// Which.
        device: DeviceId,
    },
    /// A filter on what has no past.
    #[error(
        "{field} has no past in lists (leave out as_of, or ask for one device: its history names packages)"
    )]
    NoPast {
        /// The field.
        field: String,
    },
    /// More records than are taken back for one list.
    #[error(
        "a list of the past takes at most {most} records: ask for single devices, or for now and their history"
    )]
    TooManyForPast {
        /// The most.
        most: usize,
    },
    /// It was not known then.
    #[error("device {device} was not known at {time}")]
    NotYet {
        /// Which.
        device: DeviceId,
        /// When.
        time: Timestamp,
    },
    /// No agent has reported from it.
    #[error("no agent reports from device {device}: install one, or enrol it")]
    NoInventory {
        /// Which.
        device: DeviceId,
    },
    /// A record could not be read.
    #[error("could not read what is known")]
    Record(#[from] RecordError),
    /// The store could not be read.
    #[error("could not use the store")]
    Store(#[from] StoreError),
    /// A part of a record is not what it should be.
    #[error("a record is damaged")]
    Malformed(#[from] Malformed),
    /// Persons could not be found or shown.
    #[error("could not read the persons")]
    Persons(#[from] PersonsError),
    /// A refused row could not be opened.
    #[error("could not open personal values")]
    Vault(#[from] VaultError),
}
