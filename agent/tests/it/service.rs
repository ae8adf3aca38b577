//! Enrolment and the whole service over real TLS, against a collector that lives in the test.

use std::{
    collections::BTreeMap,
    fs,
    net::Ipv6Addr,
    path::{Path, PathBuf},
    pin::Pin,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use muster_agent::{
    collect::collect,
    config::{Collector as Addresses, Proxying, Schedule, Settings},
    credentials::{
        clock::JudgingClock,
        files::{CredentialFiles, Slot},
        identity::root_pin,
    },
    enroll::{EnrollError, Enrolled, Enroller},
    host::{LiveHost, METADATA_ADDRESS},
    sources::SOURCES,
    status::{self, ConnectionState, Status},
    supervisor,
};
use muster_common::{
    governance::Privacy,
    id::{AgentId, DeviceId},
    inventory::SectionName,
    time::SystemClock,
    trust::token::{EnrollmentString, RootPin, TokenId, TokenSecret},
};
use muster_config::LogLevel;
use muster_proto::{
    client::{proxy::Way, tls::provider},
    v1::{self, enroll_response::Outcome, enrollment_server, ingest_server},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, SanType,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, CertificateSigningRequestDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncWriteExt, DuplexStream},
    net::TcpListener,
    process::{Child, Command},
    sync::mpsc,
};
use tokio_rustls::TlsAcceptor;
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status as Refusal, Streaming};

use crate::session::{
    collector::{Collector as Reports, Items},
    items,
};

/// A root that signs servers and agents alike, which is enough for a test of the agent.
pub(crate) struct Root {
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Root {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let der = params.self_signed(&key).unwrap().der().clone();
        Self { der, issuer: Issuer::new(params, key) }
    }

    fn server(&self) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![
            SanType::DnsName("localhost".try_into().unwrap()),
            SanType::IpAddress(Ipv6Addr::LOCALHOST.into()),
        ];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf, self.der.clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }

    pub(crate) fn token(&self) -> EnrollmentString {
        EnrollmentString {
            id: TokenId::from_bytes([7; 8]),
            secret: TokenSecret::from_bytes([8; 32]),
            root_pin: root_pin(&self.der).unwrap(),
        }
    }
}

/// What the collector answers to an enrolment.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Enrol,
    Pending,
    Refuse(tonic::Code),
    Nothing,
}

/// A collector that enrols and takes reports, noting what it gets.
#[derive(Clone)]
pub(crate) struct Collector {
    pub(crate) root: Arc<Root>,
    answer: Answer,
    enrollment_ids: Arc<Mutex<Vec<String>>>,
    pub(crate) reports: Reports,
}

#[tonic::async_trait]
impl enrollment_server::Enrollment for Collector {
    async fn enroll(
        &self,
        request: Request<v1::EnrollRequest>,
    ) -> Result<Response<v1::EnrollResponse>, Refusal> {
        let request = request.into_inner();
        assert_eq!((request.token_id.as_str(), request.token_secret.len()), ("0707070707070707", 32));
        self.enrollment_ids.lock().unwrap().push(request.enrollment_id);
        let outcome = match self.answer {
            Answer::Refuse(code) => return Err(Refusal::new(code, "no\nway")),
            Answer::Nothing => None,
            Answer::Pending => {
                let retry_after = Some(prost_types::Duration { seconds: 90, nanos: 0 });
                Some(Outcome::Pending(v1::PendingApproval { retry_after }))
            }
            Answer::Enrol => {
                let csr = CertificateSigningRequestDer::from(request.csr.as_slice());
                let request = CertificateSigningRequestParams::from_der(&csr).unwrap();
                let certificate = request.signed_by(&self.root.issuer).unwrap();
                Some(Outcome::Enrolled(v1::Enrolled {
                    agent_id: AgentId::random().to_string(),
                    device_id: DeviceId::random().to_string(),
                    certificate_chain: vec![certificate.der().to_vec()],
                    trust_bundle: Some(v1::TrustBundle { version: 1, roots: vec![self.root.der.to_vec()] }),
                    lineage: vec![0],
                }))
            }
        };
        Ok(Response::new(v1::EnrollResponse { outcome }))
    }
}

#[tonic::async_trait]
impl ingest_server::Ingest for Collector {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<v1::SessionResponse, Refusal>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<v1::SessionRequest>>,
    ) -> Result<Response<Self::SessionStream>, Refusal> {
        let (answers, outgoing) = mpsc::channel(4);
        let requests = Box::pin(request.into_inner().map_while(Result::ok));
        tokio::spawn(self.reports.clone().serve(requests, answers));
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }
}

/// Serves over TLS on a port of its own; returns the port.
pub(crate) async fn serve(collector: Collector) -> u16 {
    serve_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), collector).await
}

