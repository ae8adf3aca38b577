//! The enrolment service: a token, a key and what tells which machine it is, for a certificate.
//!
//! Decides by [`token::admit`]; everything that an admission leads to is one commit, so that a token lets in exactly as
//! many machines as it should however many try at once.

use std::sync::Arc;

use muster_common::{
    id::{AgentId, DeviceId, EnrollmentId},
    inventory::{Item, ItemKind},
    trust::{
        name::PeerName,
        token::{TokenId, TokenSecret},
    },
};
use muster_proto::{convert::item_from_wire, limits, store::v1 as stored, v1};
use prost::Message;
use tokio::sync::Mutex;
use tonic::{Request, Response, Status};

use crate::{
    pipeline::{
        ObserveError, Pipeline,
        observation::{CompanionWrites, Observation, Speaker},
    },
    records::{Read, key, put},
    registry::{
        Registry,
        token::{self, Admission, Binding, Presented},
    },
    status,
    tls::{
        authority::{Authority, Issued},
        peer::Caller,
        request::RequestedKey,
    },
};

/// How often an admission is decided again when other machines use the same token at the same moment.
const MOST_TRIES: u32 = 100;
/// How long a machine that waits for approval waits before it asks again.
const APPROVAL_RETRY_SECONDS: i64 = 300;

/// Machines wait for their turn by token; so many tokens don't wait for each other.
const TURNS: usize = 64;

/// Lets new agents in.
#[derive(Debug)]
pub struct EnrollmentService {
    pipeline: Arc<Pipeline>,
    registry: Arc<Registry>,
    authority: Arc<Authority>,
    /// Held while a token's use is decided and written: machines that use one token at the same moment would only
    /// make each other decide again. Another collector on the same store still may.
    turns: [Mutex<()>; TURNS],
}

/// A request whose parts have been read and bounded.
struct Applicant {
    token: TokenId,
    secret: TokenSecret,
    enrollment: EnrollmentId,
    key: RequestedKey,
    version: String,
    evidence: Vec<Item>,
}

impl EnrollmentService {
    /// Over the spine and an authority that signs.
    pub fn new(pipeline: Arc<Pipeline>, registry: Arc<Registry>, authority: Arc<Authority>) -> Self {
        Self { pipeline, registry, authority, turns: std::array::from_fn(|_| Mutex::new(())) }
    }

    async fn admit(&self, applicant: &Applicant) -> Result<v1::EnrollResponse, Status> {
        let [first, ..] = applicant.token.as_bytes();
        let _turn = self.turns[usize::from(*first) % TURNS].lock().await;
        for _ in 0..MOST_TRIES {
            let now = self.pipeline.now();
            let state = self
                .registry
                .token_state(applicant.token, applicant.enrollment)
                .await
                .map_err(status::registry)?;
            let presented = Presented {
                secret: &applicant.secret,
                enrollment: applicant.enrollment,
                key_digest: applicant.key.digest(),
                serial: serial(&applicant.evidence),
            };
            let admission = token::admit(state.token.as_ref(), state.binding.as_ref(), presented, now)
                .map_err(|refused| Status::permission_denied(refused.to_string()))?;
            match admission {
                Admission::Again { agent } => return self.answer_again(agent).await,
                Admission::New { hold: true } => {
                    let retry_after =
                        Some(prost_types::Duration { seconds: APPROVAL_RETRY_SECONDS, nanos: 0 });
                    let outcome = v1::enroll_response::Outcome::Pending(v1::PendingApproval { retry_after });
                    return Ok(v1::EnrollResponse { outcome: Some(outcome) });
                }
                Admission::New { hold: false } => {}
            }
            let agent = AgentId::random();
            let issued = self
                .authority
                .issue_client(&PeerName::Agent(agent), &applicant.key, now)
                .map_err(|error| status::internal("the certificate could not be signed", &error))?;
            let binding = Binding {
                enrollment: applicant.enrollment,
                key_digest: *applicant.key.digest(),
                token: applicant.token,
                agent,
            };
            let companion = |device: DeviceId| {
                let record = agent_record(&binding, device, &issued, now.as_millis());
                let mut writes = state.use_once(&binding);
                writes.push(put(key::agent(agent), &record));
                let audit = stored::Audit {
                    action: "agent.enrol".to_owned(),
                    target: agent.to_string(),
                    detail: format!("device {device} by token {}", applicant.token),
                };
                CompanionWrites { expected: state.expected(), writes, audit: Some(audit.encode_to_vec()) }
            };
            let speaker = Speaker::Agent {
                agent,
                version: applicant.version.clone(),
                evidence: applicant.evidence.clone(),
            };
            match self.pipeline.observe_with(&Observation::first(speaker, now), Some(&companion)).await {
                Ok(outcome) => {
                    tracing::info!(
                        agent.id = %agent,
                        device.id = %outcome.device,
                        token.id = %applicant.token,
                        "agent enrolled"
                    );
                    return Ok(self.enrolled(
                        agent,
                        outcome.device,
                        issued.chain.iter().map(|der| der.to_vec()),
                    ));
                }
                // Another machine used the token at the same moment: decide again on what is there now.
                Err(ObserveError::CompanionChanged) => {}
                Err(error) => return Err(status::observe(&error)),
            }
        }
        Err(Status::unavailable("too many machines use this token at once: try again in a minute"))
    }

