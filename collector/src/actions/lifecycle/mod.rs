//! What people decide about the life of assets: requests, the steps that follow, what proves them, hand-overs, audits.
//!
//! Each action reads what it needs, asks the policy, and commits with what it was decided on expected unchanged, so that
//! two people at once don't both succeed. A state is a statement in the asset's record and not a second truth beside it.

mod asset;
mod audit_scan;
mod evidence;
mod failure;
mod handover;
mod requests;
mod transition;

use std::sync::Arc;

use muster_common::{governance::Role, id::PersonId, observation::PersonName, source::Source};
use muster_proto::store::v1 as stored;
use prost::Message;

pub use audit_scan::{MOST_TAGS, ScanResult, Scanned};
pub use evidence::EvidenceItem;
pub use failure::LifecycleError;
pub use handover::{Acknowledged, NewHandover};
pub use requests::{NewRequest, RequestView};
pub use transition::{Taken, Wish};

use crate::{
    index::Index,
    pipeline::Pipeline,
    privacy::evidence::EvidenceFiles,
    registry::{Persons, Sight},
};

/// How often a decision is made again when others change what it was made on.
const MOST_TRIES: u32 = 32;
/// The longest text that a person writes, in bytes.
const TEXT_BYTES: usize = 1024;

/// Who decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// The account, such as `operator/alice`.
    pub name: String,
    /// What it may do at this moment.
    pub roles: Vec<Role>,
    /// Which assets it knows of.
    pub sight: Sight,
}

/// The lives of one collector's assets.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    pipeline: Arc<Pipeline>,
    index: Arc<Index>,
    persons: Persons,
    files: EvidenceFiles,
}

impl Lifecycle {
    /// Over the spine and the folder of evidence.
    pub fn new(pipeline: Arc<Pipeline>, index: Arc<Index>, persons: Persons, files: EvidenceFiles) -> Self {
        Self { pipeline, index, persons, files }
    }

    /// The person of a name or an address; who isn't known is made. An empty text is nobody.
    async fn person(&self, text: &str, by: &By) -> Result<Option<PersonId>, LifecycleError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        check_text("name of a person", text)?;
        if let Some(known) = self.persons.find(text).await? {
            return Ok(Some(known));
        }
        let name = if text.contains('@') {
            PersonName { display: None, email: Some(text.to_owned()) }
        } else {
            PersonName { display: Some(text.to_owned()), email: None }
        };
        let made = self.persons.resolve([&name], &by.name, self.pipeline.now()).await?;
        Ok(made.into_values().next())
    }
}

/// The source of everything that is decided here.
fn office() -> Source {
    Source::Operator("lifecycle".to_owned())
}

fn audit(action: &str, target: String, detail: String) -> Vec<u8> {
    stored::Audit { action: action.to_owned(), target, detail }.encode_to_vec()
}

fn check_text(what: &'static str, text: &str) -> Result<(), LifecycleError> {
    if text.len() > TEXT_BYTES {
        return Err(LifecycleError::TooLong { what, most: TEXT_BYTES });
    }
    Ok(())
}
