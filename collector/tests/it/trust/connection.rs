//! The life of a connection past its handshake: limits, ends, swapped certificates, and gRPC over it.

use std::{net::SocketAddr, time::Duration};

use muster_collector::tls::{
    client_bundle::ClientBundle,
    connection::Connection,
    listener::{Listener, Role},
    peer::Caller,
    profile::Purpose,
    refusal::Reason,
};
use muster_common::trust::name::PeerName;
use muster_proto::client::{
    channel::{self, Timing},
    files::IdentityFiles,
    tls::session_config,
};
use rustls::AlertDescription;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_stream::StreamExt;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::{Bed, NOW, Shown, agent_uri, date, good, limits, localhost, sign};

/// A listener with its accepted connections in hand.
async fn open(bed: &Bed, limits: muster_collector::tls::listener::Limits) -> (Listener, CancellationToken) {
    let stop = CancellationToken::new();
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = Listener::bind(Role::Agents, any_port, &bed.tls, limits, stop.clone()).await.unwrap();
    (listener, stop)
}

async fn connect(bed: &Bed, address: SocketAddr, shown: Shown) -> std::io::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(address).await?;
    let config = std::sync::Arc::new(bed.trusting_nobody_else(Some(shown)));
    TlsConnector::from(config).connect(localhost(), socket).await
}

fn agent(bed: &Bed) -> Shown {
    sign(&good(&agent_uri()), &bed.stolen(Purpose::Agents))
}

/// Both ends of one connection.
async fn pair(bed: &Bed, shown: Shown) -> (TlsStream<TcpStream>, Connection) {
    let (listener, _stop) = open(bed, limits()).await;
    let address = listener.address();
    let tasks = TaskTracker::new();
    let mut connections = listener.accept(&tasks);
    let client = connect(bed, address, shown).await.unwrap();
    let server = connections.next().await.unwrap().unwrap();
    (client, server)
}

#[tokio::test]
async fn closing_a_caller_cuts_its_connection_at_once() {
    let bed = Bed::new();
    let (mut client, mut server) = pair(&bed, agent(&bed)).await;
    client.write_all(b"x").await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'x');
    let caller = server.caller().clone();
    let reading = tokio::spawn(async move { server.read_u8().await });
    caller.closer.cancel();
    let ended = reading.await.unwrap().unwrap_err();
    assert_eq!(ended.kind(), std::io::ErrorKind::ConnectionAborted);
    assert!(client.read_u8().await.is_err());
}

#[tokio::test]
async fn a_connection_ends_with_its_certificate() {
    let bed = Bed::new();
    let mut params = good(&agent_uri());
    params.not_after = date(NOW.after(Duration::from_secs(1)));
    let (_client, mut server) = pair(&bed, sign(&params, &bed.stolen(Purpose::Agents))).await;
    let ended = tokio::time::timeout(Duration::from_secs(20), server.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(ended.kind(), std::io::ErrorKind::ConnectionAborted);
}

#[tokio::test]
async fn one_address_has_its_share_and_silence_does_not_hold_a_place_for_ever() {
    let bed = Bed::new();
    let mut few = limits();
    few.connections_per_address = 2;
    few.handshake_timeout = Duration::from_millis(500);
    let greeter = bed.greeter(Role::Agents, few).await;
    let _silent = [
        TcpStream::connect(greeter.address).await.unwrap(),
        TcpStream::connect(greeter.address).await.unwrap(),
    ];
    assert!(greeter.greeting(bed.trusting_nobody_else(Some(agent(&bed)))).await.is_err());
    greeter.counted(Reason::TooManyFromAddress, 1).await;
    greeter.counted(Reason::Timeout, 2).await;
    let later = greeter.greeting(bed.trusting_nobody_else(Some(agent(&bed)))).await;
    assert!(later.is_ok(), "{later:?}");
}

#[tokio::test]
async fn past_the_limit_of_handshakes_the_next_one_waits_and_gets_in() {
    let bed = Bed::new();
    let mut one = limits();
    one.handshakes = 1;
    one.handshake_timeout = Duration::from_millis(300);
    let greeter = bed.greeter(Role::Agents, one).await;
    let _silent = TcpStream::connect(greeter.address).await.unwrap();
    let heard = greeter.greeting(bed.trusting_nobody_else(Some(agent(&bed)))).await;
    assert!(heard.is_ok(), "{heard:?}");
    assert_eq!(greeter.counters.refused(Reason::Timeout), 1);
}

#[tokio::test]
async fn stopping_ends_handshakes_and_the_stream() {
    let bed = Bed::new();
    let greeter = bed.greeter(Role::Agents, limits()).await;
    let mut silent = TcpStream::connect(greeter.address).await.unwrap();
    assert!(greeter.greeting(bed.trusting_nobody_else(Some(agent(&bed)))).await.is_ok());
    greeter.stop.cancel();
    greeter.tasks.close();
    tokio::time::timeout(Duration::from_secs(1), greeter.tasks.wait()).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(greeter.address).await.is_err());
}

