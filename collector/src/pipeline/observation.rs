//! What any source says of one endpoint at one time: the pipeline's only input.

use std::collections::BTreeMap;

use muster_common::{
    delta::{KeyDigest, SectionDigest},
    device::{Field, Value},
    id::{AgentId, DeviceId},
    inventory::{Item, SectionName, SectionStatus, SourceError},
    source::{ImportName, Source, SubjectKey},
    time::Timestamp,
};

use crate::{
    identity::Evidence,
    records::{Subject, content::RawItem},
    store::{Key, Revision, Write},
};

/// What one source says.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The subject that it is kept as: [`Speaker::subject`] of the speaker's first words.
    pub subject: SubjectKey,
    /// Who speaks of which endpoint.
    pub speaker: Speaker,
    /// When the endpoint was so, by the collector's clock: when it came in, or for what was carried or imported when the
    /// machine was read or seen, as far as that is believed.
    pub observed: Timestamp,
    /// When it came in, by the collector's clock: what it leads to happens then.
    pub received: Timestamp,
    /// The sections that it reports.
    pub sections: Vec<SectionUpdate>,
    /// The spool that it came from and its sequence there; `None` for what is no agent's report.
    pub sequence: Option<SpoolSequence>,
    /// The account that carried an agent's words here, such as `operator/alice`, where no network did.
    pub carrier: Option<String>,
}

/// Who speaks, and what tells which endpoint is meant.
#[derive(Debug, Clone)]
pub enum Speaker {
    /// An agent, known by its certificate.
    Agent {
        /// Which agent.
        agent: AgentId,
        /// Its version.
        version: String,
        /// The items of its hardware, storage, network and os sections, in its first words of a session; later
        /// observations leave it empty, for their sections say what changed.
        evidence: Vec<Item>,
    },
    /// An agent, of something on its machine that is an asset of its own: a monitor, a dock.
    Found {
        /// Which agent.
        agent: AgentId,
        /// Its device.
        on: DeviceId,
        /// What it says of it, category, what identifies it and `attached_to` included.
        fields: BTreeMap<Field, Value>,
    },
    /// A row of an import.
    Row {
        /// The import.
        import: ImportName,
        /// What makes it the same row when the file is imported again.
        row_key: String,
        /// What it claims.
        fields: BTreeMap<Field, Value>,
        /// Whether it is an authoritative record, such as a purchase.
        vouches: bool,
    },
    /// Somebody who names the device: a lock, a decision about its life, a hand-over, an adoption. Nothing is asked
    /// about which device is meant, and nothing here tells it.
    Stated {
        /// Who says so.
        source: Source,
        /// Of which device; one that was merged away means the one that took it in.
        device: DeviceId,
        /// What is so from now on; `None` takes back what the source stated before. Fields that aren't named stay.
        fields: BTreeMap<Field, Option<Value>>,
        /// Whether the source vouches for the device by this; `None` leaves it.
        vouches: Option<bool>,
        /// The account that decided, where the source is an office and no person. Such a decision counts from this
        /// moment, even where it is what the source stated before.
        by: Option<String>,
    },
}

impl Observation {
    /// A speaker's first words: which endpoint it means, and nothing more.
    pub fn first(speaker: Speaker, observed: Timestamp) -> Self {
        let subject = speaker.subject(&speaker.evidence());
        Self {
            subject,
            speaker,
            observed,
            received: observed,
            sections: Vec::new(),
            sequence: None,
            carrier: None,
        }
    }

    /// What somebody states of a device that they name: fields that become so, or are taken back with `None`.
    pub fn statement(
        source: Source,
        device: DeviceId,
        fields: BTreeMap<Field, Option<Value>>,
        vouches: Option<bool>,
        now: Timestamp,
    ) -> Self {
        Self::first(Speaker::Stated { source, device, fields, vouches, by: None }, now)
    }

    /// The same as somebody decided it in an office's name; see [`Speaker::Stated`].
    pub fn decided_by(mut self, account: &str) -> Self {
        if let Speaker::Stated { by, .. } = &mut self.speaker {
            *by = Some(account.to_owned());
        }
        self
    }

