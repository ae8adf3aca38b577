//! One session: Hello, then reports one after the other, until either side ends it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use muster_common::{
    delta::SectionDigest,
    governance::AgentSettings,
    id::{AgentId, DeviceId},
    inventory::SectionName,
};
use muster_proto::{convert, limits, v1};
use rand::Rng;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::{
    decode::{self, Assembler},
    service::Shared,
};
use crate::{
    enroll,
    pipeline::{
        ObserveError,
        observation::{Observation, Speaker, SpoolSequence},
    },
    records::{Read, Subject, key},
    registry::{LiveAgent, StreamPlace},
    status,
    tls::peer::Caller,
};

/// How long an agent may take to say Hello.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// How long an agent is given to close its side after a Drain.
const DRAIN_WITHIN: Duration = Duration::from_secs(2);
/// Payloads below this are decoded where they are; larger ones off the async threads.
const DECODE_HERE_BYTES: usize = 32 * 1024;
/// A spool's epoch.
const EPOCH_BYTES: usize = 16;

type Answers = mpsc::Sender<Result<v1::SessionResponse, Status>>;

/// One agent's session.
pub(super) struct Session {
    shared: Arc<Shared>,
    agent: AgentId,
    live: Arc<LiveAgent>,
    caller: Caller,
    answers: Answers,
    begun: Instant,
}

/// What Hello settled.
struct Opened {
    device: DeviceId,
    subject: muster_common::source::SubjectKey,
    version: String,
    epoch: Vec<u8>,
    assembler: Assembler,
    /// What the agent was told last, and what follows.
    asked: watch::Receiver<AgentSettings>,
    /// Free again when the session ends.
    _place: StreamPlace,
}

/// Why a session ends; the agent is told by the status.
struct End(Option<Status>);

impl From<Status> for End {
    fn from(status: Status) -> Self {
        Self(Some(status))
    }
}

impl Session {
    pub(super) fn new(
        shared: Arc<Shared>,
        agent: AgentId,
        live: Arc<LiveAgent>,
        caller: Caller,
        answers: Answers,
        begun: Instant,
    ) -> Self {
        Self { shared, agent, live, caller, answers, begun }
    }

    /// Runs to the end of the session.
    #[tracing::instrument(name = "session", skip_all, fields(agent.id = %self.agent))]
    pub(super) async fn run(self, mut requests: Streaming<v1::SessionRequest>) {
        let closer = self.caller.closer.child_token();
        let end = match self.open(&mut requests, closer.clone()).await {
            Ok(mut opened) => {
                let now = self.shared.pipeline.now();
                self.shared.pipeline.connected(opened.device, &opened.subject, now);
                tracing::debug!(device.id = %opened.device, "session opened");
                let end = self.serve(&mut opened, &mut requests, &closer).await;
                self.shared.pipeline.disconnected(opened.device, &opened.subject);
                end
            }
            Err(end) => end,
        };
        if let Some(status) = end.0 {
            tracing::info!(
                peer.address = %self.caller.address,
                code = ?status.code(),
                reason = status.message(),
                "session ended"
            );
            // An agent that does not read any more has nothing to be told.
            let _ = tokio::time::timeout(DRAIN_WITHIN, self.answers.send(Err(status))).await;
        }
    }

