//! Who gets past the handshake, in one table with who does not.

use std::sync::Arc;

use muster_collector::tls::{listener::Role, profile::Purpose, refusal::Reason};
use muster_proto::client::tls::provider;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType};
use rustls::{
    ClientConfig, HandshakeKind,
    client::{ClientSessionMemoryCache, Resumption, danger::ServerCertVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{
    Bed, DAY, NOW, Shown, agent_uri, date, good, limits, localhost, operator_uri, private, sign, trust_domain,
};

/// What must happen to a client.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    In,
    Refused(Reason),
}

fn edited(uri: &str, edit: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = good(uri);
    edit(&mut params);
    params
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().unwrap())
}

/// An authority of somebody else's, whose certificate says all that ours says.
fn impostor(purpose: Purpose) -> Issuer<'static, KeyPair> {
    let params = muster_collector::tls::profile::issuing(purpose, &trust_domain(), NOW).unwrap();
    Issuer::new(params, KeyPair::generate().unwrap())
}

#[tokio::test]
async fn each_certificate_meets_its_fate_at_the_agents_door() {
    use Fate::{In, Refused};

    let bed = Bed::new();
    let ours = bed.stolen(Purpose::Agents);
    let us = agent_uri();
    let by_us = |edit: &dyn Fn(&mut CertificateParams)| Some(sign(&edited(&us, edit), &ours));
    let named = |name: &str| by_us(&|params| params.subject_alt_names = vec![uri(name)]);
    let domain = "spiffe://muster.example.org";
    let id = us.rsplit('/').next().unwrap().to_owned();
    let self_signed = {
        let key = KeyPair::generate().unwrap();
        let certificate = good(&us).self_signed(&key).unwrap();
        (vec![certificate.der().clone()], key)
    };
    let under_an_intermediate = {
        let mut params = good(&us);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        let (chain, key) = sign(&params, &ours);
        let between = Issuer::new(params, key);
        let (mut leaf, leaf_key) = sign(&good(&us), &between);
        leaf.extend(chain);
        (leaf, leaf_key)
    };
    let the_authority_itself = (
        bed.authority.anchors(Purpose::Agents),
        KeyPair::from_pem(&std::fs::read_to_string(bed.path.join("agents-key.pem")).unwrap()).unwrap(),
    );
    let usages = |list: &'static [ExtendedKeyUsagePurpose]| {
        by_us(&|params| params.extended_key_usages = list.to_vec())
    };
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};

    let cases: Vec<(&str, Option<Shown>, Fate)> = vec![
        ("a good agent", Some(sign(&good(&us), &ours)), In),
        ("no certificate", None, Refused(Reason::NoCertificate)),
        (
            "another authority with the same names",
            Some(sign(&good(&us), &impostor(Purpose::Agents))),
            Refused(Reason::Signature),
        ),
        ("self-signed", Some(self_signed), Refused(Reason::UnknownAuthority)),
        ("expired", by_us(&|params| params.not_after = date(NOW.before(DAY / 24))), Refused(Reason::Expired)),
        (
            "not yet valid",
            by_us(&|params| params.not_before = date(NOW.after(DAY / 24))),
            Refused(Reason::NotYetValid),
        ),
        ("no extended key usage", usages(&[]), Refused(Reason::Purpose)),
        ("serverAuth alone", usages(&[ServerAuth]), Refused(Reason::Purpose)),
        ("serverAuth beside clientAuth", usages(&[ClientAuth, ServerAuth]), Refused(Reason::Purpose)),
        ("any usage", usages(&[Any]), Refused(Reason::Purpose)),
        (
            "two URIs",
            by_us(&|params| params.subject_alt_names.push(uri(&operator_uri()))),
            Refused(Reason::Name),
        ),
        (
            "a URI and a DNS name",
            by_us(&|params| params.subject_alt_names.push(dns("localhost"))),
            Refused(Reason::Name),
        ),
        (
            "a DNS name alone",
            by_us(&|params| params.subject_alt_names = vec![dns("localhost")]),
            Refused(Reason::Name),
        ),
        ("no name", by_us(&|params| params.subject_alt_names.clear()), Refused(Reason::Name)),
        (
            "a common name alone",
            by_us(&|params| {
                params.subject_alt_names.clear();
                params.distinguished_name.push(rcgen::DnType::CommonName, us.as_str());
            }),
            Refused(Reason::Name),
        ),
        ("another trust domain", named(&format!("spiffe://other.test/agent/{id}")), Refused(Reason::Name)),
        ("dots", named(&format!("{domain}/agent/../admin/x")), Refused(Reason::Name)),
        ("percent-encoded", named(&us.replacen('-', "%2d", 1)), Refused(Reason::Name)),
        ("upper case", named(&us.to_uppercase().replace("SPIFFE", "spiffe")), Refused(Reason::Name)),
        ("trailing slash", named(&format!("{us}/")), Refused(Reason::Name)),
        ("empty id", named(&format!("{domain}/agent/")), Refused(Reason::Name)),
        ("unknown kind", named(&format!("{domain}/admin/x")), Refused(Reason::Name)),
        (
            "an operator's name by the agents' authority",
            named(&operator_uri()),
            Refused(Reason::WrongListener),
        ),
        (
            "an operator",
            Some(sign(&good(&operator_uri()), &bed.stolen(Purpose::Access))),
            Refused(Reason::UnknownAuthority),
        ),
        (
            "an agent's name by the access authority",
            Some(sign(&good(&us), &bed.stolen(Purpose::Access))),
            Refused(Reason::UnknownAuthority),
        ),
        (
            "an authority as an agent",
            by_us(&|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            Refused(Reason::Certificate),
        ),
        ("the authority itself", Some(the_authority_itself), Refused(Reason::Certificate)),
        ("an authority between, by ours", Some(under_an_intermediate), Refused(Reason::UnknownAuthority)),
    ];
    let greeter = bed.greeter(Role::Agents, limits()).await;
    check(&bed, &greeter, cases).await;
}

