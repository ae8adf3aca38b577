//! The audit log through its service, and its evidence packs under the hands of somebody who wants them to say something
//! else. The packs are real ones and the check is the script that auditors get, run by the Python that they have.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use muster_collector::{
    audit::{AuditLog, Signer, service::AuditService},
    store::Store,
};
use muster_common::audit::{AuditDigest, Head, SignedHead, Walk, link};
use muster_proto::{
    convert::{audit_entry_from_wire, audit_entry_to_wire},
    json,
    v1::{
        self, AuditPackLine, admin_server::Admin, audit_pack_line::Line, audit_server::Audit,
        create_token_request::Kind, export_audit_pack_request::Scope,
    },
};
use tempfile::TempDir;
use tokio_stream::StreamExt;
use tonic::{Code, Request};

use crate::world::{Laptop, World, by_alice};

/// A world with an audit log, and what was done in it.
struct Audited {
    world: World,
    audit: AuditService,
    log: Arc<AuditLog>,
    folder: TempDir,
    device: String,
}

impl Audited {
    async fn new() -> Self {
        let world = World::new();
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(AuditLog::new(world.store.clone(), signer(folder.path()), world.clock.clone()));
        let mut laptop = Laptop::new("PF1AAAAA", "anna", "192.0.2.1");
        let device = world.report(&laptop).await.device;
        world.report(&Laptop::new("PF2BBBBB", "bert", "192.0.2.2")).await;
        for (hour, version) in ["5.2-2", "5.2-3", "5.2-4"].into_iter().enumerate() {
            laptop.packages = vec![("bash", version)];
            world.report(&laptop).await;
            token(&world, hour).await;
        }
        world.import("Serial;Model;Order\nPF1AAAAA;ThinkPad;1001\nPF9ZZZZZ;ThinkPad;1002\n", true).await;
        for hour in 3..6 {
            token(&world, hour).await;
        }
        let audit = AuditService::new(log.clone());
        Self { world, audit, log, folder, device: format!("devices/{device}") }
    }

    async fn head(&self) -> SignedHead {
        self.log.sign_head().await.unwrap()
    }

    async fn export(&self, scope: Scope) -> Vec<AuditPackLine> {
        let request = by_alice(v1::ExportAuditPackRequest { scope: Some(scope) });
        let stream = self.audit.export_audit_pack(request).await.unwrap().into_inner();
        stream.collect::<Result<_, _>>().await.unwrap()
    }

    /// The numbers of the entries that a question finds, newest first, and the token of the next page.
    async fn list(&self, request: v1::ListAuditEntriesRequest) -> (Vec<String>, String) {
        let found = self.audit.list_audit_entries(Request::new(request)).await.unwrap().into_inner();
        let told = found.entries.iter().map(|entry| format!("{} {}", entry.number, entry.action));
        (told.collect(), found.next_page_token)
    }
}

fn signer(folder: &Path) -> Signer {
    Signer::open(folder, "test.muster.internal".parse().unwrap()).unwrap()
}

async fn token(world: &World, hour: usize) {
    let kind = Some(Kind::OneTime(v1::OneTime { serial: format!("PF{hour}") }));
    world.admin.create_token(by_alice(v1::CreateTokenRequest { kind, lifetime: None })).await.unwrap();
}

