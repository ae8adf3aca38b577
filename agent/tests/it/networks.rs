//! Networks as they are: proxies that ask, refuse or hang, IPv6 alone, and TLS that somebody inspects.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use muster_agent::{
    config::{self, Settings},
    credentials::files::CredentialFiles,
    enroll::{EnrollError, Enrolled, Enroller},
    status::{self, Status},
    supervisor,
    transport::backoff::Pace,
};
use muster_proto::{
    client::proxy::{Proxy, Way},
    private_file,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

use crate::service::{Answer, Root, collector, enroller, serve, serve_on, settings, still, within};

/// `jo:pass word`, as RFC 7617 has it.
const LOGIN: &str = "jo:pass word";
const LOGIN_ENCODED: &str = "am86cGFzcyB3b3Jk";

/// What a proxy does with a CONNECT.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// Makes the tunnel.
    Tunnel,
    /// Makes it for who has the password.
    Ask,
    /// Answers this and closes.
    Say(&'static str),
    /// Takes the connection and says nothing.
    Hang,
}

/// A proxy, and the heads of the requests that it got.
struct TestProxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl TestProxy {
    async fn start(manner: Manner) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), manner)
    }

    fn on(listener: TcpListener, manner: Manner) -> Self {
        let proxy = Self { address: listener.local_addr().unwrap(), heads: Arc::default() };
        let heads = proxy.heads.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve_connect(socket, manner, heads.clone()));
            }
        });
        proxy
    }

    fn way(&self, credentials: Option<&Path>) -> Way {
        Way::Proxy(Arc::new(Proxy {
            address: self.address.to_string().parse().unwrap(),
            credentials_file: credentials.map(Path::to_owned),
        }))
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn serve_connect(mut socket: TcpStream, manner: Manner, heads: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = socket.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    heads.lock().unwrap().push(head.clone());
    let is_known = head.contains(&format!("\r\nProxy-Authorization: Basic {LOGIN_ENCODED}\r\n"));
    match manner {
        Manner::Hang => {
            std::future::pending::<()>().await;
        }
        Manner::Say(answer) => {
            let _ = socket.write_all(answer.as_bytes()).await;
        }
        Manner::Ask if !is_known => {
            let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n<html>";
            let _ = socket.write_all(answer.as_bytes()).await;
        }
        Manner::Tunnel | Manner::Ask => {
            let target = head.split(' ').nth(1).unwrap();
            let mut server = TcpStream::connect(target).await.unwrap();
            socket.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").await.unwrap();
            let _ = copy_bidirectional(&mut socket, &mut server).await;
        }
    }
}

fn login(folder: &Path, text: &str) -> std::path::PathBuf {
    let path = folder.join("proxy-credentials");
    private_file::write(&path, text.as_bytes()).unwrap();
    path
}

/// Settings as a file says them, so that its keys are tried too.
fn with_proxy(folder: &Path, port: u16, proxy: &TestProxy) -> Settings {
    let text = format!(
        "state_dir = \"state\"\ntoken_file = \"token\"\n[collector]\nsession = \"localhost:{port}\"\nenroll = \"localhost:{port}\"\n\
         [proxy]\nurl = \"http://{}\"\ncredentials_file = \"proxy-credentials\"\n",
        proxy.address
    );
    fs::write(folder.join("agent.toml"), text).unwrap();
    config::read(&folder.join("agent.toml")).unwrap()
}

#[tokio::test]
async fn enrolment_and_session_go_through_a_proxy_that_asks_for_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let (collector, proxy) = (collector(Answer::Enrol), TestProxy::start(Manner::Ask).await);
    let port = serve(collector.clone()).await;
    login(folder.path(), &format!("{LOGIN}\n"));
    private_file::write(&folder.path().join("token"), collector.root.token().reveal().as_bytes()).unwrap();

    let stop = CancellationToken::new();
    let service = tokio::spawn(supervisor::serve(with_proxy(folder.path(), port, &proxy), stop.clone()));
    within(60, collector.reports.until(&still())).await;
    stop.cancel();
    within(20, service).await.unwrap().unwrap();

    let heads = proxy.heads();
    assert_eq!(heads.len(), 2, "once to enrol, once for the session: {heads:?}");
    for head in heads {
        assert!(
            head.starts_with(&format!("CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}\r\n"))
        );
    }
    let told = fs::read_to_string(folder.path().join("state").join(status::FILE)).unwrap();
    assert!(!told.contains("pass word") && !told.contains(LOGIN_ENCODED), "{told}");
}

/// What an enrolment through a proxy fails with; the collector must hear nothing of it.
async fn refused(manner: Manner, credentials: Option<&str>) -> EnrollError {
    let state = tempfile::tempdir().unwrap();
    let (collector, proxy) = (collector(Answer::Enrol), TestProxy::start(manner).await);
    let port = serve(collector.clone()).await;
    let file = credentials.map(|text| login(state.path(), text));
    let enroller = Enroller { way: proxy.way(file.as_deref()), ..enroller(state.path(), port) };
    let error = enroller.attempt(&collector.root.token()).await.unwrap_err();
    assert!(enroller.files.load(muster_agent::credentials::files::Slot::Current).unwrap().is_none());
    error
}

/// An error with its causes.
fn in_words(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", in_words(cause)),
        None => error.to_string(),
    }
}

