//! What operators change, over the service itself.

use muster_collector::store::Store;
use muster_common::time::Clock;
use muster_proto::{
    store::v1 as stored,
    v1::{self, ImportOutcome, admin_server::Admin, create_token_request::Kind},
};
use prost::Message;
use tonic::{Code, Request};

use crate::world::{Laptop, World, by_alice, value};

fn outcomes(response: &v1::ImportResponse) -> Vec<ImportOutcome> {
    response.rows.iter().map(v1::ImportRow::outcome).collect()
}

/// Every byte that the store's log holds.
async fn log(world: &World) -> Vec<u8> {
    let mut bytes = Vec::new();
    for change in world.store.changes(muster_collector::store::Position::START, 100_000).await.unwrap() {
        bytes.extend(change.actor.as_bytes());
        bytes.extend(change.audit.unwrap_or_default());
        for write in change.writes {
            bytes.extend(write.key.as_bytes());
            bytes.extend(write.value.unwrap_or_default());
        }
    }
    bytes
}

pub(crate) async fn audits(world: &World) -> Vec<(String, String)> {
    let changes = world.store.changes(muster_collector::store::Position::START, 100_000).await.unwrap();
    let audit = |bytes: Vec<u8>| stored::Audit::decode(bytes.as_slice()).unwrap();
    changes
        .into_iter()
        .filter_map(|change| Some((change.actor, audit(change.audit?))))
        .map(|(actor, audit)| (format!("{actor} {}", audit.action), audit.detail))
        .collect()
}

#[tokio::test]
async fn tokens_are_made_listed_and_taken_back() {
    let world = World::new();
    let make = async |kind: Option<Kind>, seconds: Option<i64>| {
        let lifetime = seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 });
        let request = v1::CreateTokenRequest { kind, lifetime };
        world.admin.create_token(by_alice(request)).await.map(tonic::Response::into_inner)
    };
    let one = make(Some(Kind::OneTime(v1::OneTime { serial: "PF0".to_owned() })), None).await.unwrap();
    assert!(one.enrolment_string.starts_with("mst1."), "{}", one.enrolment_string);
    let token = one.token.unwrap();
    assert_eq!(
        (token.uses, token.kind.as_str(), token.created_by.as_str()),
        (1, "one-time", "operator/alice")
    );
    let bulk = make(Some(Kind::Bulk(v1::Bulk { uses: 40 })), Some(60)).await.unwrap().token.unwrap();
    let lasts = |token: &v1::Token| {
        token.expire_time.as_ref().unwrap().seconds - token.create_time.as_ref().unwrap().seconds
    };
    assert_eq!((lasts(&token), lasts(&bulk), bulk.uses), (24 * 3600, 60, 40));
    for (kind, seconds) in [
        (None, None),
        (Some(Kind::Bulk(v1::Bulk { uses: 0 })), None),
        (Some(Kind::Bulk(v1::Bulk { uses: u32::MAX })), None),
        (Some(Kind::OneTime(v1::OneTime::default())), Some(0)),
        (Some(Kind::OneTime(v1::OneTime::default())), Some(-1)),
        (Some(Kind::OneTime(v1::OneTime::default())), Some(i64::MAX)),
    ] {
        let refused = make(kind.clone(), seconds).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{kind:?} {seconds:?}");
    }

    let revoke = v1::RevokeTokenRequest { id: bulk.id.clone() };
    let position = world.admin.revoke_token(by_alice(revoke)).await.unwrap().into_inner().position;
    assert!(position.parse::<u64>().unwrap() > 0);
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListTokensRequest { page_size: 1, page_token };
        let page = world.admin.list_tokens(by_alice(request)).await.unwrap().into_inner();
        listed.extend(page.tokens);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|listed| listed.revoked == (listed.id == bulk.id)));
    let unknown = v1::RevokeTokenRequest { id: "0000000000000000".to_owned() };
    assert_eq!(world.admin.revoke_token(by_alice(unknown)).await.unwrap_err().code(), Code::NotFound);
    let secret = one.enrolment_string.split('.').nth(2).unwrap().as_bytes().to_vec();
    assert!(!log(&world).await.windows(secret.len()).any(|window| window == secret));
}

