//! The loop around the session's state: one stream, its messages, its deadlines, its files.
//!
//! Thin on purpose: what to do is decided by [`SessionState`]. Everything that can block has a deadline there, so a
//! collector that neither reads nor answers is left in the end.

use std::{collections::VecDeque, error::Error, future::Future, sync::Arc, time::Duration};

use muster_common::{governance::AgentSettings, time::EndpointTime};
use muster_proto::{convert, v1};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;

use super::{
    dial::{Connection, Failure},
    disk::Disk,
    event::{Action, Event, Note, Reconnect},
    state::{Introduction, SessionState},
};
use crate::{
    report::{self, EncodedInventory},
    state_file::StateFileError,
};

/// What a session needs from the rest of the agent.
pub trait Hooks: Send + Sync {
    /// Who we are now.
    fn introduction(&self) -> Introduction;

    /// The endpoint's own time.
    fn now(&self) -> EndpointTime;

    /// Keeps a lineage for the next connect, durably.
    fn store_lineage(
        &self,
        lineage: Vec<u8>,
    ) -> impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send;

    /// Does what the collector may ask for.
    fn order(&self, order: Order) -> impl Future<Output = ()> + Send;

    /// Takes note of what happened.
    fn note(&self, note: Note);

    /// Takes note of what is pending, each time that this is written down.
    fn pending(&self, pending: PendingSize);
}

/// What a collector may ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Read the machine now.
    CollectNow,
    /// Read it this often, within the bounds that are compiled in.
    SetInterval(Duration),
    /// Go by what the organisation asks now, and keep it.
    TakeSettings(AgentSettings),
    /// Judge these roots, and take them if they follow from ours.
    TakeTrustBundle(v1::TrustBundle),
}

/// How much waits for the collector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PendingSize {
    /// Sections.
    pub sections: usize,
    /// Their encoded content, in bytes.
    pub bytes: usize,
    /// Sections that did not fit into the spool's file and are in memory alone.
    pub in_memory_alone: usize,
}

/// What reaches a session from within the agent.
#[derive(Debug)]
pub struct Inputs {
    /// Inventories, as they are collected.
    pub inventories: mpsc::Receiver<Arc<EncodedInventory>>,
    /// The service stops.
    pub stop: CancellationToken,
}

/// How a session ended.
#[derive(Debug)]
pub enum Ended {
    /// We closed it.
    Closed(Reconnect),
    /// It broke, or the collector ended it.
    Broken(Failure),
    /// We can't go on without writing something down.
    CannotWrite(Box<dyn Error + Send + Sync>),
}

/// The state with what carries out its decisions.
#[derive(Debug)]
pub struct Session<'a, H> {
    /// What to do.
    pub state: &'a mut SessionState,
    /// Where it is written down.
    pub disk: &'a Disk,
    /// The rest of the agent.
    pub hooks: &'a H,
}