#[tokio::test]
async fn each_certificate_meets_its_fate_at_the_operators_door() {
    use Fate::{In, Refused};

    let bed = Bed::new();
    let access = bed.stolen(Purpose::Access);
    let agent = sign(&good(&agent_uri()), &bed.stolen(Purpose::Agents));
    let named = |name: &str| Some(sign(&good(&format!("spiffe://muster.example.org/{name}")), &access));
    let cases = vec![
        ("an operator", named("operator/alice"), In),
        ("a tool", named("service/siem"), In),
        ("a sister", named("collector/c2"), In),
        ("an agent", Some(agent), Refused(Reason::UnknownAuthority)),
        (
            "an agent's name by the access authority",
            Some(sign(&good(&agent_uri()), &access)),
            Refused(Reason::WrongListener),
        ),
        ("no certificate", None, Refused(Reason::NoCertificate)),
        (
            "another authority with the same names",
            Some(sign(&good(&operator_uri()), &impostor(Purpose::Access))),
            Refused(Reason::Signature),
        ),
    ];
    let greeter = bed.greeter(Role::Api, limits()).await;
    check(&bed, &greeter, cases).await;
}

/// Each case alone: who is let in is greeted, who is not learns it by an alert and is counted once, under its reason.
async fn check(bed: &Bed, greeter: &super::Greeter, cases: Vec<(&str, Option<Shown>, Fate)>) {
    for (name, shown, fate) in cases {
        let (accepted, refused) = (greeter.counters.accepted(), greeter.counters.refused_in_all());
        let before = match fate {
            Fate::In => 0,
            Fate::Refused(reason) => greeter.counters.refused(reason),
        };
        let heard = greeter.greeting(bed.trusting_nobody_else(shown)).await;
        match fate {
            Fate::In => {
                assert!(heard.is_ok(), "{name}: {heard:?}");
                assert_eq!(greeter.counters.accepted(), accepted + 1, "{name}");
            }
            Fate::Refused(reason) => {
                assert!(heard.as_ref().is_err_and(|why| why.contains("AlertReceived")), "{name}: {heard:?}");
                greeter.counted(reason, before + 1).await;
                let counted = greeter.counters.refused_in_all();
                assert_eq!(counted, refused + 1, "{name}: {reason:?}");
                assert_eq!(greeter.counters.accepted(), accepted, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn a_certificate_without_its_key_is_refused() {
    let bed = Bed::new();
    let greeter = bed.greeter(Role::Agents, limits()).await;
    let (chain, _key) = sign(&good(&agent_uri()), &bed.stolen(Purpose::Agents));
    let another = provider().key_provider.load_private_key(private(&KeyPair::generate().unwrap())).unwrap();
    let mut config = bed.trusting_nobody_else(None);
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, another)));
    assert!(greeter.greeting(config).await.is_err());
    greeter.counted(Reason::Signature, 1).await;
}

#[tokio::test]
async fn what_is_not_our_tls_is_refused() {
    let bed = Bed::new();
    let mut quick = limits();
    quick.handshake_timeout = std::time::Duration::from_millis(300);
    let greeter = bed.greeter(Role::Agents, quick).await;
    let cases: Vec<(&str, Vec<u8>, Reason)> = vec![
        ("HTTP/1.1", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), Reason::NotTls),
        (
            "HTTP/2 in the clear",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(),
            Reason::NotTls,
        ),
        ("garbage", (0..=255).cycle().skip(91).take(4096).collect(), Reason::NotTls),
        ("a record of 16 MiB", vec![0x16, 3, 3, 0xff, 0xff, 1, 0xff, 0xff, 0xff], Reason::NotTls),
        ("TLS 1.2", client_hello_of_tls_1_2(), Reason::Incompatible),
        ("silence", Vec::new(), Reason::Timeout),
        ("half a greeting", client_hello_of_tls_1_2()[..20].to_vec(), Reason::Timeout),
    ];
    for (name, bytes, reason) in cases {
        let (before, in_all) = (greeter.counters.refused(reason), greeter.counters.refused_in_all());
        let answer = greeter.raw(&bytes).await;
        greeter.counted(reason, before + 1).await;
        assert_eq!(greeter.counters.refused_in_all(), in_all + 1, "{name}");
        // At most an alert comes back: record type 21.
        assert!(answer.is_empty() || answer[0] == 21, "{name}: {answer:?}");
    }
    drop(TcpStream::connect(greeter.address).await.unwrap());
    greeter.counted(Reason::Closed, 1).await;

    let mut http_1 = bed.trusting_nobody_else(Some(sign(&good(&agent_uri()), &bed.stolen(Purpose::Agents))));
    http_1.alpn_protocols = vec![b"http/1.1".to_vec()];
    assert!(greeter.greeting(http_1).await.is_err());
    greeter.counted(Reason::Incompatible, 2).await;

    let good = bed.trusting_nobody_else(Some(sign(&good(&agent_uri()), &bed.stolen(Purpose::Agents))));
    assert!(greeter.greeting(good).await.is_ok());
    assert_eq!(greeter.counters.accepted(), 1);
}

/// A ClientHello that offers TLS 1.2 with a suite of its time and no supported_versions.
fn client_hello_of_tls_1_2() -> Vec<u8> {
    let extensions: &[u8] =
        &[0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3, 0, 23, 0, 0];
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    let mut handshake = vec![1, 0];
    handshake.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    handshake.extend(body);
    let mut record = vec![0x16, 3, 1];
    record.extend(u16::try_from(handshake.len()).unwrap().to_be_bytes());
    record.extend(handshake);
    record
}

#[tokio::test]
async fn a_second_connection_is_never_resumed_so_an_expired_agent_stays_out() {
    let bed = Bed::new();
    let greeter = bed.greeter(Role::Agents, limits()).await;
    let shown = sign(&good(&agent_uri()), &bed.stolen(Purpose::Agents));
    let mut config = bed.trusting_nobody_else(Some(shown));
    config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(8)));
    for _ in 0..3 {
        let socket = TcpStream::connect(greeter.address).await.unwrap();
        let connector = TlsConnector::from(Arc::new(config.clone()));
        let mut stream = connector.connect(localhost(), socket).await.unwrap();
        let mut greeting = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut greeting).await.unwrap();
        assert!(greeting.starts_with("agent/"));
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(stream.get_ref().1.tls13_tickets_received(), 0);
    }
    bed.clock.advance(DAY * 2);
    assert!(greeter.greeting(config).await.is_err());
    greeter.counted(Reason::Expired, 1).await;
}