#[tokio::test]
async fn nothing_changes_for_a_call_that_came_past_the_door() {
    let world = World::new();
    let before = world.store.position().await;
    let kind = Some(Kind::OneTime(v1::OneTime::default()));
    let token = Request::new(v1::CreateTokenRequest { kind, lifetime: None });
    assert_eq!(world.admin.create_token(token).await.unwrap_err().code(), Code::PermissionDenied);
    let import = v1::ImportRequest {
        source: "purchase".to_owned(),
        format: "purchase-csv".to_owned(),
        content: b"serial\nPF0AAAAA\n".to_vec(),
        apply: true,
        ..Default::default()
    };
    assert_eq!(world.admin.import(Request::new(import)).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(world.store.position().await, before);
}

#[tokio::test]
async fn a_dry_run_says_what_the_import_then_does() {
    let world = World::new();
    let device = world.report(&Laptop::new("PF0AAAAA", "alpha", "192.0.2.1")).await.device;
    let csv = "serial,owner,price,currency\n\
        PF0AAAAA,Jo Doe,1200.00,EUR\n\
        PF9NEWWW,Al,900,EUR\n\
        ,Nobody,1,EUR\n\
        To be filled by O.E.M.,Nobody,1,EUR\n";
    let before = world.store.position().await;
    let dry = world.import(csv, false).await;
    assert_eq!(world.store.position().await, before, "a dry run wrote something");
    assert_eq!(dry.position, "");
    let done = world.import(csv, true).await;
    let expected = [ImportOutcome::New, ImportOutcome::New, ImportOutcome::Refused, ImportOutcome::Refused];
    assert_eq!(outcomes(&dry), expected);
    assert_eq!(outcomes(&done), expected);
    assert_eq!((done.created, done.updated, done.refused), (2, 0, 2));
    assert_eq!(dry.rows[0].device, format!("devices/{device}"));
    assert!(dry.rows[0].reason.contains("serial"), "{}", dry.rows[0].reason);
    assert_eq!((dry.rows[1].device.as_str(), done.rows[1].device.is_empty()), ("", false));
    assert!(!done.rows[2].reason.is_empty() && !done.rows[3].reason.is_empty());
    assert_eq!(done.position, world.store.position().await.to_string());

    let shown = world.device(&format!("devices/{device}")).await;
    assert_eq!((value(&shown, "owner"), value(&shown, "price")), ("Jo Doe", "1200.00 EUR"));
    assert!(!shown.flags.iter().any(|flag| flag.code == "unknown"));
    let audits = audits(&world).await;
    let expected = (
        "operator/alice import.apply".to_owned(),
        "2 new, 0 updated, 0 unchanged, 0 in conflict, 2 refused".to_owned(),
    );
    assert!(audits.contains(&expected), "{audits:?}");
}

#[tokio::test]
async fn importing_again_changes_nothing() {
    let world = World::new();
    let csv = "serial,owner\nPF0AAAAA,Jo Doe\n,Nobody\n";
    world.import(csv, true).await;
    let (before, devices) = (world.store.position().await, world.devices("").await.unwrap());
    let again = world.import(csv, true).await;
    assert_eq!(outcomes(&again), [ImportOutcome::Unchanged, ImportOutcome::Refused]);
    // That it was imported again is in the audit, and nothing else is written.
    assert_eq!(world.store.position().await, before.next());
    let last = world.store.changes(before, 10).await.unwrap().remove(0);
    assert!(last.writes.is_empty() && last.audit.is_some());
    assert_eq!(world.devices("").await.unwrap(), devices);
}

#[tokio::test]
async fn two_purchases_of_one_serial_are_a_conflict_that_loses_neither() {
    let world = World::new();
    world.import("serial,order_number\nPF0AAAAA,PO-1\n", true).await;
    let second = "serial,order_number\nPF0AAAAA,PO-2\n";
    assert_eq!(outcomes(&world.import(second, false).await), [ImportOutcome::Conflict]);
    let done = world.import(second, true).await;
    assert_eq!((outcomes(&done), done.conflicts), (vec![ImportOutcome::Conflict], 1));
    assert_eq!(world.devices("").await.unwrap().len(), 2);
}

#[tokio::test]
async fn many_rows_are_taken_at_once_and_answered_in_order() {
    let world = World::new();
    let mut csv = "serial,owner\n".to_owned();
    for number in 0..500 {
        csv.push_str(&format!("PF{number:06}X,Person {}\n", number % 50));
    }
    let done = world.import(&csv, true).await;
    assert_eq!(done.created, 500);
    let numbers: Vec<u32> = done.rows.iter().map(|row| row.row).collect();
    assert_eq!(numbers, (2..502).collect::<Vec<_>>());
    assert_eq!(world.devices("owner = \"Person 7\"").await.unwrap().len(), 10);
}

#[tokio::test]
async fn no_personal_value_reaches_the_log() {
    let world = World::new();
    let csv = "serial,owner,owner_email,price,currency\n\
        PF0AAAAA,Jolanta Doe,jolanta@example.org,12,EUR\n\
        ,Refusedina,refusedina@example.org,12,EUR\n\
        PF1BBBBB,Misplaced,x@example.org,Misplacedina,EUR\n";
    let done = world.import(csv, true).await;
    assert_eq!(done.refused, 2);
    let log = log(&world).await;
    for secret in ["Jolanta", "jolanta", "Refusedina", "refusedina", "Misplaced"] {
        assert!(!log.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
    let (mut rows, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListRefusedRowsRequest { page_size: 1, page_token };
        let page = world.admin.list_refused_rows(by_alice(request)).await.unwrap().into_inner();
        rows.extend(page.rows);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    rows.sort_by_key(|row| row.row);
    assert_eq!(rows.iter().map(|row| row.row).collect::<Vec<_>>(), [3, 4]);
    assert!(rows[0].content.contains("Refusedina") && rows[1].reason.contains("price"), "{rows:?}");
    let import_time = rows[0].import_time.as_ref().unwrap().seconds * 1000;
    assert_eq!(import_time, world.clock.now().as_millis());
}

#[tokio::test]
async fn a_bad_file_is_refused_as_a_whole() {
    let world = World::new();
    let import = async |source: &str, format: &str, content: &[u8]| {
        let (source, format, content) = (source.to_owned(), format.to_owned(), content.to_vec());
        let request = v1::ImportRequest { source, format, content, apply: true, ..Default::default() };
        world.admin.import(by_alice(request)).await.unwrap_err()
    };
    for (source, format, content, expected) in [
        ("Purchase!", "purchase-csv", &b"serial\nX\n"[..], "not a source"),
        ("purchase", "xlsx", b"serial\nX\n", "purchase-csv"),
        ("purchase", "purchase-csv", b"", "empty"),
        ("purchase", "purchase-csv", b"colour\nred\n", "which machine"),
    ] {
        let error = import(source, format, content).await;
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().contains(expected), "{}", error.message());
    }
}

#[tokio::test]
async fn agents_are_listed_and_revoked() {
    let world = World::new();
    let laptop = Laptop::new("PF0AAAAA", "alpha", "192.0.2.1");
    let device = world.report(&laptop).await.device;
    let record = stored::Agent {
        id: laptop.agent.as_bytes().to_vec(),
        device_id: device.as_bytes().to_vec(),
        enrolled_ms: 5_000,
        ..stored::Agent::default()
    };
    let key = muster_collector::records::key::agent(laptop.agent);
    let commit = muster_collector::store::Commit {
        kind: "test".to_owned(),
        time: world.clock.now(),
        actor: "test".to_owned(),
        expected: Vec::new(),
        writes: vec![muster_collector::records::put(key, &record)],
        audit: None,
    };
    world.pipeline.records().commit(commit).await.unwrap();

    let list = async || {
        let request = v1::ListAgentsRequest::default();
        world.admin.list_agents(by_alice(request)).await.unwrap().into_inner().agents
    };
    let agent = &list().await[0];
    assert_eq!(agent.agent_id, laptop.agent.to_string());
    assert_eq!(
        (agent.device.as_str(), agent.agent_version.as_str()),
        (&*format!("devices/{device}"), "0.1.0")
    );
    assert!(!agent.revoked && !agent.connected);
    let revoke = async |agent_id: String| {
        let request = v1::RevokeAgentRequest { agent_id, reason: "stolen".to_owned() };
        world.admin.revoke_agent(by_alice(request)).await
    };
    assert!(!revoke(laptop.agent.to_string()).await.unwrap().into_inner().position.is_empty());
    assert!(list().await[0].revoked);
    assert_eq!(revoke("x".to_owned()).await.unwrap_err().code(), Code::InvalidArgument);
    let nobody = muster_common::id::AgentId::random().to_string();
    assert_eq!(revoke(nobody).await.unwrap_err().code(), Code::NotFound);
    assert!(
        audits(&world)
            .await
            .iter()
            .any(|(what, detail)| what == "operator/alice agent.revoke" && detail == "stolen")
    );
    assert!(world.registry.account("operator/alice", world.now()).is_none(), "the door is not this test's");
}
