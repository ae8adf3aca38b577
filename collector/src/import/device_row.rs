//! One row of a list of devices becomes a record.
//!
//! What a cell must look like stands in `cells`, `dates`, `money` and `keys`; here stands which field each makes.
//! Knows nothing of other rows but what was learned of the whole list.

use std::collections::BTreeMap;

use muster_common::{
    asset::Category,
    device::{Field, FieldKind, Value},
    observation::{AssetRecord, PersonName, RecordIdentifiers, RecordValue},
    time::Timestamp,
};

use super::{
    MAX_CELL_BYTES, Placeholders, RowRefused,
    cells::{self, shown},
    columns::Column,
    dates::Dates,
    identifiers::{self, Cells, Common},
    keys,
    layout::Layout,
    money,
    options::{DecimalMark, RowKey},
    profile::{Naming, Profile},
    table::TableRow,
};

/// How the rows of one list are read.
#[derive(Debug)]
pub(super) struct RowReader<'l> {
    /// What is known of the system.
    pub(super) profile: &'l Profile,
    /// Where each meaning stands.
    pub(super) layout: &'l Layout,
    /// How the dates of each column are read.
    pub(super) dates: BTreeMap<Column, Dates>,
    /// The decimal mark of prices.
    pub(super) mark: Option<DecimalMark>,
    /// The currency of prices that name none.
    pub(super) currency: Option<String>,
    /// What every row is.
    pub(super) category: Category,
    /// What makes a row the same row, if chosen.
    pub(super) key: Option<RowKey>,
    /// Whether it is authoritative.
    pub(super) vouches: bool,
    /// The day on which the list was made, if chosen.
    pub(super) made: Option<Timestamp>,
    /// What holds for all rows.
    pub(super) common: Common,
}

/// A row's cells by their meaning.
struct RowCells<'l, 't, 'a> {
    layout: &'l Layout,
    row: TableRow<'t, 'a>,
}

impl Cells for RowCells<'_, '_, '_> {
    fn cell(&self, column: Column) -> Option<&str> {
        let cell = self.layout.place(column).map(|place| self.row.cell(place).trim());
        cell.filter(|cell| !cell.is_empty())
    }
}

impl RowCells<'_, '_, '_> {
    fn text(&self, column: Column) -> Option<String> {
        self.cell(column).and_then(cells::text)
    }
}

