//! The agent's half of a session as a pure state machine: events in, actions out, time as an argument.
//!
//! It outlives connections, since what was sent before one broke may turn out to be durable at the next Welcome. One
//! report is under way at a time: whatever changes meanwhile is said by the next. Knows nothing of gRPC, of files and
//! of how an inventory is made. What it relies on from the collector, and what not:
//!
//! - An `Ack` covers every sequence up to its own. A report that was answered by `Want` for some of its sections
//!   still counts for the others, and its `Ack` may come before or after the `Want`.
//! - Sequences go up and may have gaps, since one is written down before it is used.
//! - A `Nack`, a `Want` and a `Welcome` may name anything: what we don't know is passed over, and no answer makes us
//!   send the same content for ever (see [`Ledger`]).

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use muster_common::{
    governance::{AgentSettings, Privacy},
    inventory::SectionName,
    time::EndpointTime,
};
use muster_proto::{convert, limits, v1};

use super::{
    bounds,
    event::{Action, Event, Note, Reconnect},
};
use crate::{
    asked::within_bounds,
    permissions::Permissions,
    report::{EncodedInventory, Step},
    spool::{Ledger, Sequence},
};

/// Who we are, as Hello says it.
#[derive(Debug, Clone)]
pub struct Introduction {
    /// The agent's version.
    pub agent_version: String,
    /// Random for each boot of the machine.
    pub boot_id: String,
    /// What the last Welcome brought.
    pub lineage: Vec<u8>,
}

/// The session's state.
#[derive(Debug)]
pub struct SessionState {
    ledger: Ledger,
    sequence: Sequence,
    /// What was collected last, and taken.
    newest: Option<Arc<EncodedInventory>>,
    in_flight: Vec<InFlight>,
    phase: Phase,
    privacy: PrivacyState,
}

/// What of people may be told, and what the newest content holds.
#[derive(Debug, Default)]
struct PrivacyState {
    ceiling: Privacy,
    asked: AgentSettings,
    /// Under which permissions the newest content was read; `None` until this process has read the machine.
    content: Option<Permissions>,
}

impl PrivacyState {
    fn allowed(&self) -> Permissions {
        Permissions::new(self.ceiling, &self.asked)
    }

    /// Whether the newest content may be told.
    fn may_tell(&self) -> bool {
        self.content.as_ref().is_some_and(|content| content.is_within(&self.allowed()))
    }
}

#[derive(Debug)]
struct InFlight {
    sequence: u64,
    sent: Instant,
    sections: Vec<(SectionName, Step)>,
    /// Whether the collector has said something about it, so that the next report may follow.
    answered: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Offline,
    AwaitingWelcome { until: Instant },
    Open { heartbeat: Duration, next_heartbeat: Instant },
    Draining { until: Instant, then: Reconnect },
}

impl SessionState {
    /// From what the state folder holds; nothing of people may be told.
    pub fn new(ledger: Ledger, sequence: Sequence) -> Self {
        Self {
            ledger,
            sequence,
            newest: None,
            in_flight: Vec::new(),
            phase: Phase::Offline,
            privacy: PrivacyState::default(),
        }
    }

    /// The same under a ceiling for what may be told of people, with what the organisation asked for last.
    #[must_use]
    pub fn under(self, ceiling: Privacy, asked: AgentSettings) -> Self {
        Self { privacy: PrivacyState { ceiling, asked, content: None }, ..self }
    }

    /// What we have and what the collector has.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// A new epoch has begun: nothing of the old one is under way.
    pub fn epoch_begun(&mut self, sequence: Sequence) {
        self.sequence = sequence;
        self.in_flight.clear();
    }

    /// The first message of a session.
    pub fn hello(&self, introduction: Introduction, now: EndpointTime) -> v1::SessionRequest {
        let Introduction { agent_version, boot_id, lineage } = introduction;
        let hello = v1::Hello {
            agent_version,
            capabilities: Vec::new(),
            boot_id,
            spool_epoch: self.sequence.epoch.as_bytes().to_vec(),
            baseline: self.ledger.digests(),
            evidence: self.newest.as_ref().map(|newest| newest.evidence.clone()).unwrap_or_default(),
            lineage,
            endpoint_time: Some(convert::to_timestamp_endpoint(now)),
        };
        v1::SessionRequest { message: Some(v1::session_request::Message::Hello(hello)) }
    }

