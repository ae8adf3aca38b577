//! Purchase lists as CSV: a heading row in any order and most spellings, then one row for each machine.
//!
//! Knows nothing of devices. What a cell must look like stands in `cells`, `money` and `keys`; here stands how rows
//! are told apart. A row's key is its order number with its first identifier, so that importing a file twice changes
//! nothing, while one machine bought in two orders stays two records that the identity rules can hold against
//! each other.

use std::collections::{BTreeMap, HashMap};

use csv::{ReaderBuilder, StringRecord};
use muster_common::{
    asset::Category,
    device::{Field, Value},
    observation::{AssetRecord, PersonName, Record, RecordIdentifiers, RecordValue},
};

use super::{
    ImportError, ImportedFile, MAX_CELL_BYTES, MAX_COLUMNS, MAX_ORIGINAL_BYTES, MAX_ROWS, Placeholders, Row,
    RowRefused, cells, columns::Column, keys, money, text,
};

/// How many headings a message names.
const MAX_NAMED_HEADINGS: usize = 20;

/// Reads a purchase list.
pub(super) fn read(content: &[u8], placeholders: &Placeholders) -> Result<ImportedFile, ImportError> {
    let decoded = text::decode(content)?;
    let mut lines = Lines::new(decoded.text, decoded.delimiter, decoded.skipped_rows);
    let Some(heading) = lines.next_row() else { return Err(ImportError::Empty) };
    let (layout, ignored) = Layout::read(&heading.cells)?;
    let mut remarks = vec![format!("cells are separated by a {}", decoded.delimiter_name)];
    if !ignored.is_empty() {
        remarks.push(format!("ignored columns: {}", named(&ignored)));
    }

    let mut rows: Vec<Row> = Vec::new();
    let mut seen: HashMap<String, u32> = HashMap::new();
    while let Some(line) = lines.next_row() {
        if rows.len() >= MAX_ROWS {
            return Err(ImportError::TooManyRows);
        }
        let outcome =
            read_row(&layout, &line.cells, placeholders).and_then(|record| match seen.get(&record.row_key) {
                Some(first) => Err(RowRefused::new(format!(
                    "same {} as row {first} (remove one of the two, or give them different order numbers)",
                    key_words(&record)
                ))),
                None => {
                    seen.insert(record.row_key.clone(), line.number);
                    Ok(Record::Asset(record))
                }
            });
        rows.push(Row { number: line.number, outcome, original: line.original });
    }
    Ok(ImportedFile { remarks, rows })
}

/// Which column means what.
struct Layout {
    columns: Vec<Option<Column>>,
}

impl Layout {
    /// Understands a heading; the headings that mean nothing to us come with it.
    fn read(heading: &StringRecord) -> Result<(Self, Vec<String>), ImportError> {
        if heading.len() > MAX_COLUMNS {
            return Err(ImportError::TooManyColumns { line: 1 });
        }
        let mut first: BTreeMap<Column, &str> = BTreeMap::new();
        let mut columns = Vec::with_capacity(heading.len());
        let mut ignored = Vec::new();
        for name in heading {
            let column = Column::from_heading(name);
            if let Some(column) = column
                && let Some(earlier) = first.insert(column, name)
            {
                return Err(ImportError::DoubleColumn {
                    column: column.name(),
                    first: short(earlier),
                    second: short(name),
                });
            }
            if column.is_none() && !name.trim().is_empty() {
                ignored.push(short(name));
            }
            columns.push(column);
        }
        if !first.keys().any(|column| column.is_identifying()) {
            let all: Vec<String> = heading.iter().map(short).collect();
            return Err(ImportError::NoIdentifier { found: named(&all) });
        }
        Ok((Self { columns }, ignored))
    }

    /// The row's cells by their meaning, without those that have none or are empty.
    fn cells<'a>(&self, record: &'a StringRecord) -> Result<BTreeMap<Column, &'a str>, RowRefused> {
        let mut cells = BTreeMap::new();
        for (place, cell) in record.iter().enumerate() {
            if cell.trim().is_empty() {
                continue;
            }
            let Some(column) = self.columns.get(place) else {
                return Err(RowRefused::new(format!(
                    "has {} cells and the heading has {} (put a cell that contains the separator in quotes)",
                    record.len(),
                    self.columns.len()
                )));
            };
            if cell.len() > MAX_CELL_BYTES {
                return Err(RowRefused::new(format!(
                    "cell {} is longer than {MAX_CELL_BYTES} bytes (is a quote opened there and never closed?)",
                    place + 1
                )));
            }
            if let Some(column) = column {
                cells.insert(*column, cell);
            }
        }
        Ok(cells)
    }
}

