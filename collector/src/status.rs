//! The one mapping from errors to gRPC statuses.
//!
//! A message tells the peer what to do; the cause goes to the log, since it may name paths and keys.

use muster_common::chain::Chain;
use tonic::Status;

use crate::{
    actions::{
        adopt::AdoptFailure, carried::NotTaken, charters::CharterFailure, excepting::ExceptingFailure,
        import::ImportFailed, lifecycle::LifecycleError,
    },
    audit::AuditFailed,
    governance::exceptions::Refused,
    import::{carried::NotUsable, service::ServiceError},
    pipeline::ObserveError,
    privacy::evidence::EvidenceError,
    query::QueryFailure,
    records::RecordError,
    registry::{AgentRefused, PersonsError, RegistryError},
    store::{CommitError, StoreError, Unavailable},
};

/// Something that is nobody's fault but ours: logged whole, told in one sentence.
pub fn internal(what: &'static str, error: &(dyn std::error::Error + 'static)) -> Status {
    tracing::error!(error = %Chain(error), "{what}");
    Status::internal(what)
}

/// Of an observation that was not taken.
pub fn observe(error: &ObserveError) -> Status {
    match error {
        ObserveError::Unusable(_)
        | ObserveError::Digest { .. }
        | ObserveError::Section { .. }
        | ObserveError::TooManySections
        | ObserveError::TooMuchEvidence => Status::invalid_argument(error.to_string()),
        ObserveError::NoSuchDevice { .. } => Status::not_found(error.to_string()),
        ObserveError::Contended | ObserveError::CompanionChanged => Status::aborted(error.to_string()),
        ObserveError::Read(error) => record(error),
        ObserveError::Store(error) => store(error),
        ObserveError::Commit(error) => commit(error),
    }
}

/// Of a change of the registry that was not made.
pub fn registry(error: RegistryError) -> Status {
    match &error {
        RegistryError::NotFound { .. } => Status::not_found(error.to_string()),
        RegistryError::Name(_) => Status::invalid_argument(error.to_string()),
        RegistryError::Read(error) => record(error),
        RegistryError::Commit(error) => commit(error),
        RegistryError::Random(_) => Status::unavailable(error.to_string()),
    }
}

/// Of an agent that is not let in.
pub fn agent(error: &AgentRefused) -> Status {
    match error {
        AgentRefused::Unknown => Status::unauthenticated(error.to_string()),
        AgentRefused::Revoked { .. } => Status::permission_denied(error.to_string()),
        AgentRefused::TooMany { .. } => Status::resource_exhausted(error.to_string()),
        AgentRefused::Read(error) => record(error),
    }
}

/// Of persons who could not be found, made or shown.
pub fn persons(error: &PersonsError) -> Status {
    match error {
        PersonsError::Nameless => Status::invalid_argument(error.to_string()),
        PersonsError::Contended => Status::aborted(error.to_string()),
        PersonsError::Read(error) => record(error),
        PersonsError::Commit(error) => commit(error),
        PersonsError::Vault(_) | PersonsError::Worker(_) => {
            internal("personal values can't be handled: see the collector's log", error)
        }
    }
}

/// Of an import that can't be begun, or was broken off; what it took before stays taken.
pub fn import(error: &ServiceError) -> Status {
    match error {
        ServiceError::Name(invalid) => Status::invalid_argument(invalid.to_string()),
        ServiceError::File(_) | ServiceError::Options(_) => Status::invalid_argument(error.to_string()),
        ServiceError::NoSuchMapping { .. } => Status::not_found(error.to_string()),
        ServiceError::Rows(failed) => match failed {
            ImportFailed::Row { source, .. } => {
                let status = observe(source);
                Status::new(status.code(), format!("{failed}: {}", status.message()))
            }
            ImportFailed::Persons(error) => persons(error),
            ImportFailed::Read(error) => record(error),
            ImportFailed::Commit(error) => commit(error),
            ImportFailed::Vault(_) | ImportFailed::Worker(_) => {
                internal("the import broke off: see the collector's log", failed)
            }
        },
    }
}

