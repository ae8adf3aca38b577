//! What end-to-end tests share: a collector in this process, the endpoints that talk to it over TCP, and an operator who asks and imports.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use muster_agent::report::{EncodedInventory, Held, envelopes, step};
use muster_bench::load::{
    agent::{Agent, Applicant, LoadError, Session},
    door::Door,
    wire::Traffic,
};
use muster_collector::{
    app::{App, places},
    config,
    registry::{
        Role,
        token::{NewToken, TokenKind},
    },
    server::{Addresses, Bound},
    testing::Machine,
    tls::{authority, client_bundle::ClientBundle},
};
use muster_common::{
    inventory::{Inventory, Item, ItemKind, Section, SectionName, SectionStatus},
    time::{Clock, EndpointTime, SystemClock, Timestamp},
    trust::{name::PeerName, token::EnrollmentString},
};
use muster_proto::{
    client::tls::session_config,
    v1::{self, admin_client::AdminClient, query_client::QueryClient},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::{Code, transport::Channel};

const SERVER_NAME: &str = "localhost";
/// More machines than any run has.
const TOKEN_USES: u32 = 50_000;
/// Length of a spool's epoch.
const EPOCH_BYTES: usize = 16;

/// A running collector and its doors.
pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) query: QueryClient<Channel>,
    pub(crate) admin: AdminClient<Channel>,
    pub(crate) addresses: Addresses,
    agents: Door,
    enroll: Door,
    token: EnrollmentString,
    sequence: AtomicU64,
    stop: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
}

/// An installed agent: its certificate and its spool, which an image copies and a moved disk takes along.
#[derive(Clone)]
pub(crate) struct Installed {
    agent: Agent,
    epoch: Vec<u8>,
}

/// A report that was acknowledged, over a session that is still open.
pub(crate) struct Open {
    session: Session,
    /// The device as the collector's Welcome names it.
    pub(crate) device: String,
}

impl Open {
    /// Ends the session; when this returns the collector knows.
    pub(crate) async fn hang_up(self) {
        self.session.hang_up().await;
    }
}

impl World {
    /// Starts a collector in a folder, on ports that the system draws.
    pub(crate) async fn start(folder: &Path, backend: &str) -> Self {
        init(folder, backend);
        let settings = config::read(&folder.join("collector.toml")).unwrap();
        let app = Arc::new(App::open(&settings).await.unwrap());
        let now = SystemClock.now();
        let admin = "admin".parse().unwrap();
        app.registry.set_operator(&admin, &[Role::Admin], &[], "test", now).await.unwrap();
        let bundle = ClientBundle::make(&app.authority, &PeerName::Operator(admin), now).unwrap();
        let stop = CancellationToken::new();
        let bound = Bound::bind(app.clone(), settings, stop.clone()).await.unwrap();
        let addresses = bound.addresses();
        let serving = tokio::spawn(bound.serve());
        let door = |address| Door::new(address, SERVER_NAME, Arc::new(Traffic::default())).unwrap();
        let roots = [app.authority.root().clone()];
        let tls = session_config(&roots, bundle.into_identity().unwrap(), Arc::new(SystemClock)).unwrap();
        let channel = door(addresses.api).open(Arc::new(tls)).await.unwrap();
        let token = make_token(&app, TOKEN_USES, now).await;
        Self {
            addresses,
            query: QueryClient::new(channel.clone()),
            admin: AdminClient::new(channel),
            agents: door(addresses.agents),
            enroll: door(addresses.enroll),
            token,
            sequence: AtomicU64::new(0),
            app,
            stop,
            serving,
        }
    }

    /// Drains it.
    pub(crate) async fn ended(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }

    /// Makes a bulk token that lets in so many machines, as if it were made at a time.
    pub(crate) async fn token(&self, uses: u32, made: Timestamp) -> EnrollmentString {
        make_token(&self.app, uses, made).await
    }