/// The same on a listener.
pub(crate) async fn serve_on(listener: TcpListener, collector: Collector) -> u16 {
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(collector.root.server()));
    let (connections, incoming) = mpsc::channel::<Result<DuplexStream, std::io::Error>>(4);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(socket).await else { continue };
            let (mut near, far) = tokio::io::duplex(64 * 1024);
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut stream, &mut near).await });
            connections.send(Ok(far)).await.unwrap();
        }
    });
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(enrollment_server::EnrollmentServer::new(collector.clone()))
            .add_service(ingest_server::IngestServer::new(collector))
            .serve_with_incoming(ReceiverStream::new(incoming)),
    );
    port
}

pub(crate) fn collector(answer: Answer) -> Collector {
    let root = Arc::new(Root::new("Muster root"));
    Collector { root, answer, enrollment_ids: Arc::default(), reports: Reports::new([]) }
}

pub(crate) fn enroller(state: &Path, port: u16) -> Enroller {
    Enroller {
        address: format!("localhost:{port}").parse().unwrap(),
        way: Way::Direct,
        clock: Arc::new(JudgingClock::new(Arc::new(SystemClock))),
        files: CredentialFiles::open(state).unwrap(),
        evidence: Vec::new(),
    }
}

#[tokio::test]
async fn enrolling_leaves_an_identity_and_nothing_else() {
    let state = tempfile::tempdir().unwrap();
    let collector = collector(Answer::Enrol);
    let enroller = enroller(state.path(), serve(collector.clone()).await);
    let Enrolled::Now(identity) = enroller.attempt(&collector.root.token()).await.unwrap() else {
        panic!("not enrolled")
    };
    let stored = enroller.files.load(Slot::Current).unwrap().unwrap();
    assert_eq!((stored.agent_id, stored.device_id), (identity.agent_id, identity.device_id));
    let files: Vec<_> =
        fs::read_dir(state.path().join("identity")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["identity.toml"]);
}

