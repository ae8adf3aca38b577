//! What becomes of imported records: persons, seats and sightings, through the importer and the public lists.

use std::collections::BTreeMap;

use muster_collector::{
    actions::import::{ImportRow, Importer, Progress, Report, RowOutcome},
    store::Store,
};
use muster_common::{
    asset::Category,
    device::{Field, Value},
    observation::{AssetRecord, PersonName, PersonRecord, Record, RecordIdentifiers, RecordValue},
    source::ImportName,
};
use muster_proto::v1::{self, query_server::Query as _};
use tonic::Request;

use crate::world::World;

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
        self.world.query.list_devices(Request::new(request)).await.unwrap().into_inner().total_size
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
