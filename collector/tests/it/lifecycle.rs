//! The life of assets over the service itself: each step refused without what it needs and taken with it, nobody decides
//! about their own, and everything stands in the audit.

use std::time::Duration;

use muster_collector::registry::{Role, Sight};
use muster_common::governance::Charter;
use muster_proto::v1::{self, lifecycle_server::Lifecycle};
use tonic::{Code, Request, Status};

use crate::{
    admin::audits,
    world::{Laptop, World, by_actor, by_custodian, value},
};

const SERIAL: &str = "PF0AAAAA";
const ORDER: &str = "PO-7";

fn by<T>(name: &str, role: Role, message: T) -> Request<T> {
    by_actor(name, vec![role], Sight::Everything, message)
}

fn world() -> World {
    let world = World::new();
    let mut charter = Charter::default();
    charter.approvals.insert(Role::Manager, "5000 EUR".parse().unwrap());
    charter.approvals.insert(Role::Technician, "100 EUR".parse().unwrap());
    world.pipeline.set_charter(charter);
    world
}

async fn bought(world: &World) -> String {
    let csv = format!("serial,order_number,price,currency\n{SERIAL},{ORDER},1200,EUR\n");
    world.import(&csv, true).await.rows[0].device.clone()
}

/// A step that is asked for, and its answer.
async fn step(
    world: &World,
    role: Role,
    wish: v1::TransitionRequest,
) -> Result<v1::TransitionResponse, Status> {
    world.clock.advance(Duration::from_secs(60));
    let name = format!("{role}");
    world.lifecycle.transition(by(&name, role, wish)).await.map(tonic::Response::into_inner)
}

fn wish(asset: &str, state: &str) -> v1::TransitionRequest {
    v1::TransitionRequest { asset: asset.to_owned(), state: state.to_owned(), ..Default::default() }
}

/// Refused first, with these words, by the real call and by the dry run alike; nothing is changed.
async fn refused(world: &World, role: Role, wish: v1::TransitionRequest, words: &[&str]) {
    let before = world.device(&wish.asset).await;
    let dry = v1::TransitionRequest { validate_only: true, ..wish.clone() };
    let missing = step(world, role, dry).await.unwrap().missing;
    assert_eq!(missing.len(), words.len(), "{missing:?}");
    let error = step(world, role, wish.clone()).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition, "{error}");
    for word in words {
        assert!(error.message().contains(word), "{word:?} is not in {}", error.message());
        assert!(missing.iter().any(|sentence| sentence.contains(word)), "{word:?} is not in {missing:?}");
    }
    assert_eq!(world.device(&wish.asset).await.fields, before.fields, "a refused step changed something");
}

async fn taken(world: &World, role: Role, wish: v1::TransitionRequest) {
    let dry = v1::TransitionRequest { validate_only: true, ..wish.clone() };
    let response = step(world, role, dry).await.unwrap();
    assert_eq!((response.missing.len(), response.done), (0, false), "{response:?}");
    let response = step(world, role, wish.clone()).await.unwrap();
    assert!(response.done && response.missing.is_empty());
    assert_eq!(value(&world.device(&wish.asset).await, "state"), wish.state);
}

async fn request(world: &World, name: &str, role: Role, cost: &str) -> Result<v1::PurchaseRequest, Status> {
    let message = v1::CreatePurchaseRequestRequest {
        model: "ThinkPad T14".to_owned(),
        cost: cost.to_owned(),
        person: "jo@example.org".to_owned(),
        justification: "Jo Doe starts in March".to_owned(),
        ..Default::default()
    };
    world.lifecycle.create_purchase_request(by(name, role, message)).await.map(tonic::Response::into_inner)
}

async fn decide(world: &World, name: &str, role: Role, id: &str, approve: bool) -> Result<String, Status> {
    let message = v1::DecidePurchaseRequestRequest {
        id: id.to_owned(),
        approve,
        remark: if approve { String::new() } else { "no budget".to_owned() },
    };
    let decided = world.lifecycle.decide_purchase_request(by(name, role, message)).await?;
    Ok(decided.into_inner().state)
}

