//! What people get wrong, end to end: the words that they read, and that nothing is lost on the way.
//!
//! The programs are those that were built beside this test; a case that needs one that isn't there says so and is skipped.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use muster_agent::transport::{
    backoff::Pace,
    dial::{Dial, GrpcDial},
};
use muster_collector::{testing::Machine, tls::client_bundle::ClientBundle};
use muster_common::{
    id::AgentId,
    inventory::{
        ErrorKind, InstallState, Installation, Item, ItemKind, Package, Section, SectionName, SectionStatus,
        SourceError,
    },
    time::{Clock, SystemClock},
    trust::{
        name::PeerName,
        token::{EnrollmentString, RootPin, TokenId, TokenSecret},
    },
};
use muster_proto::{
    client::{
        address::Address,
        channel::{self, Timing},
        tls::session_config,
    },
    v1::{self, session_request::Message},
};

use crate::world::{World, inventory, value};

/// A program that is built beside this test.
fn program(name: &str) -> Option<PathBuf> {
    let here = std::env::current_exe().unwrap();
    let program = here.parent().unwrap().with_file_name(name);
    if !program.exists() {
        eprintln!("skipped: {name} is not built; run cargo build --package {name}");
        return None;
    }
    Some(program)
}

/// Runs a program in a folder, with a text on its standard input.
fn run(program: &Path, folder: &Path, words: &[&str], input: &str) -> Output {
    let mut command = Command::new(program);
    command.args(words).current_dir(folder).env_clear();
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that fails before it reads closes its end.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_string_that_is_not_good_says_why_and_the_next_one_works() {
    let Some(agent) = program("muster-agent") else { return };
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), "memory").await;
    let address = format!("localhost:{}", world.addresses.enroll.port());
    let config = format!(
        "state_dir = \"state\"\n[collector]\nsession = \"localhost:{}\"\nenroll = \"{address}\"\n",
        world.addresses.agents.port()
    );
    fs::write(folder.path().join("agent.toml"), config).unwrap();
    let enroll = |string: String| {
        let (agent, folder) = (agent.clone(), folder.path().to_owned());
        tokio::task::spawn_blocking(move || {
            let words = ["enroll", "--config", "agent.toml", "--token-file", "-"];
            run(&agent, &folder, &words, &string)
        })
    };

    let now = SystemClock.now();
    let good = world.token(1, now).await;
    let stranger = EnrollmentString { root_pin: RootPin::from_digest([7; 32]), ..world.token(1, now).await };
    let unknown = EnrollmentString {
        id: TokenId::from_bytes([7; 8]),
        secret: TokenSecret::from_bytes([7; 32]),
        root_pin: good.root_pin,
    };
    let expired = world.token(1, now.before(Duration::from_secs(30 * 24 * 3600))).await;
    let revoked = world.token(1, now).await;
    world.app.registry.revoke_token(revoked.id, "test", now).await.unwrap();
    let used_up = world.token(0, now).await;
    let refused = |reason: &str| {
        format!(
            "muster-agent: the collector at {address} refused: {reason}; make a new enrolment string with muster-collector token create\n"
        )
    };
    let text = good.reveal();
    for (string, expected) in [
        (
            stranger.reveal(),
            format!(
                "muster-agent: what answers at {address} is not the collector that made this enrolment string: it shows another root than the one that the string names; check collector.enroll, or make a new string with muster-collector token create\n"
            ),
        ),
        (unknown.reveal(), refused("the enrolment token is not known")),
        (expired.reveal(), refused("the enrolment token has expired")),
        (revoked.reveal(), refused("the enrolment token was revoked")),
        (used_up.reveal(), refused("the enrolment token is used up")),
        (text[..text.len() - 9].to_owned(), String::new()),
        (String::new(), String::new()),
    ] {
        let output = enroll(string).await.unwrap();
        let told = errors(&output);
        println!("{}: {told}", output.status);
        assert!(!output.status.success() && output.stdout.is_empty(), "{told}");
        if expected.is_empty() {
            assert!(told.contains("enrolment string"), "{told}");
        } else {
            assert_eq!(told, expected);
        }
    }
    assert_eq!(world.app.index.read().len(), 0, "whoever is refused leaves nothing behind");
    let output = enroll(text).await.unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("This machine is enrolled."));
    world.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_told_from_both_ends() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let ours = World::start(folders[0].path(), "memory").await;
    let other = World::start(folders[1].path(), "memory").await;
    let machine = Machine::laptop(1);
    let installed = ours.install(&machine).await;
    let name = PeerName::Agent(AgentId::random());
    let bundle = ClientBundle::make(&ours.app.authority, &name, SystemClock.now()).unwrap();
    let identity = bundle.into_identity().unwrap();
    let address: Address = format!("localhost:{}", other.addresses.agents.port()).parse().unwrap();
    let hello = v1::SessionRequest { message: Some(Message::Hello(v1::Hello::default())) };

    for (world, expected) in [
        (
            &other,
            "the collector does not know the authority of this agent's certificate; was it set up anew? enrol again",
        ),
        (
            &ours,
            "what answers is not the collector at which this agent enrolled: its certificate is of another authority; check collector.session, or enrol again if the collector was set up anew",
        ),
    ] {
        let roots = [world.app.authority.root().clone()];
        let config = session_config(&roots, identity.clone(), Arc::new(SystemClock)).unwrap();
        let opened = channel::open(&address, Arc::new(config), Timing::default()).unwrap();
        let failure = match GrpcDial::new(opened).dial(hello.clone()).await {
            Ok(mut connection) => {
                tokio_stream::StreamExt::next(&mut connection.incoming).await.unwrap().unwrap_err()
            }
            Err(failure) => failure,
        };
        println!("{}", failure.message);
        assert_eq!(failure.message, expected);
        assert_ne!(failure.pace, Pace::After(Duration::ZERO));
    }
    assert_eq!(other.app.index.read().len(), 0);
    // At home its identity is as good as before.
    ours.report(&installed, &machine).await;
    ours.ended().await;
    other.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_certificate_that_has_expired_says_how_to_renew_it() {
    let Some(muster) = program("muster") else { return };
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), "memory").await;
    let yesterday = SystemClock.now().before(Duration::from_secs(24 * 3600));
    let name = PeerName::Operator("admin".parse().unwrap());
    let operator = folder.path().join("operator");
    ClientBundle::make(&world.app.authority, &name, yesterday).unwrap().write(&operator).unwrap();
    let port = world.addresses.api.port();
    fs::write(operator.join("config.toml"), format!("address = \"localhost:{port}\"\n")).unwrap();
    let words = ["--config", "config.toml", "devices"];
    let output = tokio::task::spawn_blocking(move || run(&muster, &operator, &words, "")).await.unwrap();
    let expected = "error: your certificate has expired\n   do: renew it on the collector's machine: muster-collector operator NAME\n";
    assert_eq!((output.status.code(), errors(&output).as_str()), (Some(5), expected));
    world.ended().await;
}

