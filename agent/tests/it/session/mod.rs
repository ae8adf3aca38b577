//! Sessions against a small collector that misbehaves: in the end it always holds what the agent collected.

pub(crate) mod collector;

use std::{
    collections::BTreeMap,
    error::Error,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use muster_agent::{
    report::EncodedInventory,
    transport::{
        backoff::Chance,
        dial::{Connection, Dial, Failure, GrpcDial},
        disk::Disk,
        event::Note,
        link::{LinkEvent, Watch, keep_connected},
        session::{Hooks, Inputs, Order, PendingSize},
        state::{Introduction, SessionState},
    },
};
use muster_common::{
    inventory::{Installation, Inventory, Item, ItemKind, Package, Section, SectionName, SectionStatus},
    time::EndpointTime,
};
use muster_proto::{
    client::channel::{Opened, Refusal},
    v1::{self, ingest_server},
};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;

use collector::{Collector, Items, Mood};

/// The rest of the agent, as far as a test needs it.
#[derive(Debug, Default)]
struct Rest {
    lineage: Mutex<Vec<u8>>,
    notes: Mutex<Vec<Note>>,
    pending: Mutex<PendingSize>,
}

impl Hooks for Rest {
    fn introduction(&self) -> Introduction {
        Introduction {
            agent_version: "test".to_owned(),
            boot_id: "boot".to_owned(),
            lineage: self.lineage.lock().unwrap().clone(),
        }
    }

    fn now(&self) -> EndpointTime {
        EndpointTime::from_millis(1)
    }

    async fn store_lineage(&self, lineage: Vec<u8>) -> Result<(), Box<dyn Error + Send + Sync>> {
        *self.lineage.lock().unwrap() = lineage;
        Ok(())
    }

    async fn order(&self, _order: Order) {}

    fn note(&self, note: Note) {
        self.notes.lock().unwrap().push(note);
    }

    fn pending(&self, pending: PendingSize) {
        *self.pending.lock().unwrap() = pending;
    }
}

impl Watch for Rest {
    fn link(&self, _event: &LinkEvent<'_>) {}
}

/// Streams without a network, so that time can be held still.
struct MemoryDial(Collector);

impl Dial for MemoryDial {
    async fn dial(&mut self, hello: v1::SessionRequest) -> Result<Connection, Failure> {
        let (outgoing, requests) = mpsc::channel(4);
        let (answers, incoming) = mpsc::channel(4);
        outgoing.try_send(hello).unwrap();
        tokio::spawn(self.0.clone().serve(ReceiverStream::new(requests), answers));
        let incoming = ReceiverStream::new(incoming).map(|answer| Ok(answer.expect("no status here")));
        Ok(Connection { outgoing, incoming: Box::pin(incoming) })
    }
}

/// A running agent's connected half.
struct Agent {
    inventories: mpsc::Sender<Arc<EncodedInventory>>,
    stop: CancellationToken,
    rest: Arc<Rest>,
    task: tokio::task::JoinHandle<()>,
}

impl Agent {
    async fn start<D: Dial + 'static>(folder: &Path, rest: Arc<Rest>, mut dial: D) -> Self {
        let (inventories, receiver) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let disk = Disk::new(folder.to_owned(), 16 * 1024 * 1024);
        let (ledger, sequence, lost) = disk.load().await.unwrap();
        assert!(lost.is_empty(), "{lost:?}");
        let mut inputs = Inputs { inventories: receiver, stop: stop.clone() };
        let hooks = rest.clone();
        let task = tokio::spawn(async move {
            let mut state = SessionState::new(ledger, sequence);
            let chance = || Chance::from_bits(0);
            keep_connected(&mut dial, &mut state, &disk, &*hooks, &mut inputs, chance).await;
        });
        Self { inventories, stop, rest, task }
    }

    async fn collected(&self, inventory: &Inventory) {
        self.inventories.send(Arc::new(EncodedInventory::new(inventory))).await.unwrap();
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// An inventory whose every section differs from that of any other number.
fn inventory(number: u64, packages: u64) -> Inventory {
    let package = |n: u64| Item {
        kind: ItemKind::Package(Package {
            purl_type: "deb".to_owned(),
            name: format!("package-{n}"),
            version: format!("{}", if n % 10 == number % 10 { number } else { 0 }),
            ..Package::default()
        }),
        installation: Some(Installation { held: n.is_multiple_of(3), ..Installation::default() }),
    };
    let section = |name: &'static str, items: Vec<Item>| Section {
        name: SectionName::known(name),
        status: SectionStatus::Complete,
        items,
        errors: Vec::new(),
    };
    let from = number % 7;
    Inventory {
        collected: Some(EndpointTime::from_millis(i64::try_from(number).unwrap())),
        agent_version: "test".to_owned(),
        sections: vec![
            section(SectionName::OS, vec![package(number)]),
            section(SectionName::SOFTWARE_DPKG, (from..from + packages).map(package).collect()),
        ],
    }
}

pub(crate) fn items(inventory: &Inventory) -> BTreeMap<String, Items> {
    let encoded = EncodedInventory::new(inventory);
    let items = |section: &muster_agent::report::EncodedSection| {
        section
            .items()
            .map(|item| {
                let key = muster_common::delta::KeyDigest::from_slice(&item.key_digest).unwrap();
                (key, (item.body.to_vec(), item.installation.to_vec()))
            })
            .collect()
    };
    encoded.sections.iter().map(|(name, section)| (name.as_str().to_owned(), items(section))).collect()
}

async fn within<T>(seconds: u64, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(seconds), work).await.expect("it took too long")
}

/// Every mood after every other, and then some by a fixed seed.
fn scripts() -> Vec<Vec<Mood>> {
    const MOODS: [Mood; 6] =
        [Mood::Take, Mood::LoseAnswer, Mood::LoseReport, Mood::Refuse, Mood::Forget, Mood::Drain];
    let mut scripts: Vec<Vec<Mood>> =
        MOODS.iter().flat_map(|first| MOODS.iter().map(|second| vec![*first, *second])).collect();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut draw = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..20 {
        let length = draw() % 8;
        scripts.push((0..length).map(|_| MOODS[usize::try_from(draw() % 6).unwrap()]).collect());
    }
    scripts
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_on_the_way_the_collector_ends_with_the_agents_inventory() {
    for (number, script) in scripts().into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let collector = Collector::new(script.clone());
        let rest = Arc::new(Rest::default());
        let agent = Agent::start(folder.path(), rest.clone(), MemoryDial(collector.clone())).await;
        for n in 1..=4 {
            agent.collected(&inventory(n, 50)).await;
        }
        // What was refused is let go until it changes, so one more change comes after the moods are over.
        within(36_000, async {
            let mut n = 5;
            loop {
                let calm = collector.is_calm();
                agent.collected(&inventory(n, 50)).await;
                let expected = items(&inventory(n, 50));
                let settled = tokio::time::timeout(Duration::from_secs(600), collector.until(&expected));
                if settled.await.is_ok() && calm {
                    return;
                }
                n += 1;
            }
        })
        .await;
        agent.stop().await;
        assert_eq!(*rest.pending.lock().unwrap(), PendingSize::default(), "script {number}: {script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_where_the_last_process_left_off() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::new([]);
    let rest = Arc::new(Rest::default());
    for n in 1..=3 {
        let agent = Agent::start(folder.path(), rest.clone(), MemoryDial(collector.clone())).await;
        agent.collected(&inventory(n, 50)).await;
        within(60, collector.until(&items(&inventory(n, 50)))).await;
        agent.stop().await;
    }
    assert_eq!(collector.counts(), (2, 3), "each section once in full, then deltas");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_costs_no_full_report() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::new([Mood::LoseAnswer]);
    let rest = Arc::new(Rest::default());
    let agent = Agent::start(folder.path(), rest, MemoryDial(collector.clone())).await;
    agent.collected(&inventory(1, 50)).await;
    within(60, collector.until(&items(&inventory(1, 50)))).await;
    agent.collected(&inventory(2, 50)).await;
    within(60, collector.until(&items(&inventory(2, 50)))).await;
    agent.stop().await;
    assert_eq!(collector.counts(), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_killed_agent_uses_no_sequence_twice() {
    // The collector asserts that sequences only go up; an agent that is aborted at any point must keep to that.
    let folder = tempfile::tempdir().unwrap();
    let collector =
        Collector::new([Mood::LoseAnswer, Mood::Take, Mood::LoseReport, Mood::Take, Mood::Forget]);
    let rest = Arc::new(Rest::default());
    for n in 1..=30 {
        let agent = Agent::start(folder.path(), rest.clone(), MemoryDial(collector.clone())).await;
        agent.collected(&inventory(n, 50)).await;
        for _ in 0..n {
            tokio::task::yield_now().await;
        }
        agent.task.abort();
        assert!(agent.task.await.is_err() || n > 0);
    }
    let agent = Agent::start(folder.path(), rest, MemoryDial(collector.clone())).await;
    agent.collected(&inventory(31, 50)).await;
    within(600, collector.until(&items(&inventory(31, 50)))).await;
    agent.stop().await;
}

/// The same collector behind gRPC.
struct Service(Collector);

#[tonic::async_trait]
impl ingest_server::Ingest for Service {
    type SessionStream =
        std::pin::Pin<Box<dyn Stream<Item = Result<v1::SessionResponse, tonic::Status>> + Send>>;

    async fn session(
        &self,
        request: tonic::Request<tonic::Streaming<v1::SessionRequest>>,
    ) -> Result<tonic::Response<Self::SessionStream>, tonic::Status> {
        let (answers, outgoing) = mpsc::channel(4);
        let requests = Box::pin(request.into_inner().map_while(Result::ok));
        tokio::spawn(self.0.clone().serve(requests, answers));
        Ok(tonic::Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }
}

#[tokio::test]
async fn the_same_over_grpc_with_reports_of_several_chunks() {
    let collector = Collector::new([
        Mood::LoseReport,
        Mood::Refuse,
        Mood::Take,
        Mood::Take,
        Mood::Forget,
        Mood::LoseAnswer,
    ]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = ingest_server::IngestServer::new(Service(collector.clone()));
    let server = tonic::transport::Server::builder()
        .add_service(service)
        .serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener));
    let server = tokio::spawn(server);

    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    let opened = Opened { channel: endpoint.connect_lazy(), refusal: Refusal::default() };
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::start(folder.path(), Arc::default(), GrpcDial::new(opened)).await;
    for n in [1, 2, 3] {
        let inventory = inventory(n, 20_000);
        agent.collected(&inventory).await;
        within(60, collector.until(&items(&inventory))).await;
    }
    let rest = agent.rest.clone();
    agent.stop().await;
    server.abort();
    let notes = rest.notes.lock().unwrap();
    assert!(notes.iter().any(|note| matches!(note, Note::Refused { .. })), "{notes:?}");
    assert!(notes.iter().any(|note| matches!(note, Note::Wanted { .. })), "{notes:?}");
}