#[tokio::test]
async fn a_new_agent_is_shown_the_whole_chain() {
    /// Accepts whatever is verified by the real one, and keeps what it was shown.
    #[derive(Debug)]
    struct Keeping(Arc<dyn ServerCertVerifier>, std::sync::Mutex<Vec<Vec<u8>>>);

    impl ServerCertVerifier for Keeping {
        fn verify_server_cert(
            &self,
            end_entity: &rustls::pki_types::CertificateDer<'_>,
            intermediates: &[rustls::pki_types::CertificateDer<'_>],
            server_name: &rustls::pki_types::ServerName<'_>,
            ocsp_response: &[u8],
            now: rustls::pki_types::UnixTime,
        ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
            *self.1.lock().unwrap() = intermediates.iter().map(|der| der.to_vec()).collect();
            self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &rustls::pki_types::CertificateDer<'_>,
            signature: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            self.0.verify_tls12_signature(message, certificate, signature)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &rustls::pki_types::CertificateDer<'_>,
            signature: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            self.0.verify_tls13_signature(message, certificate, signature)
        }

        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            self.0.supported_verify_schemes()
        }
    }

    let bed = Bed::new();
    for (role, shown, expected) in [
        (Role::Enroll, None, 2),
        (Role::Agents, Some(sign(&good(&agent_uri()), &bed.stolen(Purpose::Agents))), 1),
    ] {
        let greeter = bed.greeter(role, limits()).await;
        let root = bed.authority.root().clone();
        let real = muster_proto::client::tls::root_verifier(std::slice::from_ref(&root)).unwrap();
        let keeping = Arc::new(Keeping(real, std::sync::Mutex::default()));
        let identity = shown.map(|(chain, key): Shown| muster_proto::client::tls::ClientIdentity {
            chain,
            key: private(&key),
        });
        let config: ClientConfig =
            muster_proto::client::tls::configure(keeping.clone(), identity, bed.clock.clone()).unwrap();
        assert!(greeter.greeting(config).await.is_ok());
        let chain = keeping.1.lock().unwrap().clone();
        assert_eq!(chain.len(), expected, "{role:?}");
        assert_eq!(chain.last().is_some_and(|last| *last == root.to_vec()), role == Role::Enroll);
    }
}
