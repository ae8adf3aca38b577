//! The example files of `deploy/examples/imports`: what each is taken for, and what becomes of every row; and hostile
//! files made of them.

use std::path::Path;

use muster_collector::{
    actions::import::Importer,
    import::{AUTO, ImportedFile, Placeholders, formats, options::Options, read, recognise},
};
use muster_common::{
    device::Field,
    observation::{AssetRecord, Record, RecordValue},
};
use proptest::prelude::*;

const PLACEHOLDERS: Placeholders = Placeholders {
    text: Importer::is_placeholder,
    uuid: Importer::is_placeholder_uuid,
    mac: Importer::is_placeholder_mac,
};

const SAMPLES: &[&str] = &[
    "purchases.csv",
    "intune.csv",
    "snipe-it.csv",
    "jamf.csv",
    "glpi.csv",
    "lenovo-orders.csv",
    "dell-assets.csv",
    "audit-scan.txt",
];

fn sample(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/examples/imports");
    std::fs::read(folder.join(name)).unwrap()
}

fn options(settings: &[&str]) -> Options {
    let mut options = Options::default();
    options.set_all(settings.iter().copied()).unwrap();
    options
}

fn assets(file: &ImportedFile) -> Vec<(u32, &AssetRecord)> {
    let assets = file.rows.iter().filter_map(|row| match row.outcome.as_ref().ok()? {
        Record::Asset(asset) => Some((row.number, asset)),
        Record::Person(_) | Record::Sighting(_) => None,
    });
    assets.collect()
}

fn field(asset: &AssetRecord, field: Field) -> String {
    match asset.fields.get(&field) {
        Some(RecordValue::Plain(value)) => value.to_string(),
        Some(RecordValue::Person(person)) => person.key().unwrap_or_default(),
        None => String::new(),
    }
}

/// Reads a sample as whatever it is: how many rows can be used, and every note and refusal by row.
fn check(name: &str, format: &str, settings: &[&str], used: usize, odd: &[&str]) -> ImportedFile {
    let content = sample(name);
    let first = recognise(&content).into_iter().next().unwrap();
    assert_eq!(first.format, format, "{name}: {}", first.why);
    let (_, file) = read(AUTO, &content, &options(settings), &PLACEHOLDERS).unwrap();
    let mut shown = Vec::new();
    for row in &file.rows {
        match &row.outcome {
            Ok(Record::Asset(asset)) => {
                shown.extend(asset.notes.iter().map(|note| format!("{}: {note}", row.number)));
            }
            Ok(Record::Person(_) | Record::Sighting(_)) => shown.push(format!("{}: no asset", row.number)),
            Err(refused) => shown.push(format!("{}: REFUSED {refused}", row.number)),
        }
    }
    assert_eq!(shown, odd, "{name}: {:?}", file.remarks);
    assert_eq!(assets(&file).len(), used, "{name}");
    file
}

const COMPANY: &str = "company=Nordlicht GmbH";

#[test]
fn purchases_of_a_spreadsheet_are_read_without_a_choice() {
    let file = check(
        "purchases.csv",
        "purchase-csv",
        &[],
        24,
        &[
            "25: REFUSED same serial and order number as row 4 (remove one of the two, or give them different order numbers)",
            "27: REFUSED the serial \"1,23457E+11\" is a number in scientific notation, its last digits are lost (format the column as text in the spreadsheet, enter it again, and export again)",
            "28: REFUSED serial \"To be filled by O.E.M.\" is a placeholder and was left out; no serial, asset_tag, mac, machine_id or uuid tells which machine this is",
            "29: REFUSED purchase_date: \"31.11.2024\" is not a day of the calendar",
        ],
    );
    let rows = assets(&file);
    let of = |number: u32| rows.iter().find(|(at, _)| *at == number).map(|(_, asset)| *asset).unwrap();
    assert_eq!(field(of(6), Field::Serial), "PF3A7K05");
    assert_eq!(field(of(7), Field::Serial), "PF3A7K06");
    assert_eq!(field(of(6), Field::AssetTag), "Nordlicht GmbH/001005");
    assert_eq!(field(of(6), Field::Price), "1899.50 EUR");
    assert_eq!(field(of(6), Field::Supplier), "Bürotechnik Müller");
    // Three ways of writing a date, in one column.
    assert_eq!(field(of(6), Field::PurchaseDate), "2024-03-28T00:00:00Z");
    assert_eq!(field(of(11), Field::PurchaseDate), "2024-05-28T00:00:00Z");
    assert_eq!(field(of(16), Field::PurchaseDate), "2023-09-20T00:00:00Z");
    for told in ["windows-1252", "month first", "decimal comma", "ignored columns: Bemerkung"] {
        assert!(file.remarks.iter().any(|line| line.contains(told)), "{told}: {:?}", file.remarks);
    }
}

