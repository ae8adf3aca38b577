//! A machine that was enrolled and then stands where no network leads: its own exports are carried to the collector, and
//! when it is back online its stream goes on without a lost change.
//!
//! The real agent against the real collector over TLS; the sources are the test's own, so that what changes is known.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use muster_agent::{
    config::{self, Settings},
    export::{Export, ExportError, export},
    host::Host,
    sources::{SectionPart, Source},
    supervisor::{Machine, Patience, SupervisorError, serve_sources},
};
use muster_common::{
    inventory::{Item, ItemKind, Package, SectionName, System},
    time::{Clock, SystemClock},
};
use muster_proto::{
    private_file,
    v1::{self, ReportOutcome},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::world::World;

/// What the machine has now: the version of its only package.
static VERSION: AtomicU32 = AtomicU32::new(0);

#[derive(Debug)]
struct Hardware;

impl Source for Hardware {
    fn name(&self) -> &'static str {
        "hardware"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::HARDWARE)
    }

    fn reads(&self) -> &'static [&'static str] {
        &["nothing"]
    }

    fn collect(&self, _host: &dyn Host) -> SectionPart {
        let system = System {
            manufacturer: Some("LENOVO".to_owned()),
            serial: Some("PF0ISLE1".to_owned()),
            ..System::default()
        };
        SectionPart { items: vec![Item::new(ItemKind::System(system))], ..SectionPart::default() }
    }
}

#[derive(Debug)]
struct Software;

impl Source for Software {
    fn name(&self) -> &'static str {
        "software"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_DPKG)
    }

    fn reads(&self) -> &'static [&'static str] {
        &["nothing"]
    }

    fn collect(&self, _host: &dyn Host) -> SectionPart {
        let package = Package {
            purl_type: "deb".to_owned(),
            name: "tide".to_owned(),
            version: VERSION.load(Ordering::SeqCst).to_string(),
            ..Package::default()
        };
        SectionPart { items: vec![Item::new(ItemKind::Package(package))], ..SectionPart::default() }
    }
}

const SOURCES: &[&dyn Source] = &[&Hardware, &Software];

fn settings(folder: &Path, world: &World) -> Settings {
    let (session, enroll) = (world.addresses.agents.port(), world.addresses.enroll.port());
    let text = format!(
        "state_dir = \"state\"\ntoken_file = \"token\"\n[collector]\nsession = \"localhost:{session}\"\n\
         enroll = \"localhost:{enroll}\"\n"
    );
    fs::write(folder.join("agent.toml"), text).unwrap();
    config::read(&folder.join("agent.toml")).unwrap()
}

/// The machine changes, and the collector doesn't hear of it.
fn becomes(version: u32) {
    VERSION.store(version, Ordering::SeqCst);
}

async fn write(settings: &Settings) -> Result<Export, ExportError> {
    export(settings, &Machine::with(SOURCES, settings, Arc::new(SystemClock))).await
}

async fn carry(world: &World, file: &[u8]) -> Result<v1::ImportReportResponse, Status> {
    let request = v1::ImportReportRequest { content: file.to_vec(), validate_only: false };
    world.admin.clone().import_report(request).await.map(tonic::Response::into_inner)
}

/// The version that the collector knows.
async fn known(world: &World) -> Option<String> {
    let device = world.lookup("PF0ISLE1").await.pop()?;
    let request = v1::GetInventoryRequest { name: device };
    let inventory = world.query.clone().get_inventory(request).await.ok()?.into_inner();
    inventory.sections.into_iter().flat_map(|section| section.items).find_map(|item| match item.kind {
        Some(v1::item::Kind::Package(package)) => Some(package.version),
        _ => None,
    })
}