#[tokio::test]
async fn a_proxy_that_makes_no_tunnel_says_what_to_do() {
    let forbidden = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let eager = "HTTP/1.1 200 OK\r\n\r\n\u{16}\u{3}\u{3}";
    // An endless header is cut off; it is no answer.
    let endless: &'static str = Box::leak(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(20_000)).into());
    for (manner, credentials, expected, pace) in [
        (Manner::Ask, None, "asks for a user name and password: put user:password into a file", Pace::Slow),
        (Manner::Ask, Some("jo:wrong"), "does not accept the user name and password of /", Pace::Slow),
        (Manner::Ask, Some("no colon"), "does not hold user:password in one line", Pace::Slow),
        (Manner::Say(forbidden), None, "it answers 403: allow CONNECT to localhost:", Pace::Slow),
        (Manner::Say("SSH-2.0-OpenSSH_9\r\n"), None, "is no HTTP proxy; check proxy.url", Pace::Slow),
        (Manner::Say(""), None, "is no HTTP proxy; check proxy.url", Pace::Slow),
        (Manner::Say(eager), None, "is no HTTP proxy; check proxy.url", Pace::Slow),
        (Manner::Say(endless), None, "is no HTTP proxy; check proxy.url", Pace::Slow),
    ] {
        let error = within(10, refused(manner, credentials)).await;
        let text = in_words(&error);
        assert!(text.contains(expected), "{manner:?}, {credentials:?}: {text}");
        assert!(text.starts_with("the collector at localhost:"), "{text}");
        assert!(!text.contains("wrong") && !text.contains("no colon"), "a password is in {text}");
        assert_eq!(error.pace(), pace, "{text}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let state = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gone = TestProxy { address: closed, heads: Arc::default() };
    let enroller = Enroller { way: gone.way(None), ..enroller(state.path(), 9) };
    let error = enroller.attempt(&collector(Answer::Enrol).root.token()).await.unwrap_err();
    let text = in_words(&error);
    assert!(text.contains(&format!("the proxy {closed} can't be reached: Connection refused")), "{text}");
    assert_eq!(error.pace(), Pace::Normal, "it may come back any moment");
}

// The clock stands still and leaps while nothing else happens, so that nobody waits for the real time limit.
#[tokio::test(start_paused = true)]
async fn a_proxy_that_hangs_is_given_up_on() {
    let begun = tokio::time::Instant::now();
    let error = refused(Manner::Hang, None).await;
    let text = in_words(&error);
    assert!(text.contains("the proxy 127.0.0.1:") && text.ends_with("does not answer"), "{text}");
    assert!(begun.elapsed() <= Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_network_with_ipv6_alone_is_enough() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        eprintln!("skipped: there is no IPv6 here");
        return;
    };
    let collector = collector(Answer::Enrol);
    let port = serve_on(listener, collector.clone()).await;
    let proxy = TestProxy::on(TcpListener::bind("[::1]:0").await.unwrap(), Manner::Tunnel);
    // By its address in brackets, by a name that has other addresses too, and through a proxy.
    for (host, way) in [("[::1]", Way::Direct), ("localhost", Way::Direct), ("[::1]", proxy.way(None))] {
        let mut resolved = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await.unwrap();
        if !resolved.any(|address| address.is_ipv6()) {
            eprintln!("skipped: {host} has no IPv6 address here");
            continue;
        }
        let state = tempfile::tempdir().unwrap();
        let address = format!("{host}:{port}").parse().unwrap();
        let enroller = Enroller { address, way, ..enroller(state.path(), port) };
        let enrolled = within(10, enroller.attempt(&collector.root.token())).await.unwrap();
        assert!(matches!(enrolled, Enrolled::Now(_)), "{host}: {enrolled:?}");
    }
    assert!(
        proxy.heads()[0].starts_with(&format!("CONNECT [::1]:{port} HTTP/1.1\r\n")),
        "{:?}",
        proxy.heads()
    );
}

/// A box that ends TLS and signs for every name.
async fn inspection() -> u16 {
    let root = Arc::new(Root::new("Acme Web Gateway CA\u{1b}[2J"));
    let mut collector = collector(Answer::Enrol);
    collector.root = root;
    serve(collector).await
}

#[tokio::test]
async fn inspected_tls_is_named_when_enrolling() {
    let state = tempfile::tempdir().unwrap();
    let port = inspection().await;
    let enroller = enroller(state.path(), port);
    let error = enroller.attempt(&collector(Answer::Enrol).root.token()).await.unwrap_err();
    let expected = format!(
        "the certificate of localhost:{port} was re-signed by \"Acme Web Gateway CA[2J\"; exempt localhost:{port} from TLS inspection"
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(matches!(error, EnrollError::Resigned(_)), "{error:?}");
}

#[tokio::test]
async fn inspected_tls_is_named_in_the_status_and_the_agent_keeps_its_identity() {
    let state = tempfile::tempdir().unwrap();
    let ours = collector(Answer::Enrol);
    let enrolling = enroller(state.path(), serve(ours.clone()).await);
    let Enrolled::Now(identity) = enrolling.attempt(&ours.root.token()).await.unwrap() else { panic!() };

    let port = inspection().await;
    let stop = CancellationToken::new();
    let service = tokio::spawn(supervisor::serve(settings(state.path(), port, None), stop.clone()));
    let problem = within(30, async {
        loop {
            let text = fs::read_to_string(state.path().join(status::FILE)).unwrap_or_default();
            let status = serde_json::from_str::<Status>(&text).unwrap_or_default();
            if let Some(problem) = status.problem {
                return problem.message;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    stop.cancel();
    within(20, service).await.unwrap().unwrap();
    assert!(problem.contains("was re-signed by \"Acme Web Gateway CA"), "{problem}");
    assert!(problem.contains(&format!("exempt localhost:{port} from TLS inspection")), "{problem}");
    let files = CredentialFiles::open(state.path()).unwrap();
    let kept = files.load(muster_agent::credentials::files::Slot::Current).unwrap().unwrap();
    assert_eq!(kept.agent_id, identity.agent_id);
}
