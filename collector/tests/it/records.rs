//! What becomes of imported records: persons, seats and sightings, through the importer and the public lists.

use std::collections::BTreeMap;

use muster_collector::{
    actions::import::{ImportRow, Importer, Progress, Report, RowOutcome},
    registry::Sight,
    store::Store,
};
use muster_common::{
    asset::Category,
    device::{Field, Value},
    inventory::MacAddress,
    observation::Sighting,
    observation::{AssetRecord, PersonName, PersonRecord, Record, RecordIdentifiers, RecordValue},
    source::ImportName,
};
use muster_proto::v1::{self, query_server::Query as _, records_server::Records as _};
use tonic::Request;

use crate::world::{Laptop, World, by};

/// A world with an importer.
struct Office {
    world: World,
    importer: Importer,
}

impl Office {
    fn new() -> Self {
        let world = World::new();
        let importer = Importer::new(world.pipeline.clone(), world.persons.clone());
        Self { world, importer }
    }

    async fn import(&self, name: &str, records: Vec<Record>, apply: bool) -> Report {
        let rows = records.into_iter().zip(2..).map(|(record, number)| ImportRow {
            number,
            record: Ok(record),
            original: format!("row {number}"),
        });
        let (name, rows, progress) = (ImportName::new(name).unwrap(), rows.collect(), Progress::default());
        let report = if apply {
            self.importer.apply(&name, rows, "operator/test", &progress).await
        } else {
            self.importer.preview(&name, rows, &progress).await
        };
        let report = report.unwrap();
        let (done, total) = progress.rows();
        assert_eq!(done, total, "not every row was counted");
        report
    }

    async fn count(&self, filter: &str) -> i64 {
        let request = v1::ListDevicesRequest { filter: filter.to_owned(), ..Default::default() };
        self.world.query.list_assets(asked(request)).await.unwrap().into_inner().total_size
    }
}

fn outcomes(report: &Report) -> Vec<RowOutcome> {
    report.rows.iter().map(|row| row.outcome).collect()
}

fn name(display: &str, email: &str) -> PersonName {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    PersonName { display: text(display), email: text(email) }
}

fn staff(display: &str, email: &str, last_day: Option<&str>) -> Record {
    Record::Person(PersonRecord {
        name: name(display, email),
        department: Some("Sales/EMEA".to_owned()),
        ends: last_day.map(|day| day.parse().unwrap()),
        ..PersonRecord::default()
    })
}

fn asset(category: Category, key: &str, of: Option<PersonName>, holder: Option<PersonName>) -> Record {
    let is_device = category == Category::Device;
    let mut fields = BTreeMap::new();
    if is_device {
        fields.insert(Field::Serial, RecordValue::Plain(Value::Text(key.to_owned())));
        fields.insert(Field::Manufacturer, RecordValue::Plain(Value::Text("Lenovo".to_owned())));
    }
    fields.extend(holder.map(|holder| (Field::AssignedTo, RecordValue::Person(holder))));
    let text = Some(key.to_owned());
    Record::Asset(AssetRecord {
        row_key: key.to_owned(),
        category,
        of_person: of,
        identifiers: RecordIdentifiers {
            serial: text.clone().filter(|_| is_device),
            asset_key: text.filter(|_| !is_device),
            ..RecordIdentifiers::default()
        },
        fields,
        vouches: true,
        seen: None,
        notes: Vec::new(),
    })
}

const LEAVERS: &str = "person.last_day < -24h";