async fn advance(world: &World, role: Role, id: &str, state: &str, order: &str) -> Result<String, Status> {
    let message = v1::AdvancePurchaseRequestRequest {
        id: id.to_owned(),
        state: state.to_owned(),
        order_number: order.to_owned(),
    };
    let advanced = world.lifecycle.advance_purchase_request(by("pat", role, message)).await?;
    Ok(advanced.into_inner().state)
}

async fn add_evidence(
    world: &World,
    asset: &str,
    kind: &str,
    content: &[u8],
) -> Result<v1::Evidence, Status> {
    world.clock.advance(Duration::from_secs(1));
    let message = v1::AddEvidenceRequest {
        asset: asset.to_owned(),
        kind: kind.to_owned(),
        file_name: "Jo Doe's laptop.pdf".to_owned(),
        content: content.to_vec(),
    };
    world.lifecycle.add_evidence(by("tim", Role::Technician, message)).await.map(tonic::Response::into_inner)
}

async fn hand_over(world: &World, asset: &str, person: &str) -> String {
    let message = v1::CreateHandoverRequest { asset: asset.to_owned(), person: person.to_owned() };
    world.lifecycle.create_handover(by("tim", Role::Technician, message)).await.unwrap().into_inner().code
}

async fn acknowledge(
    world: &World,
    name: &str,
    code: &str,
) -> Result<v1::AcknowledgeHandoverResponse, Status> {
    world.clock.advance(Duration::from_secs(1));
    let message = v1::AcknowledgeHandoverRequest { code: code.to_owned() };
    let sight = Sight::Departments(Vec::new());
    let request = by_actor(name, vec![Role::Employee], sight, message);
    world.lifecycle.acknowledge_handover(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_laptop_lives_its_whole_life_and_no_step_comes_without_its_proof() {
    let world = world();
    // Request: with a justification alone.
    let bare = v1::CreatePurchaseRequestRequest { model: "T14".to_owned(), ..Default::default() };
    let error = world.lifecycle.create_purchase_request(by("eve", Role::Employee, bare)).await.unwrap_err();
    assert!(error.message().contains("--justification"), "{error}");
    assert!(
        request(&world, "rita", Role::Reader, "1200 EUR").await.unwrap_err().message().contains("the role")
    );
    let made = request(&world, "eve", Role::Employee, "1200 EUR").await.unwrap();
    assert_eq!((made.state.as_str(), made.person.as_str()), ("requested", "jo@example.org"));
    let id = made.id.as_str();

    // Approval: by another, whose limit covers it.
    let words = |result: Result<String, Status>| result.unwrap_err().message().to_owned();
    assert!(
        words(advance(&world, Role::Procurement, id, "ordered", ORDER).await)
            .contains("after requested comes approved")
    );
    assert!(
        words(decide(&world, "eve", Role::Manager, id, true).await).contains("nobody approves their own")
    );
    assert!(
        words(decide(&world, "eve", Role::Manager, id, false).await).contains("nobody approves their own")
    );
    assert!(
        words(decide(&world, "tim", Role::Technician, id, true).await).contains("limit covers 1200.00 EUR")
    );
    assert!(words(decide(&world, "ada", Role::Admin, id, true).await).contains("[approvals]"));
    assert_eq!(decide(&world, "max", Role::Manager, id, true).await.unwrap(), "approved");
    assert!(words(decide(&world, "max", Role::Manager, id, true).await).contains("approved already"));

    // Order: with its number.
    assert!(words(advance(&world, Role::Procurement, id, "ordered", "").await).contains("--order"));
    assert!(
        words(advance(&world, Role::Technician, id, "ordered", ORDER).await).contains("the role procurement")
    );
    assert_eq!(advance(&world, Role::Procurement, id, "ordered", ORDER).await.unwrap(), "ordered");
    assert_eq!(advance(&world, Role::Procurement, id, "in-transit", "").await.unwrap(), "in-transit");

    // Receipt: with the purchase record of that order.
    let laptop = Laptop::new(SERIAL, "alpha", "192.0.2.1");
    let device = format!("devices/{}", world.report(&laptop).await.device);
    let asset = device.as_str();
    let for_request = |state: &str| v1::TransitionRequest { request_id: id.to_owned(), ..wish(asset, state) };
    refused(&world, Role::Technician, for_request("received"), &["a purchase record with its serial number"])
        .await;
    assert_eq!(bought(&world).await, device, "the list is of another laptop");
    taken(&world, Role::Technician, for_request("received")).await;
    let get = v1::GetPurchaseRequestRequest { id: id.to_owned() };
    let known =
        world.lifecycle.get_purchase_request(by("eve", Role::Employee, get)).await.unwrap().into_inner();
    assert_eq!((known.state.as_str(), known.assets.as_slice()), ("received", &[device.clone()][..]));
    assert_eq!(value(&world.device(asset).await, "request"), id);

    // Deployment: an owner, who has acknowledged it.
    refused(&world, Role::Procurement, wish(asset, "in-stock"), &["technician, custodian or admin"]).await;
    taken(&world, Role::Technician, wish(asset, "in-stock")).await;
    let deploy = v1::TransitionRequest { owner: "jo@example.org".to_owned(), ..wish(asset, "deployed") };
    refused(&world, Role::Technician, wish(asset, "deployed"), &["--owner", "acknowledgement"]).await;
    refused(&world, Role::Technician, deploy.clone(), &["acknowledgement"]).await;
    let code = hand_over(&world, asset, "jo@example.org").await;
    refused(&world, Role::Technician, deploy.clone(), &["acknowledgement"]).await;
    assert_eq!(acknowledge(&world, "tim", &code).await.unwrap_err().code(), Code::PermissionDenied);
    acknowledge(&world, "jo", &code).await.unwrap();
    assert_eq!(acknowledge(&world, "jo", &code).await.unwrap_err().code(), Code::NotFound, "twice");
    let other = v1::TransitionRequest { owner: "al@example.org".to_owned(), ..wish(asset, "deployed") };
    refused(&world, Role::Technician, other, &["acknowledgement"]).await;
    taken(&world, Role::Technician, deploy.clone()).await;
    assert_eq!(value(&world.device(asset).await, "owner"), "jo@example.org");

    // Repair and back to the same person; the state that was there before is stated anew.
    let repair = v1::TransitionRequest { reason: "display".to_owned(), ..wish(asset, "in-repair") };
    refused(&world, Role::Technician, wish(asset, "in-repair"), &["--reason"]).await;
    taken(&world, Role::Technician, repair).await;
    taken(&world, Role::Technician, wish(asset, "deployed")).await;

    // Retirement, wipe, disposal.
    refused(&world, Role::Technician, wish(asset, "retired"), &["--reason"]).await;
    taken(
        &world,
        Role::Technician,
        v1::TransitionRequest { reason: "old".to_owned(), ..wish(asset, "retired") },
    )
    .await;
    refused(&world, Role::Technician, wish(asset, "wiped"), &["--wipe-method", "wipe-certificate"]).await;
    let overwrite = v1::TransitionRequest { wipe_method: "overwrite".to_owned(), ..wish(asset, "wiped") };
    refused(&world, Role::Technician, overwrite.clone(), &["wipe-certificate"]).await;
    add_evidence(&world, asset, "delivery-note", b"a delivery note").await.unwrap();
    refused(&world, Role::Technician, overwrite.clone(), &["wipe-certificate"]).await;
    let wiped = add_evidence(&world, asset, "wipe-certificate", b"%PDF-1.7 wiped").await.unwrap();
    refused(&world, Role::Finance, overwrite.clone(), &["technician, security or admin"]).await;
    taken(
        &world,
        Role::Technician,
        v1::TransitionRequest { evidence: vec![wiped.hash.clone()], ..overwrite },
    )
    .await;
    refused(&world, Role::Procurement, wish(asset, "disposed"), &["disposal-certificate"]).await;
    refused(&world, Role::Finance, wish(asset, "sold"), &["sale-record"]).await;
    refused(&world, Role::Finance, wish(asset, "returned-to-lessor"), &["leased", "return-receipt"]).await;
    add_evidence(&world, asset, "disposal-certificate", b"%PDF-1.7 shredded").await.unwrap();
    taken(&world, Role::Procurement, wish(asset, "disposed")).await;
    refused(&world, Role::Technician, wish(asset, "deployed"), &["after disposed comes nothing"]).await;
    let known = world.device(asset).await;
    assert_eq!(value(&known, "wipe_evidence"), format!("overwrite sha256:{}", wiped.hash));

    let audits = audits(&world).await;
    for action in [
        "operator/eve request.create",
        "operator/max request.approve",
        "operator/pat request.order",
        "operator/technician asset.received",
        "operator/tim handover.create",
        "operator/jo handover.acknowledge",
        "operator/technician asset.deployed",
        "operator/technician asset.in-repair",
        "operator/technician asset.retired",
        "operator/tim evidence.add",
        "operator/technician asset.wiped",
        "operator/procurement asset.disposed",
    ] {
        assert!(audits.iter().any(|(known, _)| known == action), "{action} is not in {audits:?}");
    }
    let words: String = audits.iter().map(|(_, detail)| detail.as_str()).collect();
    assert!(
        !words.contains("Jo Doe") && !words.contains("example.org"),
        "a name stands in the chain: {words}"
    );
}

#[tokio::test]
async fn a_request_that_was_refused_stays_so_and_employees_see_their_own_alone() {
    let world = world();
    let mine = request(&world, "eve", Role::Employee, "").await.unwrap();
    let other = request(&world, "tim", Role::Technician, "90 EUR").await.unwrap();
    let no_cost = decide(&world, "max", Role::Manager, &mine.id, true).await.unwrap_err();
    assert!(no_cost.message().contains("a cost"), "{no_cost}");
    assert_eq!(decide(&world, "max", Role::Manager, &mine.id, false).await.unwrap(), "refused");
    assert!(
        decide(&world, "max", Role::Manager, &mine.id, true)
            .await
            .unwrap_err()
            .message()
            .contains("make a new one")
    );
    let list = async |name: &str, roles: Vec<Role>, sight: Sight, state: &str| {
        let message =
            v1::ListPurchaseRequestsRequest { state: state.to_owned(), page_size: 1, ..Default::default() };
        let (mut ids, mut page_token) = (Vec::new(), String::new());
        loop {
            let message = v1::ListPurchaseRequestsRequest { page_token, ..message.clone() };
            let request = by_actor(name, roles.clone(), sight.clone(), message);
            let page = world.lifecycle.list_purchase_requests(request).await.unwrap().into_inner();
            ids.extend(page.requests.into_iter().map(|request| request.id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return ids;
            }
        }
    };
    let nothing = Sight::Departments(Vec::new());
    assert_eq!(list("eve", vec![Role::Employee], nothing.clone(), "").await, [mine.id.as_str()]);
    assert_eq!(list("max", vec![Role::Manager], Sight::Everything, "").await.len(), 2);
    assert_eq!(list("max", vec![Role::Manager], Sight::Everything, "requested").await, [other.id.as_str()]);
    let get = v1::GetPurchaseRequestRequest { id: other.id.clone() };
    let hidden = by_actor("eve", vec![Role::Employee], nothing, get);
    assert_eq!(world.lifecycle.get_purchase_request(hidden).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn an_asset_of_another_order_is_not_received() {
    let world = world();
    let made = request(&world, "eve", Role::Employee, "1200 EUR").await.unwrap();
    let asset = bought(&world).await;
    let receive = v1::TransitionRequest { request_id: made.id.clone(), ..wish(&asset, "received") };
    let early = step(&world, Role::Technician, receive.clone()).await.unwrap_err();
    assert!(early.message().contains("has to approve it first"), "{early}");
    decide(&world, "max", Role::Manager, &made.id, true).await.unwrap();
    let early = step(&world, Role::Technician, receive.clone()).await.unwrap_err();
    assert!(early.message().contains("has to be ordered first"), "{early}");
    advance(&world, Role::Procurement, &made.id, "ordered", "PO-8").await.unwrap();
    refused(
        &world,
        Role::Technician,
        receive.clone(),
        &["of order PO-8 (the one that is there is of order PO-7"],
    )
    .await;
    let named = v1::TransitionRequest { order_number: "PO-8".to_owned(), ..wish(&asset, "received") };
    refused(&world, Role::Technician, named.clone(), &["of order PO-8"]).await;
    taken(&world, Role::Technician, v1::TransitionRequest { order_number: "po-7/1".to_owned(), ..named })
        .await;
    // What is here already is not received for another request.
    let again = step(&world, Role::Technician, receive).await.unwrap_err();
    assert!(again.message().contains("received already"), "{again}");
}

#[tokio::test]
async fn of_two_people_at_once_one_takes_the_step() {
    let world = world();
    let asset = bought(&world).await;
    for state in ["received", "in-stock"] {
        taken(&world, Role::Technician, wish(&asset, state)).await;
    }
    let repair = || v1::TransitionRequest { reason: "fan".to_owned(), ..wish(&asset, "in-repair") };
    let spare = || wish(&asset, "in-repair");
    let both = futures_of(
        &world,
        vec![repair(), repair(), v1::TransitionRequest { reason: "x".to_owned(), ..spare() }],
    )
    .await;
    assert_eq!(both.iter().filter(|done| **done).count(), 1, "{both:?}");
}

async fn futures_of(world: &World, wishes: Vec<v1::TransitionRequest>) -> Vec<bool> {
    let mut running = tokio::task::JoinSet::new();
    for (number, wish) in wishes.into_iter().enumerate() {
        let lifecycle = world.lifecycle.clone();
        running.spawn(async move {
            let request = by(&format!("tim{number}"), Role::Technician, wish);
            lifecycle.transition(request).await.is_ok()
        });
    }
    running.join_all().await
}

#[tokio::test]
async fn evidence_comes_back_as_it_was_or_says_why_not() {
    let world = world();
    let asset = bought(&world).await;
    for (content, word) in [
        (&b""[..], "empty"),
        (&b"MZ\x90\0\x03\0\0\0"[..], "neither PDF"),
        (&vec![b'a'; 10 * 1024 * 1024 + 1][..], "10 MiB"),
    ] {
        let refused = add_evidence(&world, &asset, "other", content).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains(word), "{refused}");
    }
    let added = add_evidence(&world, &asset, "wipe-certificate", b"%PDF-1.7 wiped").await.unwrap();
    assert_eq!((added.media_type.as_str(), added.size_bytes), ("application/pdf", 14));
    let get = |hash: &str| v1::GetEvidenceRequest { asset: asset.clone(), hash: hash.to_owned() };
    let read = async |hash: &str| world.lifecycle.get_evidence(by("aud", Role::Auditor, get(hash))).await;
    let found = read(&added.hash).await.unwrap().into_inner();
    assert_eq!(found.content, b"%PDF-1.7 wiped");
    assert_eq!(found.evidence.unwrap().file_name, "Jo Doe's laptop.pdf");
    assert!(audits(&world).await.iter().any(|(action, _)| action == "operator/aud evidence.read"));
    let unknown = "0".repeat(64);
    assert_eq!(read(&unknown).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(read("xyz").await.unwrap_err().code(), Code::InvalidArgument);

    let list = async || {
        let message = v1::ListEvidenceRequest { asset: asset.clone() };
        let listed = world.lifecycle.list_evidence(by("aud", Role::Auditor, message)).await.unwrap();
        listed.into_inner().evidence.into_iter().map(|evidence| evidence.damage).collect::<Vec<_>>()
    };
    assert_eq!(list().await, [""]);
    let path = world.evidence_folder.join(&added.hash[..2]).join(&added.hash);
    std::fs::write(&path, b"something else").unwrap();
    assert_eq!(read(&added.hash).await.unwrap_err().code(), Code::DataLoss);
    assert!(list().await[0].contains("changed since"), "{:?}", list().await);
    std::fs::remove_file(&path).unwrap();
    assert!(list().await[0].contains("not among"), "{:?}", list().await);
}

#[tokio::test]
async fn a_damaged_certificate_proves_nothing() {
    let world = world();
    let asset = bought(&world).await;
    for state in ["received", "retired"] {
        let reason = "old".to_owned();
        taken(&world, Role::Technician, v1::TransitionRequest { reason, ..wish(&asset, state) }).await;
    }
    let added = add_evidence(&world, &asset, "wipe-certificate", b"%PDF-1.7 wiped").await.unwrap();
    let path = world.evidence_folder.join(&added.hash[..2]).join(&added.hash);
    std::fs::write(&path, b"something else").unwrap();
    let wipe = v1::TransitionRequest { wipe_method: "destruction".to_owned(), ..wish(&asset, "wiped") };
    assert_eq!(step(&world, Role::Technician, wipe.clone()).await.unwrap_err().code(), Code::DataLoss);
    add_evidence(&world, &asset, "wipe-certificate", b"%PDF-1.7 wiped").await.unwrap();
    taken(&world, Role::Technician, wipe).await;
}

#[tokio::test]
async fn a_custodian_neither_moves_nor_finds_another_department_s() {
    let world = world();
    let csv = "serial,order_number,department\nPF0AAAAA,PO-7,Sales\nPF0BBBBB,PO-7,IT\n";
    let rows = world.import(csv, true).await.rows;
    let (own, other) = (&rows[0].device, &rows[1].device);
    taken(&world, Role::Technician, wish(own, "received")).await;
    taken(&world, Role::Technician, wish(other, "received")).await;
    let stock = |asset: &str| by_custodian("Sales", wish(asset, "in-stock"));
    assert!(world.lifecycle.transition(stock(own)).await.is_ok());
    let hidden = world.lifecycle.transition(stock(other)).await.unwrap_err();
    let nowhere = format!("devices/{}", muster_common::id::DeviceId::random());
    let nothing = world.lifecycle.transition(stock(&nowhere)).await.unwrap_err();
    let plain =
        |status: &Status, asset: &str| status.message().replace(asset.trim_start_matches("devices/"), "ID");
    assert_eq!(hidden.code(), Code::NotFound);
    assert_eq!(
        plain(&hidden, other),
        plain(&nothing, &nowhere),
        "an error tells what is not there from what is hidden"
    );
    let scan = v1::ScanAuditRequest {
        location: "Berlin".to_owned(),
        tags: vec!["PF0AAAAA".to_owned(), "PF0BBBBB".to_owned()],
        ..Default::default()
    };
    let found = world.lifecycle.scan_audit(by_custodian("Sales", scan)).await.unwrap().into_inner();
    assert_eq!((found.moved, found.unknown), (1, 1));
}

#[tokio::test]
async fn a_physical_audit_tells_what_is_where() {
    let world = world();
    let csv = "serial,company,asset_tag,location\n\
        PF0AAAAA,acme,A1,Berlin\n\
        PF0BBBBB,acme,A2,Hamburg\n\
        PF0CCCCC,acme,A3,Berlin\n\
        PF0DDDDD,acme,A4,Berlin\n";
    let rows = world.import(csv, true).await.rows;
    assert!(rows.iter().all(|row| !row.device.is_empty()), "{rows:?}");
    let scan = async |apply: bool, source: &str| {
        let message = v1::ScanAuditRequest {
            location: "Berlin".to_owned(),
            tags: ["pf0aaaaa", "A2", " A2 ", "", "X-99", "PF0DDDDD"].map(str::to_owned).to_vec(),
            source: source.to_owned(),
            apply,
        };
        world.lifecycle.scan_audit(by("tim", Role::Technician, message)).await
    };
    let before = world.store_position().await;
    let dry = scan(false, "").await.unwrap().into_inner();
    assert_eq!(world.store_position().await, before, "a dry run wrote something");
    assert_eq!((dry.found, dry.moved, dry.missing, dry.unknown, dry.ambiguous), (2, 1, 1, 1, 0), "{dry:?}");
    let missing = dry.results.iter().find(|result| result.outcome() == v1::ScanOutcome::Missing).unwrap();
    assert_eq!(missing.asset, rows[2].device);
    let moved = dry.results.iter().find(|result| result.outcome() == v1::ScanOutcome::Moved).unwrap();
    assert_eq!((moved.tag.as_str(), moved.recorded_location.as_str()), ("A2", "Hamburg"));
    assert_eq!(scan(true, "purchase").await.unwrap_err().code(), Code::InvalidArgument);
    scan(true, "audit-2026").await.unwrap();
    let moved = world.device(&rows[1].device).await;
    assert_eq!(value(&moved, "location"), "Berlin");
    assert!(!value(&moved, "verified").is_empty());
    assert_eq!(value(&world.device(&rows[2].device).await, "verified"), "");
    let again = scan(false, "").await.unwrap().into_inner();
    assert_eq!((again.found, again.moved, again.missing), (3, 0, 1));
    let audits = audits(&world).await;
    let noted = audits.iter().find(|(action, _)| action == "operator/tim asset.scan").unwrap();
    assert_eq!(noted.1, "2 found, 1 moved here, 1 missing, 1 unknown, 0 ambiguous");
}