#[test]
fn management_lists_see_and_do_not_vouch() {
    let file = check(
        "intune.csv",
        "intune-csv",
        &[],
        15,
        &[
            "16: REFUSED same serial as row 3, which was seen later; only that is taken",
            "18: REFUSED serial \"Default string\" is a placeholder and was left out; mac \"00:00:00:00:00:00\" is a placeholder and was left out; no serial, asset_tag, mac, machine_id or uuid tells which machine this is",
        ],
    );
    let rows = assets(&file);
    let (_, first) = rows[0];
    assert!(rows.iter().all(|(_, asset)| !asset.vouches && asset.seen.is_some()));
    assert_eq!(field(first, Field::AssignedTo), "jana.koehler@example.org");
    assert_eq!(field(first, Field::MdmId), "6f1c0d52-8a6e-4b0e-9a44-000000000001");
    assert_eq!(field(first, Field::LastSignIn), "2026-11-20T07:58:12Z");
    assert_eq!(field(first, Field::Mac), "a4:bb:6d:00:10:01");
    assert_eq!(field(rows[14].1, Field::Ownership), "personal");
    assert!(
        file.remarks.iter().any(|line| line.contains("Compliance (what is compliant")),
        "{:?}",
        file.remarks
    );

    let file = check("jamf.csv", "jamf-csv", &[COMPANY], 3, &[]);
    let rows = assets(&file);
    assert_eq!(field(rows[1].1, Field::Manufacturer), "Apple");
    assert_eq!(field(rows[1].1, Field::AssetTag), "Nordlicht GmbH/001018");
    assert_eq!(field(rows[1].1, Field::OsVersion), "14.7.1");

    let file = check("glpi.csv", "glpi-csv", &[COMPANY], 6, &[]);
    let rows = assets(&file);
    assert_eq!(field(rows[2].1, Field::OsPretty), "Debian GNU/Linux 12 (bookworm)");
    assert_eq!(field(rows[5].1, Field::State), "in-repair");
}

#[test]
fn a_tag_without_a_scheme_is_left_out_and_named() {
    let reason = |number: u32, tag: &str| {
        format!(
            "{number}: the asset tag \"{tag}\" stands in no scheme, and two companies can own the same tag (choose company=NAME, or add a column company); it was left out"
        )
    };
    let odd = [reason(2, "001017"), reason(3, "001018"), reason(4, "001019")];
    check("jamf.csv", "jamf-csv", &[], 3, &odd.each_ref().map(String::as_str));
}

#[test]
fn a_register_names_its_rows_by_tag() {
    let file = check(
        "snipe-it.csv",
        "snipe-it-csv",
        &[],
        22,
        &[
            "12: state \"Beim Anwender\" is a word of its own and was left out",
            "19: the asset tag 1019 may have lost its leading zeros in a spreadsheet: others have 6 digits",
        ],
    );
    let rows = assets(&file);
    let (_, first) = rows[0];
    assert!(first.vouches);
    assert_eq!(first.row_key, "\nasset tag\nNORDLICHT GMBH/001001");
    assert_eq!(field(first, Field::AssignedTo), "jana köhler");
    assert_eq!(field(first, Field::State), "deployed");
    assert_eq!(field(first, Field::WarrantyEnd), "2027-02-12T00:00:00Z");
    assert_eq!(field(first, Field::Model), "ThinkPad T14 Gen 3");
}

