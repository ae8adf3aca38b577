//! Lists of devices of every system: the heading is understood, what a whole column tells is learned, and each row is read.
//!
//! One engine for all formats, so that a serial number, a date and a price are read alike everywhere; a format is a
//! [`Profile`]. Rows with one name within a file are settled here. Knows nothing of devices.

use std::collections::{BTreeMap, HashMap};

use muster_common::{
    device::{Field, FieldKind, Value},
    observation::{AssetRecord, Record, RecordValue},
};

use super::{
    ImportError, ImportedFile, Placeholders, Row, RowRefused,
    columns::Column,
    dates::Dates,
    device_row::RowReader,
    identifiers::{self, Common},
    json,
    layout::Layout,
    money,
    options::{DecimalMark, Options},
    profile::{Naming, Profile, Repeats},
    table::{Table, TableRow},
    text,
};

/// Reads a list that stands in a file as cells.
pub(super) fn read_csv(
    content: &[u8],
    options: &Options,
    placeholders: &Placeholders,
    profile: &Profile,
) -> Result<ImportedFile, ImportError> {
    let decoded = text::decode(content, options)?;
    let knows = |heading: &str| options.column(heading).is_some() || profile.knows(heading);
    let table = Table::csv(&decoded.text, options, &knows)?;
    read_table(&table, decoded.remarks, options, placeholders, profile)
}

/// Reads a list that stands in a file as objects.
pub(super) fn read_json(
    content: &[u8],
    options: &Options,
    placeholders: &Placeholders,
    profile: &Profile,
) -> Result<ImportedFile, ImportError> {
    let decoded = text::decode(content, options)?;
    let table = json::table(&decoded.text)?;
    read_table(&table, decoded.remarks, options, placeholders, profile)
}

/// Reads a list that is a table already.
pub(super) fn read_table(
    table: &Table<'_>,
    mut remarks: Vec<String>,
    options: &Options,
    placeholders: &Placeholders,
    profile: &Profile,
) -> Result<ImportedFile, ImportError> {
    let layout = Layout::read(table, options, profile)?;
    remarks.extend(table.remarks.iter().cloned());
    remarks.extend(layout.remarks.iter().cloned());
    let dates = dates(table, &layout, options)?;
    for (column, dates) in &dates {
        let place = layout.place(*column).unwrap_or_default();
        remarks.extend(dates.remark(&table.headings[place]));
    }
    let (mark, mark_remark) = decimal_mark(table, &layout, options);
    remarks.extend(mark_remark);
    let digits = |field: Field| {
        let place = layout.place(Column::Field(field))?;
        identifiers::padded_digits(table.column(place).map(|(_, cell)| cell))
    };
    let reader = RowReader {
        profile,
        layout: &layout,
        dates,
        mark,
        currency: options.currency.clone(),
        category: options.category.unwrap_or_default(),
        key: options.key,
        vouches: options.vouches.unwrap_or(profile.vouches),
        made: options.date.as_deref().and_then(|day| day.parse().ok()),
        common: Common {
            company: options.company.clone(),
            maker: profile.maker,
            lenient: profile.lenient,
            serial_digits: digits(Field::Serial),
            tag_digits: digits(Field::AssetTag),
        },
    };
    let mut rows = Rows {
        repeats: profile.repeats,
        by_order: profile.naming == Naming::OrderAndFirst && options.key.is_none(),
        rows: Vec::new(),
        names: HashMap::new(),
    };
    for row in table.rows() {
        rows.add(row, reader.read(row, placeholders));
    }
    Ok(ImportedFile { remarks, rows: rows.rows })
}

/// How the dates of each column with dates are read.
fn dates(
    table: &Table<'_>,
    layout: &Layout,
    options: &Options,
) -> Result<BTreeMap<Column, Dates>, ImportError> {
    let mut found = BTreeMap::new();
    for (column, place) in layout.places() {
        if let Column::Field(field) = column
            && field.kind() == FieldKind::Time
        {
            let cells = table.column(place).map(|(_, cell)| cell);
            found.insert(column, Dates::of_column(&table.headings[place], cells, options)?);
        }
    }
    Ok(found)
}