/// Of the audit log.
pub fn audit(error: &AuditFailed) -> Status {
    match error {
        AuditFailed::Read(error) => store(error),
        AuditFailed::Commit(error) => commit(error),
        AuditFailed::Empty => Status::failed_precondition(error.to_string()),
        AuditFailed::Missing { .. } => Status::data_loss(error.to_string()),
        AuditFailed::NoSuchAsset { .. } => Status::not_found(error.to_string()),
    }
}

/// Of a file that is no report which an agent of this collector signed.
pub fn unusable_report(error: &NotUsable) -> Status {
    match error {
        NotUsable::File(_)
        | NotUsable::Authority(_)
        | NotUsable::Certificate(_)
        | NotUsable::Signature
        | NotUsable::Report(_)
        | NotUsable::NotWhole { .. } => Status::invalid_argument(error.to_string()),
    }
}

/// Of a carried report that was not taken in.
pub fn carry(error: &NotTaken) -> Status {
    match error {
        NotTaken::Unknown { .. }
        | NotTaken::Revoked { .. }
        | NotTaken::Key { .. }
        | NotTaken::Ended { .. }
        | NotTaken::Overtaken { .. }
        | NotTaken::Older { .. }
        | NotTaken::OlderByClock { .. }
        | NotTaken::Reused { .. }
        | NotTaken::NotGranted { .. } => Status::failed_precondition(error.to_string()),
        NotTaken::Observe(error) => observe(error),
        NotTaken::Read(error) => record(error),
        NotTaken::Contended => Status::aborted(error.to_string()),
    }
}

/// Of a decision about an asset's life that was not taken.
pub fn lifecycle(error: &LifecycleError) -> Status {
    match error {
        LifecycleError::Refused(_) | LifecycleError::RequestState { .. } => {
            Status::failed_precondition(error.to_string())
        }
        LifecycleError::NoAsset { .. }
        | LifecycleError::NoRequest { .. }
        | LifecycleError::NoEvidence { .. }
        | LifecycleError::Code => Status::not_found(error.to_string()),
        LifecycleError::OwnCode => Status::permission_denied(error.to_string()),
        LifecycleError::Unusable(_) | LifecycleError::TooLong { .. } | LifecycleError::Index(_) => {
            Status::invalid_argument(error.to_string())
        }
        LifecycleError::Contended => Status::aborted(error.to_string()),
        LifecycleError::Evidence(failed) => evidence(failed),
        LifecycleError::Persons(error) => persons(error),
        LifecycleError::Observe(error) => observe(error),
        LifecycleError::Read(error) => record(error),
        LifecycleError::Store(error) => store(error),
        LifecycleError::Commit(error) => commit(error),
        LifecycleError::Vault(_) => {
            internal("what people wrote can't be sealed or opened: see the collector's log", error)
        }
    }
}

/// Of a file that can't be kept or given back.
fn evidence(error: &EvidenceError) -> Status {
    match error {
        EvidenceError::Empty | EvidenceError::TooLarge { .. } | EvidenceError::Type => {
            Status::invalid_argument(error.to_string())
        }
        EvidenceError::Missing { .. } | EvidenceError::Damaged { .. } => Status::data_loss(error.to_string()),
        EvidenceError::File(_) | EvidenceError::Seal(_) | EvidenceError::Worker(_) => {
            internal("the evidence can't be used: see the collector's log", error)
        }
    }
}

/// Of a question that was not answered.
pub fn query(error: &QueryFailure) -> Status {
    match error {
        QueryFailure::Filter { .. }
        | QueryFailure::Order(_)
        | QueryFailure::Token(_)
        | QueryFailure::Index(_)
        | QueryFailure::PartOfName { .. }
        | QueryFailure::Name { .. }
        | QueryFailure::Code { .. }
        | QueryFailure::Identifier
        | QueryFailure::Position => Status::invalid_argument(error.to_string()),
        QueryFailure::NoPast { .. } => Status::invalid_argument(error.to_string()),
        QueryFailure::TooManyForPast { .. } => Status::resource_exhausted(error.to_string()),
        QueryFailure::NoPerson { .. } => Status::not_found(error.to_string()),
        QueryFailure::Commit(error) => commit(error),
        QueryFailure::NoDevice { .. } | QueryFailure::NotYet { .. } | QueryFailure::NoInventory { .. } => {
            Status::not_found(error.to_string())
        }
        QueryFailure::Ahead => Status::unavailable(error.to_string()),
        QueryFailure::Record(error) => record(error),
        QueryFailure::Store(error) => store(error),
        QueryFailure::Malformed(_) => internal("a record is damaged: see the collector's log", error),
        QueryFailure::Persons(error) => persons(error),
        QueryFailure::Vault(error) => {
            internal("personal values can't be opened: see the collector's log", error)
        }
    }
}

