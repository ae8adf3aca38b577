//! Reports that a person carried here, taken in as if their agents had sent them, once, and only while nothing later is
//! known.
//!
//! Which of two reports is later is told by the agents' counts; a clock is asked only where a count was lost. That the
//! identity still stands, that nothing overtook the report, and what it leads to is one commit. Knows nothing of files
//! and signatures.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use muster_common::{
    delta::SectionDigest,
    governance::{AgentSettings, Privacy},
    id::{AgentId, DeviceId},
    inventory::{Item, SectionName, SectionStatus},
    source::SubjectKey,
    time::{EndpointTime, Timestamp},
};
use muster_proto::store::v1 as stored;
use prost::Message;

use crate::{
    identity::IdentifierKind,
    pipeline::{
        ObserveError, Pipeline,
        observation::{
            Carrier, CompanionWrites, Observation, Outcome, SectionUpdate, Speaker, SpoolSequence,
        },
    },
    records::{Read, RecordError, Subject, key, put},
    store::{Key, Revision},
};

/// How long after its end a certificate may still stand under a report: as long as an agent may be away and come back.
pub const AFTER_END: Duration = Duration::from_secs(180 * 24 * 60 * 60);
/// How often a report is decided again when others change what it was decided on.
const MOST_TRIES: u32 = 32;

/// A report whose signature is verified.
#[derive(Debug, Clone)]
pub struct Carried {
    /// Who signed it.
    pub agent: AgentId,
    /// SHA-256 of the SubjectPublicKeyInfo of the key that signed it.
    pub key_digest: [u8; 32],
    /// The last moment of the certificate.
    pub certificate_end: Timestamp,
    /// SHA-256 of the report as it was signed.
    pub digest: [u8; 32],
    /// The agent's version.
    pub version: String,
    /// What tells which device it is.
    pub evidence: Vec<Item>,
    /// Every section in full.
    pub sections: Vec<SectionUpdate>,
    /// Sections of which nothing may be told.
    pub withheld: Vec<SectionName>,
    /// Which report it is.
    pub place: CarriedPlace,
    /// When the machine was read, by its own clock.
    pub endpoint_time: Option<EndpointTime>,
    /// What of people was allowed to be read for it.
    pub granted: AgentSettings,
}

impl Carried {
    /// How many items it has.
    pub fn items(&self) -> usize {
        self.sections.iter().map(|section| section.upserts.len()).sum()
    }
}

/// Where a report stands among all of its agent's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedPlace {
    /// Which count of exports.
    pub epoch: Vec<u8>,
    /// Counts from 1.
    pub sequence: u64,
    /// The next report of the agent's spool: it and those after it are later than this one. `None` before the first
    /// session.
    pub spool: Option<SpoolSequence>,
}

/// What became, or would become, of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Whether it was taken in; else it is known already.
    pub is_new: bool,
    /// The device; `None` where that is decided only by taking it in.
    pub device: Option<DeviceId>,
    /// When the machine was read, as far as that is believed.
    pub observed: Timestamp,
}