impl<H: Hooks> Session<'_, H> {
    /// Runs one session over an open stream, on which Hello has been said, to its end.
    pub async fn run(&mut self, connection: Connection, inputs: &mut Inputs) -> Ended {
        let ended = self.talk(connection, inputs).await;
        // Nothing follows from a stream that is gone, so there is nothing to carry out.
        self.state.on(Event::Disconnected, now());
        ended
    }

    /// Takes an event outside a session; nothing can be sent then.
    pub async fn offline(&mut self, event: Event) -> Result<(), Box<dyn Error + Send + Sync>> {
        let actions = self.state.on(event, now());
        self.perform(actions, &mut VecDeque::new()).await.map(drop)
    }

    async fn talk(&mut self, connection: Connection, inputs: &mut Inputs) -> Ended {
        let Connection { outgoing, mut incoming } = connection;
        let mut outbox = VecDeque::new();
        let mut stopping = false;
        let mut event = Event::Connected;
        loop {
            let actions = self.state.on(event, now());
            match self.perform(actions, &mut outbox).await {
                Ok(Some(reconnect)) => return Ended::Closed(reconnect),
                Ok(None) => {}
                Err(error) => return Ended::CannotWrite(error),
            }
            let deadline = self.state.deadline();
            event = loop {
                tokio::select! {
                    biased;
                    () = inputs.stop.cancelled(), if !stopping => {
                        stopping = true;
                        break Event::Stop;
                    }
                    answer = incoming.next() => match answer {
                        Some(Ok(v1::SessionResponse { message: Some(message) })) => {
                            break Event::Received(message);
                        }
                        // A message of a newer collector, of a kind that we don't know.
                        Some(Ok(v1::SessionResponse { message: None })) => {}
                        Some(Err(failure)) => return Ended::Broken(failure),
                        None => return Ended::Broken(Failure::ended()),
                    },
                    () = until(deadline) => break Event::Tick,
                    Some(inventory) = inputs.inventories.recv() => break Event::Collected(inventory),
                    permit = outgoing.reserve(), if !outbox.is_empty() => match (permit, outbox.pop_front()) {
                        (Ok(permit), Some(message)) => permit.send(message),
                        (Ok(_), None) => {}
                        (Err(_), _) => return Ended::Broken(Failure::ended()),
                    },
                }
            };
        }
    }

    /// Carries actions out in their order, up to one that fails or that closes the stream.
    async fn perform(
        &mut self,
        actions: Vec<Action>,
        outbox: &mut VecDeque<v1::SessionRequest>,
    ) -> Result<Option<Reconnect>, Box<dyn Error + Send + Sync>> {
        use v1::session_request::Message;
        let request = |message| v1::SessionRequest { message: Some(message) };
        for action in actions {
            match action {
                Action::SaveBaseline => {
                    self.disk.save_baseline(self.state.ledger().baseline().clone()).await?;
                }
                Action::SavePending => self.save_pending().await?,
                Action::SaveSequence(sequence) => self.disk.save_sequence(sequence).await?,
                Action::BeginEpoch => {
                    let sequence = self.disk.begin_epoch().await?;
                    self.state.epoch_begun(sequence);
                }
                Action::SendReport { sequence, planned } => {
                    let sections = planned.sections.into_iter().map(|(_, step)| step.report).collect();
                    let envelopes = report::envelopes(sequence, planned.observed, sections);
                    outbox.extend(envelopes.into_iter().map(|envelope| request(Message::Report(envelope))));
                }
                Action::SendHeartbeat => {
                    let endpoint_time = Some(convert::to_timestamp_endpoint(self.hooks.now()));
                    outbox.push_back(request(Message::Heartbeat(v1::Heartbeat { endpoint_time })));
                }
                Action::StoreLineage(lineage) => self.hooks.store_lineage(lineage).await?,
                Action::CollectNow => self.hooks.order(Order::CollectNow).await,
                Action::SetInterval(interval) => self.hooks.order(Order::SetInterval(interval)).await,
                Action::TakeSettings(asked) => self.hooks.order(Order::TakeSettings(asked)).await,
                Action::TakeTrustBundle(bundle) => self.hooks.order(Order::TakeTrustBundle(bundle)).await,
                Action::Note(note) => self.hooks.note(note),
                Action::Close(reconnect) => return Ok(Some(reconnect)),
            }
        }
        Ok(None)
    }

    async fn save_pending(&self) -> Result<(), StateFileError> {
        let pending = self.state.ledger().pending();
        let sections = pending.sections.len();
        let bytes = pending.sections.iter().map(|pending| pending.section.item_bytes()).sum();
        let saved = self.disk.save_pending(pending).await?;
        self.hooks.pending(PendingSize { sections, bytes, in_memory_alone: saved.left_out });
        Ok(())
    }
}

/// The state's times are those of the runtime's clock, which tests hold still.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

async fn until(deadline: Option<std::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(Instant::from_std(deadline)).await,
        None => std::future::pending().await,
    }
}