    /// Installs an agent on a machine: it enrols with the bulk token and gets a certificate of its own.
    pub(crate) async fn install(&self, machine: &Machine) -> Installed {
        let number = self.sequence.fetch_add(1, Ordering::Relaxed);
        let evidence = EncodedInventory::new(&inventory(machine)).evidence;
        let applicant = Applicant::new(number, &self.token, evidence).unwrap();
        let agent = applicant.enroll(&self.enroll, &self.token).await.unwrap();
        let mut epoch = vec![0; EPOCH_BYTES];
        epoch[..8].copy_from_slice(&number.to_le_bytes());
        Installed { agent, epoch }
    }

    /// An agent connects, reports an inventory whole and stays.
    pub(crate) async fn try_stay(
        &self,
        installed: &Installed,
        inventory: &Inventory,
    ) -> Result<Open, LoadError> {
        let inventory = EncodedInventory::new(inventory);
        let hello = v1::Hello {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            spool_epoch: installed.epoch.clone(),
            evidence: inventory.evidence.clone(),
            ..v1::Hello::default()
        };
        let (mut session, welcome) = installed.agent.connect(&self.agents, hello).await?;
        let sections =
            inventory.sections.values().filter_map(|section| step(section, &Held::default(), false));
        let sequence = welcome.durable_sequence + 1;
        let envelopes = envelopes(sequence, inventory.observed, sections.map(|step| step.report).collect());
        session.report(envelopes).await?;
        Ok(Open { session, device: format!("devices/{}", welcome.device_id) })
    }

    /// An agent on a machine reports and stays, as it must go: at the first try.
    pub(crate) async fn stay(&self, installed: &Installed, machine: &Machine) -> Open {
        self.try_stay(installed, &inventory(machine)).await.unwrap()
    }

    /// An agent on a machine reports once and hangs up; returns its device.
    pub(crate) async fn report(&self, installed: &Installed, machine: &Machine) -> String {
        let open = self.stay(installed, machine).await;
        let device = open.device.clone();
        open.hang_up().await;
        device
    }

    /// Takes one row of the purchases in, `heading` and `row` with commas; returns what became of it.
    pub(crate) async fn import(&self, heading: &str, row: &str) -> v1::ImportRow {
        self.import_as("purchase", heading, row).await
    }

    /// Takes one row of a list in.
    pub(crate) async fn import_as(&self, list: &str, heading: &str, row: &str) -> v1::ImportRow {
        let request = v1::ImportRequest {
            source: list.to_owned(),
            format: "purchase-csv".to_owned(),
            content: format!("{heading}\n{row}\n").into_bytes(),
            apply: true,
            ..Default::default()
        };
        let answer = self.admin.clone().import(request).await.unwrap().into_inner();
        assert_eq!(answer.rows.len(), 1, "{answer:?}");
        answer.rows.into_iter().next().unwrap()
    }

    /// A device by its name.
    pub(crate) async fn device(&self, name: &str) -> v1::Device {
        let request = v1::GetDeviceRequest { name: name.to_owned(), as_of: None };
        self.query.clone().get_device(request).await.unwrap().into_inner()
    }

    /// How many changes a device's history has, at most a page.
    pub(crate) async fn history(&self, name: &str) -> Vec<v1::HistoryEntry> {
        let request =
            v1::ListDeviceHistoryRequest { parent: name.to_owned(), page_size: 1_000, ..Default::default() };
        self.query.clone().list_device_history(request).await.unwrap().into_inner().entries
    }

    /// The devices that an identifier leads to now.
    pub(crate) async fn lookup(&self, identifier: &str) -> Vec<String> {
        let request = v1::LookupRequest { identifier: identifier.to_owned(), at: None };
        match self.query.clone().lookup(request).await {
            Ok(answer) => answer.into_inner().matches.into_iter().map(|it| it.device).collect(),
            Err(status) if status.code() == Code::NotFound => Vec::new(),
            Err(status) => panic!("{status}"),
        }
    }
}

