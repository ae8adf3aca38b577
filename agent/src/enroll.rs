//! Gets this agent its certificate: token and evidence out, identity in, on disk before it is used.
//!
//! The key and the enrolment id are on disk before the first try, so that a lost answer or a crash is followed by the
//! same enrolment. Knows nothing of configuration and of how long to wait between tries: it says how patient to be.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use muster_common::{
    time::Clock,
    trust::token::{EnrollmentString, RootPin},
};
use muster_proto::{
    client::{
        address::Address,
        channel::{Opened, Timing},
        proxy::{ProxyError, Way},
    },
    v1::{self, enroll_response::Outcome, enrollment_client::EnrollmentClient},
};
use rustls::{CertificateError, OtherError};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    credentials::{
        files::{CredentialError, CredentialFiles, Slot},
        identity::{Identity, IdentityError},
        pending::{PendingEnrollment, PendingError},
    },
    transport::{
        backoff::Pace,
        resigned::{Resigned, resigned},
        tls::{PinMismatch, TransportError, enrollment_channel},
    },
};

/// For the whole of one try.
const WITHIN: Duration = Duration::from_secs(60);
/// Between two questions whether an operator has approved.
const APPROVAL: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3600));

/// What came of one try.
#[derive(Debug)]
pub enum Enrolled {
    /// We have a certificate, and it is on disk.
    Now(Box<Identity>),
    /// An operator has to approve first; ask again after this long.
    Pending(Duration),
}

/// Why a try led to nothing.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// Our own files.
    #[error("the agent's own files can't be used")]
    Files(#[from] CredentialError),
    /// The certificate request can't be made.
    #[error("the certificate request can't be made")]
    Request(#[from] PendingError),
    /// The connection can't be prepared.
    #[error("the connection to {address} can't be prepared")]
    Transport {
        /// The collector.
        address: Address,
        /// Why.
        #[source]
        source: TransportError,
    },
    /// The server that answers is not the collector that the string was made at.
    #[error(
        "what answers at {address} is not the collector that made this enrolment string: {reason}; check collector.enroll, or make a new string with muster-collector token create"
    )]
    WrongCollector {
        /// Where.
        address: Address,
        /// What TLS found.
        reason: String,
    },
    /// Somebody between here and there signs certificates of its own.
    #[error(transparent)]
    Resigned(Resigned),
    /// The proxy makes no tunnel.
    #[error("the collector at {address} can't be reached")]
    Proxy {
        /// Where.
        address: Address,
        /// Why.
        #[source]
        source: Box<ProxyError>,
    },
    /// The collector can't be reached, or is busy.
    #[error("the collector at {address} can't be reached: {reason}")]
    Unreachable {
        /// Where.
        address: Address,
        /// The innermost cause.
        reason: String,
        /// When the collector wants to be asked again, if it said so.
        retry_after: Option<Duration>,
    },
    /// The collector said no.
    #[error("the collector at {address} refused: {reason}; {advice}")]
    Refused {
        /// Where.
        address: Address,
        /// Its words.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// The answer can't be used.
    #[error("the answer of the collector at {address} can't be used")]
    Answer {
        /// Where.
        address: Address,
        /// What is wrong with it.
        #[source]
        source: IdentityError,
    },
    /// The answer is empty.
    #[error("the collector at {address} answered nothing; is it of another version?")]
    NoAnswer {
        /// Where.
        address: Address,
    },
}

impl EnrollError {
    /// How patient to be before the next try, for an agent that goes on trying.
    pub fn pace(&self) -> Pace {
        match self {
            Self::Unreachable { retry_after: Some(time), .. } => Pace::After((*time).min(APPROVAL.1)),
            Self::Unreachable { retry_after: None, .. } | Self::Resigned(_) => Pace::Normal,
            Self::Proxy { source, .. } if !source.needs_somebody() => Pace::Normal,
            Self::Files(_)
            | Self::Request(_)
            | Self::Transport { .. }
            | Self::WrongCollector { .. }
            | Self::Proxy { .. }
            | Self::Refused { .. }
            | Self::Answer { .. }
            | Self::NoAnswer { .. } => Pace::Slow,
        }
    }
}

/// Enrols at one collector.
pub struct Enroller {
    /// Where.
    pub address: Address,
    /// How to get there.
    pub way: Way,
    /// Judges the server's certificate.
    pub clock: Arc<dyn Clock>,
    /// Where the identity is kept.
    pub files: CredentialFiles,
    /// What tells which device this is.
    pub evidence: Vec<v1::Item>,
}

