//! Identities, tokens and accounts: what the name in a certificate is worth at this moment.
//!
//! The only room that decides who may come in. Certificates only name; a record here says whether the name is good, and
//! closing a connection follows within moments of a change. Knows nothing of devices.

pub mod token;

mod accounts;
mod agents;
mod persons;
mod sight;
mod tokens;

pub use accounts::Account;
pub use agents::{AgentRefused, LiveAgent, StreamPlace};
pub use muster_common::governance::Role;
pub use persons::{Person, PersonOutcome, Persons, PersonsError, TakenPerson, name_of};
pub use sight::Sight;
pub use tokens::TokenState;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, RwLock},
};

use arc_swap::ArcSwap;
use muster_common::{governance::Charter, id::AgentId};

use crate::{
    records::{RecordError, Records},
    store::{CommitError, Store},
};

/// A change of the registry that was not made.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is nothing by that name.
    #[error("there is no {kind} {name}")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// By which name.
        name: String,
    },
    /// A name that can't be one.
    #[error("{0}")]
    Name(String),
    /// A record could not be read.
    #[error("could not read the registry")]
    Read(#[from] RecordError),
    /// The change was not taken.
    #[error("could not keep the change")]
    Commit(#[from] CommitError),
    /// The system gave no random numbers.
    #[error(transparent)]
    Random(#[from] token::NoRandomness),
}

/// Identities, tokens and accounts.
#[derive(Debug)]
pub struct Registry {
    records: Records,
    live: Mutex<HashMap<AgentId, Arc<LiveAgent>>>,
    accounts: RwLock<HashMap<String, Account>>,
    charter: Arc<ArcSwap<Charter>>,
}

impl Registry {
    /// Over a store; [`Self::load`] reads the accounts.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::under(store, Arc::default())
    }

    /// The same under a charter, whose roles stand above those that were given to an account here.
    pub fn under(store: Arc<dyn Store>, charter: Arc<ArcSwap<Charter>>) -> Self {
        Self { records: Records::new(store), live: Mutex::default(), accounts: RwLock::default(), charter }
    }
}