async fn make_token(app: &App, uses: u32, made: Timestamp) -> EnrollmentString {
    let kind = TokenKind::Bulk { uses };
    let wanted = NewToken { kind, bound_serial: None, hold: false, lifetime: None };
    app.registry.create_token(wanted, app.authority.root_pin(), "test", made).await.unwrap().1
}

fn init(folder: &Path, backend: &str) {
    let data = folder.join("data");
    std::fs::create_dir(&data).unwrap();
    let text = format!(
        "data_dir = {data:?}\ntrust_domain = \"table.muster.internal\"\nserver_names = [\"{SERVER_NAME}\"]\nstore.backend = \"{backend}\"\n\n\
         [listen]\nagents = \"127.0.0.1:0\"\nenroll = \"127.0.0.1:0\"\napi = \"127.0.0.1:0\"\n",
    );
    std::fs::write(folder.join("collector.toml"), text).unwrap();
    let names = [SERVER_NAME.try_into().unwrap()];
    let domain = "table.muster.internal".parse().unwrap();
    authority::init(&data.join(places::AUTHORITY), &domain, &names, SystemClock.now()).unwrap();
}

/// What an agent on a machine finds.
pub(crate) fn inventory(machine: &Machine) -> Inventory {
    let items = machine.items();
    let section = |name: &'static str| Section {
        name: SectionName::known(name),
        status: SectionStatus::Complete,
        items: items.iter().filter(|item| section_of(item) == name).cloned().collect(),
        errors: Vec::new(),
    };
    Inventory {
        collected: Some(EndpointTime::from_millis(SystemClock.now().as_millis())),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        sections: [SectionName::HARDWARE, SectionName::NETWORK, SectionName::OS, SectionName::STORAGE]
            .map(section)
            .into(),
    }
}

fn section_of(item: &Item) -> &'static str {
    match &item.kind {
        ItemKind::Disk(_) => SectionName::STORAGE,
        ItemKind::NetworkAdapter(_) => SectionName::NETWORK,
        ItemKind::OperatingSystem(_) => SectionName::OS,
        ItemKind::Package(_) => SectionName::SOFTWARE_DPKG,
        ItemKind::System(_)
        | ItemKind::Account(_)
        | ItemKind::Battery(_)
        | ItemKind::Cache(_)
        | ItemKind::Certificate(_)
        | ItemKind::CloudInstance(_)
        | ItemKind::Group(_)
        | ItemKind::Listener(_)
        | ItemKind::Login(_)
        | ItemKind::Monitor(_)
        | ItemKind::Neighbour(_)
        | ItemKind::NetworkNeighbours(_)
        | ItemKind::OnboardDevice(_)
        | ItemKind::PciDevice(_)
        | ItemKind::Port(_)
        | ItemKind::PowerSupply(_)
        | ItemKind::Protection(_)
        | ItemKind::Security(_)
        | ItemKind::Service(_)
        | ItemKind::Slot(_)
        | ItemKind::Tpm(_)
        | ItemKind::Usage(_)
        | ItemKind::UsbDevice(_)
        | ItemKind::Volume(_)
        | ItemKind::Baseboard(_)
        | ItemKind::Chassis(_)
        | ItemKind::Firmware(_)
        | ItemKind::Processor(_)
        | ItemKind::Memory(_)
        | ItemKind::MemoryModule(_) => SectionName::HARDWARE,
    }
}

/// The value of a field, empty when nobody reported it.
pub(crate) fn value<'a>(device: &'a v1::Device, field: &str) -> &'a str {
    device.fields.iter().find(|known| known.field == field).map_or("", |known| &known.value)
}

/// Whether a device has a flag.
pub(crate) fn has(device: &v1::Device, code: &str) -> bool {
    device.flags.iter().any(|flag| flag.code == code)
}