#[tokio::test]
async fn a_new_server_certificate_drops_no_connection() {
    let bed = Bed::new();
    let (listener, _stop) = open(&bed, limits()).await;
    let address = listener.address();
    let tasks = TaskTracker::new();
    let mut connections = listener.accept(&tasks);
    let certificate =
        |stream: &TlsStream<TcpStream>| stream.get_ref().1.peer_certificates().unwrap()[0].clone();

    let mut before = connect(&bed, address, agent(&bed)).await.unwrap();
    let mut server = connections.next().await.unwrap().unwrap();
    let serial = bed.tls.validity().serial.clone();
    bed.tls.reissue().unwrap();
    let after = connect(&bed, address, agent(&bed)).await.unwrap();

    assert_ne!(serial, bed.tls.validity().serial);
    assert_ne!(certificate(&before), certificate(&after));
    before.write_all(b"still here").await.unwrap();
    let mut heard = [0; 10];
    server.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still here");
}

#[tokio::test]
async fn an_operator_s_files_open_a_channel_and_handlers_know_the_caller() {
    let bed = Bed::new();
    let folder = bed.path.with_file_name("alice");
    let name = PeerName::Operator("alice".parse().unwrap());
    let bundle = ClientBundle::make(&bed.authority, &name, NOW).unwrap();
    bundle.write(&folder).unwrap();

    let stop = CancellationToken::new();
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = Listener::bind(Role::Api, any_port, &bed.tls, limits(), stop.clone()).await.unwrap();
    let address = listener.address();
    let connections = listener.accept(&TaskTracker::new());
    let (_reporter, health) = tonic_health::server::health_reporter();
    let (known, mut callers) = tokio::sync::mpsc::unbounded_channel();
    let noting =
        tonic::service::interceptor::InterceptedService::new(health, move |request: tonic::Request<()>| {
            known.send(Caller::of(&request).cloned()).unwrap();
            Ok(request)
        });
    let serving = tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(noting)
            .serve_with_incoming_shutdown(connections, stop.clone().cancelled_owned()),
    );

    let address = format!("localhost:{}", address.port()).parse().unwrap();
    let channel = || {
        let IdentityFiles { identity, roots } = IdentityFiles::read(&folder).unwrap();
        let config = session_config(&roots, identity, bed.clock.clone()).unwrap();
        channel::open(&address, config.into(), Timing::default()).unwrap()
    };
    let opened = channel();
    let mut client = HealthClient::new(opened.channel);
    client.check(HealthCheckRequest::default()).await.unwrap();
    let caller = callers.recv().await.unwrap().unwrap();
    let peer = caller.peer.clone().unwrap();
    assert_eq!(peer.name, name);
    assert_eq!(peer.serial, bundle.validity().serial);
    assert_eq!(peer.certificate_fingerprint, bundle.validity().fingerprint);
    assert_eq!(peer.not_after, bundle.validity().not_after);
    assert_eq!(opened.refusal.get(), None);

    // Thirteen hours later the same files get an alert, and the caller can tell which.
    bed.clock.advance(Duration::from_secs(13 * 60 * 60));
    let opened = channel();
    assert!(HealthClient::new(opened.channel).check(HealthCheckRequest::default()).await.is_err());
    let told = opened.refusal.get();
    assert_eq!(told, Some(rustls::Error::AlertReceived(AlertDescription::CertificateExpired)));

    drop(client);
    stop.cancel();
    serving.await.unwrap().unwrap();
}
