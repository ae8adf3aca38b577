//! One agent: enrols, opens its session, reports, and waits for each answer.

use std::sync::Arc;

use muster_agent::{
    credentials::{
        identity::{Identity, IdentityError},
        pending::{PendingEnrollment, PendingError},
    },
    transport::tls::enrollment_config,
};
use muster_common::{
    time::{Clock, SystemClock},
    trust::token::EnrollmentString,
};
use muster_proto::{
    client::tls::{ClientTlsError, session_config},
    v1::{
        self, enroll_response::Outcome, enrollment_client::EnrollmentClient, ingest_client::IngestClient,
        session_request, session_response,
    },
};
use rustls::ClientConfig;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::door::{Door, DoorError};

/// Messages between an agent and its socket.
const OUTGOING_MESSAGES: usize = 4;

/// Why an agent did not get what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No connection.
    #[error("not connected")]
    Door(#[from] DoorError),
    /// TLS can't be set up.
    #[error("no TLS")]
    Tls(#[from] ClientTlsError),
    /// The answer to an enrolment can't be used.
    #[error("no identity")]
    Identity(#[from] IdentityError),
    /// The certificate request can't be made.
    #[error("no certificate request")]
    Request(#[from] PendingError),
    /// The collector refused a call.
    #[error("refused with {code:?}: {message}")]
    Refused {
        /// The status.
        code: Code,
        /// The collector's words.
        message: String,
    },
    /// The stream ended before the answer.
    #[error("the stream ended before the {wanted} came")]
    Ended {
        /// What was waited for.
        wanted: &'static str,
    },
    /// The collector called a report unusable.
    #[error("report refused: {reason}")]
    Nack {
        /// Its words.
        reason: String,
    },
    /// The collector wants what should agree.
    #[error("the collector wants sections that it should have: {sections}")]
    Wanted {
        /// Which, with commas.
        sections: String,
    },
    /// An answer that this agent did not ask for.
    #[error("an answer that does not fit: {0}")]
    Unexpected(String),
}

impl From<Status> for LoadError {
    fn from(status: Status) -> Self {
        Self::Refused { code: status.code(), message: status.message().to_owned() }
    }
}

/// An agent that has a certificate.
#[derive(Debug, Clone)]
pub struct Agent {
    /// Its device's index in the fleet.
    pub device: u64,
    config: Arc<ClientConfig>,
}

/// An enrolment whose key is made and whose request is signed, so that only the exchange is left.
#[derive(Debug)]
pub struct Applicant {
    device: u64,
    pending: PendingEnrollment,
    request: v1::EnrollRequest,
}

impl Applicant {
    /// Makes key and request.
    pub fn new(device: u64, token: &EnrollmentString, evidence: Vec<v1::Item>) -> Result<Self, LoadError> {
        let pending = PendingEnrollment::begin()?;
        let request = v1::EnrollRequest {
            token_id: token.id.to_string(),
            token_secret: token.secret.expose().to_vec(),
            enrollment_id: pending.id().to_string(),
            csr: pending.request()?,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            evidence,
        };
        Ok(Self { device, pending, request })
    }

    /// Exchanges token and request for a certificate, over a connection of its own.
    pub async fn enroll(self, door: &Door, token: &EnrollmentString) -> Result<Agent, LoadError> {
        let config = enrollment_config(token.root_pin, clock())?;
        let channel = door.open(Arc::new(config)).await?;
        let answer = EnrollmentClient::new(channel).enroll(self.request).await?.into_inner();
        let enrolled = match answer.outcome {
            Some(Outcome::Enrolled(enrolled)) => enrolled,
            Some(Outcome::Pending(_)) => return Err(LoadError::Unexpected("pending approval".to_owned())),
            None => return Err(LoadError::Ended { wanted: "certificate" }),
        };
        let identity = Identity::from_enrolled(enrolled, &self.pending, token.root_pin)?;
        let config = session_config(identity.trust.roots(), identity.client_identity()?, clock())?;
        Ok(Agent { device: self.device, config: Arc::new(config) })
    }
}

impl Agent {
    /// Connects, says Hello and waits for the Welcome.
    pub async fn connect(&self, door: &Door, hello: v1::Hello) -> Result<(Session, v1::Welcome), LoadError> {
        let channel = door.open(self.config.clone()).await?;
        let (outgoing, requests) = mpsc::channel(OUTGOING_MESSAGES);
        let mut session_client = IngestClient::new(channel);
        let hello = v1::SessionRequest { message: Some(session_request::Message::Hello(hello)) };
        send(&outgoing, hello).await?;
        let incoming = session_client.session(ReceiverStream::new(requests)).await?.into_inner();
        let mut session = Session { device: self.device, agent: self.clone(), outgoing, incoming };
        match session.answer("welcome").await? {
            session_response::Message::Welcome(welcome) => Ok((session, welcome)),
            other => Err(LoadError::Unexpected(format!("{other:?}"))),
        }
    }

    /// Connects claiming what the collector should hold, waits for its agreement, and hangs up.
    pub async fn check_in(&self, door: &Door, hello: v1::Hello) -> Result<(), LoadError> {
        let (session, welcome) = self.connect(door, hello).await?;
        if !welcome.wanted.is_empty() {
            return Err(LoadError::Wanted { sections: welcome.wanted.join(", ") });
        }
        session.hang_up().await;
        Ok(())
    }
}

/// An open session.
#[derive(Debug)]
pub struct Session {
    /// The device's index in the fleet.
    pub device: u64,
    /// Whose session it is.
    pub agent: Agent,
    outgoing: mpsc::Sender<v1::SessionRequest>,
    incoming: Streaming<v1::SessionResponse>,
}

impl Session {
    /// Sends a report and waits until it is acknowledged, which means durable.
    pub async fn report(&mut self, envelopes: Vec<v1::Envelope>) -> Result<(), LoadError> {
        let sequence = envelopes.last().map_or(0, |envelope| envelope.sequence);
        for envelope in envelopes {
            let message = Some(session_request::Message::Report(envelope));
            self.send(v1::SessionRequest { message }).await?;
        }
        match self.answer("acknowledgement").await? {
            session_response::Message::Ack(ack) if ack.sequence >= sequence => Ok(()),
            session_response::Message::Nack(nack) => Err(LoadError::Nack { reason: nack.reason }),
            session_response::Message::Want(want) => {
                Err(LoadError::Wanted { sections: want.sections.join(", ") })
            }
            other => Err(LoadError::Unexpected(format!("{other:?}"))),
        }
    }

    /// Sends one message that has no answer.
    pub async fn send(&self, message: v1::SessionRequest) -> Result<(), LoadError> {
        send(&self.outgoing, message).await
    }

    /// Closes our half and waits until the collector has closed its own.
    pub async fn hang_up(self) {
        let Self { outgoing, mut incoming, .. } = self;
        drop(outgoing);
        while let Ok(Some(_)) = incoming.message().await {}
    }

    async fn answer(&mut self, wanted: &'static str) -> Result<session_response::Message, LoadError> {
        let message = self.incoming.message().await?.and_then(|answer| answer.message);
        message.ok_or(LoadError::Ended { wanted })
    }
}

async fn send(
    outgoing: &mpsc::Sender<v1::SessionRequest>,
    message: v1::SessionRequest,
) -> Result<(), LoadError> {
    outgoing.send(message).await.map_err(|_| LoadError::Ended { wanted: "message's turn" })
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}