#[tokio::test]
async fn what_a_leaver_still_holds_is_found_whichever_file_comes_first() {
    for staff_first in [true, false] {
        let office = Office::new();
        let list = || {
            let staff = [
                staff("Jo Doe", "jo@example.org", Some("2026-09-30")),
                staff("Al Bo", "al@example.org", None),
            ];
            staff.to_vec()
        };
        let bought = || {
            vec![
                asset(Category::Device, "PF0ABCDE", None, Some(name("Jo Doe", ""))),
                asset(Category::Device, "PF0FGHIJ", None, Some(name("", "al@example.org"))),
            ]
        };
        let files = [("hr", list()), ("purchase", bought())];
        let files: Vec<_> = if staff_first { files.into() } else { files.into_iter().rev().collect() };
        for (file, records) in files {
            let dry = office.import(file, records.clone(), false).await;
            let real = office.import(file, records, true).await;
            assert_eq!(outcomes(&dry), outcomes(&real), "{file}");
        }
        assert_eq!(office.count(LEAVERS).await, 1, "staff first: {staff_first}");
        assert_eq!(office.count("assigned_to:\"jo@example.org\"").await, 1);
        assert_eq!(office.count("person.department:\"Sales/EMEA\"").await, 2);
        let again = office.import("hr", list(), true).await;
        assert_eq!(outcomes(&again), [RowOutcome::Unchanged; 2]);
        let stays = vec![staff("Jo Doe", "jo@example.org", Some("2027-09-30"))];
        assert_eq!(outcomes(&office.import("hr", stays, true).await), [RowOutcome::Update]);
        assert_eq!(office.count(LEAVERS).await, 0);
    }
}

#[tokio::test]
async fn a_seat_is_its_persons_and_nothing_that_is_kept_names_them() {
    let office = Office::new();
    let seats = || {
        let seat = |of| asset(Category::Seat, "m365/e3", Some(of), None);
        vec![seat(name("Jo Doe", "jo@example.org")), seat(name("", "al@example.org"))]
    };
    assert_eq!(outcomes(&office.import("sso", seats(), false).await), [RowOutcome::New; 2]);
    let first = office.import("sso", seats(), true).await;
    assert_eq!(outcomes(&first), [RowOutcome::New; 2]);
    assert_ne!(first.rows[0].device, first.rows[1].device, "two persons share a seat");
    assert_eq!(outcomes(&office.import("sso", seats(), true).await), [RowOutcome::Unchanged; 2]);
    assert_eq!(office.count("category = seat AND assigned_to:\"jo@example.org\"").await, 1);
    let refused =
        office.import("sso", vec![asset(Category::Seat, "x", Some(name("", "")), None)], true).await;
    assert_eq!(outcomes(&refused), [RowOutcome::Refused]);
    let changes = office.world.store.changes(Default::default(), 10_000).await.unwrap();
    for write in changes.iter().flat_map(|change| &change.writes) {
        let bytes = write.value.clone().unwrap_or_default();
        for personal in ["Jo Doe", "jo@example.org", "al@example.org"] {
            let found = bytes.windows(personal.len()).any(|part| part == personal.as_bytes());
            assert!(!found, "{personal} stands in the open in {}", write.key);
        }
    }
}

fn asked<T>(message: T) -> Request<T> {
    by("test", Sight::Everything, message)
}

fn lease(mac: [u8; 6], ip: &str, seen: Option<&str>) -> Record {
    Record::Sighting(Sighting {
        mac: MacAddress(mac),
        ip: ip.parse().ok(),
        hostname: Some("printer".to_owned()),
        seen: seen.map(|seen| seen.parse().unwrap()),
        notes: Vec::new(),
    })
}