/// Reads one row.
fn read_row(
    layout: &Layout,
    record: &StringRecord,
    placeholders: &Placeholders,
) -> Result<AssetRecord, RowRefused> {
    let cells = layout.cells(record)?;
    let text = |column: Column| cells.get(&column).and_then(|cell| cells::text(cell));
    let mut notes = Vec::new();
    let identifiers = identifiers(&cells, placeholders, &mut notes).map_err(RowRefused::new)?;
    if identifiers.is_empty() {
        notes.push("no serial, asset_tag, mac, machine_id or uuid tells which machine this is".to_owned());
        return Err(RowRefused::new(notes.join("; ")));
    }
    let mut fields: BTreeMap<Field, RecordValue> = BTreeMap::new();
    let mut put = |field: Field, value: Value| {
        fields.insert(field, RecordValue::Plain(value));
    };
    for column in Column::all() {
        if let (Some(field), Some(text)) = (column.text_field(), text(column)) {
            put(field, Value::Text(text));
        }
    }
    let RecordIdentifiers { serial, asset_tag: _, uuid, machine_id, macs, instance: _, asset_key: _ } =
        &identifiers;
    for (field, value) in [(Field::Serial, serial), (Field::Uuid, uuid), (Field::MachineId, machine_id)] {
        if let Some(value) = value {
            put(field, Value::Text(value.clone()));
        }
    }
    if !macs.is_empty() {
        put(Field::Mac, Value::List(macs.iter().map(ToString::to_string).collect()));
    }
    if identifiers.asset_tag.is_some()
        && let (Some(cell), Some(scheme)) = (cells.get(&Column::AssetTag), scheme(&cells))
    {
        // The scheme as people write it; the tag as it is compared.
        put(Field::AssetTag, Value::Text(format!("{scheme}/{}", keys::key(cell))));
    }
    for (column, field) in
        [(Column::PurchaseDate, Field::PurchaseDate), (Column::WarrantyEnd, Field::WarrantyEnd)]
    {
        if let Some(cell) = text(column) {
            let date = cells::date(&cell)
                .map_err(|reason| RowRefused::new(format!("{}: {reason}", column.name())))?;
            put(field, Value::Time(date));
        }
    }
    if let Some(cell) = text(Column::Price) {
        let currency = text(Column::Currency);
        put(Field::Price, Value::Money(money::price(&cell, currency.as_deref()).map_err(RowRefused::new)?));
    }
    if let Some(cell) = text(Column::State) {
        put(Field::State, Value::Text(cells::state(&cell).map_err(RowRefused::new)?));
    }
    if let Some(cell) = text(Column::Ownership) {
        put(Field::Ownership, Value::Text(cells::ownership(&cell).map_err(RowRefused::new)?));
    }
    if let Some(cell) = text(Column::Class) {
        put(Field::Class, Value::Text(cells::class(&cell)));
    }
    for (field, name, address) in [
        (Field::Owner, Column::Owner, Column::OwnerEmail),
        (Field::AssignedTo, Column::AssignedTo, Column::AssignedToEmail),
    ] {
        if let Some(person) = person(text(name), text(address)) {
            fields.insert(field, RecordValue::Person(person));
        }
    }
    let row_key = row_key(&identifiers, text(Column::OrderNumber).as_deref());
    Ok(AssetRecord {
        row_key,
        category: Category::Device,
        of_person: None,
        identifiers,
        fields,
        vouches: true,
        notes,
    })
}

