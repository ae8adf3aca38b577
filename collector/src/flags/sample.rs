//! A deployed, vouched laptop that reported just now, to be bent by the rules' tests.

use std::time::Duration;

use muster_common::{
    device::{Claimed, Device, Field, Provenanced, Value},
    flag::{Flag, FlagCode},
    governance::{AgentExpectation, Charter},
    id::DeviceId,
    source::{ImportName, Source},
    time::Timestamp,
};

use super::{DeviceView, evaluate, next_change};
use crate::identity::IdentifierKind;

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) struct Sample {
    pub(super) device: Device,
    pub(super) agent_seen: Option<Timestamp>,
    pub(super) connected: bool,
    pub(super) others_seen: Option<Timestamp>,
    pub(super) vouched: bool,
    pub(super) open_reviews: u32,
    pub(super) claims: Vec<(IdentifierKind, u32)>,
    pub(super) clone_peers: Vec<DeviceId>,
    pub(super) hardware_changed: Option<Timestamp>,
    pub(super) agent: AgentExpectation,
    pub(super) downtime: Duration,
    pub(super) now: Timestamp,
    pub(super) charter: Charter,
}

impl Sample {
    pub(super) fn laptop() -> Self {
        let now: Timestamp = "2026-06-01".parse().unwrap();
        let mut sample = Self {
            device: Device {
                id: DeviceId::from_bytes([1; 16]),
                version: 1,
                fields: Default::default(),
                flags: Vec::new(),
                agents: Vec::new(),
                seen_by: Default::default(),
                first_seen: now.before(200 * DAY),
                software_count: 0,
                subjects: Vec::new(),
                aliases: Vec::new(),
                merged_into: None,
                identity_explanation: String::new(),
            },
            agent_seen: Some(now),
            connected: false,
            others_seen: None,
            vouched: true,
            open_reviews: 0,
            claims: Vec::new(),
            clone_peers: Vec::new(),
            hardware_changed: None,
            agent: AgentExpectation::Expected,
            downtime: Duration::ZERO,
            now,
            charter: Charter::default(),
        };
        sample.claim(Field::Class, "laptop");
        sample.claim(Field::State, "deployed");
        sample.claim(Field::Owner, "department-17");
        sample
    }

    /// The purchase record says so, first observed when the device was.
    pub(super) fn claim(&mut self, field: Field, text: &str) {
        let source = Source::Import(ImportName::new("purchase").unwrap());
        let observed = self.device.first_seen;
        let claim = Claimed { value: Value::Text(text.to_owned()), source, observed };
        self.device.fields.insert(field, Provenanced { claims: vec![claim] });
    }

    pub(super) fn also(&mut self, field: Field, source: &str, text: &str) {
        let claim = Claimed {
            value: Value::Text(text.to_owned()),
            source: source.parse().unwrap(),
            observed: self.device.first_seen,
        };
        self.device.fields.entry(field).or_insert(Provenanced { claims: Vec::new() }).claims.push(claim);
    }

    pub(super) fn silent_days(&mut self, days: u32) {
        self.agent_seen = Some(self.now.before(days * DAY));
    }

    pub(super) fn days_pass(&mut self, days: u32) {
        self.now = self.now.after(days * DAY);
    }

    pub(super) fn evaluate(&self, previous: &[Flag]) -> Vec<Flag> {
        evaluate(&self.view(), &self.charter, previous)
    }

    pub(super) fn codes(&self) -> Vec<FlagCode> {
        self.evaluate(&[]).into_iter().map(|flag| flag.code).collect()
    }

    pub(super) fn has(&self, code: FlagCode) -> bool {
        self.codes().contains(&code)
    }

    pub(super) fn next_change(&self) -> Option<Timestamp> {
        next_change(&self.view(), &self.charter)
    }

    fn view(&self) -> DeviceView<'_> {
        DeviceView {
            device: &self.device,
            agent_seen: self.agent_seen,
            connected: self.connected,
            others_seen: self.others_seen,
            vouched: self.vouched,
            open_reviews: self.open_reviews,
            claims: &self.claims,
            clone_peers: &self.clone_peers,
            clone_peer_count: u32::try_from(self.clone_peers.len()).unwrap(),
            hardware_changed: self.hardware_changed,
            agent: self.agent,
            collector_downtime: self.downtime,
            now: self.now,
        }
    }
}