#[tokio::test]
async fn a_repeated_try_is_the_same_enrolment() {
    let state = tempfile::tempdir().unwrap();
    let collector = collector(Answer::Pending);
    let enroller = enroller(state.path(), serve(collector.clone()).await);
    for _ in 0..2 {
        let answer = enroller.attempt(&collector.root.token()).await.unwrap();
        assert!(matches!(answer, Enrolled::Pending(wait) if wait == Duration::from_secs(90)), "{answer:?}");
    }
    let ids = collector.enrollment_ids.lock().unwrap();
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn every_failure_says_what_to_do() {
    use tonic::Code;
    let cases = [
        (
            Answer::Refuse(Code::Unauthenticated),
            "refused: noway; make a new enrolment string with muster-collector token create",
        ),
        (Answer::Refuse(Code::AlreadyExists), "used for another machine or key"),
        (Answer::Refuse(Code::Unimplemented), "check collector.enroll"),
        (Answer::Refuse(Code::ResourceExhausted), "can't be reached: it is busy"),
        (Answer::Nothing, "answered nothing"),
    ];
    for (answer, expected) in cases {
        let state = tempfile::tempdir().unwrap();
        let collector = collector(answer.clone());
        let enroller = enroller(state.path(), serve(collector.clone()).await);
        let error = enroller.attempt(&collector.root.token()).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{answer:?}: {error}");
        assert!(enroller.files.load(Slot::Current).unwrap().is_none());
    }
}

#[tokio::test]
async fn another_root_and_a_closed_port_are_told_apart() {
    let state = tempfile::tempdir().unwrap();
    let collector = collector(Answer::Enrol);
    let enroller_here = enroller(state.path(), serve(collector.clone()).await);
    let other = EnrollmentString { root_pin: RootPin::from_digest([0; 32]), ..collector.root.token() };
    let error = enroller_here.attempt(&other).await.unwrap_err();
    assert!(matches!(error, EnrollError::WrongCollector { .. }), "{error:?}");
    assert!(error.to_string().contains("another root than the one that the string names"), "{error}");
    assert!(collector.enrollment_ids.lock().unwrap().is_empty(), "the token was shown to a stranger");

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = enroller(state.path(), closed).attempt(&collector.root.token()).await.unwrap_err();
    assert!(matches!(error, EnrollError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("Connection refused"), "{error}");
}

pub(crate) fn settings(state: &Path, port: u16, token_file: Option<PathBuf>) -> Settings {
    let address = || format!("localhost:{port}").parse().unwrap();
    Settings {
        collector: Addresses { session: address(), enroll: address() },
        state_dir: state.to_owned(),
        token_file,
        schedule: Schedule { interval: Duration::from_secs(3600), jitter_percent: 10 },
        usage_interval: Duration::from_secs(300),
        spool_limit_bytes: 16 * 1024 * 1024,
        disabled_sources: Vec::new(),
        privacy: Privacy::NONE,
        certificate_folders: Vec::new(),
        metadata_address: METADATA_ADDRESS,
        proxying: Proxying::default(),
        log: LogLevel::Info,
    }
}

/// Sections of this machine that hold still while the tests run.
pub(crate) fn still() -> BTreeMap<String, Items> {
    let host = LiveHost::open().unwrap();
    let mut sections = items(&collect(&host, SOURCES, None));
    sections.retain(|name, _| [SectionName::OS, SectionName::SOFTWARE_DPKG].contains(&name.as_str()));
    sections
}

pub(crate) async fn within<T>(seconds: u64, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(seconds), work).await.expect("it took too long")
}

fn read_status(state: &Path) -> Status {
    serde_json::from_str(&fs::read_to_string(state.join(status::FILE)).unwrap()).unwrap()
}

#[tokio::test]
async fn the_service_enrols_reports_drains_and_goes_on_after_a_restart() {
    let state = tempfile::tempdir().unwrap();
    let collector = collector(Answer::Enrol);
    let port = serve(collector.clone()).await;
    let token_file = state.path().join("token");
    muster_proto::private_file::write(&token_file, collector.root.token().reveal().as_bytes()).unwrap();

    for run in 1..=2 {
        let stop = CancellationToken::new();
        let service = tokio::spawn(supervisor::serve(
            settings(state.path(), port, Some(token_file.clone())),
            stop.clone(),
        ));
        within(60, collector.reports.until_sessions(run)).await;
        within(60, collector.reports.until(&still())).await;
        stop.cancel();
        service.await.unwrap().unwrap();
        assert!(!token_file.exists(), "the token is spent");
    }

    let status = read_status(state.path());
    assert_eq!(status.connection.state, ConnectionState::Stopped);
    assert!(status.identity.is_some(), "{status:?}");
    assert_eq!(collector.enrollment_ids.lock().unwrap().len(), 1);
    let full = status.collection.unwrap().sections.len();
    assert_eq!(collector.reports.counts(), (full, 2), "each section once in full, over two sessions");
    let events = status::read_events(state.path()).unwrap();
    let told = |text: &str| events.iter().filter(|event| event.message.contains(text)).count();
    assert_eq!((told("enrolled as agent"), told("stopped")), (1, 2), "{events:?}");
    assert!(told("is safe at the collector") > 0, "{events:?}");
}

#[tokio::test]
async fn without_an_identity_and_a_token_the_service_says_how_to_get_one() {
    let state = tempfile::tempdir().unwrap();
    let result = supervisor::serve(settings(state.path(), 1, None), CancellationToken::new()).await;
    let error = result.unwrap_err().to_string();
    assert!(error.contains("muster-agent enroll --token-file"), "{error}");
    assert!(read_status(state.path()).problem.unwrap().message.contains("not enrolled"));
}

/// The program itself, with a configuration in `folder`.
pub(crate) fn program(folder: &Path, command: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_muster-agent"));
    program.arg(command).arg("--config").arg(folder.join("agent.toml")).stderr(Stdio::inherit());
    program.kill_on_drop(true);
    program
}

/// Enrols by the program, as configured in `folder`.
pub(crate) async fn enrol(folder: &Path, collector: &Collector) {
    let mut enroll = program(folder, "enroll");
    enroll.args(["--token-file", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut enroll = enroll.spawn().unwrap();
    let token = format!("{}\n", collector.root.token().reveal());
    enroll.stdin.take().unwrap().write_all(token.as_bytes()).await.unwrap();
    let printed = enroll.wait_with_output().await.unwrap();
    assert!(printed.status.success());
    assert!(String::from_utf8_lossy(&printed.stdout).starts_with("This machine is enrolled.\n  agent "));
}

/// Ends the service in order.
pub(crate) async fn end(mut service: Child) {
    let pid = rustix::process::Pid::from_raw(service.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = within(15, service.wait()).await.unwrap();
    assert!(ended.success(), "{ended}");
}

#[tokio::test]
async fn killed_again_and_again_the_program_reports_everything_and_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let collector = collector(Answer::Enrol);
    let port = serve(collector.clone()).await;
    fs::write(
        folder.path().join("agent.toml"),
        format!(
            "state_dir = \"state\"\nlog = \"error\"\n[collector]\nsession = \"localhost:{port}\"\nenroll = \"localhost:{port}\"\n"
        ),
    )
    .unwrap();

    enrol(folder.path(), &collector).await;

    // Anywhere between the first file and the last acknowledgement; the collector fails if a sequence comes twice.
    for kill in 0..12 {
        let mut service = program(folder.path(), "run").spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(40 * kill)).await;
        service.kill().await.unwrap();
    }
    let service = program(folder.path(), "run").spawn().unwrap();
    within(60, collector.reports.until(&still())).await;

    end(service).await;
    let mut status = program(folder.path(), "status");
    let printed = status.output().await.unwrap();
    let text = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert!(text.starts_with("service      not running"), "{text}");
    assert!(text.contains("pending      nothing"), "{text}");
}