/// Reads the identifiers; a placeholder is left out and noted, what was destroyed refuses the row.
fn identifiers(
    cells: &BTreeMap<Column, &str>,
    placeholders: &Placeholders,
    notes: &mut Vec<String>,
) -> Result<RecordIdentifiers, String> {
    let mut found = RecordIdentifiers::default();
    let cell = |column: Column| cells.get(&column).copied().filter(|cell| !keys::key(cell).is_empty());
    let mut leave_out = |column: Column, cell: &str| {
        notes.push(format!(
            "{} {} is a placeholder and was left out",
            column.name(),
            cells::shown(cell.trim())
        ));
    };
    if let Some(cell) = cell(Column::Serial) {
        let maker = cells.get(&Column::Maker).copied();
        let serial = keys::serial(cell, maker)?;
        if (placeholders.text)(&serial) {
            leave_out(Column::Serial, cell);
        } else {
            found.serial = Some(serial);
        }
    }
    if let Some(cell) = cell(Column::AssetTag) {
        if (placeholders.text)(&keys::key(cell)) {
            leave_out(Column::AssetTag, cell);
        } else {
            let scheme = scheme(cells).ok_or_else(|| {
                format!(
                    "the asset tag {} stands in no scheme, and two companies can own the same tag (add a column company or asset_tag_scheme)",
                    cells::shown(cell.trim())
                )
            })?;
            found.asset_tag = Some(keys::asset_tag(cell, &scheme)?);
        }
    }
    if let Some(cell) = cell(Column::Uuid) {
        let uuid = keys::uuid(cell)?;
        if (placeholders.uuid)(&uuid) {
            leave_out(Column::Uuid, cell);
        } else {
            found.uuid = Some(uuid);
        }
    }
    if let Some(cell) = cell(Column::MachineId) {
        found.machine_id = Some(keys::machine_id(cell)?);
    }
    if let Some(cell) = cell(Column::Mac) {
        for mac in keys::macs(cell)? {
            if (placeholders.mac)(mac) {
                leave_out(Column::Mac, &mac.to_string());
            } else {
                found.macs.push(mac);
            }
        }
    }
    Ok(found)
}

/// In which scheme a tag stands: its own column, else the company.
fn scheme(cells: &BTreeMap<Column, &str>) -> Option<String> {
    [Column::AssetTagScheme, Column::Company]
        .into_iter()
        .find_map(|column| cells.get(&column).and_then(|cell| cells::text(cell)))
}

/// A person from a name and an address; a name that is an address is one.
fn person(name: Option<String>, address: Option<String>) -> Option<PersonName> {
    let person = match (name, address) {
        (Some(name), None) if name.contains('@') && !name.contains(' ') => {
            PersonName { display: None, email: Some(name) }
        }
        (display, email) => PersonName { display, email },
    };
    person.key().is_some().then_some(person)
}

/// The row's own name: its order number, then its first identifier.
fn row_key(identifiers: &RecordIdentifiers, order: Option<&str>) -> String {
    let (kind, value) = first_identifier(identifiers);
    format!("{}\n{kind}\n{value}", order.map(keys::key).unwrap_or_default())
}

fn first_identifier(identifiers: &RecordIdentifiers) -> (&'static str, String) {
    let RecordIdentifiers { serial, asset_tag, uuid, machine_id, macs, instance: _, asset_key: _ } =
        identifiers;
    let named = [("serial", serial), ("asset tag", asset_tag), ("uuid", uuid), ("machine id", machine_id)];
    for (kind, value) in named {
        if let Some(value) = value {
            return (kind, value.clone());
        }
    }
    ("mac", macs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
}

fn key_words(record: &AssetRecord) -> String {
    let (kind, _) = first_identifier(&record.identifiers);
    if record.fields.contains_key(&Field::OrderNumber) {
        format!("{kind} and order number")
    } else {
        kind.to_owned()
    }
}

fn short(heading: &str) -> String {
    let mut short: String = heading.trim().chars().filter(|letter| !letter.is_control()).take(40).collect();
    if short.len() < heading.trim().len() {
        short.push('…');
    }
    short
}

fn named(headings: &[String]) -> String {
    let mut text = headings.iter().take(MAX_NAMED_HEADINGS).cloned().collect::<Vec<_>>().join(", ");
    if headings.len() > MAX_NAMED_HEADINGS {
        text.push_str(&format!(" and {} more", headings.len() - MAX_NAMED_HEADINGS));
    }
    text
}

/// A row as it stands in the file.
struct Line {
    /// As a spreadsheet counts.
    number: u32,
    cells: StringRecord,
    original: String,
}

/// Splits text into rows and counts them as a spreadsheet does: empty rows count, line ends inside quotes don't.
struct Lines<'a> {
    text: &'a str,
    reader: csv::Reader<&'a [u8]>,
    number: u32,
    after_return: bool,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str, delimiter: u8, skipped_rows: u32) -> Self {
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(text.as_bytes());
        Self { text, reader, number: skipped_rows, after_return: false }
    }

    /// The next row that has a cell with something in it.
    fn next_row(&mut self) -> Option<Line> {
        loop {
            let start = self.reader.position().byte();
            let mut cells = StringRecord::new();
            // The text is UTF-8 and rows may differ in length, so nothing is left that could be an error.
            if !self.reader.read_record(&mut cells).unwrap_or(false) {
                return None;
            }
            let end = self.reader.position().byte();
            let at = |byte: u64| usize::try_from(byte).unwrap_or(usize::MAX).min(self.text.len());
            let raw = self.text.get(at(start)..at(end)).unwrap_or_default();
            self.number = self.number.saturating_add(self.leading_empty_rows(raw)).saturating_add(1);
            self.after_return = raw.ends_with('\r');
            if cells.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            let original = cut(raw.trim_matches(['\r', '\n'])).to_owned();
            return Some(Line { number: self.number, cells, original });
        }
    }

    /// How many empty rows the reader passed over before this one.
    fn leading_empty_rows(&self, raw: &str) -> u32 {
        let mut previous_was_return = self.after_return;
        let mut count = 0u32;
        for byte in raw.bytes() {
            match byte {
                // The second half of a line end.
                b'\n' if previous_was_return => previous_was_return = false,
                b'\n' => count = count.saturating_add(1),
                b'\r' => {
                    count = count.saturating_add(1);
                    previous_was_return = true;
                }
                _ => break,
            }
        }
        count
    }
}

