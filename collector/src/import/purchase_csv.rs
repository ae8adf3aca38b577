//! Purchase lists as CSV: a heading row in any order and most spellings, then one row for each machine.
//!
//! A row's key is its order number with its first identifier, so that importing a file twice changes nothing, while one
//! machine bought in two orders stays two records that the identity rules can hold against each other.

use super::{
    ImportError, ImportedFile, Placeholders, device_list,
    options::Options,
    profile::{Naming, Profile},
    recognise::{Head, Score},
};

/// Any heading that means something; purchases vouch.
pub(super) const PROFILE: Profile = Profile { naming: Naming::OrderAndFirst, ..Profile::PLAIN };

/// Reads a purchase list.
pub(super) fn read(
    content: &[u8],
    options: &Options,
    placeholders: &Placeholders,
) -> Result<ImportedFile, ImportError> {
    device_list::read_csv(content, options, placeholders, &PROFILE)
}

/// What only purchases have, beside what tells a machine.
const TELLING: &[&[&str]] = &[
    &["ordernumber"],
    &["order"],
    &["ponumber"],
    &["purchasedate"],
    &["price"],
    &["supplier"],
    &["bestellnummer"],
    &["kaufdatum"],
    &["invoice"],
];

/// Whether it tells machines and what was paid for them.
pub(super) fn recognises(head: &Head) -> Option<Score> {
    let found: Vec<&str> = TELLING
        .iter()
        .filter(|headings| head.line_with(headings).is_some())
        .map(|headings| headings[0])
        .collect();
    let general = super::generic::recognises_csv(head)?;
    if found.is_empty() {
        return None;
    }
    // Always a little more than the general list that it is too.
    let more = u8::try_from(found.len()).unwrap_or(u8::MAX);
    Some(Score {
        points: general.points.saturating_add(more).min(39),
        why: format!("it has the columns of a purchase list: {}", found.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use muster_common::observation::{AssetRecord, Record, RecordValue};
    use proptest::prelude::*;

    use super::*;
    use crate::import::{MAX_ORIGINAL_BYTES, MAX_ROWS, Row};

    const PLACEHOLDERS: Placeholders = Placeholders {
        text: |text| text == "TO BE FILLED BY O.E.M.",
        uuid: |_| false,
        mac: |mac| mac.0 == [0; 6],
    };

    fn rows(text: &str) -> Vec<Row> {
        read(text.as_bytes(), &Options::default(), &PLACEHOLDERS).unwrap().rows
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
             A2,,in spring,,,\n\
             ,77,,,,\n\
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
                "6: REFUSED purchase_date: \"in spring\" is not a date (write year-month-day, such as 2026-03-31, or 31.03.2026)",
                "7: REFUSED the asset tag \"77\" stands in no scheme, and two companies can own the same tag (choose company=NAME, or add a column company)",
                "8: REFUSED the price \"5\" has no currency (choose one, such as currency=EUR, or add a column currency)",
                "9: serial=A4",
                "10: REFUSED \"paid\" is not a state (use one of: requested, approved, ordered, in-transit, received, in-stock, deployed, in-repair, spare, lost, stolen, found, retired, wiped, disposed, sold, returned-to-lessor, running, terminated)",
                "11: REFUSED has 8 cells and the heading has 6 (put a cell that contains the separator in quotes)",
                "12: serial=A7",
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
    fn an_unclosed_quote_refuses_its_row() {
        let text = format!("serial,location\nA1,x\nA2,\"open\n{}", "A3,y\n".repeat(500));
        let rows = rows(&text);
        assert_eq!(rows.len(), 2);
        assert!(rows[1].outcome.as_ref().unwrap_err().reason.contains("never closed"));
        assert!(rows[1].original.len() <= MAX_ORIGINAL_BYTES);
    }

    #[test]
    fn whole_files_are_refused_with_what_to_do() {
        let refused = |text: &str| read(text.as_bytes(), &Options::default(), &PLACEHOLDERS).unwrap_err();
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
        let file = read(b"serial;colour;model\nA;red;B\n", &Options::default(), &PLACEHOLDERS).unwrap();
        assert_eq!(
            file.remarks,
            [
                "cells are separated by a semicolon",
                "columns taken: serial as serial, model as model",
                "ignored columns: colour",
            ]
        );
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
            let _ = read(&content, &Options::default(), &PLACEHOLDERS);
        }

        #[test]
        fn any_cells_are_survived_and_read_alike_twice(
            cells in proptest::collection::vec("\\PC{0,40}|[0-9.,E+\"\r\n;-]{0,20}", 0..60),
        ) {
            let text = format!("serial,asset_tag,company,price,currency,mac,uuid,owner,purchase_date\n{}",
                cells.chunks(9).map(|row| row.join(",")).collect::<Vec<_>>().join("\n"));
            prop_assert_eq!(read(text.as_bytes(), &Options::default(), &PLACEHOLDERS), read(text.as_bytes(), &Options::default(), &PLACEHOLDERS));
        }
    }
}