    async fn open(
        &self,
        requests: &mut Streaming<v1::SessionRequest>,
        closer: CancellationToken,
    ) -> Result<Opened, End> {
        let first = tokio::time::timeout(HELLO_WITHIN, requests.message())
            .await
            .map_err(|_| Status::deadline_exceeded("the first message did not come within 10 seconds"))??;
        let Some(v1::SessionRequest { message: Some(v1::session_request::Message::Hello(hello)) }) = first
        else {
            return Err(Status::invalid_argument("the first message of a session must be Hello").into());
        };
        let v1::Hello { agent_version, spool_epoch, baseline, evidence, .. } = hello;
        if agent_version.len() > limits::TEXT_BYTES
            || evidence.len() > limits::EVIDENCE_ITEMS
            || baseline.len() > limits::SECTIONS
            || spool_epoch.len() != EPOCH_BYTES
        {
            return Err(Status::invalid_argument("Hello is over its bounds").into());
        }
        let speaker = Speaker::Agent {
            agent: self.agent,
            version: agent_version.clone(),
            evidence: enroll::service::items(evidence)?,
        };
        let observation = Observation::first(speaker, self.shared.pipeline.now());
        // The place comes first, so that a third stream of one machine costs nothing more than this look.
        let place = self
            .live
            .open(&observation.subject, self.shared.settings.sessions_per_agent, closer)
            .map_err(|refused| status::agent(&refused))?;
        let turn = self.live.turn().await;
        let outcome =
            self.shared.pipeline.observe(&observation).await.map_err(|error| status::observe(&error))?;
        drop(turn);
        let read: Read<Subject> = self
            .shared
            .pipeline
            .records()
            .get(key::subject(&outcome.subject))
            .await
            .map_err(|error| status::record(&error))?;
        let subject =
            read.record.ok_or_else(|| Status::aborted("the device was changed meanwhile: come again"))?;
        let durable_sequence = if subject.spool_epoch == spool_epoch { subject.durable_sequence } else { 0 };
        let heartbeat = self.shared.settings.heartbeat;
        let mut asked = self.shared.pipeline.asked_of_agents();
        let settings = convert::settings_to_wire(&asked.borrow_and_update());
        self.answer(v1::session_response::Message::Welcome(v1::Welcome {
            device_id: outcome.device.to_string(),
            wanted: wanted(&subject, &baseline),
            lineage: Vec::new(),
            durable_sequence,
            collector_time: Some(convert::to_timestamp(self.shared.pipeline.now())),
            heartbeat_interval: Some(prost_types::Duration {
                seconds: i64::try_from(heartbeat.as_secs()).unwrap_or(i64::MAX),
                nanos: 0,
            }),
            settings: Some(settings),
        }))
        .await?;
        Ok(Opened {
            device: outcome.device,
            subject: outcome.subject,
            version: agent_version,
            epoch: spool_epoch,
            assembler: Assembler::default(),
            asked,
            _place: place,
        })
    }

    async fn serve(
        &self,
        opened: &mut Opened,
        requests: &mut Streaming<v1::SessionRequest>,
        closer: &CancellationToken,
    ) -> End {
        let settings = &self.shared.settings;
        let age = settings.age.mul_f64(rand::rng().random_range(0.9..1.1));
        let old = tokio::time::sleep_until((self.begun + age).into());
        tokio::pin!(old);
        loop {
            let next = tokio::time::timeout(settings.silence, requests.message());
            let message = tokio::select! {
                biased;
                () = closer.cancelled() => {
                    return End(Some(Status::permission_denied("this agent's identity was revoked")));
                }
                () = self.shared.drain.cancelled() => return self.drain(requests, settings.reconnect_within).await,
                () = &mut old => return self.drain(requests, Duration::from_secs(10)).await,
                Ok(()) = opened.asked.changed() => {
                    if let Err(end) = self.tell(opened).await {
                        return end;
                    }
                    continue;
                }
                message = next => message,
            };
            let message = match message {
                Err(_) => return End(Some(Status::deadline_exceeded("no heartbeat came for too long"))),
                Ok(Err(status)) => {
                    tracing::debug!(reason = status.message(), "the agent's stream broke");
                    return End(None);
                }
                Ok(Ok(None)) => return End(None),
                Ok(Ok(Some(message))) => message,
            };
            if self.live.is_revoked() {
                return End(Some(Status::permission_denied("this agent's identity was revoked")));
            }
            if let Err(end) = self.take(opened, message).await {
                return end;
            }
        }
    }

