//! A staff list, as its reader delivers it: every tenth has left, every twentieth is a manager.

use muster_common::{
    observation::{PersonName, PersonRecord, Record},
    time::Timestamp,
};

use super::Content;

/// When leavers left.
const LEFT_MS: i64 = 1_759_190_400_000;

/// A list of so many persons.
pub(super) fn make(rows: u32) -> Content {
    Content::Records((0..rows).map(person).collect())
}

fn person(row: u32) -> Record {
    let name = |row: u32| PersonName {
        display: Some(format!("Person {row}")),
        email: Some(format!("person{row}@example.org")),
    };
    Record::Person(PersonRecord {
        name: name(row),
        employee_number: Some(format!("E{row:06}")),
        department: Some(format!("Division {}/Team {}", row % 12, row % 240)),
        location: Some(format!("Site {}", row % 60)),
        cost_center: Some(format!("CC{}", row % 300)),
        manager: Some(name(row / 20 * 20)),
        starts: None,
        ends: row.is_multiple_of(10).then_some(Timestamp::from_millis(LEFT_MS)),
        notes: Vec::new(),
    })
}