/// Of a charter that was not shown, tried or applied.
pub fn charter(error: &CharterFailure) -> Status {
    match error {
        CharterFailure::Problems(_) | CharterFailure::Reason | CharterFailure::Token(_) => {
            Status::invalid_argument(error.to_string())
        }
        CharterFailure::NoVersion { .. } => Status::not_found(error.to_string()),
        CharterFailure::Changed { .. } | CharterFailure::Same { .. } | CharterFailure::LockedOut { .. } => {
            Status::failed_precondition(error.to_string())
        }
        CharterFailure::Unreadable { problems, .. } => {
            Status::failed_precondition(format!("{error}: {problems}"))
        }
        CharterFailure::Observe(error) => observe(error),
        CharterFailure::Read(error) => record(error),
        CharterFailure::Commit(error) => commit(error),
    }
}

/// Of something about an exception or a finding that was not done.
pub fn excepting(error: &ExceptingFailure) -> Status {
    match error {
        ExceptingFailure::Refused(refused) => match refused {
            Refused::Reason | Refused::Remark | Refused::Past { .. } | Refused::TooLong { .. } => {
                Status::invalid_argument(refused.to_string())
            }
            Refused::Own | Refused::NotAnApprover { .. } | Refused::NotYours { .. } => {
                Status::permission_denied(refused.to_string())
            }
            Refused::Decided { .. } | Refused::Ended { .. } => {
                Status::failed_precondition(refused.to_string())
            }
        },
        ExceptingFailure::NoException { .. } | ExceptingFailure::NoFinding { .. } => {
            Status::not_found(error.to_string())
        }
        ExceptingFailure::Contended => Status::aborted(error.to_string()),
        ExceptingFailure::Scope(error) => query(error),
        ExceptingFailure::Observe(error) => observe(error),
        ExceptingFailure::Read(error) => record(error),
        ExceptingFailure::Commit(error) => commit(error),
    }
}

/// Of an adoption that was not done, or not all of it.
pub fn adopt(error: &AdoptFailure) -> Status {
    match error {
        AdoptFailure::Everything
        | AdoptFailure::TooMany { .. }
        | AdoptFailure::State(_)
        | AdoptFailure::Reason => Status::invalid_argument(error.to_string()),
        AdoptFailure::Filter(error) => query(error),
        AdoptFailure::Observe(error) => observe(error),
        AdoptFailure::Read(error) => record(error),
        AdoptFailure::Commit(error) => commit(error),
    }
}

/// Of a record that could not be read.
pub fn record(error: &RecordError) -> Status {
    match error {
        RecordError::Store(error) => store(error),
        RecordError::Damaged { .. } => internal("a record is damaged: see the collector's log", error),
    }
}

/// Of a commit that was not done.
pub fn commit(error: &CommitError) -> Status {
    match error {
        CommitError::Conflict { .. } => Status::aborted("somebody else changed it: try again"),
        CommitError::Unavailable(unavailable) => self::unavailable(unavailable),
        CommitError::TooLarge { .. } | CommitError::DuplicateKey { .. } | CommitError::Reserved { .. } => {
            internal("the change can't be kept: see the collector's log", error)
        }
    }
}

/// Of a store that did not answer.
pub fn store(error: &StoreError) -> Status {
    internal("the store can't be used: see the collector's log", error)
}

fn unavailable(error: &Unavailable) -> Status {
    match error {
        Unavailable::NoSpace { .. } => Status::resource_exhausted(error.to_string()),
        Unavailable::DiskFailed | Unavailable::Closed => Status::unavailable(error.to_string()),
    }
}