    /// Tells the agent what the charter asks for now.
    async fn tell(&self, opened: &mut Opened) -> Result<(), End> {
        let settings = convert::settings_to_wire(&opened.asked.borrow_and_update());
        let directive = v1::directive::Directive::Settings(settings);
        self.answer(v1::session_response::Message::Directive(v1::Directive { directive: Some(directive) }))
            .await
    }

    async fn take(&self, opened: &mut Opened, request: v1::SessionRequest) -> Result<(), End> {
        match request.message {
            Some(v1::session_request::Message::Report(envelope)) => self.report(opened, envelope).await,
            Some(v1::session_request::Message::Heartbeat(_)) => {
                let now = self.shared.pipeline.now();
                self.shared
                    .pipeline
                    .heard(opened.device, now)
                    .await
                    .map_err(|error| End(Some(status::observe(&error))))
            }
            Some(v1::session_request::Message::Hello(_)) => {
                Err(Status::invalid_argument("Hello comes once in a session").into())
            }
            // A message of a newer agent: nothing that this version would have to do.
            None => Ok(()),
        }
    }

    async fn report(&self, opened: &mut Opened, envelope: v1::Envelope) -> Result<(), End> {
        let sequence = envelope.sequence;
        if envelope.payload.len() > limits::MESSAGE_BYTES {
            return self.nack(sequence, "the payload is larger than a message may be".to_owned()).await;
        }
        let payloads = match opened.assembler.push(envelope) {
            Ok(None) => return Ok(()),
            Ok(Some(payloads)) => payloads,
            Err(unusable) => return self.nack(sequence, unusable.to_string()).await,
        };
        let bytes: usize = payloads.iter().map(bytes::Bytes::len).sum();
        let kilobytes = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX);
        let _room = self
            .shared
            .decoding
            .acquire_many(kilobytes)
            .await
            .map_err(|_| Status::unavailable("the collector is stopping"))?;
        let decoded = if bytes < DECODE_HERE_BYTES {
            decode::updates(payloads)
        } else {
            tokio::task::spawn_blocking(move || decode::updates(payloads))
                .await
                .map_err(|error| status::internal("a report could not be decoded", &error))?
        };
        let sections = match decoded {
            Ok(sections) => sections,
            Err(unusable) => return self.nack(sequence, unusable.to_string()).await,
        };
        let now = self.shared.pipeline.now();
        let observation = Observation {
            subject: opened.subject.clone(),
            speaker: Speaker::Agent {
                agent: self.agent,
                version: opened.version.clone(),
                evidence: Vec::new(),
            },
            observed: now,
            received: now,
            sections,
            sequence: Some(SpoolSequence { epoch: opened.epoch.clone(), sequence }),
            carrier: None,
        };
        match self.shared.pipeline.observe(&observation).await {
            Ok(outcome) => {
                if !outcome.wanted.is_empty() {
                    let sections = outcome.wanted.iter().map(|name| name.as_str().to_owned()).collect();
                    self.answer(v1::session_response::Message::Want(v1::Want { sections })).await?;
                }
                self.answer(v1::session_response::Message::Ack(v1::Ack { sequence })).await
            }
            Err(error) if error.is_transient() => {
                if !matches!(error, ObserveError::Contended) {
                    tracing::error!(error = %error, report.seq = sequence, "a report could not be kept");
                }
                Err(End(Some(status::observe(&error))))
            }
            Err(error) => self.nack(sequence, error.to_string()).await,
        }
    }

    async fn nack(&self, sequence: u64, reason: String) -> Result<(), End> {
        tracing::warn!(
            peer.address = %self.caller.address,
            report.seq = sequence,
            reason,
            "report refused"
        );
        self.answer(v1::session_response::Message::Nack(v1::Nack { sequence, reason })).await
    }

    async fn answer(&self, message: v1::session_response::Message) -> Result<(), End> {
        let answer = v1::SessionResponse { message: Some(message) };
        self.answers.send(Ok(answer)).await.map_err(|_| End(None))
    }

    /// Asks the agent to come again, and waits a little for it to close.
    async fn drain(&self, requests: &mut Streaming<v1::SessionRequest>, within: Duration) -> End {
        let millis = u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1);
        let after = Duration::from_millis(rand::rng().random_range(0..millis));
        let reconnect_after = Some(prost_types::Duration {
            seconds: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(after.subsec_nanos()).unwrap_or(0),
        });
        let message = v1::session_response::Message::Drain(v1::Drain { reconnect_after });
        if self.answer(message).await.is_ok() {
            let closed = async { while let Ok(Some(_)) = requests.message().await {} };
            let _ = tokio::time::timeout(DRAIN_WITHIN, closed).await;
        }
        End(None)
    }
}

