//! Lists of devices that no format is known for, as CSV and as JSON: headings are understood where they are usual, and
//! chosen in a mapping where they are not.
//!
//! The dry run shows what each column was taken for. Such a list vouches unless it is said that it doesn't.

use super::{
    ImportError, ImportedFile, Placeholders,
    columns::Column,
    device_list,
    options::Options,
    profile::Profile,
    recognise::{Head, Score},
};

/// Reads a list as CSV.
pub(super) fn read_csv(
    content: &[u8],
    options: &Options,
    placeholders: &Placeholders,
) -> Result<ImportedFile, ImportError> {
    device_list::read_csv(content, options, placeholders, &Profile::PLAIN)
}

/// Reads a list as JSON.
pub(super) fn read_json(
    content: &[u8],
    options: &Options,
    placeholders: &Placeholders,
) -> Result<ImportedFile, ImportError> {
    device_list::read_json(content, options, placeholders, &Profile::PLAIN)
}

/// Whether a heading tells which machine a row is about.
pub(super) fn recognises_csv(head: &Head) -> Option<Score> {
    head.lines.iter().find_map(|line| score(line.iter().map(String::as_str)))
}

/// Whether a name tells which machine an object is about.
pub(super) fn recognises_json(head: &Head) -> Option<Score> {
    score(head.names.iter().map(String::as_str))
}

fn score<'h>(headings: impl Iterator<Item = &'h str> + Clone) -> Option<Score> {
    let column = |heading: &str| Column::from_heading(heading);
    let identifying = headings.clone().find(|heading| column(heading).is_some_and(Column::is_identifying))?;
    let known = headings.filter(|heading| column(heading).is_some()).count();
    Some(Score {
        points: 10 + u8::try_from(known.min(10)).unwrap_or(10),
        why: format!("it has a column {identifying} and {known} that are understood in all"),
    })
}

#[cfg(test)]
mod tests {
    use muster_common::{
        device::Field,
        observation::{AssetRecord, Record, RecordValue},
    };

    use super::*;

    const PLACEHOLDERS: Placeholders = Placeholders { text: |_| false, uuid: |_| false, mac: |_| false };

    fn options(settings: &[&str]) -> Options {
        let mut options = Options::default();
        options.set_all(settings.iter().copied()).unwrap();
        options
    }

    fn record(file: &ImportedFile, at: usize) -> &AssetRecord {
        match file.rows[at].outcome.as_ref().unwrap() {
            Record::Asset(asset) => asset,
            Record::Person(_) | Record::Sighting(_) => panic!("a list of devices speaks of assets"),
        }
    }

    fn field(file: &ImportedFile, at: usize, field: Field) -> Option<String> {
        match record(file, at).fields.get(&field)? {
            RecordValue::Plain(value) => Some(value.to_string()),
            RecordValue::Person(person) => person.key(),
        }
    }

    #[test]
    fn a_mapping_says_what_headings_mean() {
        let text = "Gerätenr.;Nutzer;Preis;Wo\n=\"0012\";jo@example.org;1.234;Büro\nX1;;12,50;\n";
        let settings = [
            "columns.Gerätenr.=serial",
            "columns.Wo=location",
            "currency=eur",
            "category=peripheral",
            "vouches=no",
        ];
        let file = read_csv(text.as_bytes(), &options(&settings), &PLACEHOLDERS).unwrap();
        assert_eq!(field(&file, 0, Field::Serial).as_deref(), Some("0012"));
        assert_eq!(field(&file, 0, Field::AssignedTo).as_deref(), Some("jo@example.org"));
        assert_eq!(field(&file, 0, Field::Price).as_deref(), Some("1234.00 EUR"));
        assert_eq!(field(&file, 0, Field::Location).as_deref(), Some("Büro"));
        assert_eq!(record(&file, 0).category.name(), "peripheral");
        assert!(!record(&file, 0).vouches);
        assert!(file.remarks.iter().any(|line| line.contains("decimal comma")), "{:?}", file.remarks);
    }

    #[test]
    fn rows_are_named_as_chosen() {
        let text = "serial,asset_tag,user_email\nA1,77,jo@example.org\nA2,,\n";
        let file =
            read_csv(text.as_bytes(), &options(&["key=e-mail", "company=Acme"]), &PLACEHOLDERS).unwrap();
        let first = record(&file, 0);
        assert_eq!(
            first.of_person.as_ref().and_then(|person| person.key()).as_deref(),
            Some("jo@example.org")
        );
        assert!(!first.row_key.contains("example"));
        assert_eq!(first.identifiers.asset_tag.as_deref(), Some("ACME/77"));
        let reason = file.rows[1].outcome.as_ref().unwrap_err().to_string();
        assert!(reason.contains("has no e-mail"), "{reason}");
        let by_tag =
            read_csv(text.as_bytes(), &options(&["key=asset_tag", "company=Acme"]), &PLACEHOLDERS).unwrap();
        assert_eq!(record(&by_tag, 0).row_key, "\nasset_tag\nACME/77");
    }

    #[test]
    fn objects_are_read_like_rows() {
        let text = r#"{"devices":[{"hardware":{"serialNumber":"pf1"},"os":"debian","memory":"16 GB","seen":"2026-03-31T08:00:00Z"}]}"#;
        let chosen = ["columns.hardware.serialNumber=serial", "columns.seen=last_sign_in", "vouches=no"];
        let file = read_json(text.as_bytes(), &options(&chosen), &PLACEHOLDERS).unwrap();
        assert_eq!(field(&file, 0, Field::Serial).as_deref(), Some("PF1"));
        assert_eq!(field(&file, 0, Field::Memory).as_deref(), Some("17179869184"));
        assert_eq!(
            record(&file, 0).seen.map(|seen| seen.to_string()).as_deref(),
            Some("2026-03-31T08:00:00Z")
        );
    }

    #[test]
    fn lost_zeros_are_noted_and_rounded_numbers_refused() {
        let text = "serial,asset_tag,company\nA1,001234,Acme\nA2,1235,Acme\n1.2E+11,,\n";
        let file = read_csv(text.as_bytes(), &Options::default(), &PLACEHOLDERS).unwrap();
        assert_eq!(record(&file, 0).notes, Vec::<String>::new());
        assert!(record(&file, 1).notes[0].contains("leading zeros"), "{:?}", record(&file, 1).notes);
        assert!(file.rows[2].outcome.as_ref().unwrap_err().to_string().contains("scientific"));
    }
}
