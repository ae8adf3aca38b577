//! A collector without sockets: the spine over the store in memory, with the services called directly.

use std::{path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use muster_collector::{
    actions::{import::Importer, lifecycle::Lifecycle},
    admin::AdminService,
    authz::Actor,
    import::{carried::Opener, door::RecordsService},
    index::Index,
    lifecycle::LifecycleService,
    pipeline::{
        Pipeline,
        observation::{Observation, Outcome, SectionUpdate, Speaker, SpoolSequence},
        presence::Presence,
    },
    privacy::{Vault, evidence::EvidenceFiles},
    query::{Query, service::QueryService},
    records::content::RawItem,
    registry::{Persons, Registry, Role, Sight},
    store::{Position, Store, memory::MemoryStore},
    tls::authority::{self, Authority},
};
use muster_common::{
    delta::{ItemDigest, KeyDigest, Manifest},
    governance::Charter,
    id::AgentId,
    inventory::{
        Chassis, Item, ItemKind, MacAddress, NetworkAdapter, OperatingSystem, Package, SectionName,
        SectionStatus, System,
    },
    time::{Clock, ManualClock, Timestamp},
};
use muster_proto::{
    convert::item_to_wire,
    v1::{self, admin_server::Admin, query_server::Query as _},
};
use prost::Message;
use tempfile::TempDir;
use tonic::{Request, Status};

/// Everything that the services stand on.
pub(crate) struct World {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) index: Arc<Index>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) persons: Persons,
    pub(crate) query: QueryService,
    pub(crate) admin: AdminService,
    pub(crate) records: RecordsService,
    pub(crate) lifecycle: LifecycleService,
    pub(crate) evidence_folder: PathBuf,
    pub(crate) authority: Arc<Authority>,
    _folder: TempDir,
}

/// What an agent says of its machine.
#[derive(Clone)]
pub(crate) struct Laptop {
    pub(crate) agent: AgentId,
    pub(crate) serial: &'static str,
    pub(crate) hostname: &'static str,
    pub(crate) ip: &'static str,
    pub(crate) packages: Vec<(&'static str, &'static str)>,
}

impl Laptop {
    pub(crate) fn new(serial: &'static str, hostname: &'static str, ip: &'static str) -> Self {
        Self { agent: AgentId::random(), serial, hostname, ip, packages: vec![("bash", "5.2-1")] }
    }

    pub(crate) fn items(&self) -> Vec<Item> {
        vec![
            Item::new(ItemKind::System(System {
                manufacturer: Some("LENOVO".to_owned()),
                product_name: Some("20L8S07A14".to_owned()),
                serial: Some(self.serial.to_owned()),
                ..System::default()
            })),
            Item::new(ItemKind::Chassis(Chassis { kind: Some(10), ..Chassis::default() })),
            Item::new(ItemKind::OperatingSystem(Box::new(OperatingSystem {
                id: Some("debian".to_owned()),
                version: Some("13.1".to_owned()),
                hostname: Some(self.hostname.to_owned()),
                ..OperatingSystem::default()
            }))),
            Item::new(ItemKind::NetworkAdapter(NetworkAdapter {
                name: "eth0".to_owned(),
                permanent_mac: Some(MacAddress([0x8c, 0x16, 0x45, 1, 2, self.serial.as_bytes()[2]])),
                mac: Some(MacAddress([0x8c, 0x16, 0x45, 1, 2, self.serial.as_bytes()[2]])),
                addresses: vec![self.ip.parse().unwrap()],
                ..NetworkAdapter::default()
            })),
        ]
    }

    pub(crate) fn software(&self) -> SectionUpdate {
        let items = self.packages.iter().map(|(name, version)| {
            Item::new(ItemKind::Package(Package {
                purl_type: "deb".to_owned(),
                namespace: "debian".to_owned(),
                name: (*name).to_owned(),
                version: (*version).to_owned(),
                architecture: "amd64".to_owned(),
                ..Package::default()
            }))
        });
        section(SectionName::SOFTWARE_DPKG, items)
    }
}