impl RowReader<'_> {
    /// Reads a row.
    pub(super) fn read(
        &self,
        row: TableRow<'_, '_>,
        placeholders: &Placeholders,
    ) -> Result<AssetRecord, RowRefused> {
        check_widths(row, self.layout.width)?;
        let cells = RowCells { layout: self.layout, row };
        let mut notes = Vec::new();
        let identifiers =
            identifiers::read(&cells, &self.common, placeholders, &mut notes).map_err(RowRefused::new)?;
        if identifiers.is_empty() {
            notes.push(identifiers::WHAT_TELLS.to_owned());
            return Err(RowRefused::new(notes.join("; ")));
        }
        let mut fields: BTreeMap<Field, RecordValue> = BTreeMap::new();
        for (column, _) in self.layout.places() {
            let Column::Field(field) = column else { continue };
            let Some(text) = cells.text(column) else { continue };
            let value = self.value(field, text, &cells, &mut notes).map_err(RowRefused::new)?;
            fields.extend(value.map(|value| (field, value)));
        }
        put_identifiers(&mut fields, &identifiers, &cells, &self.common);
        if let Some(maker) = self.profile.maker {
            fields
                .entry(Field::Manufacturer)
                .or_insert_with(|| RecordValue::Plain(Value::Text(maker.to_owned())));
        }
        for (field, name, address) in [
            (Field::Owner, Column::Field(Field::Owner), Column::OwnerEmail),
            (Field::AssignedTo, Column::Field(Field::AssignedTo), Column::AssignedToEmail),
        ] {
            if let Some(person) = person(cells.text(name), cells.text(address)) {
                fields.insert(field, RecordValue::Person(person));
            }
        }
        if !fields.contains_key(&Field::WarrantyEnd)
            && let Some(months) = cells.text(Column::WarrantyMonths)
        {
            match warranty_end(&fields, &months) {
                Ok(end) => {
                    fields.extend(end.map(|end| (Field::WarrantyEnd, RecordValue::Plain(Value::Time(end)))));
                }
                Err(reason) => notes.push(reason),
            }
        }
        let seen = match fields.get(&Field::LastSignIn) {
            Some(RecordValue::Plain(Value::Time(time))) if !self.vouches => Some(*time),
            Some(_) | None => self.made.filter(|_| !self.vouches),
        };
        let (row_key, of_person) = self.row_key(&identifiers, &fields)?;
        Ok(AssetRecord {
            row_key,
            category: self.category,
            of_person,
            identifiers,
            fields,
            vouches: self.vouches,
            seen,
            notes,
        })
    }

    /// The value of a cell that isn't an identifier; persons are read with their addresses.
    fn value(
        &self,
        field: Field,
        text: String,
        cells: &RowCells<'_, '_, '_>,
        notes: &mut Vec<String>,
    ) -> Result<Option<RecordValue>, String> {
        let text = match self.profile.words_of(field) {
            None => text,
            Some(words) => match words.iter().find(|(word, _)| *word == text.to_lowercase()) {
                Some((_, "")) => return Ok(None),
                Some((_, ours)) => (*ours).to_owned(),
                None => {
                    notes.push(format!("{field} {} is a word of its own and was left out", shown(&text)));
                    return Ok(None);
                }
            },
        };
        let value = match (field, field.kind()) {
            (
                Field::Serial
                | Field::AssetTag
                | Field::Uuid
                | Field::MachineId
                | Field::Mac
                | Field::Instance
                | Field::AssetKey,
                _,
            )
            | (_, FieldKind::Person) => return Ok(None),
            (Field::State, _) => Value::Text(cells::state(&text)?),
            (Field::Ownership, _) => Value::Text(cells::ownership(&text)?),
            (Field::Class, _) => Value::Text(cells::class(&text)),
            (Field::Memory | Field::Disk, _) => {
                Value::Number(cells::size(&text).map_err(|why| format!("{field}: {why}"))?)
            }
            (_, FieldKind::Money) => {
                let currency = cells.text(Column::Currency).or_else(|| self.currency.clone());
                Value::Money(money::price(&text, currency.as_deref(), self.mark)?)
            }
            (_, FieldKind::Time) => {
                let Some(dates) = self.dates.get(&Column::Field(field)) else { return Ok(None) };
                let time = if field == Field::LastSignIn { dates.moment(&text) } else { dates.date(&text) };
                match time.map_err(|why| format!("{field}: {why}"))? {
                    Some(time) => Value::Time(time),
                    None => return Ok(None),
                }
            }
            (_, FieldKind::Number) => {
                Value::Number(cells::number(&text).map_err(|why| format!("{field}: {why}"))?)
            }
            (_, FieldKind::Boolean) => {
                Value::Boolean(cells::boolean(&text).map_err(|why| format!("{field}: {why}"))?)
            }
            (_, FieldKind::List) => Value::List(cells::list(&text)),
            (_, FieldKind::Text | FieldKind::Version) => Value::Text(text),
        };
        Ok(Some(RecordValue::Plain(value)))
    }

    /// The row's own name within its source, and the person without whom it isn't unique.
    fn row_key(
        &self,
        identifiers: &RecordIdentifiers,
        fields: &BTreeMap<Field, RecordValue>,
    ) -> Result<(String, Option<PersonName>), RowRefused> {
        let of = |kind: &str, value: &str| format!("\n{kind}\n{value}");
        if let Some(chosen) = self.key {
            let missing =
                || RowRefused::new(format!("has no {}, which was chosen as the rows' key", chosen.name()));
            let value = match chosen {
                RowKey::Serial => identifiers.serial.clone(),
                RowKey::AssetTag => identifiers.asset_tag.clone(),
                RowKey::Instance => identifiers.instance.clone(),
                RowKey::Mac => (!identifiers.macs.is_empty())
                    .then(|| identifiers.macs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
                RowKey::Email => {
                    let person = match fields.get(&Field::AssignedTo) {
                        Some(RecordValue::Person(person)) if person.email.is_some() => person.clone(),
                        Some(_) | None => return Err(missing()),
                    };
                    return Ok((of("person", ""), Some(person)));
                }
            };
            return Ok((of(chosen.name(), &value.ok_or_else(missing)?), None));
        }
        let (kind, value) = match (&identifiers.asset_tag, self.profile.naming) {
            (Some(tag), Naming::AssetTag) => ("asset tag", tag.clone()),
            (None, Naming::AssetTag) | (_, Naming::First | Naming::OrderAndFirst) => {
                identifiers::first(identifiers)
            }
        };
        let order = match (self.profile.naming, fields.get(&Field::OrderNumber)) {
            (Naming::OrderAndFirst, Some(RecordValue::Plain(Value::Text(order)))) => keys::key(order),
            (Naming::OrderAndFirst | Naming::First | Naming::AssetTag, _) => String::new(),
        };
        Ok((format!("{order}{}", of(kind, &value)), None))
    }
}

/// Refuses rows that can't be split as the heading is, and cells that nobody wrote.
fn check_widths(row: TableRow<'_, '_>, width: usize) -> Result<(), RowRefused> {
    for place in 0..row.len() {
        let cell = row.cell(place);
        if cell.len() > MAX_CELL_BYTES {
            return Err(RowRefused::new(format!(
                "cell {} is longer than {MAX_CELL_BYTES} bytes (is a quote opened there and never closed?)",
                place + 1
            )));
        }
        if place >= width && !cell.trim().is_empty() {
            return Err(RowRefused::new(format!(
                "has {} cells and the heading has {width} (put a cell that contains the separator in quotes)",
                row.len()
            )));
        }
    }
    Ok(())
}

