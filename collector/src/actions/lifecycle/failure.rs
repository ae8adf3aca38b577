//! Why an action on an asset's life was not done.

use muster_common::id::{DeviceId, RequestId};

use crate::{
    governance::lifecycle::Refused,
    index::QueryError,
    pipeline::ObserveError,
    privacy::{VaultError, evidence::EvidenceError},
    records::RecordError,
    registry::PersonsError,
    store::{CommitError, StoreError},
};

/// Why an action was not done.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// The policy says no.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There is no such asset for who asks.
    #[error("there is no asset {device} (list them: muster devices)")]
    NoAsset {
        /// As it was named.
        device: DeviceId,
    },
    /// There is no such request.
    #[error("there is no request {request} (list them: muster request list)")]
    NoRequest {
        /// As it was named.
        request: RequestId,
    },
    /// A request's stage is not what is asked for.
    #[error("the request is {state}: {wanted}")]
    RequestState {
        /// How it stands.
        state: String,
        /// What to do.
        wanted: &'static str,
    },
    /// Something that was written can't be used.
    #[error("{0}")]
    Unusable(String),
    /// A text is over its bound.
    #[error("the {what} is longer than {most} bytes: shorten it")]
    TooLong {
        /// Which.
        what: &'static str,
        /// Its bound.
        most: usize,
    },
    /// A file was named that is not attached to the asset.
    #[error("the asset has no evidence {hash} (list it: muster evidence list ASSET)")]
    NoEvidence {
        /// Its hash.
        hash: String,
    },
    /// A code that isn't good, or not any more; which of them is nobody's business.
    #[error("the code is wrong, used up or expired: ask for a new one (muster handover create)")]
    Code,
    /// Who made a code may not use it.
    #[error("who made the code can't acknowledge by it: the person who has the asset does")]
    OwnCode,
    /// A file.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The persons.
    #[error(transparent)]
    Persons(#[from] PersonsError),
    /// The vault.
    #[error("what people wrote can't be sealed or opened")]
    Vault(#[from] VaultError),
    /// The pipeline did not take it.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// What is known could not be read.
    #[error(transparent)]
    Read(#[from] RecordError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The change could not be kept.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The index could not answer.
    #[error(transparent)]
    Index(#[from] QueryError),
    /// Others were faster again and again.
    #[error("too many changes to the same asset at once: try again later")]
    Contended,
}
