//! What tells of people leaves a machine only where the charter and the machine's own configuration both allow it.
//!
//! The whole service against the whole collector over TLS. The sources are the test's own, so that it needs nothing
//! of whoever's machine it runs on; they feed one section that others feed too and one that is personal altogether.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use muster_agent::{
    asked,
    config::{self, Settings},
    host::Host,
    sources::{Personal, SectionPart, Source},
    status::{self, Status},
    supervisor::{Patience, SupervisorError, serve_sources},
};
use muster_common::{
    governance::{AgentSettings, Charter, Privacy},
    inventory::{Item, ItemKind, Package, SectionName},
    time::SystemClock,
};
use muster_proto::{private_file, v1};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::world::World;

/// Changes with each start of the agent, so that the test knows which start a report is of.
static START: AtomicU32 = AtomicU32::new(0);

/// What a fleet spreads over many seconds, one machine need not wait for.
const PATIENCE: Patience = Patience { gap: Duration::from_millis(200), spread: Duration::from_millis(200) };
const PER_USER: Privacy = Privacy { per_user: true, ..Privacy::NONE };
const SHARED: &str = "software.shared";
const OWN: &str = "software.own";

#[derive(Debug)]
struct Fixed {
    name: &'static str,
    section: &'static str,
    personal: Option<Personal>,
}

impl Source for Fixed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn section(&self) -> SectionName {
        SectionName::known(self.section)
    }

    fn reads(&self) -> &'static [&'static str] {
        &["nothing"]
    }

    fn personal(&self) -> Option<Personal> {
        self.personal
    }

    fn collect(&self, _host: &dyn Host) -> SectionPart {
        let version = START.load(Ordering::SeqCst).to_string();
        let package = Package {
            purl_type: "generic".to_owned(),
            name: self.name.to_owned(),
            version,
            ..Package::default()
        };
        SectionPart { items: vec![Item::new(ItemKind::Package(package))], ..SectionPart::default() }
    }
}

const SOURCES: &[&dyn Source] = &[
    &Fixed { name: "system", section: SHARED, personal: None },
    &Fixed { name: "extension", section: SHARED, personal: Some(Personal::PerUser) },
    &Fixed { name: "home", section: OWN, personal: Some(Personal::PerUser) },
    // Never allowed here.
    &Fixed { name: "login", section: SHARED, personal: Some(Personal::Logins) },
];

/// A service that runs.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), SupervisorError>>,
    folder: std::path::PathBuf,
}

impl Running {
    fn start(folder: &Path, settings: Settings) -> Self {
        START.fetch_add(1, Ordering::SeqCst);
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve_sources(settings, SOURCES, PATIENCE, stop.clone()));
        Self { stop, task, folder: folder.to_owned() }
    }

    /// What it says of itself.
    fn device(&self) -> Option<String> {
        let text = fs::read_to_string(self.folder.join("state").join(status::FILE)).ok()?;
        let status: Status = serde_json::from_str(&text).ok()?;
        Some(format!("devices/{}", status.identity?.device_id))
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

fn settings(folder: &Path, world: &World, per_user: bool) -> Settings {
    let (session, enroll) = (world.addresses.agents.port(), world.addresses.enroll.port());
    let text = format!(
        "state_dir = \"state\"\ntoken_file = \"token\"\n[collector]\nsession = \"localhost:{session}\"\n\
         enroll = \"localhost:{enroll}\"\n[privacy]\nper_user = {per_user}\n"
    );
    fs::write(folder.join("agent.toml"), text).unwrap();
    config::read(&folder.join("agent.toml")).unwrap()
}

fn charter(privacy: Privacy) -> Charter {
    Charter { agents: AgentSettings { privacy, ..AgentSettings::default() }, ..Charter::default() }
}

/// What the collector knows of the machine's packages, by name, of the present start of the agent.
async fn known(world: &World, device: &str) -> BTreeSet<String> {
    let request = v1::GetInventoryRequest { name: device.to_owned() };
    let Ok(inventory) = world.query.clone().get_inventory(request).await else { return BTreeSet::new() };
    let start = START.load(Ordering::SeqCst).to_string();
    let items = inventory.into_inner().sections.into_iter().flat_map(|section| section.items);
    items
        .filter_map(|item| match item.kind {
            Some(v1::item::Kind::Package(package)) if package.version == start => Some(package.name),
            _ => None,
        })
        .collect()
}

async fn until(world: &World, agent: &Running, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
    let mut last = BTreeSet::new();
    for _ in 0..600 {
        if let Some(device) = agent.device() {
            last = known(world, &device).await;
            if last == expected {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the collector knows {last:?} and not {expected:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_must_allow_it_and_what_is_withdrawn_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let world = World::start(folder, "memory").await;
    let token = world.token(1, muster_common::time::Clock::now(&SystemClock)).await;
    private_file::write(&folder.join("token"), token.reveal().as_bytes()).unwrap();
    let set = |privacy| world.app.pipeline.set_charter(charter(privacy));
    let asked = || asked::load(&folder.join("state")).unwrap().privacy;

    // The charter alone, both heard of in a session and known from the start.
    set(PER_USER);
    for _ in 0..2 {
        let agent = Running::start(folder, settings(folder, &world, false));
        until(&world, &agent, &["system"]).await;
        assert_eq!(asked(), PER_USER, "the grant was not heard of");
        agent.end().await;
    }

    // The machine alone; then both, while the agent is connected.
    set(Privacy::NONE);
    let agent = Running::start(folder, settings(folder, &world, true));
    until(&world, &agent, &["system"]).await;
    assert_eq!(asked(), Privacy::NONE);
    set(PER_USER);
    until(&world, &agent, &["extension", "home", "system"]).await;

    // Withdrawn: the section that others feed loses the item, the one that is personal altogether all of them.
    set(Privacy::NONE);
    until(&world, &agent, &["system"]).await;
    agent.end().await;

    // Granted again, and this machine's own configuration forbids it at the next start.
    set(PER_USER);
    let agent = Running::start(folder, settings(folder, &world, true));
    until(&world, &agent, &["extension", "home", "system"]).await;
    agent.end().await;
    let told_before = START.load(Ordering::SeqCst).to_string();
    let agent = Running::start(folder, settings(folder, &world, false));
    until(&world, &agent, &["system"]).await;
    let device = agent.device().unwrap();
    let request = v1::GetInventoryRequest { name: device };
    let inventory = world.query.clone().get_inventory(request).await.unwrap().into_inner();
    let left = inventory.sections.iter().flat_map(|section| &section.items).count();
    assert_eq!(left, 1, "what was told in start {told_before} is still there: {inventory:?}");
    agent.end().await;
    world.ended().await;
}