#[tokio::test]
async fn entries_are_listed_newest_first_by_who_what_and_when() {
    let audited = Audited::new().await;
    let all = audited.list(v1::ListAuditEntriesRequest::default()).await.0;
    assert!(all.iter().filter(|told| told.ends_with("token.create")).count() == 6, "{all:?}");
    let numbers: Vec<u64> = all.iter().map(|told| told.split(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).rev().collect::<Vec<_>>());

    let by = |actor: &str| v1::ListAuditEntriesRequest { actor: actor.to_owned(), ..Default::default() };
    let alices = audited.list(by("alice")).await.0;
    assert_eq!(audited.list(by("operator/alice")).await.0, alices);
    assert!(alices.len() >= 7);
    assert!(audited.list(by("mallory")).await.0.is_empty());

    let mut paged = Vec::new();
    let mut token = String::new();
    loop {
        let request = v1::ListAuditEntriesRequest { page_size: 2, page_token: token, ..by("alice") };
        let (page, next) = audited.list(request).await;
        assert!(page.len() <= 2);
        paged.extend(page);
        if next.is_empty() {
            break;
        }
        token = next;
    }
    assert_eq!(paged, alices);

    let target = v1::ListAuditEntriesRequest { target: "purchase".to_owned(), ..Default::default() };
    assert_eq!(audited.list(target).await.0.len(), 1);
    let from_now = v1::ListAuditEntriesRequest {
        start_time: Some(muster_proto::convert::to_timestamp(audited.world.now())),
        ..Default::default()
    };
    assert!(audited.list(from_now).await.0.len() < all.len());
    let wrong = v1::ListAuditEntriesRequest { page_token: "x".to_owned(), ..Default::default() };
    let refused = audited.audit.list_audit_entries(Request::new(wrong)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn the_log_is_walked_to_its_head_and_agrees_with_what_is_kept() {
    let audited = Audited::new().await;
    let head = audited.head().await;
    head.verify().unwrap();
    let mut walk = Walk::begin();
    let mut compared = 0;
    loop {
        let request = v1::WalkAuditLogRequest { after_number: walk.number() };
        let page = audited.audit.walk_audit_log(Request::new(request)).await.unwrap().into_inner();
        assert_eq!(page.problems, [""; 0]);
        compared += page.compared_changes;
        if page.entries.is_empty() {
            assert_eq!(page.waiting_changes, 0, "the head accounts for everything");
            break;
        }
        for entry in page.entries {
            walk.step(&audit_entry_from_wire(entry).unwrap()).unwrap();
        }
    }
    assert_eq!((walk.number(), walk.hash()), (head.head.number, head.head.hash));
    assert_eq!(compared, audited.world.store.position().await.number());
    assert_eq!(audited.head().await.head.number, head.head.number, "a head of the same log adds no entry");
}

#[tokio::test]
async fn an_asset_that_never_was_has_no_pack() {
    let audited = Audited::new().await;
    let scope = Some(Scope::Asset("devices/00000000-0000-4000-8000-000000000000".to_owned()));
    let request = by_alice(v1::ExportAuditPackRequest { scope });
    let mut stream = audited.audit.export_audit_pack(request).await.unwrap().into_inner();
    assert_eq!(stream.next().await.unwrap().unwrap_err().code(), Code::NotFound);
    for scope in [None, Some(Scope::Asset("anna".to_owned()))] {
        let request = by_alice(v1::ExportAuditPackRequest { scope });
        let refused = audited.audit.export_audit_pack(request).await.err().unwrap();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
}

/// The script that auditors get, if this machine has a Python to run it with.
struct Script {
    folder: TempDir,
    key: String,
}

impl Script {
    #[expect(clippy::print_stdout, reason = "says what was skipped")]
    fn new(key: String) -> Option<Self> {
        if Command::new("python3").arg("--version").output().is_err() {
            println!("skipped: there is no python3");
            return None;
        }
        Some(Self { folder: tempfile::tempdir().unwrap(), key })
    }

    /// Its exit code and what it prints.
    fn run(&self, lines: &[AuditPackLine], heads: &[SignedHead], key: bool) -> (i32, String) {
        let text: String = lines.iter().map(|line| format!("{}\n", json::to_value(line))).collect();
        self.run_text(&text, heads, key)
    }

    fn run_text(&self, text: &str, heads: &[SignedHead], key: bool) -> (i32, String) {
        let pack = self.folder.path().join("pack.jsonl");
        std::fs::write(&pack, text).unwrap();
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/audit/verify.py");
        let mut command = Command::new("python3");
        command.arg("-I").arg(script).arg(&pack).arg("--show");
        if key {
            command.args(["--key", &self.key]);
        }
        if !heads.is_empty() {
            let file = self.folder.path().join("heads");
            let lines = heads.iter().map(|head| format!("<109>1 - host collector - - - {}\n", head.line()));
            std::fs::write(&file, lines.collect::<String>()).unwrap();
            command.arg("--heads").arg(file);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said)
    }
}

/// The entry of a line that has one in full.
fn entry(line: &mut AuditPackLine) -> &mut v1::AuditEntry {
    match &mut line.line {
        Some(Line::Entry(full)) => full.entry.as_mut().unwrap(),
        other => panic!("not a full entry: {other:?}"),
    }
}

fn full(line: &mut AuditPackLine) -> &mut v1::AuditPackEntry {
    match &mut line.line {
        Some(Line::Entry(full)) => full,
        other => panic!("not a full entry: {other:?}"),
    }
}

fn header(lines: &mut [AuditPackLine]) -> &mut v1::AuditPackHeader {
    match &mut lines[0].line {
        Some(Line::Header(header)) => header,
        other => panic!("not a header: {other:?}"),
    }
}

/// Hashes everything anew, as somebody can who has the whole pack, and signs the end with a key.
fn made_anew(lines: &mut [AuditPackLine], key: &Signer) {
    let mut previous: AuditDigest = header(lines).previous_sha256.parse().unwrap();
    let mut number = 0;
    for line in &mut lines[1..] {
        match line.line.as_mut().unwrap() {
            Line::Header(_) => panic!("two headers"),
            Line::Entry(full) => {
                let linked = audit_entry_from_wire(full.entry.clone().unwrap()).unwrap();
                let linked = linked.entry.after(previous);
                (number, previous) = (linked.entry.number, linked.hash);
                full.entry = Some(audit_entry_to_wire(&linked));
            }
            Line::Skipped(skipped) => {
                previous = link(&previous, &skipped.body_sha256.parse().unwrap());
                number = skipped.number;
            }
        }
    }
    let old = SignedHead::parse(&header(lines).head).unwrap();
    let signed = key.sign(Head { number, hash: previous, ..old.head });
    header(lines).last_number = number;
    header(lines).head = signed.line();
}

/// Somebody's attempt on a pack.
type Attempt<'a> = (&'a str, &'a str, Box<dyn Fn(&mut Vec<AuditPackLine>) + 'a>);

#[tokio::test]
async fn whatever_is_done_to_a_pack_is_found_by_the_script() {
    let audited = Audited::new().await;
    let early = audited.head().await;
    token(&audited.world, 6).await;
    audited.world.clock.advance(std::time::Duration::from_secs(60));
    let key = early.key_text();
    let Some(script) = Script::new(key.clone()) else { return };
    let mut lines = audited.export(Scope::Asset(audited.device.clone())).await;
    let late = audited.head().await;
    let heads = [early.clone(), late.clone()];

    let (code, said) = script.run(&lines, &heads, true);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("5.2") || said.contains("softwareAdded"), "the device's history is shown: {said}");
    assert!(!said.contains("note:"), "{said}");
    let changes = lines.iter_mut().skip(1).filter(|line| matches!(line.line, Some(Line::Entry(_))));
    let shown: usize = changes.map(full).map(|it| usize::from(it.change.is_some()) + it.folded.len()).sum();
    assert!(shown >= 5, "four reports and the import: {shown}");

    let place = |lines: &[AuditPackLine], wanted: fn(&v1::AuditPackEntry) -> bool| {
        lines.iter().rposition(|line| matches!(&line.line, Some(Line::Entry(full)) if wanted(full))).unwrap()
    };
    let with_folded = place(&lines, |full| !full.folded.is_empty());
    let with_value = |change: &v1::AuditChange| change.writes.iter().any(|write| !write.value.is_empty());
    let holds = |full: &v1::AuditPackEntry| full.folded.iter().any(with_value);
    assert!(lines.iter().any(|line| matches!(&line.line, Some(Line::Entry(full)) if holds(full))));
    let skipped = lines.iter().position(|line| matches!(line.line, Some(Line::Skipped(_)))).unwrap();
    let last = lines.len() - 1;
    let at = with_folded;
    let collectors = || signer(audited.folder.path());
    let mallory_folder = tempfile::tempdir().unwrap();
    let mallorys = || signer(mallory_folder.path());

    let attempts: Vec<Attempt<'_>> = vec![
        ("an actor changed", "was changed", Box::new(|it| entry(&mut it[at]).actor = "operator/bob".into())),
        (
            "a time changed",
            "was changed",
            Box::new(|it| entry(&mut it[at]).time.as_mut().unwrap().seconds += 1),
        ),
        ("an action changed", "was changed", Box::new(|it| entry(&mut it[at]).action.push('x'))),
        ("a target changed", "was changed", Box::new(|it| entry(&mut it[at]).target.push('x'))),
        ("a detail changed", "was changed", Box::new(|it| entry(&mut it[at]).detail.push('x'))),
        ("a position changed", "was changed", Box::new(|it| entry(&mut it[at]).position += 1)),
        (
            "a digest of writes changed",
            "was changed",
            Box::new(|it| {
                entry(&mut it[at]).writes_sha256 = AuditDigest::of(b"other").to_string();
            }),
        ),
        (
            "a folded change left out",
            "was changed",
            Box::new(|it| drop(entry(&mut it[at]).folded_sha256.pop())),
        ),
        (
            "a hash changed",
            "was changed",
            Box::new(|it| entry(&mut it[at]).sha256 = AuditDigest::of(b"other").to_string()),
        ),
        (
            "the hash before changed",
            "does not follow",
            Box::new(|it| {
                entry(&mut it[at]).previous_sha256 = AuditDigest::of(b"other").to_string();
            }),
        ),
        (
            "a skipped entry's hash changed",
            "does not follow",
            Box::new(|it| {
                if let Some(Line::Skipped(skipped)) = &mut it[skipped].line {
                    skipped.body_sha256 = AuditDigest::of(b"other").to_string();
                }
            }),
        ),
        (
            "a value of a record changed",
            "not the one that was written",
            Box::new(|it| {
                let mut writes = full(&mut it[at]).folded.iter_mut().flat_map(|change| &mut change.writes);
                writes.find(|write| !write.value.is_empty()).unwrap().value.push(0);
            }),
        ),
        (
            "a value and its hash changed",
            "not among its own",
            Box::new(|it| {
                let mut writes = full(&mut it[at]).folded.iter_mut().flat_map(|change| &mut change.writes);
                let write = writes.find(|write| !write.value.is_empty()).unwrap();
                write.value.push(0);
                write.value_sha256 = AuditDigest::of(&write.value).to_string();
            }),
        ),
        (
            "a write left out",
            "not among its own",
            Box::new(|it| drop(full(&mut it[at]).folded[0].writes.pop())),
        ),
        (
            "a change's actor changed",
            "not among its own",
            Box::new(|it| {
                full(&mut it[at]).folded[0].actor = "agent:other".into();
            }),
        ),
        ("a change moved", "not among its own", Box::new(|it| full(&mut it[at]).folded[0].position += 1)),
        (
            "an entry's own change swapped",
            "not its own",
            Box::new(|it| {
                let folded = full(&mut it[at]).folded[0].clone();
                full(&mut it[at]).change = Some(folded);
            }),
        ),
        ("an entry removed", "removed, inserted or moved", Box::new(|it| drop(it.remove(at)))),
        ("the first entry removed", "removed, inserted or moved", Box::new(|it| drop(it.remove(1)))),
        (
            "a skipped entry removed",
            "removed, inserted or moved",
            Box::new(move |it| drop(it.remove(skipped))),
        ),
        ("an entry inserted", "removed, inserted or moved", Box::new(|it| it.insert(at, it[at].clone()))),
        ("two entries swapped", "removed, inserted or moved", Box::new(|it| it.swap(at, at + 1))),
        (
            "two numbers swapped too",
            "was changed",
            Box::new(|it| {
                let number = entry(&mut it[at]).number;
                entry(&mut it[at]).number = entry(&mut it[last]).number;
                entry(&mut it[last]).number = number;
                it.swap(at, last);
            }),
        ),
        (
            "an entry hidden by another hash",
            "does not follow",
            Box::new(|it| {
                let number = entry(&mut it[at]).number;
                let body_sha256 = AuditDigest::of(b"nothing to see").to_string();
                it[at].line = Some(Line::Skipped(v1::AuditPackSkipped { number, body_sha256 }));
            }),
        ),
        ("the end cut off the file", "its end was cut off", Box::new(|it| drop(it.pop()))),
        (
            "the end cut off file and header",
            "",
            Box::new(|it| {
                it.pop();
                header(it).last_number -= 1;
            }),
        ),
        ("the header of a shorter log", "", Box::new(|it| header(it).head = heads[0].line())),
        (
            "made anew under the old head",
            "made anew",
            Box::new(|it| {
                let head = header(it).head.clone();
                entry(&mut it[at]).detail = "nothing".into();
                made_anew(it, &mallorys());
                header(it).head = head;
            }),
        ),
        (
            "made anew and signed with another key",
            "another key",
            Box::new(|it| {
                entry(&mut it[at]).detail = "nothing".into();
                made_anew(it, &mallorys());
            }),
        ),
        (
            "made anew with the collector's key",
            "made anew",
            Box::new(|it| {
                entry(&mut it[at]).detail = "nothing".into();
                made_anew(it, &collectors());
            }),
        ),
        (
            "cut off and signed with the collector's key",
            "end was cut off",
            Box::new(|it| {
                while !matches!(&it[it.len() - 1].line, Some(Line::Entry(full)) if full.entry.as_ref().unwrap().number < early.head.number)
                {
                    it.pop();
                }
                made_anew(it, &collectors());
            }),
        ),
        (
            "the head of another moment, signature kept",
            "forged",
            Box::new(|it| {
                let mut head = SignedHead::parse(&header(it).head).unwrap();
                head.head.time = muster_common::time::Timestamp::from_millis(1);
                header(it).head = head.line();
            }),
        ),
    ];
    for (attempt, finding, change) in &attempts {
        let mut changed = lines.clone();
        change(&mut changed);
        assert!(changed != lines, "{attempt}: nothing was changed");
        let (code, said) = script.run(&changed, &heads, true);
        assert_eq!(code, 1, "{attempt}: {said}");
        assert!(said.contains("WRONG: ") && said.contains(finding), "{attempt}: {said}");
        println!("{attempt}: {}", said.lines().find(|line| line.contains("WRONG")).unwrap());
    }
    println!("{} attempts, each found", attempts.len());

    // What only heads from elsewhere find, and the key noted before: without them the script says so.
    let mut anew = lines.clone();
    entry(&mut anew[at]).detail = "nothing".into();
    made_anew(&mut anew, &collectors());
    let (code, said) = script.run(&anew, &[], true);
    assert!(code == 0 && said.contains("without --heads"), "{said}");
    made_anew(&mut anew, &mallorys());
    let (code, said) = script.run(&anew, &[], false);
    assert!(code == 0 && said.contains("--key was not given"), "{said}");
    // Damage is told as such.
    let text: String = lines.iter().map(|line| format!("{}\n", json::to_value(line))).collect();
    for text in ["", "{}\n", "[]\n", &text[..text.len() / 2]] {
        let (code, said) = script.run_text(text, &[], true);
        assert!(code == 1 && said.contains("WRONG"), "{code} {said}");
    }
}

