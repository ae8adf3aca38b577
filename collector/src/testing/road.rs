//! The road of an observation without a store: identify, attach, fold, flag, all in memory and in the order of calls.
//!
//! It does what the pipeline does and nothing more, so that a simulation can ask either. Knows nothing of durability,
//! of several writers and of sections.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use muster_common::{
    device::{Device, Field, Value},
    flag::Flag,
    governance::Charter,
    id::{AgentId, DeviceId},
    inventory::{Item, SectionName, SectionStatus},
    source::{ImportName, Source, SubjectKey},
    time::Timestamp,
};

use crate::{
    flags::{self, AgentExpectation, DeviceView},
    identity::{
        Candidate, CandidateSubject, ClaimCounts, Decision, Evidence, Identifier, IdentifierKind,
        clones::{Span, are_clones},
        decide,
    },
    merge::{self, Identity, SubjectClaims},
};

/// Subjects that one identifier leads to at most, as in the pipeline's rows.
const SUBJECTS_PER_IDENTIFIER: usize = 64;

/// What one source says of one machine.
#[derive(Debug, Clone)]
pub enum Observation {
    /// An agent's report over an open stream.
    Report {
        /// Which agent.
        agent: AgentId,
        /// Tells one connection from another; it stays open until [`Road::hang_up`].
        stream: u64,
        /// What it reports, whole.
        items: Vec<Item>,
    },
    /// A row of an import that vouches for a machine.
    Row {
        /// Which import.
        import: ImportName,
        /// What makes it the same row when it is imported again.
        row_key: String,
        /// What it says.
        fields: BTreeMap<Field, Value>,
    },
}

/// Where an observation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The device that holds it now.
    pub device: DeviceId,
    /// That device is only for the time until a person has decided.
    pub in_conflict: bool,
}

/// Whatever takes observations and says where each went.
pub trait Road {
    /// Takes one observation at `now`.
    fn observe(&mut self, observation: &Observation, now: Timestamp) -> Placed;

    /// A stream has ended.
    fn hang_up(&mut self, stream: u64);
}

/// One subject as it stands.
#[derive(Debug, Clone)]
struct Subject {
    device: DeviceId,
    evidence: Evidence,
    claims: SubjectClaims,
    streams: BTreeSet<u64>,
    in_conflict: bool,
}

/// One device as it stands.
#[derive(Debug, Clone, Default)]
struct Known {
    subjects: BTreeSet<SubjectKey>,
    record: Option<Device>,
    explanation: String,
    hardware_changed: Option<Timestamp>,
    reviews: u32,
}

/// The road in memory.
#[derive(Debug, Default)]
pub struct MemoryRoad {
    charter: Charter,
    subjects: HashMap<SubjectKey, Subject>,
    devices: HashMap<DeviceId, Known>,
    rows: HashMap<Identifier, BTreeSet<SubjectKey>>,
    streams: HashMap<u64, SubjectKey>,
    made: u64,
}

impl Road for MemoryRoad {
    fn observe(&mut self, observation: &Observation, now: Timestamp) -> Placed {
        let (key, source, evidence) = match observation {
            Observation::Report { agent, items, .. } => {
                let evidence = Evidence::from_items(items, Some(*agent));
                (SubjectKey::agent(*agent, &evidence.fingerprint()), Source::Agent(*agent), evidence)
            }
            Observation::Row { import, row_key, fields } => {
                let evidence = Evidence::from_fields(import.clone(), fields);
                (SubjectKey::import(import, row_key), Source::Import(import.clone()), evidence)
            }
        };
        let (device, in_conflict) = match self.subjects.get(&key) {
            Some(subject) if !self.is_abandoned(subject) => (subject.device, subject.in_conflict),
            Some(_) | None => self.attach(&key, &evidence, now),
        };
        self.supersede_others(&key, &evidence);
        for identifier in evidence.identifiers() {
            self.rows.entry(identifier).or_default().insert(key.clone());
        }
        let subject = self.subjects.entry(key.clone()).or_insert_with(|| Subject {
            device,
            evidence: Evidence::default(),
            claims: SubjectClaims {
                key: key.clone(),
                source,
                agent_version: String::new(),
                fields: BTreeMap::new(),
                first: now,
                last: now,
                superseded: false,
                software_count: 0,
                vouches: matches!(observation, Observation::Row { .. }),
            },
            streams: BTreeSet::new(),
            in_conflict,
        });
        subject.evidence = evidence;
        subject.device = device;
        subject.in_conflict = in_conflict;
        subject.claims.superseded = false;
        let (fields, statuses) = match observation {
            Observation::Report { stream, items, .. } => {
                subject.streams.insert(*stream);
                self.streams.insert(*stream, key.clone());
                (merge::fields_from_items(items), complete())
            }
            Observation::Row { fields, .. } => (fields.clone(), BTreeMap::new()),
        };
        subject.claims.fields = merge::update(&subject.claims.fields, fields, &statuses, now);
        subject.claims.last = now;
        self.refold(device);
        Placed { device, in_conflict }
    }