#[tokio::test]
async fn a_lease_is_noted_with_its_device_and_makes_none() {
    let office = Office::new();
    let laptop = Laptop::new("PF0ABCDE", "web-03", "192.0.2.7");
    let device = office.world.report(&laptop).await.device;
    let mac = [0x8c, 0x16, 0x45, 1, 2, b'0'];
    let before = office.world.store.position().await;
    let leases = || {
        vec![
            lease(mac, "192.0.2.7", None),
            lease([0x00, 0x1b, 0x21, 9, 9, 9], "192.0.2.9", None),
            lease([0x00, 0x1b, 0x21, 9, 9, 8], "198.51.100.9", None),
            lease([0x0a, 0x1b, 0x21, 9, 9, 9], "192.0.2.10", None),
        ]
    };
    let dry = office.import("dhcp", leases(), false).await;
    let real = office.import("dhcp", leases(), true).await;
    let expected = [RowOutcome::Update, RowOutcome::New, RowOutcome::New, RowOutcome::Unchanged];
    assert_eq!((outcomes(&dry), outcomes(&real)), (expected.to_vec(), expected.to_vec()));
    assert_eq!(real.rows[0].device, Some(device));
    // One commit: the audit entry of the import. No record and no history was written.
    assert_eq!(office.world.store.position().await.number(), before.number() + 1);
    assert_eq!(office.count("").await, 1);
    assert_eq!(office.count("seen_by:dhcp AND seen_by:agent").await, 1);
    let listed = office.world.records.list_sightings(asked(Default::default())).await.unwrap().into_inner();
    assert_eq!((listed.total_size, listed.random, listed.networks.len()), (2, 1, 2), "{listed:?}");
    // A custodian of one department sees none of what belongs to none.
    let custodian = by("c", Sight::Departments(vec!["Sales".to_owned()]), Default::default());
    assert_eq!(office.world.records.list_sightings(custodian).await.unwrap().into_inner().total_size, 0);
    // A device reports again: the index keeps who saw it.
    office.world.report(&Laptop { ip: "192.0.2.8", ..laptop }).await;
    assert_eq!(office.count("seen_by:dhcp").await, 1);
    let old = vec![lease(mac, "192.0.2.7", Some("2026-01-01"))];
    assert_eq!(outcomes(&office.import("dhcp", old, true).await), [RowOutcome::Unchanged]);
}

#[tokio::test]
async fn what_was_seen_first_is_a_device_once_it_reports() {
    let office = Office::new();
    let mac = [0x8c, 0x16, 0x45, 1, 2, b'0'];
    office.import("dhcp", vec![lease(mac, "192.0.2.7", None)], true).await;
    office.world.pipeline.sightings().flush(office.world.store.as_ref()).await.unwrap();
    let laptop = Laptop::new("PF0ABCDE", "web-03", "192.0.2.7");
    office.world.report(&laptop).await;
    assert_eq!(office.count("seen_by:dhcp").await, 0);
    assert_eq!(office.world.pipeline.sight_again().await.unwrap(), 1);
    assert_eq!(office.count("seen_by:dhcp").await, 1);
    assert!(office.world.pipeline.sightings().unclassified().is_empty());
    assert_eq!(office.world.pipeline.sightings().flush(office.world.store.as_ref()).await.unwrap(), 2);
    // After a restart it is the same.
    let after = muster_collector::pipeline::sightings::Sightings::default();
    after.load(office.world.store.as_ref()).await.unwrap();
    assert_eq!(after.last_by_source().into_keys().collect::<Vec<_>>(), ["dhcp"]);
    assert!(after.unclassified().is_empty());
}