/// At most as much as is kept for correction.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_ORIGINAL_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACEHOLDERS: Placeholders = Placeholders {
        text: |text| text == "TO BE FILLED BY O.E.M.",
        uuid: |_| false,
        mac: |mac| mac.0 == [0; 6],
    };

    fn rows(text: &str) -> Vec<Row> {
        read(text.as_bytes(), &PLACEHOLDERS).unwrap().rows
    }

    fn asset(record: &Record) -> &AssetRecord {
        match record {
            Record::Asset(asset) => asset,
            Record::Person(_) | Record::Sighting(_) => panic!("a purchase list speaks of assets"),
        }
    }

    /// One line for each row: its number, then its fields or its reason.
    fn check(text: &str, expected: &[&str]) {
        let shown: Vec<String> = rows(text)
            .into_iter()
            .map(|row| match row.outcome {
                Ok(record) => {
                    let fields: Vec<String> = asset(&record)
                        .fields
                        .iter()
                        .map(|(field, value)| match value {
                            RecordValue::Plain(value) => format!("{field}={value}"),
                            RecordValue::Person(person) => {
                                format!("{field}=<{}>", person.key().unwrap_or_default())
                            }
                        })
                        .collect();
                    format!("{}: {}", row.number, fields.join(" "))
                }
                Err(refused) => format!("{}: REFUSED {refused}", row.number),
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_whole_row_is_read() {
        check(
            "\u{feff}Serial Number;Asset Tag;Maker;Model;Class;Company;Owner;Owner E-Mail;Supplier;Price;Currency;Purchase Date;Warranty End;Location;Cost Centre;Order Number;MAC\r\n\
             1S20L8S07A14PF1ABCDE;1234;Lenovo;ThinkPad T480s;Notebook;Acme;Jo Doe;Jo@Example.org;Shop;1.234,56;eur;2024-05-01;2027-04-30;Berlin;4711;PO-1;00-1B-21-3A-4F-5E\r\n",
            &[
                "2: serial=PF1ABCDE manufacturer=Lenovo model=ThinkPad T480s mac=00:1b:21:3a:4f:5e class=laptop asset_tag=Acme/1234 company=Acme owner=<jo@example.org> location=Berlin cost_center=4711 supplier=Shop order_number=PO-1 price=1234.56 EUR purchase_date=2024-05-01T00:00:00Z warranty_end=2027-04-30T00:00:00Z",
            ],
        );
    }

    #[test]
    fn bad_rows_say_why_and_the_others_go_in() {
        check(
            "serial,asset_tag,purchase_date,price,currency,state\n\
             A1,,2024-05-01,,,\n\
             ,,2024-05-01,,,\n\
             1.23E+11,,,,,\n\
             To be filled by O.E.M.,,,,,\n\
             A2,,01.05.2024,,,\n\
             A3,,,5,,\n\
             A4,77,,,,\n\
             A5,,,,,paid\n\
             A6,,,,,,,too many\n\
             A7\n",
            &[
                "2: serial=A1 purchase_date=2024-05-01T00:00:00Z",
                "3: REFUSED no serial, asset_tag, mac, machine_id or uuid tells which machine this is",
                "4: REFUSED the serial \"1.23E+11\" is a number in scientific notation, its last digits are lost (format the column as text in the spreadsheet, enter it again, and export again)",
                "5: REFUSED serial \"To be filled by O.E.M.\" is a placeholder and was left out; no serial, asset_tag, mac, machine_id or uuid tells which machine this is",
                "6: REFUSED purchase_date: \"01.05.2024\" is not a date (write year-month-day, such as 2026-03-31; 31.03.26 or 03/31/26 can be read in two ways)",
                "7: REFUSED the price \"5\" has no currency (add a column currency, such as EUR)",
                "8: REFUSED the asset tag \"77\" stands in no scheme, and two companies can own the same tag (add a column company or asset_tag_scheme)",
                "9: REFUSED \"paid\" is not a state (use one of: requested, approved, ordered, in-transit, received, in-stock, deployed, in-repair, retired, wiped, disposed, sold, returned-to-lessor, spare, lost, stolen, found, running, terminated)",
                "10: REFUSED has 8 cells and the heading has 6 (put a cell that contains the separator in quotes)",
                "11: serial=A7",
            ],
        );
    }

    #[test]
    fn rows_are_told_apart_by_order_and_identifier() {
        check(
            "serial,order_number\nA1,O1\na1,o1\nA1,O2\nA2,\n A2\u{a0},\n",
            &[
                "2: serial=A1 order_number=O1",
                "3: REFUSED same serial and order number as row 2 (remove one of the two, or give them different order numbers)",
                "4: serial=A1 order_number=O2",
                "5: serial=A2",
                "6: REFUSED same serial as row 5 (remove one of the two, or give them different order numbers)",
            ],
        );
    }

    #[test]
    fn a_placeholder_is_left_out_when_something_else_tells() {
        let rows = rows("serial,mac\nTo be filled by O.E.M.,00:00:00:00:00:00 00:1b:21:3a:4f:5e\n");
        let record = asset(rows[0].outcome.as_ref().unwrap());
        assert_eq!((record.identifiers.serial.as_deref(), record.identifiers.macs.len()), (None, 1));
        assert_eq!(record.notes.len(), 2);
    }

    #[test]
    fn rows_are_counted_as_a_spreadsheet_counts_them() {
        for end in ["\n", "\r\n"] {
            let text =
                ["sep=,", "serial,location", "", "A1,\"two\nlines\"", ",", "A2,x", "", "", "A3,"].join(end);
            let numbers: Vec<u32> = rows(&text).iter().map(|row| row.number).collect();
            assert_eq!(numbers, [4, 6, 9], "{end:?}");
        }
        assert_eq!(rows("serial\n\"A1\"\n")[0].original, "\"A1\"");
    }

    #[test]
    fn an_unclosed_quote_refuses_its_row() {
        let text = format!("serial,location\nA1,x\nA2,\"open\n{}", "A3,y\n".repeat(500));
        let rows = rows(&text);
        assert_eq!(rows.len(), 2);
        assert!(rows[1].outcome.as_ref().unwrap_err().reason.contains("never closed"));
        assert!(rows[1].original.len() <= MAX_ORIGINAL_BYTES);
    }

    #[test]
    fn whole_files_are_refused_with_what_to_do() {
        let refused = |text: &str| read(text.as_bytes(), &PLACEHOLDERS).unwrap_err();
        assert!(
            matches!(refused("model,price\nA,1\n"), ImportError::NoIdentifier { found } if found == "model, price")
        );
        assert!(matches!(refused("serial,S/N\nA,B\n"), ImportError::DoubleColumn { column: "serial", .. }));
        assert_eq!(
            refused(&format!("serial{}\n", ",x".repeat(300))),
            ImportError::TooManyColumns { line: 1 }
        );
        let many = "serial\n".to_owned() + &"A\n".repeat(MAX_ROWS + 1);
        assert_eq!(refused(&many), ImportError::TooManyRows);
    }

    #[test]
    fn remarks_say_how_the_file_was_understood() {
        let file = read(b"serial;colour;model\nA;red;B\n", &PLACEHOLDERS).unwrap();
        assert_eq!(file.remarks, ["cells are separated by a semicolon", "ignored columns: colour"]);
    }

    #[test]
    fn personal_values_are_in_no_debug_text() {
        let rows = rows("serial,owner,owner_email\nA1,Jo Doe,jo@example.org\nA1,Jo Doe,jo@example.org\n");
        let shown = format!("{rows:?}");
        assert!(!shown.contains("Jo") && !shown.contains("example.org"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(content in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = read(&content, &PLACEHOLDERS);
        }

        #[test]
        fn any_cells_are_survived_and_read_alike_twice(
            cells in proptest::collection::vec("\\PC{0,40}|[0-9.,E+\"\r\n;-]{0,20}", 0..60),
        ) {
            let text = format!("serial,asset_tag,company,price,currency,mac,uuid,owner,purchase_date\n{}",
                cells.chunks(9).map(|row| row.join(",")).collect::<Vec<_>>().join("\n"));
            prop_assert_eq!(read(text.as_bytes(), &PLACEHOLDERS), read(text.as_bytes(), &PLACEHOLDERS));
        }
    }
}