/// What stands before the fraction of prices, as chosen or as the column proves, and how that is told.
fn decimal_mark(
    table: &Table<'_>,
    layout: &Layout,
    options: &Options,
) -> (Option<DecimalMark>, Option<String>) {
    if options.decimal.is_some() {
        return (options.decimal, None);
    }
    let Some(place) = layout.place(Column::Field(Field::Price)) else { return (None, None) };
    let mut proven = None;
    for mark in table.column(place).filter_map(|(_, cell)| money::proven_mark(cell)) {
        match proven {
            None => proven = Some(mark),
            // Cells prove both, so each stands for itself.
            Some(known) if known != mark => return (None, None),
            Some(_) => {}
        }
    }
    let words = proven.map(|mark| match mark {
        DecimalMark::Comma => "comma",
        DecimalMark::Point => "point",
    });
    (proven, words.map(|words| format!("prices are read with a decimal {words}")))
}

/// The rows so far, and which of them has which name.
struct Rows {
    repeats: Repeats,
    by_order: bool,
    rows: Vec<Row>,
    names: HashMap<String, usize>,
}

impl Rows {
    fn add(&mut self, row: TableRow<'_, '_>, read: Result<AssetRecord, RowRefused>) {
        let outcome = match read {
            Ok(record) => {
                let name = name_of(&record);
                match self.names.get(&name).copied() {
                    None => {
                        self.names.insert(name, self.rows.len());
                        Ok(record)
                    }
                    Some(first) => match self.settle(first, row.number, record) {
                        Some(outcome) => outcome,
                        None => return,
                    },
                }
            }
            Err(refused) => Err(refused),
        };
        self.rows.push(Row {
            number: row.number,
            outcome: outcome.map(Record::Asset),
            original: row.original().to_owned(),
        });
    }

    /// What becomes of a second row of one name; none when it went into the first.
    fn settle(
        &mut self,
        first: usize,
        number: u32,
        mut record: AssetRecord,
    ) -> Option<Result<AssetRecord, RowRefused>> {
        let next = self.rows.len();
        let earlier = &mut self.rows[first];
        let words = key_words(&record);
        let Ok(Record::Asset(known)) = &mut earlier.outcome else { return Some(Ok(record)) };
        match self.repeats {
            Repeats::Refuse => Some(Err(RowRefused::new(format!(
                "same {words} as row {} (remove one of the two{})",
                earlier.number,
                if self.by_order { ", or give them different order numbers" } else { "" }
            )))),
            Repeats::LatestSeen => {
                let reason = |other: u32| {
                    RowRefused::new(format!(
                        "same {words} as row {other}, which was seen later; only that is taken"
                    ))
                };
                if record.seen <= known.seen {
                    return Some(Err(reason(earlier.number)));
                }
                earlier.outcome = Err(reason(number));
                self.names.insert(name_of(&record), next);
                Some(Ok(record))
            }
            Repeats::LatestWarranty => {
                let end = |record: &AssetRecord| match record.fields.get(&Field::WarrantyEnd) {
                    Some(RecordValue::Plain(Value::Time(end))) => Some(*end),
                    Some(_) | None => None,
                };
                if end(&record) > end(known)
                    && let Some(later) = record.fields.remove(&Field::WarrantyEnd)
                {
                    known.fields.insert(Field::WarrantyEnd, later);
                }
                for (field, value) in record.fields {
                    known.fields.entry(field).or_insert(value);
                }
                known
                    .notes
                    .push(format!("row {number} names the same machine; the latest end of warranty counts"));
                None
            }
        }
    }
}

/// A record's name, unique within its file.
fn name_of(record: &AssetRecord) -> String {
    match record.of_person.as_ref().and_then(muster_common::observation::PersonName::key) {
        Some(person) => format!("{}\n{person}", record.row_key),
        None => record.row_key.clone(),
    }
}

/// What two rows of one name have in common.
fn key_words(record: &AssetRecord) -> String {
    let mut parts = record.row_key.split('\n');
    let order = parts.next().unwrap_or_default();
    let kind = parts.next().unwrap_or_default();
    if order.is_empty() { kind.to_owned() } else { format!("{kind} and order number") }
}