#[test]
fn a_malformed_configuration_names_file_line_and_key() {
    for (name, file, wrong, expected) in [
        (
            "muster-agent",
            "agent.toml",
            "[schedule]\ninterval = \"often\"\n",
            "agent.toml:2: schedule.interval: ",
        ),
        ("muster-agent", "agent.toml", "state_dir = \"state\"\n[collector\n", "agent.toml:2: "),
        (
            "muster-agent",
            "agent.toml",
            "[collector]\nsesion = \"x:1\"\n",
            "agent.toml:2: collector.sesion: unknown key; did you mean collector.session?",
        ),
        (
            "muster-collector",
            "collector.toml",
            "server_names = [\"localhost\"]\n[listen]\napi = \"nowhere\"\n",
            "collector.toml:3: listen.api: \"nowhere\" is not an address to listen on (write IP:PORT, such as 0.0.0.0:7443)",
        ),
        ("muster-collector", "collector.toml", "data_dir = /var/lib\n", "collector.toml:1: "),
        (
            "muster-collector",
            "collector.toml",
            "[store]\nbackend = \"mysql\"\n",
            "collector.toml:2: store.backend: \"mysql\" is not one of embedded, memory",
        ),
    ] {
        let Some(program) = program(name) else { return };
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(file), wrong).unwrap();
        let output = run(&program, folder.path(), &["check-config", "--config", file], "");
        let told = errors(&output);
        print!("{told}");
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(78), &b""[..]), "{told}");
        assert!(told.lines().any(|line| line.starts_with(expected)), "{expected:?} is not in {told}");
    }
}

