//! A collector as small as the protocol allows: applies reports, compares digests, and misbehaves on demand.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use muster_common::{
    delta::{ItemDigest, KeyDigest, SectionDigest},
    inventory::SectionName,
};
use muster_proto::{
    limits,
    v1::{self, session_request, session_response::Message},
};
use prost::Message as _;
use tokio::sync::{mpsc, watch};
use tokio_stream::{Stream, StreamExt};
use tonic::Status;

/// What the collector does with the next report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Takes it.
    Take,
    /// Takes it, and the connection breaks before the acknowledgement.
    LoseAnswer,
    /// The connection breaks in the middle of it.
    LoseReport,
    /// Calls it unusable.
    Refuse,
    /// Forgets what it knew of its first section, and asks for that.
    Forget,
    /// Takes it and asks the agent to go.
    Drain,
}

/// Items by key: body and installation.
pub(crate) type Items = BTreeMap<KeyDigest, (Vec<u8>, Vec<u8>)>;

#[derive(Debug, Default, Clone)]
struct Section {
    items: Items,
    /// None when partial content was merged.
    digest: Option<SectionDigest>,
}

/// What the collector holds.
#[derive(Debug, Default)]
struct Held {
    sections: BTreeMap<String, Section>,
    durable: BTreeMap<Vec<u8>, u64>,
    moods: VecDeque<Mood>,
    full: usize,
    sessions: usize,
    /// The lineage that was shown last, and the one given since.
    lineages: [u8; 2],
    /// What the charter asks for.
    settings: Option<v1::AgentSettings>,
}

/// The collector, shared by its sessions.
#[derive(Debug, Clone)]
pub(crate) struct Collector {
    held: Arc<Mutex<Held>>,
    changed: Arc<watch::Sender<u64>>,
}

enum Step {
    Say(Vec<Message>),
    Break,
}

impl Collector {
    pub(crate) fn new(moods: impl IntoIterator<Item = Mood>) -> Self {
        let held = Held { moods: moods.into_iter().collect(), ..Held::default() };
        Self { held: Arc::new(Mutex::new(held)), changed: Arc::new(watch::Sender::new(0)) }
    }

    /// Asks agents for this from their next session on.
    pub(crate) fn ask_for(&self, settings: v1::AgentSettings) {
        self.held.lock().unwrap().settings = Some(settings);
    }

    /// The items of a section that is held.
    pub(crate) fn items(&self, section: &str) -> Vec<v1::Item> {
        let held = self.held.lock().unwrap();
        let items = held.sections.get(section).into_iter().flat_map(|section| section.items.values());
        items.map(|(body, _)| v1::Item::decode(body.as_slice()).unwrap()).collect()
    }

    /// Returns once a section's items are such.
    pub(crate) async fn until_items(&self, section: &str, reached: impl Fn(&[v1::Item]) -> bool) {
        let mut changed = self.changed.subscribe();
        while !reached(&self.items(section)) {
            changed.changed().await.unwrap();
        }
    }

    /// Sections that came in full, and sessions.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let held = self.held.lock().unwrap();
        (held.full, held.sessions)
    }

    /// Whether no mood is left.
    pub(crate) fn is_calm(&self) -> bool {
        self.held.lock().unwrap().moods.is_empty()
    }

    /// Returns once there have been so many sessions.
    pub(crate) async fn until_sessions(&self, sessions: usize) {
        let mut changed = self.changed.subscribe();
        while self.counts().1 < sessions {
            changed.changed().await.unwrap();
        }
    }

    /// Returns once these sections are held.
    pub(crate) async fn until(&self, expected: &BTreeMap<String, Items>) {
        let mut changed = self.changed.subscribe();
        loop {
            let same = {
                let held = self.held.lock().unwrap();
                let has = |(name, items): (&String, &Items)| {
                    held.sections.get(name).is_some_and(|section| section.items == *items)
                };
                expected.iter().all(has)
            };
            if same {
                return;
            }
            changed.changed().await.unwrap();
        }
    }

    /// Serves one stream to its end.
    pub(crate) async fn serve(
        self,
        mut requests: impl Stream<Item = v1::SessionRequest> + Unpin,
        answers: mpsc::Sender<Result<v1::SessionResponse, Status>>,
    ) {
        let mut session = Session { epoch: Vec::new(), chunks: Vec::new() };
        while let Some(request) = requests.next().await {
            let step = session.take(&mut self.held.lock().unwrap(), request.message.unwrap());
            match step {
                Step::Say(messages) => {
                    for message in messages {
                        let answer = v1::SessionResponse { message: Some(message) };
                        if answers.send(Ok(answer)).await.is_err() {
                            return;
                        }
                    }
                }
                Step::Break => return,
            }
            self.changed.send_modify(|version| *version += 1);
        }
    }
}

struct Session {
    epoch: Vec<u8>,
    chunks: Vec<v1::SectionReport>,
}

impl Session {
    fn take(&mut self, held: &mut Held, message: session_request::Message) -> Step {
        match message {
            session_request::Message::Hello(hello) => self.hello(held, hello),
            session_request::Message::Heartbeat(_) => Step::Say(Vec::new()),
            session_request::Message::Report(envelope) => self.envelope(held, envelope),
        }
    }