impl fmt::Debug for Enroller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enroller").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Enroller {
    /// Tries once. When it succeeds the identity is on disk; the token's file is the caller's to delete.
    pub async fn attempt(&self, token: &EnrollmentString) -> Result<Enrolled, EnrollError> {
        let files = self.files.clone();
        let pending = blocking(move || files.pending()).await?;
        let (clock, timing) = (self.clock.clone(), Timing::default());
        let opened = enrollment_channel(&self.way, &self.address, token.root_pin, clock, timing)
            .map_err(|source| EnrollError::Transport { address: self.address.clone(), source })?;
        let outcome = self.ask(opened, token, &pending).await?;
        match outcome {
            Outcome::Pending(v1::PendingApproval { retry_after }) => {
                let after = retry_after.and_then(|time| Duration::try_from(time).ok()).unwrap_or(APPROVAL.1);
                Ok(Enrolled::Pending(after.clamp(APPROVAL.0, APPROVAL.1)))
            }
            Outcome::Enrolled(enrolled) => self.keep(enrolled, &pending, token.root_pin).await,
        }
    }

    async fn ask(
        &self,
        opened: Opened,
        token: &EnrollmentString,
        pending: &PendingEnrollment,
    ) -> Result<Outcome, EnrollError> {
        let request = v1::EnrollRequest {
            token_id: token.id.to_string(),
            token_secret: token.secret.expose().to_vec(),
            enrollment_id: pending.id().to_string(),
            csr: pending.request()?,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            evidence: self.evidence.clone(),
        };
        let Opened { channel, refusal } = opened;
        let mut client = EnrollmentClient::new(channel);
        let answer = tokio::time::timeout(WITHIN, client.enroll(request))
            .await
            .unwrap_or_else(|_| Err(Status::unavailable("it accepted the connection and does not answer")));
        match answer {
            Ok(response) => response
                .into_inner()
                .outcome
                .ok_or_else(|| EnrollError::NoAnswer { address: self.address.clone() }),
            Err(status) => Err(match (refusal.get(), refusal.proxy()) {
                (Some(error), _) => self.distrusted(&error),
                (None, Some(source)) => {
                    EnrollError::Proxy { address: self.address.clone(), source: Box::new(source) }
                }
                (None, None) => self.refused(&status),
            }),
        }
    }

    async fn keep(
        &self,
        enrolled: v1::Enrolled,
        pending: &PendingEnrollment,
        pin: RootPin,
    ) -> Result<Enrolled, EnrollError> {
        let identity = Identity::from_enrolled(enrolled, pending, pin)
            .map_err(|source| EnrollError::Answer { address: self.address.clone(), source })?;
        let (files, kept) = (self.files.clone(), identity.clone());
        blocking(move || files.store(Slot::Current, &kept)).await?;
        Ok(Enrolled::Now(Box::new(identity)))
    }

    fn distrusted(&self, error: &rustls::Error) -> EnrollError {
        if let Some(resigned) = resigned(error) {
            return EnrollError::Resigned(resigned.clone());
        }
        let address = self.address.clone();
        let reason = match error {
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(other)))
                if other.downcast_ref::<PinMismatch>().is_some() =>
            {
                "it shows another root than the one that the string names".to_owned()
            }
            rustls::Error::InvalidCertificate(CertificateError::NotValidForName) => {
                format!("its certificate does not name {}", address.host())
            }
            rustls::Error::InvalidCertificate(error) => error.to_string(),
            // A broken handshake says nothing about who is there.
            other => {
                return EnrollError::Unreachable { address, reason: other.to_string(), retry_after: None };
            }
        };
        EnrollError::WrongCollector { address, reason }
    }

    fn refused(&self, status: &Status) -> EnrollError {
        let address = self.address.clone();
        let reason: String = status.message().chars().filter(|c| !c.is_control()).take(300).collect();
        let retry_after = status.get_details_retry_info().and_then(|info| info.retry_delay);
        let advice = match status.code() {
            Code::Unauthenticated | Code::PermissionDenied | Code::NotFound => {
                "make a new enrolment string with muster-collector token create"
            }
            Code::AlreadyExists | Code::FailedPrecondition => {
                "a string that was used for another machine or key can't be used again: make a new one with muster-collector token create"
            }
            Code::InvalidArgument | Code::OutOfRange => "is the agent newer than the collector?",
            Code::Unimplemented => {
                "what listens there is not a collector's enrolment: check collector.enroll"
            }
            Code::ResourceExhausted => {
                let reason = format!("it is busy ({reason})");
                return EnrollError::Unreachable { address, reason, retry_after };
            }
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss => {
                let reason = crate::transport::dial::cause(status).unwrap_or(reason);
                return EnrollError::Unreachable { address, reason, retry_after };
            }
        };
        EnrollError::Refused { address, reason, advice }
    }
}

/// File work off the async thread.
fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> impl Future<Output = T> {
    crate::transport::disk::off_thread(work)
}