#[tokio::test]
async fn every_figure_is_the_count_of_its_filter() {
    let office = Office::new();
    office.world.report(&Laptop::new("PF0ABCDE", "web-03", "192.0.2.7")).await;
    let price = |record: Record| {
        let Record::Asset(mut asset) = record else { panic!("an asset") };
        let order = RecordValue::Plain(Value::Text("PO-1".to_owned()));
        asset.fields.insert(Field::OrderNumber, order);
        let place = RecordValue::Plain(Value::Text("Berlin".to_owned()));
        asset.fields.insert(Field::Location, place);
        Record::Asset(asset)
    };
    let jo = || name("Jo Doe", "jo@example.org");
    let bought = vec![
        price(asset(Category::Device, "PF0FGHIJ", None, Some(jo()))),
        price(asset(Category::Device, "PF0KLMNO", None, None)),
    ];
    office.import("purchase", bought.clone(), true).await;
    office.import("hr", vec![staff("Jo Doe", "jo@example.org", Some("2026-09-30"))], true).await;
    office.import("sso", vec![asset(Category::Seat, "m365", Some(jo()), None)], true).await;
    office.import("cloud", vec![asset(Category::CloudResource, "bucket-1", None, None)], true).await;
    let mut moved = bought;
    for record in &mut moved {
        if let Record::Asset(asset) = record {
            let place = RecordValue::Plain(Value::Text("Paris".to_owned()));
            asset.fields.insert(Field::Location, place);
        }
    }
    office.import("helpdesk", moved, true).await;
    office.import("dhcp", vec![lease([0x8c, 0x16, 0x45, 1, 2, b'0'], "192.0.2.7", None)], true).await;

    let response = office.world.records.reconcile(asked(Default::default())).await.unwrap().into_inner();
    let figures: BTreeMap<&str, u64> =
        response.gaps.iter().map(|gap| (gap.code.as_str(), gap.count)).collect();
    let expected = [
        ("cloud-unowned", 1),
        ("differs-location", 2),
        ("leaver-assigned", 2),
        ("paid-never-seen", 2),
        ("seat-unused", 1),
        ("unknown", 1),
    ];
    assert_eq!(figures.into_iter().collect::<Vec<_>>(), expected);
    let coverage = office.world.records.get_coverage(asked(Default::default())).await.unwrap().into_inner();
    assert_eq!(coverage.device_count, 3);
    let sees = |source: &str| coverage.sources.iter().find(|it| it.source == source).unwrap();
    assert_eq!(
        (sees("agent").device_count, sees("dhcp").device_count, sees("purchase").device_count),
        (1, 1, 2)
    );
    assert!(coverage.sources.iter().all(|source| source.last_time.is_some()));
    for gap in response.gaps.iter().chain(&coverage.gaps) {
        assert_eq!(office.count(&gap.filter).await, gap.count as i64, "{gap:?}");
    }
    // The counts of a day are kept once, and show as a trend.
    let query = muster_collector::query::Query::new(
        office.world.pipeline.clone(),
        office.world.index.clone(),
        office.world.persons.clone(),
    );
    assert!(query.keep_counts().await.unwrap() && !query.keep_counts().await.unwrap());
    office.world.clock.advance(std::time::Duration::from_secs(24 * 3600));
    assert!(query.keep_counts().await.unwrap());
    let response = office.world.records.reconcile(asked(Default::default())).await.unwrap().into_inner();
    assert!(response.gaps.iter().all(|gap| gap.trend.len() == 2), "{response:?}");
}

#[tokio::test]
async fn persons_are_listed_and_what_is_personal_is_for_some() {
    let office = Office::new();
    let staff =
        vec![staff("Jo Doe", "jo@example.org", Some("2026-09-30")), staff("Al Bo", "al@example.org", None)];
    office.import("hr", staff, true).await;
    let device = asset(Category::Device, "PF0ABCDE", None, Some(name("Jo Doe", "")));
    office.import("purchase", vec![device], true).await;
    let records = &office.world.records;
    let leavers = v1::ListPersonsRequest { leavers: true, ..Default::default() };
    let listed = records.list_persons(asked(leavers)).await.unwrap().into_inner();
    let [jo] = listed.persons.as_slice() else { panic!("{listed:?}") };
    assert_eq!((jo.display_name.as_str(), jo.email.as_str(), jo.asset_count), ("Jo Doe", "", 1));
    assert_eq!(office.count(&jo.filter).await, 1);
    let one = |size| v1::ListPersonsRequest { page_size: size, ..Default::default() };
    let first = records.list_persons(asked(one(1))).await.unwrap().into_inner();
    assert!(first.persons.len() == 1 && !first.next_page_token.is_empty());
    let rest = v1::ListPersonsRequest { page_token: first.next_page_token, ..one(1) };
    assert_eq!(records.list_persons(asked(rest)).await.unwrap().into_inner().persons.len(), 1);
    office
        .world
        .registry
        .set_operator(
            &"alice".parse().unwrap(),
            &[muster_collector::registry::Role::Admin],
            &[],
            "x",
            office.world.pipeline.now(),
        )
        .await
        .unwrap();
    let get = v1::GetPersonRequest { name: "al@example.org".to_owned() };
    let al = records.get_person(by("alice", Sight::Everything, get.clone())).await.unwrap().into_inner();
    assert_eq!((al.email.as_str(), al.department.as_str()), ("al@example.org", "Sales/EMEA"));
    let custodian = by("c", Sight::Departments(vec!["Finance".to_owned()]), get);
    assert_eq!(records.get_person(custodian).await.unwrap_err().code(), tonic::Code::NotFound);
}