    /// Whose doing it is, for history and journal.
    pub fn actor(&self) -> String {
        if let Speaker::Stated { by: Some(account), .. } = &self.speaker {
            return account.clone();
        }
        let source = self.speaker.source();
        match &self.carrier {
            None => source.to_string(),
            Some(carrier) => format!("{carrier} carrying {source}"),
        }
    }
}

impl Speaker {
    /// The source of its claims.
    pub fn source(&self) -> Source {
        match self {
            Self::Agent { agent, .. } | Self::Found { agent, .. } => Source::Agent(*agent),
            Self::Row { import, .. } => Source::Import(import.clone()),
            Self::Stated { source, .. } => source.clone(),
        }
    }

    /// What it says about which machine it means.
    pub fn evidence(&self) -> Evidence {
        match self {
            Self::Agent { agent, evidence, .. } => Evidence::from_items(evidence, Some(*agent)),
            Self::Found { fields, .. } => Evidence::from_found(fields),
            Self::Row { import, fields, .. } => Evidence::from_fields(import.clone(), fields),
            Self::Stated { .. } => Evidence::named(),
        }
    }

    /// The subject: for an agent it follows the hardware, so that clones of one image are different subjects.
    pub fn subject(&self, evidence: &Evidence) -> SubjectKey {
        match self {
            Self::Agent { agent, .. } => SubjectKey::agent(*agent, &evidence.fingerprint()),
            Self::Found { on, .. } => {
                let key = evidence.asset_keys.first().map(String::as_str).unwrap_or_default();
                SubjectKey::found(*on, key)
            }
            Self::Row { import, row_key, .. } => SubjectKey::import(import, row_key),
            Self::Stated { source, device, .. } => SubjectKey::stated(source, *device),
        }
    }
}

/// A place in an agent's spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolSequence {
    /// Which spool.
    pub epoch: Vec<u8>,
    /// Counts from 1.
    pub sequence: u64,
}

/// A section in full, or what changed in it.
#[derive(Debug, Clone)]
pub struct SectionUpdate {
    /// Which section.
    pub name: SectionName,
    /// How far the source could read it.
    pub status: SectionStatus,
    /// What the difference is against; `None` when the items are the whole section.
    pub base: Option<SectionDigest>,
    /// The digest of the section after this update.
    pub result: SectionDigest,
    /// Items that are new or changed.
    pub upserts: Vec<RawItem>,
    /// Keys that are gone.
    pub removed: Vec<KeyDigest>,
    /// What could not be read.
    pub errors: Vec<SourceError>,
}

/// What is written in the same commit, once the device is known; asked again when the commit is decided again.
pub type Companion<'a> = &'a (dyn Fn(DeviceId) -> CompanionWrites + Send + Sync);

/// Writes that come with an observation, such as the use of a token.
#[derive(Debug, Clone, Default)]
pub struct CompanionWrites {
    /// What they were decided on.
    pub expected: Vec<(Key, Revision)>,
    /// The writes.
    pub writes: Vec<Write>,
    /// The audit entry.
    pub audit: Option<Vec<u8>>,
}

/// What became of an observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The device that it is about.
    pub device: DeviceId,
    /// The subject that it is kept as.
    pub subject: SubjectKey,
    /// How it came to that device.
    pub attachment: Attachment,
    /// Why, where that was just decided; else empty.
    pub explanation: String,
    /// Whether anything was written.
    pub changed: bool,
    /// Sections that the source must send in full.
    pub wanted: Vec<SectionName>,
}

/// How a subject came to its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachment {
    /// It was attached already.
    Known,
    /// Its evidence matched a device.
    Matched,
    /// It is a device that nobody knew.
    New,
    /// It could not be decided: it has a device of its own until an operator decides.
    Conflict,
}

impl Outcome {
    /// Of an observation that changed nothing.
    pub(super) fn unchanged(subject: &Subject) -> Self {
        Self {
            device: subject.device,
            subject: subject.key.clone(),
            attachment: Attachment::Known,
            explanation: String::new(),
            changed: false,
            wanted: Vec::new(),
        }
    }
}