    /// Takes an event.
    pub fn on(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Connected => {
                self.ledger.begin_session();
                self.phase = Phase::AwaitingWelcome { until: now + bounds::WELCOME_WITHIN };
            }
            Event::Received(message) => self.receive(message, now, &mut actions),
            // It holds what was withdrawn while it was read; another one is on its way.
            Event::Collected(inventory) if !inventory.permissions.is_within(&self.privacy.allowed()) => {}
            // Nothing has changed since.
            Event::Collected(inventory) if self.is_newest(&inventory) => {}
            Event::Collected(inventory) => {
                self.privacy.content = Some(inventory.permissions.clone());
                if self.ledger.collected(&inventory) {
                    actions.push(Action::SavePending);
                }
                self.newest = Some(inventory);
            }
            Event::Tick => self.tick(now, &mut actions),
            Event::Stop => self.drain(bounds::STOP_WITHIN, Reconnect::Never, now, &mut actions),
            Event::Disconnected => self.phase = Phase::Offline,
        }
        self.report(now, &mut actions);
        actions
    }

    fn is_newest(&self, inventory: &Arc<EncodedInventory>) -> bool {
        self.newest.as_ref().is_some_and(|newest| Arc::ptr_eq(newest, inventory))
    }

    /// When [`Event::Tick`] is due; `None` while nothing is waited for.
    pub fn deadline(&self) -> Option<Instant> {
        let acknowledgement = self.in_flight.first().map(|report| report.sent + bounds::ACK_WITHIN);
        match self.phase {
            Phase::Offline => None,
            Phase::AwaitingWelcome { until } | Phase::Draining { until, .. } => Some(until),
            Phase::Open { next_heartbeat, .. } => {
                Some(acknowledgement.map_or(next_heartbeat, |until| until.min(next_heartbeat)))
            }
        }
    }

    fn receive(&mut self, message: v1::session_response::Message, now: Instant, actions: &mut Vec<Action>) {
        use v1::session_response::Message;
        match message {
            Message::Welcome(welcome) => self.welcome(welcome, now, actions),
            Message::Ack(v1::Ack { sequence }) => self.acknowledged(sequence, actions),
            Message::Nack(v1::Nack { sequence, reason }) => self.refused(sequence, reason, actions),
            Message::Want(v1::Want { sections }) => self.wanted(sections, &BTreeSet::new(), actions),
            Message::Directive(v1::Directive { directive }) => {
                match directive {
                    Some(v1::directive::Directive::Settings(asked)) => self.asked(Some(asked), actions),
                    Some(directive) => actions.extend(order(directive)),
                    // Of a newer collector.
                    None => {}
                }
            }
            Message::Drain(v1::Drain { reconnect_after }) => {
                let after = duration(reconnect_after).unwrap_or_default().min(bounds::LONGEST_ABSENCE);
                actions.push(Action::Note(Note::Drained));
                self.drain(bounds::DRAIN_WITHIN, Reconnect::After(after), now, actions);
            }
        }
        self.close_if_drained(actions);
    }

    fn welcome(&mut self, welcome: v1::Welcome, now: Instant, actions: &mut Vec<Action>) {
        let Phase::AwaitingWelcome { .. } = self.phase else { return };
        let v1::Welcome {
            device_id,
            wanted,
            lineage,
            durable_sequence,
            collector_time,
            heartbeat_interval,
            settings,
        } = welcome;
        if (1..=bounds::LINEAGE_BYTES).contains(&lineage.len()) {
            actions.push(Action::StoreLineage(lineage));
        }
        actions.push(Action::Note(Note::Welcomed {
            device_id: shortened(&device_id),
            collector_time: collector_time.as_ref().map(convert::from_timestamp),
            wanted: wanted.len(),
        }));
        self.asked(settings, actions);
        let Some(sequence) = self.sequence.beyond(durable_sequence) else {
            actions.extend([Action::BeginEpoch, Action::Close(Reconnect::Backoff)]);
            return;
        };
        self.sequence = sequence;
        let heartbeat = duration(heartbeat_interval)
            .unwrap_or(bounds::HEARTBEAT)
            .clamp(bounds::HEARTBEAT_LEAST, bounds::HEARTBEAT_MOST);
        self.phase = Phase::Open { heartbeat, next_heartbeat: now + heartbeat };
        // The collector compared before it could know that we didn't hear of these: they are compared once more
        // instead of being sent again.
        let moved: BTreeSet<SectionName> = self
            .in_flight
            .iter()
            .filter(|report| report.sequence <= durable_sequence)
            .flat_map(|report| report.sections.iter().map(|(name, _)| name.clone()))
            .collect();
        if !moved.is_empty() {
            self.acknowledged(durable_sequence, actions);
        }
        self.in_flight.clear();
        self.wanted(wanted, &moved, actions);
    }

    /// What the organisation asks from now on; a collector that says nothing asks for nothing.
    fn asked(&mut self, wire: Option<v1::AgentSettings>, actions: &mut Vec<Action>) {
        let asked = wire.map(convert::settings_from_wire).unwrap_or_else(|| Ok(AgentSettings::default()));
        let asked = asked.unwrap_or_else(|invalid| {
            let reason = shortened(&invalid.to_string());
            actions.push(Action::Note(Note::UnusableSettings { reason }));
            AgentSettings::default()
        });
        let asked = within_bounds(asked);
        if asked != self.privacy.asked {
            self.privacy.asked = asked.clone();
            actions.push(Action::TakeSettings(asked));
        }
    }

    fn acknowledged(&mut self, sequence: u64, actions: &mut Vec<Action>) {
        let (durable, open): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.in_flight).into_iter().partition(|report| report.sequence <= sequence);
        self.in_flight = open;
        let Some(last) = durable.last().map(|report| report.sequence) else { return };
        for report in &durable {
            self.ledger.acknowledge(&report.sections);
        }
        actions.extend([
            Action::SaveBaseline,
            Action::SavePending,
            Action::Note(Note::Acknowledged { sequence: last }),
        ]);
    }

    fn refused(&mut self, sequence: u64, reason: String, actions: &mut Vec<Action>) {
        let Some(index) = self.in_flight.iter().position(|report| report.sequence == sequence) else {
            return;
        };
        let report = self.in_flight.remove(index);
        let refusal = self.ledger.refuse(&report.sections);
        let reason = shortened(&reason);
        actions.extend([
            Action::SaveBaseline,
            Action::SavePending,
            Action::Note(Note::Refused { sequence, reason, refusal }),
        ]);
    }

    fn wanted(&mut self, sections: Vec<String>, moved: &BTreeSet<SectionName>, actions: &mut Vec<Action>) {
        let mut forgot = false;
        for text in sections.into_iter().take(limits::SECTIONS) {
            let Ok(name) = SectionName::new(text) else { continue };
            if moved.contains(&name) {
                self.ledger.compare(&name);
                continue;
            }
            let sent = self.ledger.want(&name);
            if sent {
                for report in &mut self.in_flight {
                    let before = report.sections.len();
                    report.sections.retain(|(other, _)| *other != name);
                    report.answered |= report.sections.len() != before;
                }
            }
            forgot |= sent;
            actions.push(Action::Note(Note::Wanted { section: name.as_str().to_owned(), sent }));
        }
        self.in_flight.retain(|report| !report.sections.is_empty());
        if forgot {
            actions.push(Action::SaveBaseline);
        }
    }

    fn tick(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let overdue = self.in_flight.first().is_some_and(|report| report.sent + bounds::ACK_WITHIN <= now);
        match self.phase {
            Phase::Offline => {}
            Phase::AwaitingWelcome { until } if until <= now => self.give_up("welcome", actions),
            Phase::AwaitingWelcome { .. } => {}
            Phase::Draining { until, then } if until <= now => actions.push(Action::Close(then)),
            Phase::Draining { .. } => {}
            Phase::Open { .. } if overdue => self.give_up("acknowledgement", actions),
            Phase::Open { heartbeat, next_heartbeat } if next_heartbeat <= now => {
                actions.push(Action::SendHeartbeat);
                self.phase = Phase::Open { heartbeat, next_heartbeat: now + heartbeat };
            }
            Phase::Open { .. } => {}
        }
    }

    fn give_up(&self, awaited: &'static str, actions: &mut Vec<Action>) {
        actions.extend([Action::Note(Note::Silent { awaited }), Action::Close(Reconnect::Backoff)]);
    }

    /// Nothing new is sent any more; what is under way is waited for.
    fn drain(&mut self, within: Duration, then: Reconnect, now: Instant, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Open { .. } => self.phase = Phase::Draining { until: now + within, then },
            // A stop is final, whatever was asked before.
            Phase::Draining { until, .. } if then == Reconnect::Never => {
                self.phase = Phase::Draining { until: until.min(now + within), then };
            }
            Phase::Draining { .. } => {}
            Phase::Offline | Phase::AwaitingWelcome { .. } => actions.push(Action::Close(then)),
        }
        if then == Reconnect::Never {
            self.close_if_drained(actions);
        }
    }

    fn close_if_drained(&self, actions: &mut Vec<Action>) {
        if let Phase::Draining { then, .. } = self.phase
            && self.in_flight.is_empty()
        {
            actions.push(Action::Close(then));
        }
    }

    /// Sends the next report when the last one has been answered.
    fn report(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let Phase::Open { .. } = self.phase else { return };
        // After something was withdrawn nothing is told until the machine was read without it.
        if !self.privacy.may_tell() || self.in_flight.iter().any(|report| !report.answered) {
            return;
        }
        let under_way: BTreeSet<&SectionName> =
            self.in_flight.iter().flat_map(|report| report.sections.iter().map(|(name, _)| name)).collect();
        let Some(planned) = self.ledger.plan(|name| under_way.contains(name)) else { return };
        let sequence = self.sequence.next;
        self.sequence.next += 1;
        let counted = planned
            .sections
            .iter()
            .map(|(_, step)| step.report.upserts.len() + step.report.removed_keys.len());
        let note = Note::Sent { sequence, sections: planned.sections.len(), items: counted.sum() };
        self.in_flight.push(InFlight {
            sequence,
            sent: now,
            sections: planned.sections.clone(),
            answered: false,
        });
        actions.extend([
            Action::SaveSequence(self.sequence),
            Action::SendReport { sequence, planned },
            Action::Note(note),
        ]);
    }
}

