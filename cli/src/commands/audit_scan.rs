//! `muster audit-scan`: the tags that somebody scanned at a place, against what the records say is there.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use muster_proto::v1::{ScanAuditRequest, ScanAuditResponse, ScanOutcome};

use super::{bare_id, grouped};
use crate::{
    connection::{Session, ask_patiently},
    failure::{Failure, Kind},
    output::{Answer, Cell, Column, Document, Grid, Tone},
};

/// The longest list of tags, in bytes.
const LIST_BYTES: u64 = 8 * 1024 * 1024;
/// How many lines people get to see; the other forms have all.
const SHOWN_ROWS: usize = 60;

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    /// Scanned serial numbers and asset tags, one a line; - reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where they were scanned
    #[arg(long, value_name = "PLACE")]
    location: String,
    /// What to call this audit: audit, or audit-NAME
    #[arg(long, value_name = "NAME", default_value = "audit")]
    source: String,
    /// Note what was found, instead of only showing the differences
    #[arg(long)]
    apply: bool,
}

/// Sends the tags and shows what is where.
pub(crate) async fn run(words: &Words, session: &Session) -> Result<Answer, Failure> {
    let request = ScanAuditRequest {
        location: words.location.clone(),
        tags: tags(&read(&words.file)?),
        source: words.source.clone(),
        apply: words.apply,
    };
    let response = session.explain(session.lifecycle.clone().scan_audit(ask_patiently(request)).await)?;
    Ok(answer(&response, words.apply))
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let outcome = if path == Path::new("-") {
        io::stdin().lock().take(LIST_BYTES + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(LIST_BYTES + 1).read_to_end(&mut bytes))
    };
    let failed = |what: String| Failure::new(Kind::Usage, what, "name a text file with one tag on each line");
    outcome.map_err(|error| failed(format!("{} can't be read: {error}", path.display())))?;
    if bytes.len() as u64 > LIST_BYTES {
        return Err(failed(format!("{} is longer than 8 MiB", path.display())));
    }
    // A scanner's list has no letters that this could lose.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first column of each line; a scanner's time and operator behind it don't matter.
fn tags(text: &str) -> Vec<String> {
    let first = |line: &str| {
        let cell = line.split(['\t', ',', ';']).next().unwrap_or_default();
        cell.trim_matches(|letter: char| letter.is_whitespace() || "\"\u{feff}".contains(letter)).to_owned()
    };
    text.lines().map(first).filter(|tag| !tag.is_empty()).collect()
}

fn answer(response: &ScanAuditResponse, applied: bool) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("outcome"),
        Column::new("tag"),
        Column::new("name"),
        Column::new("recorded_location"),
        Column::new("id").spare(1),
    ]);
    let mut results: Vec<_> = response.results.iter().collect();
    results.sort_by_key(|result| urgency(result.outcome()));
    for result in results {
        let (word, tone) = word(result.outcome());
        grid.rows.push(vec![
            Cell::text(word).in_tone(tone),
            Cell::text(&result.tag),
            Cell::text(&result.display_name),
            Cell::text(&result.recorded_location),
            Cell::text(bare_id(&result.asset)).in_tone(Tone::Quiet),
        ]);
    }
    let counts = [
        (response.found, "found here"),
        (response.moved, "recorded elsewhere"),
        (response.missing, "missing from here"),
        (response.unknown, "unknown"),
        (response.ambiguous, "ambiguous"),
    ];
    let counts: Vec<String> =
        counts.iter().map(|(count, word)| format!("{} {word}", grouped((*count).into()))).collect();
    let mut notes = Vec::new();
    if grid.rows.len() > SHOWN_ROWS {
        let more = grouped((grid.rows.len() - SHOWN_ROWS) as u64);
        notes.push(format!("{more} more lines (--output csv lists all)"));
    }
    let end = if applied {
        "What was found is noted."
    } else {
        "Nothing was changed; --apply notes what was found."
    };
    notes.push(format!("{}. {end}", counts.join(", ")));
    Answer { json: Document::of(response), grid, sheet: None, notes, shown_rows: Some(SHOWN_ROWS) }
}

fn word(outcome: ScanOutcome) -> (&'static str, Tone) {
    match outcome {
        ScanOutcome::Found => ("found", Tone::Good),
        ScanOutcome::Moved => ("moved", Tone::Warning),
        ScanOutcome::Missing => ("missing", Tone::Critical),
        ScanOutcome::Unknown => ("unknown", Tone::Critical),
        ScanOutcome::Ambiguous => ("ambiguous", Tone::Warning),
        ScanOutcome::Unspecified => ("", Tone::Plain),
    }
}

fn urgency(outcome: ScanOutcome) -> u8 {
    match outcome {
        ScanOutcome::Missing => 0,
        ScanOutcome::Unknown => 1,
        ScanOutcome::Ambiguous => 2,
        ScanOutcome::Moved => 3,
        ScanOutcome::Found | ScanOutcome::Unspecified => 4,
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::ScanResult;

    use super::*;
    use crate::output::testing::check_table;

    #[test]
    fn a_scanner_s_list_is_read_line_by_line() {
        assert_eq!(tags("\u{feff}A1\r\n\"A2\";2026-11-24\n\n  \nA3\t12:00\n"), ["A1", "A2", "A3"]);
    }

    #[test]
    fn what_needs_a_person_comes_first() {
        let line = |outcome: ScanOutcome, tag: &str| ScanResult {
            outcome: outcome.into(),
            tag: tag.to_owned(),
            display_name: "alpha".to_owned(),
            ..ScanResult::default()
        };
        let response = ScanAuditResponse {
            results: vec![line(ScanOutcome::Found, "A1"), line(ScanOutcome::Missing, "")],
            found: 1,
            missing: 1,
            ..ScanAuditResponse::default()
        };
        check_table(
            &answer(&response, false),
            "
OUTCOME  TAG  NAME   RECORDED LOCATION  ID
missing       alpha
found    A1   alpha

1 found here, 0 recorded elsewhere, 1 missing from here, 0 unknown, 0 ambiguous. Nothing was changed; --apply notes what was found.",
        );
    }
}