/// Why a report is not taken in.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// The certificate was issued here, and the registry knows nothing of it.
    #[error("agent {agent} is not enrolled here any more; enrol the machine again and write the report anew")]
    Unknown {
        /// Who signed it.
        agent: AgentId,
    },
    /// An operator took the identity back.
    #[error(
        "the identity of agent {agent} was revoked ({reason}); if the machine is trusted again, enrol it anew"
    )]
    Revoked {
        /// Who signed it.
        agent: AgentId,
        /// Why.
        reason: String,
    },
    /// The agent has another key since.
    #[error("agent {agent} has had another key since this report was signed; write the report anew")]
    Key {
        /// Who signed it.
        agent: AgentId,
    },
    /// The certificate ended too long ago.
    #[error(
        "the certificate of agent {agent} ended at {ended}, more than {} days ago; enrol the machine again where it reaches the collector (muster-agent enroll --again)", AFTER_END.as_secs() / 86_400
    )]
    Ended {
        /// Who signed it.
        agent: AgentId,
        /// When.
        ended: Timestamp,
    },
    /// The agent's stream told more since.
    #[error(
        "agent {agent} has itself reported since this report was written, the last time at {last}; there is nothing to carry"
    )]
    Overtaken {
        /// Who signed it.
        agent: AgentId,
        /// When it last did.
        last: Timestamp,
    },
    /// A later report was carried here before.
    #[error(
        "a later report of agent {agent} is known: this is number {sequence}, and number {known} was taken in; carry the newest one"
    )]
    Older {
        /// Who signed it.
        agent: AgentId,
        /// Its number.
        sequence: u64,
        /// The later one's.
        known: u64,
    },
    /// The counts can't be compared and the clock says that it is older.
    #[error(
        "agent {agent} counts its reports anew, and by the machine's clock this one is older than what is known from {known}; set the machine's clock and write the report anew"
    )]
    OlderByClock {
        /// Who signed it.
        agent: AgentId,
        /// When what is known was so.
        known: Timestamp,
    },
    /// Two reports with one number.
    #[error(
        "agent {agent} has given the number {sequence} to two different reports: its state folder was copied or restored; write the report anew"
    )]
    Reused {
        /// Who signed it.
        agent: AgentId,
        /// The number.
        sequence: u64,
    },
    /// It tells of people what the charter does not grant.
    #[error(
        "the report tells {what}, which the charter does not grant (any more); switch it off in [privacy] of the machine's agent.toml and write the report anew"
    )]
    NotGranted {
        /// What, as the configuration calls it.
        what: &'static str,
    },
    /// The pipeline did not take it.
    #[error("the report was not taken in")]
    Observe(#[from] ObserveError),
    /// What is known could not be read.
    #[error("could not read what is known")]
    Read(#[from] RecordError),
    /// Others were faster again and again.
    #[error("too many changes to the same machine at once: try again later")]
    Contended,
}

/// Takes carried reports in.
#[derive(Debug, Clone)]
pub struct Carry {
    pipeline: Arc<Pipeline>,
}

/// What a report is decided on.
struct Standing {
    agent: Read<stored::Agent>,
    /// Revisions that a commit must find unchanged.
    expected: Vec<(Key, Revision)>,
    /// Everything that is known of the machine was so by then.
    known_until: Timestamp,
    /// The subject that it is kept as, if that is there.
    subject: Option<Subject>,
    /// How it is known that the agent's stream told something later, and when it last did.
    overtaken: Option<(By, Timestamp)>,
}

impl Carry {
    /// Over the pipeline of one collector.
    pub fn new(pipeline: Arc<Pipeline>) -> Self {
        Self { pipeline }
    }

    /// Says what [`Self::take`] would do.
    ///
    /// # Errors
    /// As the real one, but for the commit.
    pub async fn preview(&self, carried: &Carried) -> Result<Taken, NotTaken> {
        let now = self.pipeline.now();
        let standing = self.standing(carried, &subject_of(carried)).await?;
        let is_new = self.judge(carried, &standing, now)?;
        Ok(taken(carried, &standing, is_new, now))
    }

    /// Takes a report in as `carrier` brought it; when this returns it is durable.
    ///
    /// # Errors
    /// When it is not to be taken in, or can't be kept.
    pub async fn take(&self, carried: &Carried, carrier: &str) -> Result<Taken, NotTaken> {
        let key = subject_of(carried);
        for _ in 0..MOST_TRIES {
            let now = self.pipeline.now();
            let standing = self.standing(carried, &key).await?;
            let known = taken(carried, &standing, false, now);
            if !self.judge(carried, &standing, now)? {
                return Ok(known);
            }
            let observation = observation(carried, &key, &standing, carrier, known.observed, now);
            let companion = |device: DeviceId| companion(carried, &standing, device, known.observed);
            match self.pipeline.observe_with(&observation, Some(&companion)).await {
                Ok(Outcome { device, .. }) => {
                    return Ok(Taken { is_new: true, device: Some(device), ..known });
                }
                Err(ObserveError::CompanionChanged) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(NotTaken::Contended)
    }

    /// Reads what a report is decided on.
    async fn standing(&self, carried: &Carried, own: &SubjectKey) -> Result<Standing, NotTaken> {
        let records = self.pipeline.records();
        let agent: Read<stored::Agent> = records.get(key::agent(carried.agent)).await?;
        let mut names: BTreeSet<String> = BTreeSet::from([own.as_str().to_owned()]);
        if let Ok(row) = key::identifier(IdentifierKind::Agent.name(), &carried.agent.to_string()) {
            let row: Read<stored::IdentifierClaims> = records.get(row).await?;
            names.extend(row.record.into_iter().flat_map(|row| row.subjects));
        }
        let keys = names.into_iter().map(|name| key::subject(&SubjectKey::stored(name))).collect();
        let subjects: Vec<Read<Subject>> = records.get_all(keys).await?;
        let mut expected = vec![agent.expectation()];
        expected.extend(subjects.iter().map(Read::expectation));
        let enrolled =
            agent.record.as_ref().map_or(0, |agent| agent.enrolled_ms.max(agent.carried_observed_ms));
        let mut known_until = Timestamp::from_millis(enrolled);
        let (mut subject, mut overtaken) = (None, None);
        for known in subjects.into_iter().filter_map(|read| read.record) {
            known_until = known_until.max(known.last);
            overtaken = overtaken.or_else(|| Some((is_overtaken(carried, &known)?, known.last)));
            if known.key == *own {
                subject = Some(known);
            }
        }
        Ok(Standing { agent, expected, known_until, subject, overtaken })
    }

    /// Whether a report is new; an error when it is not to be taken in.
    fn judge(&self, carried: &Carried, standing: &Standing, now: Timestamp) -> Result<bool, NotTaken> {
        let agent = carried.agent;
        let record = standing.agent.record.as_ref().ok_or(NotTaken::Unknown { agent })?;
        if record.revoked {
            return Err(NotTaken::Revoked { agent, reason: record.revoked_reason.clone() });
        }
        if carried.key_digest != record.current_key[..] && carried.key_digest != record.next_key[..] {
            return Err(NotTaken::Key { agent });
        }
        if carried.certificate_end.after(AFTER_END) < now {
            return Err(NotTaken::Ended { agent, ended: carried.certificate_end });
        }
        let CarriedPlace { epoch, sequence, .. } = &carried.place;
        let (sequence, known) = (*sequence, record.carried_sequence);
        if *epoch == record.carried_epoch {
            if sequence < known {
                return Err(NotTaken::Older { agent, sequence, known });
            }
            if sequence == known {
                let same = carried.digest == record.carried_digest[..];
                return if same { Ok(false) } else { Err(NotTaken::Reused { agent, sequence }) };
            }
        } else if !record.carried_epoch.is_empty() {
            let known = Timestamp::from_millis(record.carried_observed_ms);
            if !claims_after(carried, known) {
                return Err(NotTaken::OlderByClock { agent, known });
            }
        }
        match standing.overtaken {
            None => {}
            Some((By::Count, last)) => return Err(NotTaken::Overtaken { agent, last }),
            Some((By::Clock, known)) => return Err(NotTaken::OlderByClock { agent, known }),
        }
        self.check_granted(carried)?;
        Ok(true)
    }

    /// Refuses what the charter does not grant at this moment: the agent may have read under an earlier one.
    fn check_granted(&self, carried: &Carried) -> Result<(), NotTaken> {
        let charter = self.pipeline.asked_of_agents().borrow().clone();
        let Privacy { usage, logins, per_user, neighbours } = carried.granted.privacy;
        let grants = charter.privacy;
        for (told, granted, what) in [
            (usage, grants.usage, "usage"),
            (logins, grants.logins, "logins"),
            (per_user, grants.per_user, "per_user"),
            (neighbours, grants.neighbours, "neighbours"),
        ] {
            if told && !granted {
                return Err(NotTaken::NotGranted { what });
            }
        }
        let networks = &carried.granted.neighbour_networks;
        if neighbours && networks.iter().any(|network| !charter.neighbour_networks.contains(network)) {
            return Err(NotTaken::NotGranted { what: "neighbours" });
        }
        Ok(())
    }
}

/// How it is known which of two reports is later.
#[derive(Debug, Clone, Copy)]
enum By {
    Count,
    Clock,
}

/// Whether a stream of the same agent told something later than the report; `None` when it didn't.
fn is_overtaken(carried: &Carried, subject: &Subject) -> Option<By> {
    if subject.spool_epoch.is_empty() {
        return None;
    }
    match &carried.place.spool {
        // It had not had a session when the report was written, and it has had one.
        None => Some(By::Count),
        Some(next) if next.epoch == subject.spool_epoch => {
            (subject.durable_sequence >= next.sequence).then_some(By::Count)
        }
        Some(_) => (!claims_after(carried, subject.last)).then_some(By::Clock),
    }
}

/// Whether the machine's own clock says that it was read after a moment.
fn claims_after(carried: &Carried, moment: Timestamp) -> bool {
    carried.endpoint_time.is_some_and(|time| time.as_millis() > moment.as_millis())
}

fn speaker(carried: &Carried) -> Speaker {
    Speaker::Agent {
        agent: carried.agent,
        version: carried.version.clone(),
        evidence: carried.evidence.clone(),
    }
}

fn subject_of(carried: &Carried) -> SubjectKey {
    let speaker = speaker(carried);
    speaker.subject(&speaker.evidence())
}

/// The answer; when the machine was read is believed only between what the collector knows by its own clock.
fn taken(carried: &Carried, standing: &Standing, is_new: bool, now: Timestamp) -> Taken {
    let known_until = standing.known_until.min(now);
    let claimed = carried.endpoint_time.map_or(known_until, |time| Timestamp::from_millis(time.as_millis()));
    Taken {
        is_new,
        device: standing.subject.as_ref().map(|subject| subject.device),
        observed: claimed.clamp(known_until, now),
    }
}

fn observation(
    carried: &Carried,
    key: &SubjectKey,
    standing: &Standing,
    carrier: &str,
    observed: Timestamp,
    now: Timestamp,
) -> Observation {
    let mut sections = carried.sections.clone();
    let told = |name: &SectionName| {
        let known = standing.subject.as_ref().and_then(|subject| subject.sections.get(name));
        known.is_some_and(|head| head.items > 0)
            && !carried.sections.iter().any(|section| section.name == *name)
    };
    sections.extend(carried.withheld.iter().filter(|name| told(name)).map(|name| SectionUpdate {
        name: name.clone(),
        status: SectionStatus::Complete,
        base: None,
        result: SectionDigest::of(name, []),
        upserts: Vec::new(),
        removed: Vec::new(),
        errors: Vec::new(),
    }));
    Observation {
        subject: key.clone(),
        speaker: speaker(carried),
        observed,
        sections,
        sequence: None,
        carrier: Some(Carrier { name: carrier.to_owned(), received: now }),
    }
}

fn companion(
    carried: &Carried,
    standing: &Standing,
    device: DeviceId,
    observed: Timestamp,
) -> CompanionWrites {
    let record = stored::Agent {
        carried_epoch: carried.place.epoch.clone(),
        carried_sequence: carried.place.sequence,
        carried_digest: carried.digest.to_vec(),
        carried_observed_ms: observed.as_millis(),
        ..standing.agent.record.clone().unwrap_or_default()
    };
    let audit = stored::Audit {
        action: "report.carry".to_owned(),
        target: carried.agent.to_string(),
        detail: format!("report {} of device {device}, read at {observed}", carried.place.sequence),
    };
    CompanionWrites {
        expected: standing.expected.clone(),
        writes: vec![put(standing.agent.key.clone(), &record)],
        audit: Some(audit.encode_to_vec()),
    }
}
