//! A purchase list on its whole way: bytes of a file, rows, persons, observations, devices, and the report.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use muster_collector::{
    actions::import::Importer,
    import::{
        service,
        watch::{WatchedFolder, Watcher},
    },
    index::Index,
    pipeline::{
        Pipeline,
        observation::{Observation, Speaker},
        presence::Presence,
    },
    privacy::{Sealed, Vault},
    records::{Read, key},
    registry::Persons,
    store::{Store, memory::MemoryStore},
};
use muster_common::{
    device::{Device, Field, Value},
    flag::FlagCode,
    governance::Charter,
    id::{AgentId, DeviceId},
    inventory::{Item, ItemKind, System},
    source::ImportName,
    time::{Clock, ManualClock},
};
use muster_proto::{
    store::v1 as stored,
    v1::{ImportOutcome, ImportRequest, ImportResponse},
};
use tempfile::TempDir;

struct World {
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
    pipeline: Arc<Pipeline>,
    persons: Persons,
    importer: Importer,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at("2026-11-01".parse().unwrap()));
        let store = Arc::new(MemoryStore::default());
        let charter = Arc::new(ArcSwap::from_pointee(Charter::default()));
        let (index, presence) = (Arc::new(Index::default()), Arc::new(Presence::default()));
        let pipeline = Arc::new(Pipeline::new(store.clone(), index, presence, charter, clock.clone()));
        let folder = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::open(&folder.path().join("vault")).unwrap());
        let persons = Persons::new(store.clone(), vault);
        let importer = Importer::new(pipeline.clone(), persons.clone());
        Self { clock, store, pipeline, persons, importer, _folder: folder }
    }

    async fn import(&self, text: &str, apply: bool) -> ImportResponse {
        let request = ImportRequest {
            source: "purchase".to_owned(),
            format: "purchase-csv".to_owned(),
            content: text.as_bytes().to_vec(),
            apply,
            ..Default::default()
        };
        service::run(&self.importer, request, "operator:test").await.unwrap()
    }

    async fn agent(&self, serial: &str) -> DeviceId {
        let evidence = vec![Item::new(ItemKind::System(System {
            manufacturer: Some("LENOVO".to_owned()),
            product_name: Some("20L8S07A14".to_owned()),
            serial: Some(serial.to_owned()),
            ..System::default()
        }))];
        let speaker = Speaker::Agent { agent: AgentId::random(), version: "0.1.0".to_owned(), evidence };
        self.pipeline.observe(&Observation::first(speaker, self.clock.now())).await.unwrap().device
    }

    async fn device(&self, id: DeviceId) -> Device {
        let read: Read<Device> = self.pipeline.records().get(key::device(id)).await.unwrap();
        read.record.unwrap()
    }

    /// How much was ever written.
    async fn writes(&self) -> usize {
        self.store.changes(Default::default(), 10_000).await.unwrap().iter().map(|it| it.writes.len()).sum()
    }
}

fn outcomes(response: &ImportResponse) -> Vec<(u32, ImportOutcome)> {
    response.rows.iter().map(|row| (row.row, row.outcome())).collect()
}

const LIST: &str = "Serial Number;Maker;Order;Owner;Owner E-Mail;Purchase Date\n\
    1S20L8S07A14PF1ABCDE;Lenovo;PO-1;Jo Doe;jo@example.org;2026-01-15\n\
    PF2XYZ00;Lenovo;PO-1;;;2026-01-15\n\
    1.23E+11;Lenovo;PO-1;Jo Secret;secret@example.org;\n";

#[tokio::test]
async fn a_purchase_record_vouches_for_the_machine_that_reports() {
    let world = World::new();
    let device = world.agent("PF1ABCDE").await;
    assert!(world.device(device).await.flags.iter().any(|flag| flag.code == FlagCode::Unknown));

    let dry = world.import(LIST, false).await;
    let expected = [(2, ImportOutcome::New), (3, ImportOutcome::New), (4, ImportOutcome::Refused)];
    assert_eq!(outcomes(&dry), expected);
    assert_eq!(dry.rows[0].device, format!("devices/{device}"), "{dry:?}");
    assert_eq!(dry.rows[1].device, "", "a dry run makes no device");
    assert!(world.device(device).await.flags.iter().any(|flag| flag.code == FlagCode::Unknown));

    let real = world.import(LIST, true).await;
    assert_eq!(outcomes(&real), expected);
    assert_eq!((real.created, real.refused), (2, 1));
    assert_ne!(real.rows[1].device, "");
    let record = world.device(device).await;
    assert!(!record.flags.iter().any(|flag| flag.code == FlagCode::Unknown), "{:?}", record.flags);
    let Some(Value::Person(owner)) = record.value(Field::Owner) else { panic!("no owner: {record:?}") };
    let shown = world.persons.shown(&BTreeSet::from([*owner])).await.unwrap();
    assert_eq!(shown[owner], "Jo Doe");
}

#[tokio::test]
async fn the_same_file_again_changes_nothing_and_a_changed_one_updates() {
    let world = World::new();
    world.import(LIST, true).await;
    let before = world.writes().await;
    for apply in [false, true] {
        let again = world.import(LIST, apply).await;
        assert_eq!((again.unchanged, again.refused, again.created + again.updated), (2, 1, 0), "{again:?}");
    }
    assert_eq!(world.writes().await, before, "something was written");
    let changed = world
        .import(
            &LIST.replace("2026-01-15\n    PF2", "2026-01-16\n    PF2").replacen("01-15", "01-16", 1),
            true,
        )
        .await;
    assert_eq!((changed.updated, changed.unchanged), (1, 1));
}