fn order(directive: v1::directive::Directive) -> Option<Action> {
    use v1::directive::Directive;
    match directive {
        Directive::CollectNow(v1::CollectNow {}) => Some(Action::CollectNow),
        Directive::SetInterval(v1::SetInterval { interval }) => {
            let interval = duration(interval)?;
            Some(Action::SetInterval(interval.clamp(bounds::INTERVAL_LEAST, bounds::INTERVAL_MOST)))
        }
        Directive::TrustBundle(bundle) => Some(Action::TakeTrustBundle(bundle)),
        // Its meaning depends on what is held already.
        Directive::Settings(_) => None,
    }
}

/// A duration of the wire; a negative one is none.
fn duration(wire: Option<prost_types::Duration>) -> Option<Duration> {
    wire?.try_into().ok()
}

/// A text of the collector for a log line.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use muster_common::inventory::{Inventory, Item, ItemKind, Package, Section, SectionStatus};

    use super::*;
    use crate::{asked, spool::SpoolEpoch};

    /// What a case does to the session.
    #[derive(Debug, Clone, Copy)]
    enum Do {
        Connect,
        Welcome {
            durable: u64,
            wanted: &'static [&'static str],
        },
        Collect {
            hardware: u64,
            software: u64,
        },
        Ack(u64),
        Nack(u64),
        Want(&'static [&'static str]),
        Drain {
            seconds: i64,
        },
        Interval {
            seconds: i64,
        },
        /// Collects with usage allowed.
        CollectUsage {
            software: u64,
        },
        /// Welcomes, or directs, with usage granted or not.
        Grant {
            usage: bool,
            welcome: bool,
        },
        After(u64),
        Stop,
        Lose,
    }

    const USAGE: Privacy = Privacy { usage: true, ..Privacy::NONE };

    fn asking(usage: bool) -> AgentSettings {
        AgentSettings { privacy: Privacy { usage, ..Privacy::NONE }, ..AgentSettings::default() }
    }

    const WELCOME: Do = Do::Welcome { durable: 0, wanted: &[] };

    fn inventory(hardware: u64, software: u64) -> Arc<EncodedInventory> {
        let section = |name: &str, content: u64| Section {
            name: SectionName::new(name).unwrap(),
            status: SectionStatus::Complete,
            items: vec![Item::new(ItemKind::Package(Package {
                name: "p".to_owned(),
                size_bytes: Some(content),
                ..Package::default()
            }))],
            errors: Vec::new(),
        };
        Arc::new(EncodedInventory::new(&Inventory {
            collected: None,
            agent_version: String::new(),
            sections: vec![section("hardware", hardware), section("software.dpkg", software)],
        }))
    }

    fn names(sections: &[&str]) -> Vec<String> {
        sections.iter().map(|name| (*name).to_owned()).collect()
    }

    fn seconds(seconds: i64) -> Option<prost_types::Duration> {
        Some(prost_types::Duration { seconds, nanos: 0 })
    }

    fn event(step: Do) -> Event {
        use v1::session_response::Message;
        Event::Received(match step {
            Do::Connect => return Event::Connected,
            Do::Collect { hardware, software } => return Event::Collected(inventory(hardware, software)),
            Do::CollectUsage { software } => {
                let usage = Permissions::new(USAGE, &asking(true));
                let inventory = Arc::unwrap_or_clone(inventory(1, software)).read_under(usage, Vec::new());
                return Event::Collected(Arc::new(inventory));
            }
            Do::Grant { usage, welcome: true } => Message::Welcome(v1::Welcome {
                settings: Some(convert::settings_to_wire(&asking(usage))),
                ..v1::Welcome::default()
            }),
            Do::Grant { usage, welcome: false } => Message::Directive(v1::Directive {
                directive: Some(v1::directive::Directive::Settings(convert::settings_to_wire(&asking(
                    usage,
                )))),
            }),
            Do::After(_) => return Event::Tick,
            Do::Stop => return Event::Stop,
            Do::Lose => return Event::Disconnected,
            Do::Welcome { durable, wanted } => Message::Welcome(v1::Welcome {
                wanted: names(wanted),
                durable_sequence: durable,
                lineage: vec![1; 16],
                ..v1::Welcome::default()
            }),
            Do::Ack(sequence) => Message::Ack(v1::Ack { sequence }),
            Do::Nack(sequence) => Message::Nack(v1::Nack { sequence, reason: "no\n".to_owned() }),
            Do::Want(sections) => Message::Want(v1::Want { sections: names(sections) }),
            Do::Drain { seconds: after } => Message::Drain(v1::Drain { reconnect_after: seconds(after) }),
            Do::Interval { seconds: interval } => Message::Directive(v1::Directive {
                directive: Some(v1::directive::Directive::SetInterval(v1::SetInterval {
                    interval: seconds(interval),
                })),
            }),
        })
    }

    /// An action in a word; full sections bear a `*`. Notes and lineages, which every case would repeat, are left out.
    fn word(action: &Action) -> Option<String> {
        Some(match action {
            Action::SaveBaseline => "baseline".to_owned(),
            Action::SavePending => "pending".to_owned(),
            Action::SaveSequence(sequence) => format!("next {}", sequence.next),
            Action::BeginEpoch => "epoch".to_owned(),
            Action::SendReport { sequence, planned } => {
                let section = |(name, step): &(SectionName, Step)| {
                    format!(" {name}{}", if step.is_full() { "*" } else { "" })
                };
                format!("report {sequence}:{}", planned.sections.iter().map(section).collect::<String>())
            }
            Action::SendHeartbeat => "heartbeat".to_owned(),
            Action::CollectNow => "collect".to_owned(),
            Action::SetInterval(interval) => format!("every {}s", interval.as_secs()),
            Action::TakeTrustBundle(_) => "bundle".to_owned(),
            Action::TakeSettings(asked) => format!("asked {}", asked::in_words(asked)),
            Action::Close(Reconnect::After(after)) => format!("close for {}s", after.as_secs()),
            Action::Close(Reconnect::Backoff) => "close".to_owned(),
            Action::Close(Reconnect::Never) => "close for ever".to_owned(),
            Action::StoreLineage(_) | Action::Note(_) => return None,
        })
    }

    #[track_caller]
    fn check(steps: &[(Do, &str)]) {
        check_under(Privacy::NONE, false, steps);
    }

    #[track_caller]
    fn check_under(ceiling: Privacy, usage_asked: bool, steps: &[(Do, &str)]) {
        let sequence = Sequence { epoch: SpoolEpoch::from_bytes([1; 16]), next: 1 };
        let mut state = SessionState::new(Ledger::default(), sequence).under(ceiling, asking(usage_asked));
        let mut now = Instant::now();
        for (number, (step, expected)) in steps.iter().enumerate() {
            if let Do::After(seconds) = step {
                now += Duration::from_secs(*seconds);
            }
            let actions = state.on(event(*step), now);
            let words: Vec<String> = actions.iter().filter_map(word).collect();
            assert_eq!(words.join(", "), *expected, "step {number}, {step:?}");
        }
    }

    const FIRST: (Do, &str) = (Do::Collect { hardware: 1, software: 1 }, "pending");
    const CONNECT: (Do, &str) = (Do::Connect, "");
    const REPORTED: (Do, &str) = (WELCOME, "next 2, report 1: hardware* software.dpkg*");
    const HELD: (Do, &str) = (Do::Ack(1), "baseline, pending");

    #[test]
    fn the_baseline_moves_at_an_acknowledgement_and_changes_follow_as_deltas() {
        check(&[
            FIRST,
            CONNECT,
            REPORTED,
            (Do::Collect { hardware: 1, software: 2 }, "pending"),
            (Do::Ack(1), "baseline, pending, next 3, report 2: software.dpkg"),
            (Do::Collect { hardware: 1, software: 2 }, ""),
            (Do::Ack(2), "baseline, pending"),
            (Do::Ack(2), ""),
            (Do::Ack(u64::MAX), ""),
        ]);
    }

    #[test]
    fn nothing_is_sent_before_the_welcome_and_a_late_first_inventory_is_reported() {
        check(&[
            CONNECT,
            (WELCOME, ""),
            (WELCOME, ""),
            (Do::Collect { hardware: 1, software: 1 }, "pending, next 2, report 1: hardware* software.dpkg*"),
        ]);
    }

    #[test]
    fn refused_reports_are_narrowed_down_and_let_go() {
        check(&[
            FIRST,
            CONNECT,
            REPORTED,
            (Do::Nack(9), ""),
            (Do::Nack(1), "baseline, pending, next 3, report 2: hardware*"),
            (Do::Nack(1), ""),
            (Do::Ack(2), "baseline, pending, next 4, report 3: software.dpkg*"),
            (Do::Nack(3), "baseline, pending"),
            (Do::After(59), ""),
            (Do::Collect { hardware: 2, software: 1 }, "pending, next 5, report 4: hardware"),
            (Do::Ack(4), "baseline, pending"),
            (Do::Collect { hardware: 2, software: 2 }, "pending, next 6, report 5: software.dpkg*"),
        ]);
    }

    #[test]
    fn a_wanted_section_is_sent_in_full_before_and_after_its_acknowledgement() {
        let delta =
            (Do::Collect { hardware: 2, software: 2 }, "pending, next 3, report 2: hardware software.dpkg");
        let full = "baseline, next 4, report 3: software.dpkg*";
        check(&[
            FIRST,
            CONNECT,
            REPORTED,
            HELD,
            delta,
            (Do::Want(&["software.dpkg", "unknown", "../x"]), full),
            (Do::Ack(2), "baseline, pending"),
            (Do::Ack(3), "baseline, pending"),
        ]);
        check(&[FIRST, CONNECT, REPORTED, HELD, delta, HELD_2, (Do::Want(&["software.dpkg"]), full)]);
        // All of a report's sections are wanted: it will never be acknowledged, and that holds nothing up.
        check(&[
            FIRST,
            CONNECT,
            REPORTED,
            HELD,
            (Do::Collect { hardware: 1, software: 2 }, "pending, next 3, report 2: software.dpkg"),
            (Do::Want(&["software.dpkg"]), full),
            (Do::Ack(3), "baseline, pending"),
            (Do::After(59), ""),
        ]);
    }

    const HELD_2: (Do, &str) = (Do::Ack(2), "baseline, pending");

    #[test]
    fn wanting_for_ever_comes_to_an_end() {
        check(&[
            FIRST,
            CONNECT,
            REPORTED,
            HELD,
            (Do::Want(&["hardware"]), "baseline, next 3, report 2: hardware*"),
            (Do::Want(&["hardware"]), "baseline, next 4, report 3: hardware*"),
            (Do::Want(&["hardware"]), "baseline, next 5, report 4: hardware*"),
            (Do::Want(&["hardware"]), ""),
            (Do::After(1), ""),
        ]);
    }

    #[test]
    fn a_broken_connection_loses_nothing() {
        // Not durable: everything is said again, under a new sequence.
        check(&[
            FIRST,
            CONNECT,
            REPORTED,
            (Do::Lose, ""),
            (Do::Collect { hardware: 1, software: 2 }, "pending"),
            CONNECT,
            (WELCOME, "next 3, report 2: hardware* software.dpkg*"),
        ]);
        // Durable, only the acknowledgement was lost: the collector compares, and nothing is sent in full.
        let both = &["hardware", "software.dpkg"];
        check(&[
            FIRST,
            CONNECT,
            REPORTED,
            (Do::Lose, ""),
            CONNECT,
            (
                Do::Welcome { durable: 1, wanted: both },
                "baseline, pending, next 3, report 2: hardware software.dpkg",
            ),
            (Do::Ack(2), "baseline, pending"),
        ]);
        // The collector lost its memory.
        check(&[
            FIRST,
            CONNECT,
            REPORTED,
            HELD,
            (Do::Lose, ""),
            CONNECT,
            (
                Do::Welcome { durable: 0, wanted: both },
                "baseline, next 3, report 2: hardware* software.dpkg*",
            ),
        ]);
    }

    #[test]
    fn sequences_never_fall_behind_what_the_collector_has() {
        check(&[
            FIRST,
            CONNECT,
            (Do::Welcome { durable: 41, wanted: &[] }, "next 43, report 42: hardware* software.dpkg*"),
        ]);
        check(&[FIRST, CONNECT, (Do::Welcome { durable: u64::MAX, wanted: &[] }, "epoch, close")]);
    }

    #[test]
    fn silence_is_given_up_on() {
        check(&[CONNECT, (Do::After(59), ""), (Do::After(1), "close")]);
        check(&[
            FIRST,
            CONNECT,
            REPORTED,
            (Do::After(60), "heartbeat"),
            (Do::After(59), ""),
            (Do::After(1), "close"),
        ]);
        check(&[
            CONNECT,
            (WELCOME, ""),
            (Do::After(60), "heartbeat"),
            (Do::After(59), ""),
            (Do::After(1), "heartbeat"),
        ]);
    }

    #[test]
    fn stopping_and_draining_wait_for_the_report_under_way() {
        check(&[(Do::Stop, "close for ever")]);
        check(&[CONNECT, (Do::Stop, "close for ever")]);
        check(&[CONNECT, (WELCOME, ""), (Do::Stop, "close for ever")]);
        check(&[
            FIRST,
            CONNECT,
            REPORTED,
            (Do::Stop, ""),
            (Do::Collect { hardware: 2, software: 2 }, "pending"),
            (Do::Ack(1), "baseline, pending, close for ever"),
        ]);
        check(&[FIRST, CONNECT, REPORTED, (Do::Stop, ""), (Do::After(5), "close for ever")]);
        check(&[
            FIRST,
            CONNECT,
            REPORTED,
            (Do::Drain { seconds: 7 }, ""),
            (Do::Ack(1), "baseline, pending, close for 7s"),
        ]);
        check(&[CONNECT, (WELCOME, ""), (Do::Drain { seconds: 999_999 }, "close for 3600s")]);
        check(&[CONNECT, (Do::Drain { seconds: -1 }, "close for 0s")]);
        check(&[
            FIRST,
            CONNECT,
            REPORTED,
            (Do::Drain { seconds: 7 }, ""),
            (Do::Stop, ""),
            (Do::After(5), "close for ever"),
        ]);
    }

    #[test]
    fn directives_stay_within_the_bounds() {
        check(&[
            CONNECT,
            (WELCOME, ""),
            (Do::Interval { seconds: 0 }, "every 300s"),
            (Do::Interval { seconds: -5 }, ""),
            (Do::Interval { seconds: 600 }, "every 600s"),
            (Do::Interval { seconds: i64::MAX }, "every 604800s"),
        ]);
    }

    const BOTH: &str = "next 2, report 1: hardware* software.dpkg*";

    #[test]
    fn what_was_withdrawn_is_not_told_however_late_it_is_heard_of() {
        let granted = Do::Grant { usage: true, welcome: true };
        let withdrawn = |welcome| Do::Grant { usage: false, welcome };
        let with_usage = (Do::CollectUsage { software: 2 }, "pending");
        // Withdrawn while offline: what waits in the spool stays there, and what is read without it goes.
        check_under(
            USAGE,
            true,
            &[
                with_usage,
                CONNECT,
                (withdrawn(true), "asked nothing personal"),
                (Do::CollectUsage { software: 3 }, ""),
                (FIRST.0, "pending, next 2, report 1: hardware* software.dpkg*"),
            ],
        );
        // Withdrawn in a session, with a reading under way.
        check_under(
            USAGE,
            true,
            &[
                with_usage,
                CONNECT,
                (granted, BOTH),
                HELD,
                (withdrawn(false), "asked nothing personal"),
                (Do::CollectUsage { software: 3 }, ""),
                (Do::Want(&["software.dpkg"]), "baseline"),
                (FIRST.0, "pending, next 3, report 2: software.dpkg*"),
            ],
        );
        // A collector that says nothing of it asks for nothing.
        check_under(USAGE, true, &[with_usage, CONNECT, (WELCOME, "asked nothing personal")]);
        // Still granted: nothing is asked anew and nothing is held back.
        check_under(USAGE, true, &[with_usage, CONNECT, (granted, BOTH)]);
    }

    #[test]
    fn no_collector_raises_the_ceiling() {
        let granted = Do::Grant { usage: true, welcome: true };
        check(&[FIRST, CONNECT, (granted, &format!("asked usage, {BOTH}"))]);
        check(&[(Do::CollectUsage { software: 2 }, ""), CONNECT, (granted, "asked usage")]);
        // Not asked for yet, or asked for and under no ceiling: such content is never taken.
        check_under(USAGE, false, &[(Do::CollectUsage { software: 2 }, ""), CONNECT]);
    }

    #[test]
    fn settings_without_meaning_grant_nothing() {
        let sequence = Sequence { epoch: SpoolEpoch::from_bytes([1; 16]), next: 1 };
        let mut state = SessionState::new(Ledger::default(), sequence).under(USAGE, asking(true));
        let mut settings = convert::settings_to_wire(&asking(true));
        settings.neighbour_networks.push(v1::NeighbourNetwork::default());
        let directive = v1::Directive { directive: Some(v1::directive::Directive::Settings(settings)) };
        let event = Event::Received(v1::session_response::Message::Directive(directive));
        let actions = state.on(event, Instant::now());
        let [Action::Note(Note::UnusableSettings { .. }), Action::TakeSettings(asked)] = &actions[..] else {
            panic!("{actions:?}")
        };
        assert_eq!(*asked, AgentSettings::default());
    }

    #[test]
    fn hello_claims_what_is_acknowledged() {
        let sequence = Sequence { epoch: SpoolEpoch::from_bytes([9; 16]), next: 1 };
        let mut state = SessionState::new(Ledger::default(), sequence);
        let now = Instant::now();
        for step in [FIRST.0, Do::Connect, WELCOME, Do::Ack(1)] {
            state.on(event(step), now);
        }
        let introduction =
            Introduction { agent_version: "1".to_owned(), boot_id: "b".to_owned(), lineage: vec![3] };
        let request = state.hello(introduction, EndpointTime::from_millis(5));
        let Some(v1::session_request::Message::Hello(hello)) = request.message else { panic!("no hello") };
        assert_eq!(hello.spool_epoch, [9; 16]);
        let claimed: Vec<&str> = hello.baseline.iter().map(|digest| digest.section.as_str()).collect();
        assert_eq!(claimed, ["hardware", "software.dpkg"]);
    }
}