    fn hang_up(&mut self, stream: u64) {
        if let Some(subject) = self.streams.remove(&stream).and_then(|key| self.subjects.get_mut(&key)) {
            subject.streams.remove(&stream);
        }
    }
}

impl MemoryRoad {
    /// An empty road under a charter.
    pub fn new(charter: Charter) -> Self {
        Self { charter, ..Self::default() }
    }

    /// Every device, in no order.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.values().filter_map(|known| known.record.as_ref())
    }

    /// A device's record.
    pub fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.get(&id)?.record.as_ref()
    }

    /// What is wrong with a device.
    pub fn flags(&self, id: DeviceId, now: Timestamp) -> Vec<Flag> {
        let Some((known, device)) =
            self.devices.get(&id).and_then(|known| Some((known, known.record.as_ref()?)))
        else {
            return Vec::new();
        };
        let own: Vec<&Subject> = known.subjects.iter().filter_map(|key| self.subjects.get(key)).collect();
        let agents = own.iter().filter(|subject| subject.evidence.is_from_agent());
        let identifiers: BTreeSet<Identifier> =
            own.iter().flat_map(|subject| subject.evidence.identifiers()).collect();
        let claims: Vec<(IdentifierKind, u32)> = identifiers
            .iter()
            .map(|identifier| (identifier.kind, self.claimed_by(identifier, None)))
            .collect();
        let peers = self.clones(id, &own);
        let view = DeviceView {
            device,
            agent_seen: agents.map(|subject| subject.claims.last).max(),
            connected: own.iter().any(|subject| !subject.streams.is_empty()),
            others_seen: None,
            vouched: own.iter().any(|subject| subject.claims.vouches),
            open_reviews: known.reviews + u32::from(own.iter().any(|subject| subject.in_conflict)),
            claims: &claims,
            clone_peers: &peers,
            clone_peer_count: u32::try_from(peers.len()).unwrap_or(u32::MAX),
            hardware_changed: known.hardware_changed,
            agent: AgentExpectation::of_class(device.text(Field::Class)),
            collector_downtime: std::time::Duration::ZERO,
            now,
        };
        flags::evaluate(&view, &self.charter, &device.flags)
    }

    fn attach(&mut self, key: &SubjectKey, evidence: &Evidence, now: Timestamp) -> (DeviceId, bool) {
        let identifiers = evidence.identifiers();
        let counts: ClaimCounts = identifiers
            .iter()
            .map(|identifier| (identifier.clone(), self.claimed_by(identifier, Some(key))))
            .collect();
        let candidates = self.candidates(&identifiers);
        let (device, explanation, in_conflict) = match decide(evidence, &candidates, &counts, &self.charter) {
            Decision::Matched { device, explanation, hardware_changed, .. } => {
                if hardware_changed && let Some(known) = self.devices.get_mut(&device) {
                    known.hardware_changed = Some(now);
                }
                (device, explanation, false)
            }
            Decision::New { explanation, .. } => (self.next_id(), explanation, false),
            Decision::Conflict { candidates, explanation } => {
                for candidate in candidates {
                    if let Some(known) = self.devices.get_mut(&candidate) {
                        known.reviews += 1;
                    }
                }
                (self.next_id(), explanation, true)
            }
        };
        if let Some(before) = self.subjects.get(key).map(|subject| subject.device).filter(|it| *it != device)
        {
            if let Some(known) = self.devices.get_mut(&before) {
                known.subjects.remove(key);
            }
            self.refold(before);
        }
        let known = self.devices.entry(device).or_default();
        known.subjects.insert(key.clone());
        known.explanation = explanation;
        (device, in_conflict)
    }

    /// Whether the machine has gone on with other numbers: if these come back, it may be on another machine.
    fn is_abandoned(&self, subject: &Subject) -> bool {
        let fingerprint = subject.evidence.fingerprint();
        let Some(known) = self.devices.get(&subject.device) else { return false };
        known.subjects.iter().filter_map(|key| self.subjects.get(key)).any(|other| {
            other.evidence.is_from_agent()
                && subject.evidence.is_from_agent()
                && other.claims.last > subject.claims.last
                && other.evidence.fingerprint() != fingerprint
        })
    }

    fn candidates(&self, identifiers: &[Identifier]) -> Vec<Candidate> {
        let ids: BTreeSet<DeviceId> = identifiers
            .iter()
            .filter_map(|identifier| self.rows.get(identifier))
            .flat_map(|row| row.iter().take(SUBJECTS_PER_IDENTIFIER))
            .filter_map(|key| self.subjects.get(key))
            .map(|subject| subject.device)
            .collect();
        ids.into_iter()
            .filter_map(|id| Some((id, self.devices.get(&id)?)))
            .map(|(id, known)| {
                let subjects: Vec<&Subject> =
                    known.subjects.iter().filter_map(|key| self.subjects.get(key)).collect();
                Candidate {
                    device: id,
                    disposed: known.record.as_ref().is_some_and(flags::is_disposed),
                    in_review: subjects.iter().all(|subject| subject.in_conflict),
                    subjects: subjects
                        .into_iter()
                        .map(|subject| CandidateSubject {
                            evidence: subject.evidence.clone(),
                            live: !subject.streams.is_empty(),
                            last: subject.claims.last,
                        })
                        .collect(),
                }
            })
            .collect()
    }

    /// How many devices claim an identifier now.
    fn claimed_by(&self, identifier: &Identifier, but: Option<&SubjectKey>) -> u32 {
        let Some(row) = self.rows.get(identifier) else { return 0 };
        let devices: BTreeSet<DeviceId> = row
            .iter()
            .filter(|key| Some(*key) != but)
            .filter_map(|key| self.subjects.get(key))
            .filter(|subject| !subject.claims.superseded)
            .map(|subject| subject.device)
            .collect();
        u32::try_from(devices.len()).unwrap_or(u32::MAX)
    }

    /// An agent that reports from new hardware has left the old, unless it is still heard from there.
    fn supersede_others(&mut self, key: &SubjectKey, evidence: &Evidence) {
        let Some(agent) = evidence.agent else { return };
        let row = Identifier { kind: IdentifierKind::Agent, value: agent.to_string() };
        let others: Vec<SubjectKey> =
            self.rows.get(&row).into_iter().flatten().filter(|other| *other != key).cloned().collect();
        for other in others {
            if let Some(subject) = self.subjects.get_mut(&other)
                && subject.streams.is_empty()
                && !subject.claims.superseded
            {
                subject.claims.superseded = true;
                let device = subject.device;
                self.refold(device);
            }
        }
    }

    fn clones(&self, id: DeviceId, own: &[&Subject]) -> Vec<DeviceId> {
        let span = |subject: &Subject| Span {
            first: subject.claims.first,
            last: subject.claims.last,
            live: !subject.streams.is_empty(),
        };
        let mut peers = BTreeSet::new();
        for subject in own {
            let Some(agent) = subject.evidence.agent else { continue };
            let row = Identifier { kind: IdentifierKind::Agent, value: agent.to_string() };
            for other in self.rows.get(&row).into_iter().flatten().filter_map(|key| self.subjects.get(key)) {
                if other.device != id && are_clones(span(subject), span(other)) {
                    peers.insert(other.device);
                }
            }
        }
        peers.into_iter().collect()
    }

    fn refold(&mut self, id: DeviceId) {
        let Some(known) = self.devices.get(&id) else { return };
        let claims: Vec<SubjectClaims> = known
            .subjects
            .iter()
            .filter_map(|key| self.subjects.get(key))
            .map(|subject| subject.claims.clone())
            .collect();
        let identity = Identity { id, explanation: &known.explanation };
        let record = merge::fold(identity, known.record.as_ref(), &claims, &self.charter);
        if let Some(known) = self.devices.get_mut(&id) {
            known.record = Some(record);
        }
    }

    /// Ids in the order in which devices came, so that two runs of one seed agree.
    fn next_id(&mut self) -> DeviceId {
        self.made += 1;
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&self.made.to_be_bytes());
        DeviceId::from_bytes(bytes)
    }
}

/// The sections that a whole report has read.
fn complete() -> BTreeMap<SectionName, SectionStatus> {
    [SectionName::HARDWARE, SectionName::STORAGE, SectionName::NETWORK, SectionName::OS]
        .into_iter()
        .map(|name| (SectionName::known(name), SectionStatus::Complete))
        .collect()
}
