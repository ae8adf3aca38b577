//! Reports that a person carried here: taken in once, in their order, and by nobody who may not.
//!
//! The files are made by hand, so that they can say what no agent would; `bench` has the same road with the real agent.

use std::time::Duration;

use muster_collector::{
    enroll::service::EnrollmentService,
    pipeline::observation::SectionUpdate,
    store::Store,
    tls::{authority, request::RequestedKey},
};
use muster_common::{
    governance::{AgentSettings, Charter, Privacy},
    id::{AgentId, EnrollmentId},
    time::{EndpointTime, Timestamp},
    trust::{name::PeerName, token::EnrollmentString},
};
use muster_proto::{
    carried::{FORMAT, signed_text},
    convert::{item_to_wire, to_timestamp_endpoint},
    v1::{
        self, ReportOutcome, admin_server::Admin, create_token_request::Kind, enroll_response::Outcome,
        enrollment_server::Enrollment, query_server::Query as _,
    },
};
use prost::Message;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rcgen::{CertificateParams, KeyPair, SigningKey};
use ring::digest::{SHA256, digest};
use tonic::{Code, Request, Status};

use crate::{
    admin::audits,
    world::{Laptop, World, by_alice},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A machine with an enrolled agent, far from any network.
struct Island {
    laptop: Laptop,
    key: KeyPair,
    certificate: Vec<u8>,
}

fn request_of(key: &KeyPair) -> Vec<u8> {
    CertificateParams::default().serialize_request(key).unwrap().der().to_vec()
}

impl Island {
    async fn enrol(world: &World, serial: &'static str) -> Self {
        let request =
            v1::CreateTokenRequest { kind: Some(Kind::OneTime(v1::OneTime::default())), lifetime: None };
        let made = world.admin.create_token(by_alice(request)).await.unwrap().into_inner();
        let token: EnrollmentString = made.enrolment_string.parse().unwrap();
        let (key, mut laptop) = (KeyPair::generate().unwrap(), Laptop::new(serial, "island", "192.0.2.9"));
        let service =
            EnrollmentService::new(world.pipeline.clone(), world.registry.clone(), world.authority.clone());
        let request = v1::EnrollRequest {
            token_id: token.id.to_string(),
            token_secret: token.secret.expose().to_vec(),
            enrollment_id: EnrollmentId::random().to_string(),
            csr: request_of(&key),
            agent_version: "0.1.0".to_owned(),
            evidence: laptop.items().iter().map(item_to_wire).collect(),
        };
        let answer = service.enroll(Request::new(request)).await.unwrap().into_inner();
        let Some(Outcome::Enrolled(enrolled)) = answer.outcome else { panic!("{answer:?}") };
        laptop.agent = enrolled.agent_id.parse().unwrap();
        Self { laptop, key, certificate: enrolled.certificate_chain[0].clone() }
    }

    /// Its report number `sequence`, read at a moment of its own clock.
    fn report(&self, sequence: u64, read: Timestamp) -> v1::CarriedReport {
        v1::CarriedReport {
            agent_version: "0.1.0".to_owned(),
            export_epoch: vec![9; 16],
            sequence,
            observed_time: Some(to_timestamp_endpoint(EndpointTime::from_millis(read.as_millis()))),
            evidence: self.laptop.items().iter().map(item_to_wire).collect(),
            chunks: vec![chunk(sequence, vec![full(self.laptop.software())])],
            ..v1::CarriedReport::default()
        }
    }

    fn sign(&self, report: &v1::CarriedReport) -> Vec<u8> {
        sign(report, &self.key, &self.certificate)
    }
}

fn sign(report: &v1::CarriedReport, key: &KeyPair, certificate: &[u8]) -> Vec<u8> {
    let report = report.encode_to_vec();
    let text = signed_text(digest(&SHA256, &report).as_ref().try_into().unwrap());
    let signed = v1::SignedReport {
        format: FORMAT.to_owned(),
        certificate: certificate.to_vec().into(),
        signature: key.sign(&text).unwrap().into(),
        report: report.into(),
    };
    signed.encode_to_vec()
}

fn full(update: SectionUpdate) -> v1::SectionReport {
    v1::SectionReport {
        section: update.name.as_str().to_owned(),
        status: v1::SectionStatus::from(update.status).into(),
        result_digest: update.result.as_bytes().to_vec(),
        upserts: update
            .upserts
            .into_iter()
            .map(|item| v1::EncodedItem {
                key_digest: item.key.as_bytes().to_vec().into(),
                body: item.body,
                installation: item.installation,
            })
            .collect(),
        ..v1::SectionReport::default()
    }
}

fn chunk(sequence: u64, sections: Vec<v1::SectionReport>) -> v1::Envelope {
    let report = v1::Report { observed_time: None, sections };
    v1::Envelope {
        sequence,
        chunk: 0,
        last_chunk: true,
        codec: v1::Codec::Identity.into(),
        payload: report.encode_to_vec().into(),
    }
}

async fn import(world: &World, content: Vec<u8>) -> Result<v1::ImportReportResponse, Status> {
    let request = v1::ImportReportRequest { content, validate_only: false };
    world.admin.import_report(by_alice(request)).await.map(tonic::Response::into_inner)
}

async fn taken(world: &World, content: Vec<u8>) -> v1::ImportReportResponse {
    let response = import(world, content).await.unwrap();
    assert_eq!(response.outcome(), ReportOutcome::Accepted);
    response
}

/// Refused with this code and these words, and nothing changed.
#[track_caller]
fn check_refused(outcome: Result<v1::ImportReportResponse, Status>, code: Code, words: &str, what: &str) {
    let refused = outcome.expect_err(what);
    assert_eq!(refused.code(), code, "{what}: {refused}");
    assert!(refused.message().contains(words), "{what}: {}", refused.message());
}

async fn packages(world: &World, device: &str) -> Vec<String> {
    let request = v1::GetInventoryRequest { name: device.to_owned() };
    let inventory = world.query.get_inventory(by_alice(request)).await.unwrap().into_inner();
    let items = inventory.sections.into_iter().flat_map(|section| section.items);
    let mut names: Vec<String> = items
        .filter_map(|item| match item.kind {
            Some(v1::item::Kind::Package(package)) => Some(package.name),
            _ => None,
        })
        .collect();
    names.sort();
    names
}

fn millis(time: Option<&prost_types::Timestamp>) -> i64 {
    let time = time.unwrap();
    time.seconds * 1_000 + i64::from(time.nanos) / 1_000_000
}

#[tokio::test]
async fn a_report_is_taken_in_once_and_says_who_brought_it() {
    let world = World::new();
    let mut island = Island::enrol(&world, "PF0AAAAA").await;
    let read = world.now().after(DAY);
    world.clock.advance(3 * DAY);
    island.laptop.packages = vec![("bash", "5.2-1"), ("vim", "9.1")];
    let file = island.sign(&island.report(1, read));

    let before = world.store.position().await;
    let request = v1::ImportReportRequest { content: file.clone(), validate_only: true };
    let dry = world.admin.import_report(by_alice(request)).await.unwrap().into_inner();
    assert_eq!((dry.outcome(), world.store.position().await), (ReportOutcome::Accepted, before));

    let response = taken(&world, file.clone()).await;
    assert_eq!((response.sections, response.items, response.sequence), (1, 2, 1));
    assert_eq!((&response.device, &response.collect_time), (&dry.device, &dry.collect_time));
    assert_eq!(response.agent_id, island.laptop.agent.to_string());
    assert_eq!(packages(&world, &response.device).await, ["bash", "vim"]);
    let (actor, detail) = audits(&world).await.pop().unwrap();
    assert_eq!(actor, format!("operator/alice carrying agent:{} report.carry", island.laptop.agent));
    assert!(detail.starts_with("report 1 of device "), "{detail}");
    let request =
        v1::ListDeviceHistoryRequest { parent: response.device.clone(), page_size: 1, ..Default::default() };
    let history = world.query.list_device_history(by_alice(request)).await.unwrap().into_inner();
    assert!(history.entries[0].actor.starts_with("operator/alice carrying agent:"), "{history:?}");

    let position = world.store.position().await;
    for _ in 0..2 {
        let again = import(&world, file.clone()).await.unwrap();
        assert_eq!(again.outcome(), ReportOutcome::Known);
        assert_eq!(again.device, response.device);
    }
    assert_eq!(world.store.position().await, position, "a replay wrote something");

    // At once, as by an impatient script: one of them is the first.
    let next = island.sign(&island.report(2, world.now()));
    let together = tokio::join!(
        import(&world, next.clone()),
        import(&world, next.clone()),
        import(&world, next.clone()),
        import(&world, next),
    );
    let (a, b, c, d) = together;
    let outcomes = [a, b, c, d].map(|outcome| outcome.unwrap().outcome());
    let accepted = outcomes.iter().filter(|outcome| **outcome == ReportOutcome::Accepted);
    assert_eq!(accepted.count(), 1, "{outcomes:?}");

    // Past the door.
    let request = v1::ImportReportRequest { content: file, validate_only: false };
    let past = world.admin.import_report(Request::new(request)).await.unwrap_err();
    assert_eq!(past.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn whatever_is_changed_or_cut_off_is_refused() {
    let world = World::new();
    let island = Island::enrol(&world, "PF0AAAAA").await;
    let file = island.sign(&island.report(1, world.now()));
    let position = world.store.position().await;
    let mut chance = ChaCha8Rng::seed_from_u64(17);
    for place in 0..file.len() {
        let mut bad = file.clone();
        bad[place] ^= 1 << chance.random_range(0..8);
        let what = format!("byte {place} of {}", file.len());
        check_refused(import(&world, bad).await, Code::InvalidArgument, "", &what);
        if place % 7 == 0 {
            let cut = file[..place].to_vec();
            check_refused(import(&world, cut).await, Code::InvalidArgument, "", &format!("cut at {place}"));
        }
    }
    let more = [file.as_slice(), b"\n"].concat();
    check_refused(import(&world, more).await, Code::InvalidArgument, "copy it again", "something behind it");
    assert_eq!(world.store.position().await, position, "something was written");
    taken(&world, file).await;
}

#[tokio::test]
async fn nobody_reports_who_may_not() {
    let world = World::new();
    let (island, other) = (Island::enrol(&world, "PF0AAAAA").await, Island::enrol(&world, "PF1BBBBB").await);
    let report = island.report(1, world.now());
    let folder = tempfile::tempdir().unwrap();
    let names = ["localhost".try_into().unwrap()];
    let stranger =
        authority::init(&folder.path().join("a"), world.authority.trust_domain(), &names, world.now())
            .unwrap();
    let issue = |authority: &authority::Authority, name: PeerName, key: &KeyPair| {
        let key = RequestedKey::from_der(&request_of(key)).unwrap();
        authority.issue_client(&name, &key, world.now()).unwrap().chain[0].to_vec()
    };
    let own = PeerName::Agent(island.laptop.agent);
    let fresh = KeyPair::generate().unwrap();
    let self_signed = CertificateParams::default().self_signed(&fresh).unwrap().der().to_vec();
    let alice = PeerName::Operator("alice".parse().unwrap());
    let position = world.store.position().await;
    for (what, file, code, words) in [
        (
            "a stranger's authority",
            sign(&report, &island.key, &issue(&stranger, own.clone(), &island.key)),
            Code::InvalidArgument,
            "not issued by this collector",
        ),
        (
            "self-signed",
            sign(&report, &fresh, &self_signed),
            Code::InvalidArgument,
            "not issued by this collector",
        ),
        (
            "an operator",
            sign(&report, &fresh, &issue(&world.authority, alice, &fresh)),
            Code::InvalidArgument,
            "not issued by this collector",
        ),
        (
            "the key of another agent",
            sign(&report, &other.key, &island.certificate),
            Code::InvalidArgument,
            "signature does not fit",
        ),
        (
            "the certificate of another agent",
            sign(&report, &island.key, &other.certificate),
            Code::InvalidArgument,
            "signature does not fit",
        ),
        (
            "an agent that nobody knows",
            sign(&report, &fresh, &issue(&world.authority, PeerName::Agent(AgentId::random()), &fresh)),
            Code::FailedPrecondition,
            "not enrolled here",
        ),
        (
            "a key that was never the agent's",
            sign(&report, &fresh, &issue(&world.authority, own, &fresh)),
            Code::FailedPrecondition,
            "another key",
        ),
    ] {
        check_refused(import(&world, file).await, code, words, what);
    }
    assert_eq!(world.store.position().await, position, "something was written");

    let revoke =
        v1::RevokeAgentRequest { agent_id: island.laptop.agent.to_string(), reason: "stolen".to_owned() };
    world.admin.revoke_agent(by_alice(revoke)).await.unwrap();
    check_refused(import(&world, island.sign(&report)).await, Code::FailedPrecondition, "stolen", "revoked");
    taken(&world, other.sign(&other.report(1, world.now()))).await;
}

#[tokio::test]
async fn an_older_report_changes_nothing() {
    let world = World::new();
    let mut island = Island::enrol(&world, "PF0AAAAA").await;
    world.clock.advance(DAY);
    let old = island.sign(&island.report(2, world.now()));
    island.laptop.packages = vec![("vim", "9.1")];
    let new = island.report(3, world.now());
    let device = taken(&world, island.sign(&new)).await.device;
    check_refused(import(&world, old).await, Code::FailedPrecondition, "number 3 was taken in", "older");
    let twice = v1::CarriedReport { agent_version: "0.1.1".to_owned(), ..new.clone() };
    check_refused(
        import(&world, island.sign(&twice)).await,
        Code::FailedPrecondition,
        "two different",
        "reused",
    );

    // The count was lost, so the clock decides.
    let anew = |read: Timestamp| v1::CarriedReport { export_epoch: vec![8; 16], ..island.report(1, read) };
    let before = anew(world.now().before(DAY));
    let refused = import(&world, island.sign(&before)).await;
    check_refused(refused, Code::FailedPrecondition, "counts its reports anew", "older by the clock");
    assert_eq!(packages(&world, &device).await, ["vim"]);
    world.clock.advance(DAY);
    taken(&world, island.sign(&anew(world.now()))).await;
}

#[tokio::test]
async fn what_the_stream_told_since_is_not_taken_back() {
    let world = World::new();
    let mut island = Island::enrol(&world, "PF0AAAAA").await;
    let spool = |sequence, report: v1::CarriedReport, next, epoch| {
        island_spool(v1::CarriedReport { sequence, ..report }, next, epoch)
    };
    let told = |island: &Island, sequence, next, epoch| {
        let mut report = spool(sequence, island.report(sequence, world.now()), next, epoch);
        report.chunks = vec![chunk(sequence, vec![full(island.laptop.software())])];
        island.sign(&report)
    };
    world.report(&island.laptop).await;
    // The sequence of that report, as the test's world gives it.
    let last = u64::try_from(world.now().as_millis()).unwrap();
    let refused = |file| async { import(&world, file).await };
    let check = |outcome, words, what| check_refused(outcome, Code::FailedPrecondition, words, what);
    check(refused(told(&island, 1, last, 1)).await, "nothing to carry", "before the stream's last report");
    check(
        refused(island.sign(&island.report(1, world.now()))).await,
        "nothing to carry",
        "before any session",
    );
    check(
        refused(told(&island, 1, last, 2)).await,
        "counts its reports anew",
        "of another spool, at the same time",
    );

    island.laptop.packages = vec![("vim", "9.1")];
    world.clock.advance(DAY);
    let device = taken(&world, told(&island, 1, last + 1, 1)).await.device;
    assert_eq!(packages(&world, &device).await, ["vim"]);
    // The stream speaks again, and nothing that was carried before is heard of any more, but for the same one.
    let late = told(&island, 2, last + 1, 1);
    island.laptop.packages = vec![("emacs", "30")];
    world.report(&island.laptop).await;
    assert_eq!(packages(&world, &device).await, ["emacs"]);
    check(refused(late).await, "nothing to carry", "written before the stream spoke");
    world.clock.advance(DAY);
    island.laptop.packages = vec![("nano", "8")];
    taken(&world, told(&island, 3, last, 3)).await;
}

fn island_spool(report: v1::CarriedReport, next: u64, epoch: u8) -> v1::CarriedReport {
    v1::CarriedReport { spool_epoch: vec![epoch; 16], spool_next: next, ..report }
}

#[tokio::test]
async fn a_machine_was_seen_when_it_was_read_and_not_when_the_file_came() {
    let world = World::new();
    let island = Island::enrol(&world, "PF0AAAAA").await;
    let enrolled = world.now();
    world.clock.advance(60 * DAY);
    let read = enrolled.after(10 * DAY);
    let response = taken(&world, island.sign(&island.report(1, read))).await;
    assert_eq!(millis(response.collect_time.as_ref()), read.as_millis());
    let device = world.device(&response.device).await;
    assert_eq!(millis(device.last_seen_time.as_ref()), read.as_millis());
    let silent: Vec<&str> = device.flags.iter().map(|flag| flag.code.as_str()).collect();
    assert!(silent.contains(&"stale") || silent.contains(&"missing"), "{silent:?}");

    // A clock is believed only within what the collector knows by its own.
    let far = "2099-01-01".parse().unwrap();
    for (sequence, claimed, counted) in
        [(2, Timestamp::default(), read), (3, far, world.now()), (4, enrolled, world.now())]
    {
        let response = taken(&world, island.sign(&island.report(sequence, claimed))).await;
        assert_eq!(millis(response.collect_time.as_ref()), counted.as_millis(), "report {sequence}");
        assert_eq!(millis(response.endpoint_time.as_ref()), claimed.as_millis());
    }
    let device = world.device(&response.device).await;
    assert!(!device.flags.iter().any(|flag| flag.code == "stale"), "{:?}", device.flags);
}

#[tokio::test]
async fn a_certificate_may_have_ended_on_the_way_and_not_long_before() {
    let world = World::new();
    let island = Island::enrol(&world, "PF0AAAAA").await;
    world.clock.advance(30 * DAY + 179 * DAY);
    taken(&world, island.sign(&island.report(1, world.now()))).await;
    world.clock.advance(2 * DAY);
    let late = import(&world, island.sign(&island.report(2, world.now()))).await;
    check_refused(late, Code::FailedPrecondition, "enroll --again", "more than 180 days after its end");
}

#[tokio::test]
async fn what_is_told_of_people_must_be_granted_at_this_moment() {
    let world = World::new();
    let island = Island::enrol(&world, "PF0AAAAA").await;
    let grants = |per_user| v1::PrivacyGrants { per_user: Some(per_user), ..v1::PrivacyGrants::default() };
    let grant = |privacy| {
        let agents = AgentSettings { privacy, ..AgentSettings::default() };
        world.pipeline.set_charter(Charter { agents, ..Charter::default() });
    };
    let told = v1::CarriedReport { privacy: Some(grants(true)), ..island.report(1, world.now()) };
    let file = island.sign(&told);
    check_refused(import(&world, file.clone()).await, Code::FailedPrecondition, "per_user", "never granted");
    grant(Privacy { per_user: true, ..Privacy::NONE });
    let device = taken(&world, file).await.device;
    assert_eq!(packages(&world, &device).await, ["bash"]);

    grant(Privacy::NONE);
    let again = v1::CarriedReport { privacy: Some(grants(true)), ..island.report(2, world.now()) };
    check_refused(
        import(&world, island.sign(&again)).await,
        Code::FailedPrecondition,
        "per_user",
        "withdrawn",
    );
    let withheld = v1::CarriedReport {
        privacy: Some(grants(false)),
        chunks: vec![chunk(2, Vec::new())],
        withheld: vec!["software.dpkg".to_owned(), "usage".to_owned()],
        ..island.report(2, world.now())
    };
    taken(&world, island.sign(&withheld)).await;
    assert!(packages(&world, &device).await.is_empty(), "what was withdrawn is still there");
}

#[tokio::test]
async fn a_signature_makes_no_report_harmless() {
    let world = World::new();
    let island = Island::enrol(&world, "PF0AAAAA").await;
    let good = island.report(1, world.now());
    let section = full(island.laptop.software());
    let with = |chunks| v1::CarriedReport { chunks, ..good.clone() };
    let delta = v1::SectionReport { base_digest: Some(vec![1; 32]), ..section.clone() };
    let wrong = v1::SectionReport { result_digest: vec![1; 32], ..section.clone() };
    let bomb = v1::Envelope {
        codec: v1::Codec::Zstd.into(),
        payload: zstd::encode_all(vec![0u8; 64 * 1024 * 1024].as_slice(), 1).unwrap().into(),
        ..chunk(1, Vec::new())
    };
    let open = v1::Envelope { last_chunk: false, ..chunk(1, vec![section.clone()]) };
    let item = item_to_wire(&island.laptop.items()[0]);
    let crowd = v1::CarriedReport { evidence: vec![item; 513], ..good.clone() };
    let position = world.store.position().await;
    for (what, report, words) in [
        ("a difference", with(vec![chunk(1, vec![delta])]), "not whole"),
        ("another digest", with(vec![chunk(1, vec![wrong])]), "digest"),
        ("a bomb", with(vec![bomb]), "larger"),
        ("no end", with(vec![open]), "chunks"),
        ("two reports", with(vec![chunk(1, vec![section.clone()]), chunk(1, vec![section])]), "chunks"),
        ("nothing", with(Vec::new()), "chunks"),
        ("too much evidence", crowd, "evidence"),
        (
            "a section's name",
            v1::CarriedReport { withheld: vec!["../x".to_owned()], ..good.clone() },
            "withheld",
        ),
    ] {
        check_refused(import(&world, island.sign(&report)).await, Code::InvalidArgument, words, what);
    }
    assert_eq!(world.store.position().await, position, "something was written");
    taken(&world, island.sign(&good)).await;
}