#[tokio::test]
async fn a_period_s_pack_tells_everything_that_people_did_and_no_content() {
    let audited = Audited::new().await;
    let period = v1::AuditPeriod { start_time: None, end_time: None };
    let mut lines = audited.export(Scope::Period(period)).await;
    let Some(script) = Script::new(header(&mut lines).head.split(' ').nth(6).unwrap().to_owned()) else {
        return;
    };
    let (code, said) = script.run(&lines, &[], true);
    assert_eq!(code, 0, "{said}");
    assert_eq!(said.matches("token.create").count(), 6, "{said}");
    assert!(said.contains("audit.export"), "that it was exported: {said}");
    for line in &lines[1..] {
        let Some(Line::Entry(full)) = &line.line else { panic!("skipped: {line:?}") };
        assert!(full.change.iter().flat_map(|change| &change.writes).all(|write| write.value.is_empty()));
    }
    let hour = |hours: i64| {
        let now = audited.world.now().as_millis();
        Some(muster_proto::convert::to_timestamp(muster_common::time::Timestamp::from_millis(
            now - hours * 3_600_000,
        )))
    };
    let lines =
        audited.export(Scope::Period(v1::AuditPeriod { start_time: hour(2), end_time: hour(1) })).await;
    let (code, said) = script.run(&lines, &[], true);
    assert_eq!(code, 0, "{said}");
    assert!(lines.iter().any(|line| matches!(line.line, Some(Line::Skipped(_)))));
}