/// The sections of which the two ends hold different things; what the agent has and the collector never heard of is
/// the agent's to send.
fn wanted(subject: &Subject, baseline: &[v1::SectionDigest]) -> Vec<String> {
    let says = |name: &SectionName| {
        baseline
            .iter()
            .find(|digest| digest.section == name.as_str())
            .and_then(|digest| SectionDigest::from_slice(&digest.digest))
    };
    // After what was carried here nothing tells whether status and errors are the stream's own: all of it once.
    let differ = subject
        .sections
        .iter()
        .filter(|(name, head)| subject.resync || head.digest.is_none() || says(name) != head.digest);
    let mut wanted: Vec<String> = differ.map(|(name, _)| name.as_str().to_owned()).collect();
    wanted.extend(
        baseline
            .iter()
            .filter(|digest| !subject.sections.keys().any(|name| name.as_str() == digest.section))
            .filter(|digest| SectionName::new(digest.section.as_str()).is_ok())
            .map(|digest| digest.section.clone()),
    );
    wanted
}

#[cfg(test)]
mod tests {
    use muster_common::{
        id::AgentId,
        inventory::SectionStatus,
        source::{Source, SubjectKey},
        time::Timestamp,
    };

    use super::*;
    use crate::records::SectionHead;

    fn digest(name: &str) -> SectionDigest {
        SectionDigest::of(&SectionName::new(name).unwrap(), [])
    }

    fn subject(resync: bool) -> Subject {
        let agent = AgentId::random();
        let head = |name: &str, digest| {
            let head = SectionHead {
                digest,
                status: SectionStatus::Complete,
                errors: Vec::new(),
                observed: Timestamp::default(),
                items: 0,
            };
            (SectionName::new(name).unwrap(), head)
        };
        Subject {
            key: SubjectKey::agent(agent, "none"),
            source: Source::Agent(agent),
            device: DeviceId::random(),
            agent_version: String::new(),
            first: Timestamp::default(),
            last: Timestamp::default(),
            fields: std::collections::BTreeMap::new(),
            sections: [
                head("os", Some(digest("os"))),
                head("partial", None),
                head("storage", Some(digest("other"))),
            ]
            .into(),
            evidence: Vec::new(),
            identifiers: Vec::new(),
            vouches: false,
            spool_epoch: Vec::new(),
            durable_sequence: 0,
            explanation: String::new(),
            in_conflict: false,
            hardware_changed: None,
            superseded: false,
            resync,
        }
    }

    #[test]
    fn what_differs_is_wanted_and_after_what_was_carried_all_of_it() {
        let said = |name: &str| v1::SectionDigest {
            section: name.to_owned(),
            digest: digest(name).as_bytes().to_vec(),
        };
        let baseline = ["os", "partial", "storage", "new"].map(said);
        assert_eq!(wanted(&subject(false), &baseline), ["partial", "storage", "new"]);
        assert_eq!(wanted(&subject(true), &baseline), ["os", "partial", "storage", "new"]);
    }
}