async fn until(world: &World, version: &str) {
    for _ in 0..600 {
        if known(world).await.as_deref() == Some(version) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the collector knows {:?} and not {version}", known(world).await);
}

/// The service while it is online.
struct Online {
    stop: CancellationToken,
    task: JoinHandle<Result<(), SupervisorError>>,
}

impl Online {
    fn start(settings: &Settings) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve_sources(settings.clone(), SOURCES, Patience::default(), stop.clone()));
        Self { stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn check_refused(outcome: Result<v1::ImportReportResponse, Status>, code: Code, words: &str) {
    let refused = outcome.unwrap_err();
    assert_eq!(refused.code(), code, "{refused}");
    assert!(refused.message().contains(words), "{}", refused.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_island_is_known_by_what_is_carried_and_loses_nothing_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let world = World::start(folder, "memory").await;
    let token = world.token(1, SystemClock.now()).await;
    private_file::write(&folder.join("token"), token.reveal().as_bytes()).unwrap();
    let settings = settings(folder, &world);
    let not_enrolled = write(&settings).await.unwrap_err();
    assert!(matches!(not_enrolled, ExportError::NotEnrolled), "{not_enrolled}");
    assert!(!folder.join("state").exists(), "an export made the service's folder");

    // Online once.
    becomes(1);
    let online = Online::start(&settings);
    until(&world, "1").await;
    online.end().await;

    // Then the network is gone, and files are carried: the newest, an older one, the newest again.
    becomes(2);
    let second = write(&settings).await.unwrap();
    becomes(3);
    let third = write(&settings).await.unwrap();
    assert_eq!((second.sequence, third.sequence, third.items, third.sections), (1, 2, 2, 2));
    let accepted = carry(&world, &third.file).await.unwrap();
    assert_eq!((accepted.outcome(), accepted.items), (ReportOutcome::Accepted, 2));
    assert_eq!(accepted.agent_id, third.agent.to_string());
    let found = world.lookup("PF0ISLE1").await;
    assert_eq!(found, std::slice::from_ref(&accepted.device), "it is the device of the stream");
    assert_eq!(known(&world).await.unwrap(), "3");
    check_refused(carry(&world, &second.file).await, Code::FailedPrecondition, "number 2 was taken in");
    assert_eq!(carry(&world, &third.file).await.unwrap().outcome(), ReportOutcome::Known);
    let mut chance = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..300 {
        let mut bad = third.file.clone();
        let place = chance.random_range(0..bad.len());
        bad[place] ^= 1 << chance.random_range(0..8);
        check_refused(carry(&world, &bad).await, Code::InvalidArgument, "");
    }
    let large = carry(&world, &vec![b'x'; 17 << 20]).await.unwrap_err();
    assert_eq!(large.code(), Code::OutOfRange, "{large}");
    assert_eq!(known(&world).await.unwrap(), "3");

    // It goes back to what its stream had told before: the agent believes that there is nothing to say.
    becomes(1);
    let online = Online::start(&settings);
    until(&world, "1").await;
    online.end().await;
    becomes(4);
    let online = Online::start(&settings);
    until(&world, "4").await;

    // Beside the running service.
    becomes(5);
    let fifth = write(&settings).await.unwrap();
    assert_eq!(carry(&world, &fifth.file).await.unwrap().outcome(), ReportOutcome::Accepted);
    assert_eq!(known(&world).await.unwrap(), "5");
    becomes(6);
    let sixth = write(&settings).await.unwrap();
    online.end().await;
    becomes(7);
    let online = Online::start(&settings);
    until(&world, "7").await;
    check_refused(carry(&world, &sixth.file).await, Code::FailedPrecondition, "nothing to carry");
    assert_eq!(known(&world).await.unwrap(), "7");
    online.end().await;

    // Taken back by an operator.
    becomes(8);
    let last = write(&settings).await.unwrap();
    let revoke = v1::RevokeAgentRequest { agent_id: last.agent.to_string(), reason: "sold".to_owned() };
    world.admin.clone().revoke_agent(revoke).await.unwrap();
    check_refused(carry(&world, &last.file).await, Code::FailedPrecondition, "sold");
    assert_eq!(known(&world).await.unwrap(), "7");
    world.ended().await;
}