#[tokio::test]
async fn an_erased_person_leaves_log_and_packs_whole_and_was_never_named_in_them() {
    let audited = Audited::new().await;
    let csv = "serial,owner,owner_email\nPF1AAAAA,Jo Doe,jo@example.org\n";
    audited.world.import(csv, true).await;
    let before = audited.export(Scope::Asset(audited.device.clone())).await;
    audited.world.clock.advance(std::time::Duration::from_secs(60));
    let person = audited.world.persons.find("jo@example.org").await.unwrap().unwrap();
    assert!(audited.world.persons.erase(person, "operator/alice", audited.world.now()).await.unwrap());
    let after = audited.export(Scope::Asset(audited.device.clone())).await;
    let heads = [audited.head().await];
    let Some(script) = Script::new(heads[0].key_text()) else { return };
    for pack in [&before, &after] {
        let (code, said) = script.run(pack, &heads, true);
        assert_eq!(code, 0, "{said}");
        for line in pack {
            let text = json::to_value(line).to_string();
            assert!(!text.contains("Jo Doe") && !text.contains("jo@example.org"), "{text}");
            if let Some(Line::Entry(full)) = &line.line {
                let values = full.folded.iter().flat_map(|it| &it.writes).map(|write| &write.value);
                for value in values {
                    assert!(!value.windows(6).any(|bytes| bytes == b"Jo Doe"));
                }
            }
        }
    }
    let told = audited
        .list(v1::ListAuditEntriesRequest { target: person.to_string(), ..Default::default() })
        .await
        .0;
    assert!(told.len() == 1 && told[0].ends_with("person.erase"), "{told:?}");
}