/// The identifiers as fields, as they are compared; the scheme of a tag as people write it.
fn put_identifiers(
    fields: &mut BTreeMap<Field, RecordValue>,
    identifiers: &RecordIdentifiers,
    cells: &RowCells<'_, '_, '_>,
    common: &Common,
) {
    let RecordIdentifiers { serial, asset_tag, uuid, machine_id, macs, instance, asset_key } = identifiers;
    let mut put = |field: Field, value: Value| {
        fields.insert(field, RecordValue::Plain(value));
    };
    for (field, value) in [
        (Field::Serial, serial),
        (Field::Uuid, uuid),
        (Field::MachineId, machine_id),
        (Field::Instance, instance),
        (Field::AssetKey, asset_key),
    ] {
        if let Some(value) = value {
            put(field, Value::Text(value.clone()));
        }
    }
    if !macs.is_empty() {
        put(Field::Mac, Value::List(macs.iter().map(ToString::to_string).collect()));
    }
    if asset_tag.is_some()
        && let (Some(cell), Some(scheme)) =
            (cells.cell(Column::Field(Field::AssetTag)), identifiers::scheme(cells, common))
    {
        put(Field::AssetTag, Value::Text(format!("{scheme}/{}", keys::key(cell))));
    }
}

/// A person from a name and an address; a name that is an address is one, and an account behind a name goes.
fn person(name: Option<String>, address: Option<String>) -> Option<PersonName> {
    let is_address = |text: &str| text.contains('@') && !text.contains(' ');
    let address = address.filter(|address| is_address(address));
    let name = name.map(|name| match name.strip_suffix(')').and_then(|text| text.rsplit_once(" (")) {
        Some((name, _)) => name.to_owned(),
        None => name,
    });
    let person = match (name, address) {
        (Some(name), None) if is_address(&name) => PersonName { display: None, email: Some(name) },
        (Some(name), Some(email)) if is_address(&name) => PersonName { display: None, email: Some(email) },
        (display, email) => PersonName { display, email },
    };
    person.key().is_some().then_some(person)
}

/// The purchase's day so many months later; none when there is no warranty or no purchase date.
fn warranty_end(fields: &BTreeMap<Field, RecordValue>, months: &str) -> Result<Option<Timestamp>, String> {
    let digits: String = months.chars().take_while(char::is_ascii_digit).collect();
    let unit = months[digits.len()..].trim().to_lowercase();
    let factor = match unit.as_str() {
        "" | "month" | "months" | "monat" | "monate" | "mois" | "m" => 1,
        "year" | "years" | "jahr" | "jahre" | "y" => 12,
        _ => 0,
    };
    let months: u32 =
        digits.parse().ok().filter(|months| factor > 0 && *months <= 240).ok_or_else(|| {
            format!("the warranty {} is no number of months and was left out", shown(months))
        })?;
    let Some(RecordValue::Plain(Value::Time(bought))) = fields.get(&Field::PurchaseDate) else {
        return Ok(None);
    };
    if months == 0 {
        return Ok(None);
    }
    let text = bought.to_string();
    let part = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse::<u32>().ok());
    let (Some(year), Some(month), Some(day)) = (part(0, 4), part(5, 7), part(8, 10)) else { return Ok(None) };
    let all = year * 12 + month - 1 + months * factor;
    // The 31st of a month that has 30 days is its last.
    let end = (0..4).find_map(|back| {
        format!("{:04}-{:02}-{:02}", all / 12, all % 12 + 1, day.saturating_sub(back)).parse().ok()
    });
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warranty_ends_so_many_months_after_the_purchase() {
        for (bought, months, expected) in [
            ("2024-01-31", "36 months", Some("2027-01-31T00:00:00Z")),
            ("2024-01-31", "1", Some("2024-02-29T00:00:00Z")),
            ("2024-12-01", "3 years", Some("2027-12-01T00:00:00Z")),
            ("2024-12-01", "0", None),
        ] {
            let fields = BTreeMap::from([(
                Field::PurchaseDate,
                RecordValue::Plain(Value::Time(bought.parse().unwrap())),
            )]);
            let end = warranty_end(&fields, months).unwrap();
            assert_eq!(end.map(|end| end.to_string()).as_deref(), expected, "{bought} {months}");
        }
        assert_eq!(warranty_end(&BTreeMap::new(), "12"), Ok(None));
        assert!(warranty_end(&BTreeMap::new(), "lifetime").is_err());
    }

    #[test]
    fn a_person_is_read_from_what_there_is() {
        let check = |name: Option<&str>, address: Option<&str>, key: Option<&str>, display: Option<&str>| {
            let person = person(name.map(str::to_owned), address.map(str::to_owned));
            assert_eq!(person.as_ref().and_then(PersonName::key).as_deref(), key);
            assert_eq!(person.and_then(|person| person.display).as_deref(), display);
        };
        check(Some("Jo Doe (jdoe)"), None, Some("jo doe"), Some("Jo Doe"));
        check(Some("jo@example.org"), None, Some("jo@example.org"), None);
        check(Some("Jo Doe"), Some("jo@example.org"), Some("jo@example.org"), Some("Jo Doe"));
        check(Some("Jo Doe"), Some("none given"), Some("jo doe"), Some("Jo Doe"));
        check(None, None, None, None);
    }
}
