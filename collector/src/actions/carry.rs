//! Reports that a person carried here, taken in as if their agents had sent them, once, and only while nothing later is
//! known.
//!
//! Which of two reports is later is told by the agents' counts; a clock is asked only where a count was lost. That the
//! identity still stands, that nothing overtook the report, and what it leads to is one commit. Knows nothing of files
//! and signatures.

use std::{collections::BTreeSet, sync::Arc};

use muster_common::{
    delta::SectionDigest,
    governance::Privacy,
    id::DeviceId,
    inventory::{SectionName, SectionStatus},
    source::SubjectKey,
    time::Timestamp,
};
use muster_proto::store::v1 as stored;
use prost::Message;

use super::carried::{AFTER_END, Carried, CarriedPlace, NotTaken, Taken};
use crate::{
    identity::IdentifierKind,
    pipeline::{
        ObserveError, Pipeline,
        observation::{CompanionWrites, Observation, Outcome, SectionUpdate, Speaker},
    },
    records::{Read, Subject, key, put},
    store::{Key, Revision},
};

/// How often a report is decided again when others change what it was decided on.
const MOST_TRIES: u32 = 32;

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
        received: now,
        sections,
        sequence: None,
        carrier: Some(carrier.to_owned()),
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