#[tokio::test]
async fn refused_rows_are_kept_sealed_for_whoever_corrects_them() {
    let world = World::new();
    world.import(LIST, true).await;
    world.import(LIST, true).await;
    let kept: Vec<(_, stored::RefusedRow)> =
        world.pipeline.records().scan(key::REFUSED_ROWS, None, 10).await.unwrap();
    let [(_, row)] = kept.as_slice() else { panic!("{} rows are kept", kept.len()) };
    assert_eq!((row.row, row.source.as_str()), (4, "purchase"));
    let sealed = Sealed { nonce: row.nonce.clone(), bytes: row.sealed_content.clone() };
    let opened = world.persons.vault().open_own(&sealed).unwrap();
    let text = std::str::from_utf8(&opened).unwrap();
    let (reason, content) = text.split_once('\0').unwrap();
    assert_eq!(content, "1.23E+11;Lenovo;PO-1;Jo Secret;secret@example.org;");
    assert!(!reason.is_empty() && row.reason.is_empty(), "the reason may quote the row");
    let everything = world.store.changes(Default::default(), 10_000).await.unwrap();
    for write in everything.iter().flat_map(|change| &change.writes) {
        let bytes = write.value.clone().unwrap_or_default();
        for personal in ["Jo Doe", "jo@example.org", "Jo Secret", "secret@example.org"] {
            let found = bytes.windows(personal.len()).any(|part| part == personal.as_bytes());
            assert!(!found, "{personal} stands in the open in {}", write.key);
        }
    }
}

#[tokio::test]
async fn a_corrected_row_waits_no_longer() {
    let world = World::new();
    let kept = || async {
        let kept: Vec<(_, stored::RefusedRow)> =
            world.pipeline.records().scan(key::REFUSED_ROWS, None, 10).await.unwrap();
        kept.len()
    };
    world.import(LIST, true).await;
    assert_eq!(kept().await, 1);
    let corrected = LIST.replace("1.23E+11", "PF3QRS77");
    world.import(&corrected, false).await;
    assert_eq!(kept().await, 1, "a dry run lets go of nothing");
    let report = world.import(&corrected, true).await;
    assert_eq!((report.created, report.unchanged, kept().await), (1, 2, 0));
}

#[tokio::test]
async fn one_machine_in_two_orders_stays_two_records() {
    let world = World::new();
    let list = "serial,maker,order_number\nPF1ABCDE,Lenovo,PO-1\nPF1ABCDE,Lenovo,PO-2\n";
    let dry = world.import(list, false).await;
    assert_eq!(dry.rows[1].outcome(), ImportOutcome::Conflict, "{dry:?}");
    let real = world.import(list, true).await;
    assert_eq!(outcomes(&real), outcomes(&dry), "{real:?}");
    assert_ne!(real.rows[0].device, real.rows[1].device, "two purchases were taken for one machine");
    let reviews: Vec<(_, stored::Review)> = world.pipeline.records().scan(b"v/", None, 10).await.unwrap();
    assert_eq!(reviews.len(), 1);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_says_why() {
    let world = World::new();
    let request = ImportRequest {
        source: "Not A Name".to_owned(),
        format: "purchase-csv".to_owned(),
        content: Vec::new(),
        apply: false,
        ..Default::default()
    };
    let error = service::run(&world.importer, request.clone(), "x").await.unwrap_err();
    assert!(matches!(error, service::ServiceError::Name(_)), "{error}");
    let request = ImportRequest { source: "purchase".to_owned(), ..request };
    let error = service::run(&world.importer, request, "x").await.unwrap_err();
    assert!(error.to_string().contains("empty"), "{error}");
}

#[tokio::test]
async fn files_of_a_watched_folder_are_taken_in_and_moved_aside() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    std::fs::write(place("list.csv"), LIST).unwrap();
    std::fs::write(place("broken.csv"), "model,price\nA,1\n").unwrap();
    std::fs::write(place("later.csv.part"), LIST).unwrap();
    let watched = WatchedFolder {
        name: ImportName::new("purchase").unwrap(),
        folder: folder.path().to_owned(),
        format: "purchase-csv".to_owned(),
        every: Duration::from_secs(60),
    };
    let mut watcher = Watcher::default();
    let still = Duration::from_secs(3600);
    assert_eq!(watcher.look(&watched, &world.importer, still).await, 0, "files that may still be written");
    assert_eq!(watcher.look(&watched, &world.importer, Duration::ZERO).await, 2);
    assert!(place("done/list.csv").exists() && place("failed/broken.csv").exists());
    assert!(place("later.csv.part").exists() && !place("list.csv").exists());
    let report = std::fs::read_to_string(place("done/list.csv.report.csv")).unwrap();
    assert!(report.starts_with("row,outcome,reason,device\n2,new,"), "{report}");
    assert!(report.contains("\n4,refused,"), "{report}");
    let reason = std::fs::read_to_string(place("failed/broken.csv.report.csv")).unwrap();
    assert!(reason.contains("no row says which machine"), "{reason}");
    // The same file again is another one beside the first, and changes nothing.
    std::fs::write(place("list.csv"), LIST).unwrap();
    assert_eq!(watcher.look(&watched, &world.importer, Duration::ZERO).await, 1);
    let report = std::fs::read_to_string(place("done/1-list.csv.report.csv")).unwrap();
    assert!(report.contains("2,unchanged,") && place("done/1-list.csv").exists(), "{report}");
}