pub(crate) fn section(name: &'static str, items: impl Iterator<Item = Item>) -> SectionUpdate {
    let name = SectionName::known(name);
    let upserts: Vec<RawItem> = items
        .map(|item| {
            let body = item_to_wire(&item).encode_to_vec();
            RawItem {
                key: KeyDigest::of(&item.key()),
                digest: ItemDigest::of(&body, &[]),
                body: body.into(),
                installation: Vec::new().into(),
            }
        })
        .collect();
    let manifest: Manifest = upserts.iter().map(|item| (item.key, item.digest)).collect();
    SectionUpdate {
        result: manifest.digest(&name),
        name,
        status: SectionStatus::Complete,
        base: None,
        upserts,
        removed: Vec::new(),
        errors: Vec::new(),
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::at("2026-11-01".parse().unwrap()));
        let store = Arc::new(MemoryStore::default());
        let index = Arc::new(Index::new());
        let charter = Arc::new(ArcSwap::from_pointee(Charter::default()));
        let pipeline = Arc::new(Pipeline::new(
            store.clone(),
            index.clone(),
            Arc::new(Presence::default()),
            charter,
            clock.clone(),
        ));
        let folder = tempfile::tempdir().unwrap();
        let names = ["localhost".try_into().unwrap()];
        let domain = "test.muster.internal".parse().unwrap();
        let authority =
            authority::init(&folder.path().join("authority"), &domain, &names, clock.now()).unwrap();
        let vault = Arc::new(Vault::open(&folder.path().join("vault")).unwrap());
        let persons = Persons::new(store.clone(), vault);
        let registry = Arc::new(Registry::new(store.clone()));
        let evidence_folder = folder.path().join("evidence");
        let lifecycle = LifecycleService::new(Arc::new(Lifecycle::new(
            pipeline.clone(),
            index.clone(),
            persons.clone(),
            EvidenceFiles::new(evidence_folder.clone(), persons.vault().clone()),
        )));
        let query = Arc::new(Query::new(pipeline.clone(), index.clone(), persons.clone()));
        let admin = AdminService::new(
            pipeline.clone(),
            registry.clone(),
            query.clone(),
            persons.clone(),
            Opener::new(&authority).unwrap(),
            authority.root_pin(),
        );
        let importer = Importer::new(pipeline.clone(), persons.clone());
        let records = RecordsService::new(query.clone(), registry.clone(), importer);
        Self {
            store,
            clock,
            pipeline,
            index,
            registry,
            persons,
            query: QueryService::new(query),
            admin,
            records,
            lifecycle,
            evidence_folder,
            authority: Arc::new(authority),
            _folder: folder,
        }
    }

    /// An hour later, an agent reports hardware, network, system and packages.
    pub(crate) async fn report(&self, laptop: &Laptop) -> Outcome {
        self.clock.advance(Duration::from_secs(3600));
        let speaker =
            Speaker::Agent { agent: laptop.agent, version: "0.1.0".to_owned(), evidence: laptop.items() };
        let now = self.clock.now();
        let mut observation = Observation::first(speaker, now);
        observation.sections = vec![laptop.software()];
        observation.sequence =
            Some(SpoolSequence { epoch: vec![1; 16], sequence: u64::try_from(now.as_millis()).unwrap() });
        self.pipeline.observe(&observation).await.unwrap()
    }

    pub(crate) async fn store_position(&self) -> Position {
        self.store.position().await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A page of devices, as `host` or `model serial`.
    pub(crate) async fn devices(&self, filter: &str) -> Result<Vec<String>, Status> {
        let request = v1::ListDevicesRequest { filter: filter.to_owned(), ..Default::default() };
        let listed = self.query.list_devices(by_alice(request)).await?.into_inner();
        Ok(listed.devices.into_iter().map(|device| device.display_name).collect())
    }

    pub(crate) async fn device(&self, name: &str) -> v1::Device {
        let request = v1::GetDeviceRequest { name: name.to_owned(), as_of: None };
        self.query.get_device(by_alice(request)).await.unwrap().into_inner()
    }

    /// Imports a purchase list as alice.
    pub(crate) async fn import(&self, csv: &str, apply: bool) -> v1::ImportResponse {
        let request = v1::ImportRequest {
            source: "purchase".to_owned(),
            format: "purchase-csv".to_owned(),
            content: csv.as_bytes().to_vec(),
            apply,
            ..Default::default()
        };
        self.admin.import(by_alice(request)).await.unwrap().into_inner()
    }
}

/// A request as it comes through the door.
pub(crate) fn by_alice<T>(message: T) -> Request<T> {
    by("alice", Sight::Everything, message)
}

/// The same from the custodian of a department.
pub(crate) fn by_custodian<T>(department: &str, message: T) -> Request<T> {
    by("kim", Sight::Departments(vec![department.to_owned()]), message)
}

pub(crate) fn by<T>(name: &str, sight: Sight, message: T) -> Request<T> {
    let roles = match &sight {
        Sight::Everything => vec![Role::Admin],
        Sight::Departments(_) => vec![Role::Custodian],
    };
    by_actor(name, roles, sight, message)
}

/// The same from somebody with roles.
pub(crate) fn by_actor<T>(name: &str, roles: Vec<Role>, sight: Sight, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Actor { name: format!("operator/{name}"), roles, sight });
    request
}

/// The value of a field.
pub(crate) fn value<'a>(device: &'a v1::Device, field: &str) -> &'a str {
    device.fields.iter().find(|known| known.field == field).map_or("", |known| &known.value)
}
