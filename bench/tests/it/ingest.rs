//! Twenty devices enrol, report, change, check in and come back after a restart, over TLS with their certificates.

use std::{path::Path, sync::Arc};

use muster_bench::{
    fleet::Shape,
    scenario::{
        ingest::{Reported, Target, Work},
        meter::Meter,
    },
};
use muster_collector::{
    app::{App, places},
    config,
    registry::token::{NewToken, TokenKind},
    server::Bound,
    tls::authority,
};
use muster_common::{
    time::{Clock, SystemClock},
    trust::token::EnrollmentString,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const DEVICES: u64 = 20;

/// A collector in this process.
struct Here {
    target: Target,
    app: Arc<App>,
    stop: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
}

impl Here {
    async fn start(folder: &Path) -> Self {
        let settings = config::read(&folder.join("collector.toml")).unwrap();
        let app = Arc::new(App::open(&settings).await.unwrap());
        let stop = CancellationToken::new();
        let bound = Bound::bind(app.clone(), settings, stop.clone()).await.unwrap();
        let addresses = bound.addresses();
        let meter = Meter::new(std::process::id());
        let target = Target::new(addresses.agents, addresses.enroll, meter).unwrap();
        Self { target, app, stop, serving: tokio::spawn(bound.serve()) }
    }

    async fn token(&self) -> EnrollmentString {
        let wanted = NewToken {
            kind: TokenKind::Bulk { uses: DEVICES as u32 },
            bound_serial: None,
            hold: false,
            lifetime: None,
        };
        let pin = self.app.authority.root_pin();
        self.app.registry.create_token(wanted, pin, "test", SystemClock.now()).await.unwrap().1
    }

    async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }
}

fn init(folder: &Path) {
    let data = folder.join("data");
    std::fs::create_dir(&data).unwrap();
    let text = format!(
        "data_dir = {data:?}\ntrust_domain = \"bench.muster.internal\"\nserver_names = [\"localhost\"]\n\n[listen]\n\
         agents = \"127.0.0.1:0\"\nenroll = \"127.0.0.1:0\"\napi = \"127.0.0.1:0\"\n",
    );
    std::fs::write(folder.join("collector.toml"), text).unwrap();
    let names = ["localhost".try_into().unwrap()];
    let domain = "bench.muster.internal".parse().unwrap();
    authority::init(&data.join(places::AUTHORITY), &domain, &names, SystemClock.now()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tiny_fleet_is_taken_whole_and_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path());
    let shape = Shape { titles: 2_000, packages: 100, ..Shape::default() };
    let work = Work::new(shape, DEVICES, 4);

    let first = Here::start(folder.path()).await;
    let Reported { phases, agents } = work.report(&first.target, first.token().await).await.unwrap();
    let done: Vec<u64> = phases.iter().map(|phase| phase.operations).collect();
    for phase in &phases {
        assert_eq!(phase.failed, 0, "{}: {:?}", phase.name, phase.failures);
    }
    // Enrolled, connected, first devices, strangers, warm ones, these changed, these checked in.
    assert_eq!(done, [20, 20, 2, 10, 8, 8, 8]);
    assert_eq!(first.app.index.read().len(), DEVICES, "devices were merged or split");
    let [cold, strangers, warm] = [2, 3, 4].map(|place| phases[place].new_packages.unwrap());
    assert!(cold > 50.0 && strangers > 50.0 && warm < strangers, "{cold} {strangers} {warm}");
    let [full, changed, checked_in] = [4, 5, 6].map(|place| phases[place].sent_bytes);
    assert!(full > changed && checked_in > 0, "{full} {changed} {checked_in}");
    first.stop().await;

    let second = Here::start(folder.path()).await;
    let idle = work.idle(&second.target, agents).await.unwrap();
    let back = &idle.phases[0];
    assert_eq!((back.operations, back.failed), (DEVICES, 0), "{:?}", back.failures);
    assert_eq!(idle.memory.idle_agents, DEVICES);
    second.stop().await;
}
