//! Which columns there are, and under which names filters find them.
//!
//! Every [`Field`] is a column by its own name and kind, so that a new field needs nothing here. What a device's
//! record holds beside its fields stands in [`EXTRA`].

use muster_common::device::{Field, FieldKind};

use super::{column::Column, error::QueryError};

/// Findings that stand against the device.
pub(super) const FLAG: usize = Field::ALL.len();
/// Kinds of sources that saw it.
pub(super) const SEEN_BY: usize = FLAG + 1;
/// Agents that report, or reported, from it.
pub(super) const AGENT: usize = FLAG + 2;
/// When anything was first heard of it.
pub(super) const FIRST_SEEN: usize = FLAG + 3;
/// When its agent was last heard.
pub(super) const LAST_SEEN: usize = FLAG + 4;
/// Whether its agent's stream is open.
pub(super) const CONNECTED: usize = FLAG + 5;
/// How many software items it has.
pub(super) const SOFTWARE_COUNT: usize = FLAG + 6;
/// The earliest last day of the persons who hold or answer for it.
pub(super) const PERSON_LAST_DAY: usize = FLAG + 7;
/// Their departments.
pub(super) const PERSON_DEPARTMENT: usize = FLAG + 8;
/// Fields of which its sources say different things.
pub(super) const DIFFERS: usize = FLAG + 9;
/// Findings that stand and that an exception covers.
pub(super) const EXCEPTED: usize = FLAG + 10;

/// The columns after those of [`Field::ALL`], in the order of the constants above.
const EXTRA: [(&str, FieldKind); 11] = [
    ("flag", FieldKind::List),
    ("seen_by", FieldKind::List),
    ("agent", FieldKind::List),
    ("first_seen", FieldKind::Time),
    ("last_seen", FieldKind::Time),
    ("connected", FieldKind::Boolean),
    ("software_count", FieldKind::Number),
    ("person.last_day", FieldKind::Time),
    ("person.department", FieldKind::List),
    ("differs", FieldKind::List),
    ("excepted", FieldKind::List),
];

/// Second names, for what people and other tools type.
const ALIASES: [(&str, &str); 6] = [
    ("name", "hostname"),
    ("maker", "manufacturer"),
    ("arch", "architecture"),
    ("os", "os.name"),
    ("assigned", "assigned_to"),
    ("software", "software.name"),
];

/// Fields that are no columns of the table of devices.
pub(super) const ID: &str = "id";
/// What stands before a field of a package.
pub(super) const SOFTWARE_PREFIX: &str = "software.";

/// Where bare words are looked for.
pub(super) const SEARCHED: [Field; 13] = [
    Field::Hostname,
    Field::Serial,
    Field::Uuid,
    Field::Manufacturer,
    Field::Model,
    Field::ModelName,
    Field::AssetTag,
    Field::Mac,
    Field::Ip,
    Field::OsPretty,
    Field::Location,
    Field::Department,
    Field::OrderNumber,
];

/// The columns of a package in the catalogue.
pub(super) const PACKAGE: [(&str, FieldKind); 9] = [
    ("name", FieldKind::Text),
    ("version", FieldKind::Version),
    ("architecture", FieldKind::Text),
    ("type", FieldKind::Text),
    ("namespace", FieldKind::Text),
    ("vendor", FieldKind::Text),
    ("source_name", FieldKind::Text),
    ("source_version", FieldKind::Version),
    ("display_name", FieldKind::Text),
];
/// Places in [`PACKAGE`].
pub(super) const PACKAGE_NAME: usize = 0;
pub(super) const PACKAGE_VERSION: usize = 1;
pub(super) const PACKAGE_ARCHITECTURE: usize = 2;
pub(super) const PACKAGE_TYPE: usize = 3;
pub(super) const PACKAGE_NAMESPACE: usize = 4;
pub(super) const PACKAGE_VENDOR: usize = 5;
pub(super) const PACKAGE_SOURCE_NAME: usize = 6;
pub(super) const PACKAGE_SOURCE_VERSION: usize = 7;
pub(super) const PACKAGE_DISPLAY_NAME: usize = 8;

/// The empty columns of the table of devices.
pub(super) fn device_columns() -> Vec<Column> {
    let fields = Field::ALL.iter().map(|field| field.kind());
    fields.chain(EXTRA.iter().map(|(_, kind)| *kind)).map(Column::new).collect()
}

/// The place of a device's column by its name.
pub(super) fn device_column(name: &str) -> Result<usize, QueryError> {
    let name = unaliased(name);
    let field = Field::ALL.iter().position(|field| field.name() == name);
    let extra = || EXTRA.iter().position(|(extra, _)| *extra == name).map(|place| FLAG + place);
    field.or_else(extra).ok_or_else(|| QueryError::unknown_field(name, "devices", device_fields()))
}

/// The place of a package's column by its name.
pub(super) fn package_column(name: &str) -> Result<usize, QueryError> {
    let name = if name == "arch" { "architecture" } else { name };
    let place = PACKAGE.iter().position(|(known, _)| *known == name);
    place.ok_or_else(|| {
        QueryError::unknown_field(name, "software", PACKAGE.iter().map(|(name, _)| *name).collect())
    })
}

/// The first name of a field that has several.
pub(super) fn unaliased(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, field)| *field)
}

/// The field of a device that a filter means by a name, its second names included; `None` for what is no such field.
pub fn device_field(name: &str) -> Option<Field> {
    unaliased(name).parse().ok()
}

/// Every field that a filter over devices can have.
pub fn device_fields() -> Vec<&'static str> {
    let mut names: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
    names.extend(EXTRA.iter().map(|(name, _)| *name));
    names.extend([ID, "name", "software.name", "software.version", "software.architecture", "software.type"]);
    names.extend(["software.namespace", "software.vendor"]);
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_column() {
        for (place, field) in Field::ALL.iter().enumerate() {
            assert_eq!(device_column(field.name()), Ok(place));
            assert_eq!(*field as usize, place);
        }
        assert_eq!(device_column("software_count"), Ok(SOFTWARE_COUNT));
        assert_eq!(device_column("name"), device_column("hostname"));
        assert_eq!(package_column("source_version"), Ok(PACKAGE_SOURCE_VERSION));
        assert!(device_column("hostnam").unwrap_err().to_string().contains("did you mean hostname"));
        for (alias, field) in ALIASES {
            assert!(device_fields().contains(&field), "{alias} stands for {field}, which isn't there");
        }
    }
}
