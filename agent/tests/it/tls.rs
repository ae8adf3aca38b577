//! Servers that an agent must not trust, over real TCP with real TLS, beside the one that it must.

use std::{net::SocketAddr, sync::Arc};

use muster_agent::{
    credentials::{clock::JudgingClock, identity::root_pin},
    transport::{
        advice::{Advice, advice},
        tls::{PinMismatch, enrollment_config},
    },
};
use muster_common::time::{Clock, ManualClock, Timestamp};
use muster_proto::client::{
    channel::{Refusal, Timing, connect},
    tls::{configure, provider, root_verifier},
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
    date_time_ymd,
};
use rustls::{
    CertificateError, ClientConfig, OtherError, ServerConfig,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// An authority with its certificate.
struct Root {
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A server's chain and its key.
struct Server {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

fn root() -> Root {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Muster root");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let der = params.self_signed(&key).unwrap().der().clone();
    Root { der, issuer: Issuer::new(params, key) }
}

fn server(root: &Root, edit: impl FnOnce(&mut CertificateParams)) -> Server {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::DnsName("localhost".try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = date_time_ymd(2026, 12, 1);
    params.not_after = date_time_ymd(2026, 12, 31);
    edit(&mut params);
    let leaf = params.signed_by(&key, &root.issuer).unwrap().der().clone();
    Server { chain: vec![leaf, root.der.clone()], key }
}

fn clock(text: &str) -> Arc<dyn Clock> {
    Arc::new(ManualClock::at(text.parse::<Timestamp>().unwrap()))
}

/// Serves one connection, and says "hello" if its handshake succeeds.
async fn serve_once(server: Server) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let key = PrivatePkcs8KeyDer::from(server.key.serialize_der()).into();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(server.chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        if let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(socket).await {
            stream.write_all(b"hello").await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    address
}

/// The greeting, or why TLS refused the server.
async fn meet(server: Server, config: ClientConfig) -> Result<String, rustls::Error> {
    let address = serve_once(server).await;
    let address = format!("localhost:{}", address.port()).parse().unwrap();
    let refusal = Refusal::default();
    match connect(&address, Arc::new(config), Timing::default(), refusal.clone()).await {
        Ok(mut stream) => {
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            Ok(text)
        }
        Err(_) => Err(refusal.get().unwrap()),
    }
}

/// What must come of meeting a server.
type Expected = fn(&Result<String, rustls::Error>) -> bool;

fn trusted(met: &Result<String, rustls::Error>) -> bool {
    met.as_ref().is_ok_and(|text| text == "hello")
}

fn no_pinned_root(met: &Result<String, rustls::Error>) -> bool {
    let Err(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(error)))) = met else {
        return false;
    };
    error.downcast_ref::<PinMismatch>().is_some()
}

/// The impostor's root has our root's name, so that it is the signature that gives it away.
fn bad_signature(met: &Result<String, rustls::Error>) -> bool {
    matches!(met, Err(rustls::Error::InvalidCertificate(CertificateError::BadSignature)))
}

fn other_name(met: &Result<String, rustls::Error>) -> bool {
    matches!(met, Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })))
}

fn other_purpose(met: &Result<String, rustls::Error>) -> bool {
    matches!(met, Err(rustls::Error::InvalidCertificate(CertificateError::InvalidPurposeContext { .. })))
}

fn expired(met: &Result<String, rustls::Error>) -> bool {
    matches!(met, Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { .. })))
}

fn not_yet_valid(met: &Result<String, rustls::Error>) -> bool {
    matches!(met, Err(rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext { .. })))
}

#[tokio::test]
async fn a_new_agent_trusts_the_pinned_root_and_nothing_else() {
    let (ours, theirs) = (root(), root());
    let now = clock("2026-12-05");
    let pin = root_pin(&ours.der).unwrap();
    let with_our_root_beside = || {
        let mut forged = server(&theirs, |_| {});
        forged.chain.insert(1, ours.der.clone());
        forged
    };
    let without_the_root = || {
        let mut server = server(&ours, |_| {});
        server.chain.truncate(1);
        server
    };
    let dns = |name: &str| vec![SanType::DnsName(name.try_into().unwrap())];
    let good = || server(&ours, |_| {});
    let judging = |own| -> Arc<dyn Clock> { Arc::new(JudgingClock::new(own)) };
    let told = |own, server_time: &str| -> Arc<dyn Clock> {
        let clock = JudgingClock::new(own);
        clock.heard(server_time.parse().unwrap());
        Arc::new(clock)
    };
    let cases: Vec<(&str, Server, Arc<dyn Clock>, Expected)> = vec![
        ("the collector", good(), now.clone(), trusted),
        (
            "a public authority's certificate for its name",
            server(&theirs, |_| {}),
            now.clone(),
            no_pinned_root,
        ),
        ("the same with our root beside it", with_our_root_beside(), now.clone(), bad_signature),
        ("a chain without the root", without_the_root(), now.clone(), no_pinned_root),
        (
            "another name",
            server(&ours, |params| params.subject_alt_names = dns("other.test")),
            now.clone(),
            other_name,
        ),
        (
            "an agent that plays the collector",
            server(&ours, |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
            now.clone(),
            other_purpose,
        ),
        ("an expired collector", good(), clock("2027-01-02"), expired),
        ("a clock that is behind", good(), clock("2026-11-20"), not_yet_valid),
        ("1970, but the server told the time", good(), told(clock("1970-01-01"), "2026-12-03"), trusted),
        ("2099", good(), judging(clock("2099-01-01")), expired),
    ];
    for (name, server, clock, expected) in cases {
        let met = meet(server, enrollment_config(pin, clock).unwrap()).await;
        assert!(expected(&met), "{name}: {met:?}");
        if let Err(error) = met {
            assert_eq!(advice(&error), Advice::Wait, "{name}");
        }
    }
}

#[tokio::test]
async fn an_enrolled_agent_trusts_the_roots_of_its_bundle_and_nothing_else() {
    let (ours, next, theirs) = (root(), root(), root());
    let config = |roots: &[&Root]| {
        let roots: Vec<_> = roots.iter().map(|root| root.der.clone()).collect();
        configure(root_verifier(&roots).unwrap(), None, clock("2026-12-05")).unwrap()
    };
    let cases: [(&str, Server, ClientConfig, Expected); 4] = [
        ("the collector", server(&ours, |_| {}), config(&[&ours]), trusted),
        ("under the next root", server(&next, |_| {}), config(&[&ours, &next]), trusted),
        ("under a root that went", server(&ours, |_| {}), config(&[&next]), bad_signature),
        ("a stranger", server(&theirs, |_| {}), config(&[&ours, &next]), bad_signature),
    ];
    for (name, server, config, expected) in cases {
        let met = meet(server, config).await;
        assert!(expected(&met), "{name}: {met:?}");
    }
    assert!(root_verifier(&[]).is_err());
}