#[test]
fn makers_reports_become_one_record_a_machine() {
    let file = check("lenovo-orders.csv", "lenovo-csv", &[], 13, &[]);
    let rows = assets(&file);
    assert_eq!(field(rows[0].1, Field::WarrantyEnd), "2027-02-12T00:00:00Z");
    assert_eq!(field(rows[0].1, Field::OrderNumber), "B-2024-017");
    let same = |first: u32| {
        format!("{first}: row {} names the same machine; the latest end of warranty counts", first + 1)
    };
    let odd = [same(2), same(4), same(6), same(10), same(12)];
    let file = check("dell-assets.csv", "dell-csv", &[], 7, &odd.each_ref().map(String::as_str));
    let rows = assets(&file);
    assert_eq!(field(rows[0].1, Field::WarrantyEnd), "2027-05-28T00:00:00Z");
    assert_eq!(field(rows[2].1, Field::Serial), "7E12345");
}

#[test]
fn a_scan_needs_to_know_whose_tags_it_holds() {
    let file = check(
        "audit-scan.txt",
        "audit-scan",
        &[COMPANY, "date=2026-11-20"],
        22,
        &["7: REFUSED same asset tag as row 3, which was seen later; only that is taken"],
    );
    assert_eq!(field(assets(&file)[0].1, Field::Verified), "2026-11-20T00:00:00Z");
    let (_, without) = read(AUTO, &sample("audit-scan.txt"), &Options::default(), &PLACEHOLDERS).unwrap();
    assert_eq!(assets(&without).len(), 0);
}

#[test]
fn reading_twice_gives_the_same() {
    for name in SAMPLES {
        let read = || read(AUTO, &sample(name), &options(&[COMPANY]), &PLACEHOLDERS).unwrap().1;
        assert_eq!(read(), read(), "{name}");
    }
}

/// Reads hostile content in every format; what it says doesn't matter, that it comes back does.
fn survive(content: &[u8]) {
    let _ = recognise(content);
    for format in formats() {
        for settings in [&[][..], &[COMPANY, "dates=month-first", "decimal=comma", "currency=EUR"][..]] {
            if let Ok((_, file)) = read(format.name, content, &options(settings), &PLACEHOLDERS) {
                assert!(file.rows.iter().all(|row| row.original.len() <= 16 * 1024), "{}", format.name);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn random_bytes_are_survived(content in proptest::collection::vec(any::<u8>(), 0..2000)) {
        survive(&content);
    }

    #[test]
    fn broken_samples_are_survived(
        which in 0..8usize,
        wounds in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..20),
    ) {
        let mut content = sample(SAMPLES[which]);
        for (at, byte, kind) in wounds {
            let at = at.index(content.len());
            match kind {
                0 => content[at] = byte,
                1 => content.insert(at, byte),
                2 => { content.remove(at); }
                _ => content.splice(at..at, b"\"\",;{[".repeat(usize::from(byte))).for_each(drop),
            }
            if content.is_empty() {
                content.push(byte);
            }
        }
        survive(&content);
    }

    #[test]
    fn nested_objects_are_survived(depth in 0..1000usize, width in 0..300usize) {
        let text = format!(
            "[{}1{},{{{}\"serial\":\"A1\"}}]",
            "{\"a\":".repeat(depth),
            "}".repeat(depth),
            (0..width).map(|n| format!("\"k{n}\":[{n}],")).collect::<String>(),
        );
        survive(text.as_bytes());
    }
}