    /// The same answer as before, which got lost.
    async fn answer_again(&self, agent: AgentId) -> Result<v1::EnrollResponse, Status> {
        let read: Read<stored::Agent> = self
            .pipeline
            .records()
            .get(key::agent(agent))
            .await
            .map_err(|error| status::internal("the registry could not be read", &error))?;
        let record = read.record.filter(|record| !record.revoked);
        let record = record.ok_or_else(|| Status::permission_denied("this enrolment was revoked"))?;
        let device = <[u8; 16]>::try_from(record.device_id.as_slice())
            .map_err(|_| Status::internal("the agent's record has no device"))?;
        Ok(self.enrolled(agent, DeviceId::from_bytes(device), record.certificate_chain.into_iter()))
    }

    fn enrolled(
        &self,
        agent: AgentId,
        device: DeviceId,
        chain: impl Iterator<Item = Vec<u8>>,
    ) -> v1::EnrollResponse {
        let enrolled = v1::Enrolled {
            agent_id: agent.to_string(),
            device_id: device.to_string(),
            certificate_chain: chain.collect(),
            trust_bundle: Some(v1::TrustBundle { version: 1, roots: vec![self.authority.root().to_vec()] }),
            lineage: Vec::new(),
        };
        v1::EnrollResponse { outcome: Some(v1::enroll_response::Outcome::Enrolled(enrolled)) }
    }
}

#[tonic::async_trait]
impl v1::enrollment_server::Enrollment for EnrollmentService {
    async fn enroll(
        &self,
        request: Request<v1::EnrollRequest>,
    ) -> Result<Response<v1::EnrollResponse>, Status> {
        let address = Caller::of(&request).map(|caller| caller.address);
        let answer = match read(request.into_inner()) {
            Ok(applicant) => self.admit(&applicant).await,
            Err(refused) => Err(refused),
        };
        if let Err(status) = &answer {
            tracing::warn!(
                peer.address = ?address,
                code = ?status.code(),
                reason = status.message(),
                "enrolment refused"
            );
        }
        answer.map(Response::new)
    }
}

/// Reads a request; the words for a malformed token are those for an unknown one.
fn read(request: v1::EnrollRequest) -> Result<Applicant, Status> {
    let v1::EnrollRequest { token_id, token_secret, enrollment_id, csr, agent_version, evidence } = request;
    let unknown = || Status::permission_denied(token::TokenRefused::Unknown.to_string());
    if evidence.len() > limits::EVIDENCE_ITEMS {
        return Err(Status::invalid_argument(format!(
            "evidence has {} items, more than the {} allowed",
            evidence.len(),
            limits::EVIDENCE_ITEMS
        )));
    }
    if agent_version.len() > limits::TEXT_BYTES {
        return Err(Status::invalid_argument("agent_version is too long"));
    }
    let secret: [u8; 32] = token_secret.as_slice().try_into().map_err(|_| unknown())?;
    Ok(Applicant {
        token: token_id.parse().map_err(|_| unknown())?,
        secret: TokenSecret::from_bytes(secret),
        enrollment: enrollment_id.parse().map_err(|error| Status::invalid_argument(format!("{error}")))?,
        key: RequestedKey::from_der(&csr).map_err(|error| Status::invalid_argument(error.to_string()))?,
        version: agent_version,
        evidence: items(evidence)?,
    })
}

/// The items of evidence; kinds that this version does not know are passed over.
pub(crate) fn items(evidence: Vec<v1::Item>) -> Result<Vec<Item>, Status> {
    let mut items = Vec::with_capacity(evidence.len());
    for wire in evidence {
        items.extend(item_from_wire(wire).map_err(|error| Status::invalid_argument(error.to_string()))?);
    }
    Ok(items)
}

fn serial(evidence: &[Item]) -> Option<&str> {
    evidence.iter().find_map(|item| match &item.kind {
        ItemKind::System(system) => system.serial.as_deref(),
        _ => None,
    })
}

fn agent_record(binding: &Binding, device: DeviceId, issued: &Issued, now_ms: i64) -> stored::Agent {
    stored::Agent {
        id: binding.agent.as_bytes().to_vec(),
        current_key: binding.key_digest.to_vec(),
        device_id: device.as_bytes().to_vec(),
        enrollment_id: binding.enrollment.as_bytes().to_vec(),
        enrolled_ms: now_ms,
        certificate_expires_ms: issued.validity.not_after.as_millis(),
        certificate_chain: issued.chain.iter().map(|der| der.to_vec()).collect(),
        enrolled_by_token: binding.token.to_string(),
        key_protection: "file".to_owned(),
        ..stored::Agent::default()
    }
}
