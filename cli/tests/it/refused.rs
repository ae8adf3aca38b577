//! What TLS says when it says no, and what the program makes of it: a TLS server with real certificates that judges ours.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use muster_proto::client::tls::provider;
use rcgen::ExtendedKeyUsagePurpose;
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, Stream,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

use crate::program::{Authority, Home, Validity};

/// A server with a certificate of `own` that accepts clients of `clients`; its address.
fn serve(own: &Authority, clients: &Authority, validity: Validity) -> String {
    let (certificate, key) = own.issue(validity, ExtendedKeyUsagePurpose::ServerAuth);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(clients.pem.as_bytes()).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().unwrap();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("localhost:{}", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let config = Arc::clone(&config);
            thread::spawn(move || shake_hands(socket, config));
        }
    });
    address
}

/// Handshakes, then listens until the other end has gone, so that our alert is read before a reset.
fn shake_hands(mut socket: TcpStream, config: Arc<ServerConfig>) {
    let mut connection = ServerConnection::new(config).unwrap();
    let mut buffer = [0u8; 4096];
    while Stream::new(&mut connection, &mut socket).read(&mut buffer).is_ok_and(|count| count > 0) {}
    let _ = connection.write_tls(&mut socket);
    let _ = socket.flush();
    let _ = socket.shutdown(std::net::Shutdown::Write);
    while socket.read(&mut buffer).is_ok_and(|count| count > 0) {}
}

#[test]
fn an_expired_certificate_says_how_to_renew() {
    let authority = Authority::new();
    let address = serve(&authority, &authority, Validity::Good);
    let home = Home::new(&address, &authority, Validity::Expired);
    home.run(&["devices"])
        .check_failed(5, &["your certificate has expired", "renew it", "muster-collector operator NAME"]);
}

#[test]
fn a_certificate_of_another_authority_is_denied() {
    let authority = Authority::new();
    let address = serve(&authority, &Authority::new(), Validity::Good);
    let home = Home::new(&address, &authority, Validity::Good);
    home.run(&["devices"])
        .check_failed(5, &["doesn't accept your certificate", "muster-collector operator NAME"]);
}

#[test]
fn a_collector_under_another_root_is_not_trusted() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let address = serve(&theirs, &ours, Validity::Good);
    let home = Home::new(&address, &ours, Validity::Good);
    home.run(&["devices"]).check_failed(5, &["is not the collector that your configuration trusts"]);
}

#[test]
fn a_collector_with_an_expired_certificate_is_not_used() {
    let authority = Authority::new();
    let address = serve(&authority, &authority, Validity::Expired);
    let home = Home::new(&address, &authority, Validity::Good);
    home.run(&["devices"]).check_failed(4, &["the collector's certificate has expired", "clock"]);
}

#[test]
fn a_collector_of_another_name_is_not_used_unless_the_name_is_given() {
    let authority = Authority::new();
    let address = serve(&authority, &authority, Validity::Good).replace("localhost", "127.0.0.1");
    let home = Home::new(&address, &authority, Validity::Expired);
    home.run(&["devices"]).check_failed(5, &["does not name 127.0.0.1", "server_name"]);
    home.write("config.toml", &format!("address = \"{address}\"\nserver_name = \"localhost\"\n"));
    // Now it is the server that refuses us.
    home.run(&["devices"]).check_failed(5, &["your certificate has expired"]);
}