#[test]
fn a_source_that_cannot_be_read_is_an_error_of_its_own_and_the_rest_goes_on() {
    let Some(agent) = program("muster-agent") else { return };
    let root = tempfile::tempdir().unwrap();
    // A folder where a file belongs can't be read by anybody, root included.
    fs::create_dir_all(root.path().join("var/lib/dpkg/status")).unwrap();
    fs::create_dir_all(root.path().join("etc")).unwrap();
    fs::write(root.path().join("etc/os-release"), "ID=debian\nVERSION_ID=\"13\"\n").unwrap();
    let words = ["collect", "--output", "json", "--root", root.path().to_str().unwrap()];
    let output = run(&agent, root.path(), &words, "");
    assert!(output.status.success(), "{}", errors(&output));
    let inventory: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let section = |name: &str| {
        let sections = inventory["sections"].as_array().unwrap();
        sections.iter().find(|section| section["name"] == name).unwrap()
    };
    let dpkg = section("software.dpkg");
    println!("{dpkg:#}");
    assert_eq!(dpkg["status"], "SECTION_STATUS_FAILED");
    assert_eq!(dpkg["errors"][0]["subject"], "var/lib/dpkg/status");
    assert_eq!(dpkg["errors"][0]["message"], "var/lib/dpkg/status is a folder, expected a regular file");
    assert_eq!(section("os")["items"][0]["operatingSystem"]["id"], "debian");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fails_takes_nothing_away_at_the_collector() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(folder.path(), "memory").await;
    let machine = Machine::laptop(1);
    let mut inventory = inventory(&machine);
    let package = Package {
        purl_type: "deb".to_owned(),
        name: "bash".to_owned(),
        version: "5.2".to_owned(),
        ..Package::default()
    };
    let item = Item {
        kind: ItemKind::Package(package),
        installation: Some(Installation { state: InstallState::Installed, ..Installation::default() }),
    };
    inventory.sections.push(Section {
        name: SectionName::known(SectionName::SOFTWARE_DPKG),
        status: SectionStatus::Complete,
        items: vec![item],
        errors: Vec::new(),
    });
    let installed = world.install(&machine).await;
    let open = world.try_stay(&installed, &inventory).await.unwrap();
    let name = open.device.clone();
    open.hang_up().await;

    // Later the package database can't be read, and the machine has another name.
    let software = inventory.sections.last_mut().unwrap();
    software.status = SectionStatus::Failed;
    software.items.clear();
    software.errors = vec![SourceError {
        subject: "/var/lib/dpkg/status".to_owned(),
        kind: ErrorKind::NotPermitted,
        message: "permission denied".to_owned(),
    }];
    for item in inventory.sections.iter_mut().flat_map(|section| &mut section.items) {
        if let ItemKind::OperatingSystem(system) = &mut item.kind {
            system.hostname = Some("renamed".to_owned());
        }
    }
    let open = world.try_stay(&installed, &inventory).await.unwrap();
    assert_eq!(open.device, name);
    open.hang_up().await;
    let device = world.device(&name).await;
    assert_eq!((device.software_count, value(&device, "hostname")), (1, "renamed"));
    let request = v1::GetInventoryRequest { name };
    let told = world.query.clone().get_inventory(request).await.unwrap().into_inner();
    let section = told.sections.iter().find(|section| section.name == SectionName::SOFTWARE_DPKG).unwrap();
    assert_eq!((section.status(), section.items.len()), (v1::SectionStatus::Failed, 1));
    assert_eq!(section.errors[0].message, "permission denied");
    world.ended().await;
}