    fn hello(&mut self, held: &mut Held, hello: v1::Hello) -> Step {
        assert_eq!(hello.spool_epoch.len(), 16);
        assert!(!hello.boot_id.is_empty() && hello.evidence.len() <= limits::EVIDENCE_ITEMS);
        let shown = hello.lineage.first().copied().unwrap_or(0);
        assert!(held.lineages.contains(&shown), "lineage {shown} is not of {:?}", held.lineages);
        held.sessions += 1;
        held.lineages = [shown, held.lineages[1] + 1];
        let claimed: BTreeMap<_, _> =
            hello.baseline.into_iter().map(|claim| (claim.section, claim.digest)).collect();
        let digest = |section: &Section| section.digest.map(|digest| digest.as_bytes().to_vec());
        let wanted = claimed
            .iter()
            .filter(|(name, claim)| held.sections.get(*name).and_then(digest).as_ref() != Some(claim))
            .map(|(name, _)| name.clone());
        let welcome = v1::Welcome {
            wanted: wanted.collect(),
            durable_sequence: held.durable.get(&hello.spool_epoch).copied().unwrap_or(0),
            lineage: vec![held.lineages[1]],
            settings: held.settings.clone(),
            ..v1::Welcome::default()
        };
        self.epoch = hello.spool_epoch;
        Step::Say(vec![Message::Welcome(welcome)])
    }

    fn envelope(&mut self, held: &mut Held, envelope: v1::Envelope) -> Step {
        let mood = held.moods.front().copied().unwrap_or(Mood::Take);
        if mood == Mood::LoseReport {
            held.moods.pop_front();
            return Step::Break;
        }
        for part in report(&envelope).sections {
            match self.chunks.last_mut() {
                Some(open) if open.section == part.section => {
                    open.upserts.extend(part.upserts);
                    open.removed_keys.extend(part.removed_keys);
                }
                Some(_) | None => self.chunks.push(part),
            }
        }
        if !envelope.last_chunk {
            return Step::Say(Vec::new());
        }
        held.moods.pop_front();
        let sections = std::mem::take(&mut self.chunks);
        let durable = held.durable.entry(self.epoch.clone()).or_default();
        assert!(envelope.sequence > *durable, "sequence {} was used twice", envelope.sequence);
        if mood == Mood::Refuse {
            let reason = "a test".to_owned();
            return Step::Say(vec![Message::Nack(v1::Nack { sequence: envelope.sequence, reason })]);
        }
        *durable = envelope.sequence;
        if mood == Mood::Forget {
            held.sections.remove(&sections[0].section);
        }
        let wanted: Vec<String> = sections.into_iter().filter_map(|section| held.apply(section)).collect();
        let mut messages = vec![Message::Ack(v1::Ack { sequence: envelope.sequence })];
        if !wanted.is_empty() {
            messages.push(Message::Want(v1::Want { sections: wanted }));
        }
        match mood {
            Mood::LoseAnswer => Step::Break,
            Mood::Drain => {
                messages.push(Message::Drain(v1::Drain { reconnect_after: None }));
                Step::Say(messages)
            }
            Mood::Take | Mood::Forget | Mood::LoseReport | Mood::Refuse => Step::Say(messages),
        }
    }
}

impl Held {
    /// Applies one part of a section; returns its name when it is wanted in full.
    fn apply(&mut self, report: v1::SectionReport) -> Option<String> {
        let full = report.base_digest.is_none();
        self.full += usize::from(full);
        let status = report.status();
        if matches!(status, v1::SectionStatus::Failed | v1::SectionStatus::NotAvailable) {
            assert!(full && report.upserts.is_empty() && report.removed_keys.is_empty());
            let name = SectionName::new(report.section.clone()).unwrap();
            let nothing = || Section { items: Items::new(), digest: Some(SectionDigest::of(&name, [])) };
            self.sections.entry(report.section).or_insert_with(nothing);
            return None;
        }
        let mut section = self.sections.get(&report.section).cloned().unwrap_or_default();
        if full && status == v1::SectionStatus::Complete {
            section.items.clear();
        } else if let Some(base) = &report.base_digest
            && section.digest.is_none_or(|digest| digest.as_bytes().as_slice() != base)
        {
            return Some(report.section);
        }
        for key in &report.removed_keys {
            section.items.remove(&KeyDigest::from_slice(key).unwrap());
        }
        for item in report.upserts {
            let key = KeyDigest::from_slice(&item.key_digest).unwrap();
            section.items.insert(key, (item.body.to_vec(), item.installation.to_vec()));
        }
        let name = SectionName::new(report.section.clone()).unwrap();
        let pairs = section.items.iter().map(|(key, (body, place))| (*key, ItemDigest::of(body, place)));
        let digest = SectionDigest::of(&name, pairs);
        if full && status == v1::SectionStatus::Partial {
            section.digest = None;
        } else {
            assert_eq!(digest.as_bytes().as_slice(), report.result_digest, "{name}: another result");
            section.digest = Some(digest);
        }
        self.sections.insert(report.section, section);
        None
    }
}

/// What an envelope holds.
pub(crate) fn report(envelope: &v1::Envelope) -> v1::Report {
    let payload = match envelope.codec() {
        v1::Codec::Zstd => zstd::bulk::decompress(&envelope.payload, 4 * 1024 * 1024).unwrap(),
        v1::Codec::Identity => envelope.payload.to_vec(),
        v1::Codec::Unspecified => panic!("no codec"),
    };
    v1::Report::decode(payload.as_slice()).unwrap()
}
