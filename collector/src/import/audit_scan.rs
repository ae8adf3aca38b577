//! What a scanner wrote in an audit: an asset tag a line, perhaps with the place and the time behind it.
//!
//! A scan sees and doesn't vouch. Whose tags they are has to be chosen, since no line says so, and so has the day of the
//! scan where no line has a time.

use muster_common::device::Field;

use super::{
    ImportError, ImportedFile, MAX_ROWS, Placeholders,
    columns::Column,
    device_list,
    options::Options,
    profile::{Naming, Profile, Repeats},
    recognise::{Head, Score},
    table::{Table, cut},
    text,
};

/// How many lines are looked at to recognise a scan.
const LINES_TO_JUDGE: usize = 50;
/// What may stand between a tag, its place and its time.
const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];

const PROFILE: Profile = Profile {
    vouches: false,
    lenient: true,
    naming: Naming::AssetTag,
    repeats: Repeats::LatestSeen,
    ..Profile::PLAIN
};

/// Reads a scan.
pub(super) fn read(
    content: &[u8],
    options: &Options,
    placeholders: &Placeholders,
) -> Result<ImportedFile, ImportError> {
    let decoded = text::decode(content, options)?;
    let text = decoded.text.as_ref();
    let headings = ["asset_tag", "location", "verified"].map(str::to_owned);
    let mut table = Table::new(headings.to_vec());
    table.remarks.push("an asset tag a line".to_owned());
    for (index, line) in text.lines().enumerate() {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        if line.trim().is_empty() || number == 1 && is_heading(line) {
            continue;
        }
        if index > MAX_ROWS.saturating_mul(2) {
            return Err(ImportError::TooManyRows);
        }
        let mut cells = line.split(SEPARATORS).map(|cell| cell.trim().trim_matches('"'));
        let tag = cells.next().unwrap_or_default();
        let (mut place, mut time) = ("", options.date.as_deref().unwrap_or_default());
        for cell in cells.take(8) {
            match cell.chars().filter(char::is_ascii_digit).count() {
                6.. => time = cell,
                0..6 if place.is_empty() => place = cell,
                0..6 => {}
            }
        }
        table.push(number, cut(line), [tag, place, time].into_iter())?;
    }
    device_list::read_table(&table, decoded.remarks, options, placeholders, &PROFILE)
}

fn is_heading(line: &str) -> bool {
    let first = line.split(SEPARATORS).next().unwrap_or_default();
    let name = super::columns::plain(first);
    Column::from_heading(first) == Some(Column::Field(Field::AssetTag))
        || matches!(name.as_str(), "tag" | "tags" | "scan" | "barcode" | "code" | "etikett")
}

/// Whether nearly every line is one short word, and the first is no heading of another list.
pub(super) fn recognises(head: &Head) -> Option<Score> {
    let lines: Vec<&str> =
        head.text.lines().map(str::trim).filter(|line| !line.is_empty()).take(LINES_TO_JUDGE).collect();
    let (first, rest) = lines.split_first()?;
    let is_tag = |line: &&&str| {
        let tag = line.split(SEPARATORS).next().unwrap_or_default().trim().trim_matches('"');
        let is_short = (2..=32).contains(&tag.len()) && tag.contains(|letter: char| letter.is_ascii_digit());
        let is_word = tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/.".contains(&byte));
        is_short && is_word && line.split(SEPARATORS).count() <= 3
    };
    let tags = rest.iter().filter(is_tag).count();
    let begins = is_heading(first) || is_tag(&first);
    (begins && rest.len() >= 2 && tags * 10 >= rest.len() * 9).then(|| Score {
        points: 35,
        why: format!("nearly every line is a tag, such as {}", rest[0].chars().take(32).collect::<String>()),
    })
}

#[cfg(test)]
mod tests {
    use muster_common::observation::{Record, RecordValue};

    use super::*;

    #[test]
    fn a_line_is_a_tag_with_place_and_time() {
        let mut options = Options::default();
        options.set_all(["company=Nordlicht GmbH", "date=2026-11-20"]).unwrap();
        let placeholders = Placeholders { text: |_| false, uuid: |_| false, mac: |_| false };
        let text = "Asset Tag\nNL-0001\n nl-0002 ; Lager ;2026-11-19 10:00\n\nNL-0001\n";
        let file = read(text.as_bytes(), &options, &placeholders).unwrap();
        let shown: Vec<String> = file
            .rows
            .iter()
            .map(|row| match &row.outcome {
                Ok(Record::Asset(asset)) => {
                    let fields = asset.fields.iter().map(|(field, value)| match value {
                        RecordValue::Plain(value) => format!(" {field}={value}"),
                        RecordValue::Person(_) => String::new(),
                    });
                    format!("{}:{}", row.number, fields.collect::<String>())
                }
                Ok(Record::Person(_) | Record::Sighting(_)) => "no asset".to_owned(),
                Err(refused) => format!("{}: {refused}", row.number),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "2: asset_tag=Nordlicht GmbH/NL-0001 verified=2026-11-20T00:00:00Z",
                "3: asset_tag=Nordlicht GmbH/NL-0002 location=Lager verified=2026-11-19T00:00:00Z",
                "5: same asset tag as row 2, which was seen later; only that is taken",
            ]
        );
        let without = read(text.as_bytes(), &Options::default(), &placeholders).unwrap();
        assert!(without.rows[0].outcome.as_ref().unwrap_err().to_string().contains("company=NAME"));
    }
}
