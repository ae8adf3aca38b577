//! `muster import`: a file of another system, row by row; a dry run unless told otherwise.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use muster_common::source::ImportName;
use muster_proto::{
    limits::IMPORT_FILE_BYTES,
    v1::{ImportBegin, ImportOutcome, ImportResponse},
};

use super::{bare_id, carried, grouped, mapping, refused, upload};
use crate::{
    connection::Session,
    failure::{Failure, Kind},
    output::{Answer, Cell, Column, Document, Grid, Tone},
};

/// How many rows people get to see; the other forms have all.
const SHOWN_ROWS: usize = 40;

/// The words of the command.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Words {
    #[command(subcommand)]
    action: Option<Action>,
    /// The file; - reads standard input
    #[arg(value_name = "FILE", required = true)]
    file: Option<PathBuf>,
    /// What to call the source of these rows; the same name every time [default: the format's own, such as purchase]
    #[arg(long, visible_alias = "name", value_name = "NAME", value_parser = |text: &str| ImportName::new(text))]
    source: Option<ImportName>,
    /// What kind of file it is; auto tells by what stands in it
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    format: String,
    /// Choices that were kept under this name with muster import mapping save
    #[arg(long, value_name = "NAME", value_parser = |text: &str| ImportName::new(text))]
    mapping: Option<ImportName>,
    /// A choice about the file, such as dates=day-first, company=NAME, columns.HEADING=serial; again for more
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Take the rows in, instead of only showing what would happen
    #[arg(long)]
    apply: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Take in reports that muster-agent export wrote, carried here from where no network leads
    Agent(carried::Words),
    /// List the rows that could not be used, as they stand in their files
    Refused(refused::Words),
    /// Keep what was chosen about a kind of file, so that the next one needs no choices
    Mapping(mapping::Words),
}

impl Words {
    /// The words for reports of agents, if it is about those.
    pub(crate) fn of_agents(&self) -> Option<&carried::Words> {
        match self.action.as_ref()? {
            Action::Agent(words) => Some(words),
            Action::Refused(_) | Action::Mapping(_) => None,
        }
    }

    /// The words for the list of refused rows, if it is about that.
    pub(crate) fn of_refused(&self) -> Option<&refused::Words> {
        match self.action.as_ref()? {
            Action::Refused(words) => Some(words),
            Action::Agent(_) | Action::Mapping(_) => None,
        }
    }

    /// The words for mappings, if it is about those.
    pub(crate) fn of_mappings(&self) -> Option<&mapping::Words> {
        match self.action.as_ref()? {
            Action::Mapping(words) => Some(words),
            Action::Agent(_) | Action::Refused(_) => None,
        }
    }

    fn file(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new("-"))
    }
}

/// Sends the file and shows what became of its rows.
pub(crate) async fn run(words: &Words, session: &Session) -> Result<Answer, Failure> {
    let begin = ImportBegin {
        source: words.source.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default(),
        format: words.format.clone(),
        apply: words.apply,
        mapping: words.mapping.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default(),
        settings: words.settings.clone(),
    };
    let response = upload::send(session, begin, read(words.file())?).await?;
    Ok(answer(&response, words))
}

/// The file's bytes, at most as many as an import takes.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let limit = IMPORT_FILE_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    let outcome = if path == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    outcome.map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("{} can't be read: {error}", path.display()),
            "name a file that you may read, or - for standard input",
        )
    })?;
    if bytes.len() > IMPORT_FILE_BYTES {
        return Err(Failure::new(
            Kind::Usage,
            format!("{} is longer than {} MiB", path.display(), IMPORT_FILE_BYTES / (1024 * 1024)),
            "split it into several files, each with the heading",
        ));
    }
    Ok(bytes)
}

fn answer(response: &ImportResponse, words: &Words) -> Answer {
    let mut rows: Vec<_> = response.rows.iter().collect();
    // What needs a person comes first; a file has thousands of rows that don't.
    rows.sort_by_key(|row| (urgency(row.outcome()), row.row));
    let mut grid = Grid::new(&[
        Column::number("row"),
        Column::new("outcome"),
        Column::sentences("reason"),
        Column::new("device").spare(1),
    ]);
    for row in rows {
        let (word, tone) = outcome(row.outcome());
        grid.rows.push(vec![
            Cell::text(row.row.to_string()),
            Cell::text(word).in_tone(tone),
            Cell::text(&row.reason),
            Cell::text(bare_id(&row.device)).in_tone(Tone::Quiet),
        ]);
    }
    let total = grid.rows.len();
    let mut notes = response.remarks.clone();
    let counts = [
        (response.created, "new"),
        (response.updated, "updated"),
        (response.unchanged, "unchanged"),
        (response.conflicts, "in conflict"),
        (response.refused, "refused"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{} {word}", grouped((*count).into())))
        .collect();
    let counts = if counts.is_empty() { "no rows".to_owned() } else { counts.join(", ") };
    if words.apply {
        notes.push(format!("Done: {counts}."));
    } else {
        notes.push(format!("Dry run: {counts}. Nothing was changed."));
        if response.created + response.updated + response.conflicts > 0 {
            notes.push(format!("To take them in: {}", command(words, response)));
        }
    }
    if total > SHOWN_ROWS {
        notes.insert(
            0,
            format!("{} more rows (--output csv lists all)", grouped((total - SHOWN_ROWS) as u64)),
        );
    }
    Answer { json: Document::of(response), grid, sheet: None, notes, shown_rows: Some(SHOWN_ROWS) }
}

/// The same command with what was found out, so that it can be copied.
fn command(words: &Words, response: &ImportResponse) -> String {
    let quoted = |text: &str| {
        let plain = |letter: char| letter.is_alphanumeric() || "/._-=,:@+".contains(letter);
        if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
    };
    let mut line = format!("muster import {}", quoted(&words.file().display().to_string()));
    line.push_str(&format!(" --format {} --source {}", response.format, response.source));
    if let Some(mapping) = &words.mapping {
        line.push_str(&format!(" --mapping {}", mapping.as_str()));
    }
    for setting in &words.settings {
        line.push_str(&format!(" --set {}", quoted(setting)));
    }
    line.push_str(" --apply");
    line
}

fn outcome(outcome: ImportOutcome) -> (&'static str, Tone) {
    match outcome {
        ImportOutcome::New => ("new", Tone::Good),
        ImportOutcome::Update => ("update", Tone::Good),
        ImportOutcome::Unchanged => ("unchanged", Tone::Quiet),
        ImportOutcome::Conflict => ("conflict", Tone::Warning),
        ImportOutcome::Refused => ("refused", Tone::Critical),
        ImportOutcome::Unspecified => ("unknown", Tone::Plain),
    }
}

fn urgency(outcome: ImportOutcome) -> u8 {
    match outcome {
        ImportOutcome::Refused => 0,
        ImportOutcome::Conflict => 1,
        ImportOutcome::New | ImportOutcome::Update | ImportOutcome::Unspecified => 2,
        ImportOutcome::Unchanged => 3,
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::ImportRow;

    use super::*;
    use crate::{
        arguments::Format,
        output::testing::{check_csv, check_table, screen},
    };

    fn words(apply: bool) -> Words {
        Words {
            action: None,
            file: Some(PathBuf::from("my purchases.csv")),
            source: None,
            format: "auto".to_owned(),
            mapping: None,
            settings: vec!["company=Nordlicht GmbH".to_owned()],
            apply,
        }
    }

    fn row(number: u32, outcome: ImportOutcome, reason: &str) -> ImportRow {
        ImportRow { row: number, outcome: outcome.into(), reason: reason.to_owned(), ..ImportRow::default() }
    }

    #[test]
    fn a_dry_run_says_how_to_apply_and_shows_first_what_needs_a_person() {
        let response = ImportResponse {
            rows: vec![
                row(2, ImportOutcome::New, "serial PF1ABCDE"),
                row(3, ImportOutcome::Refused, "no serial, asset_tag, mac, machine_id or uuid"),
            ],
            created: 1,
            refused: 1,
            remarks: vec!["cells are separated by a semicolon".to_owned()],
            format: "purchase-csv".to_owned(),
            source: "purchase".to_owned(),
            ..ImportResponse::default()
        };
        check_table(
            &answer(&response, &words(false)),
            "
ROW  OUTCOME  REASON                                         DEVICE
  3  refused  no serial, asset_tag, mac, machine_id or uuid
  2  new      serial PF1ABCDE

cells are separated by a semicolon
Dry run: 1 new, 1 refused. Nothing was changed.
To take them in: muster import 'my purchases.csv' --format purchase-csv --source purchase --set 'company=Nordlicht GmbH' --apply",
        );
        let text = answer(&response, &words(true)).render(Format::Table, &screen());
        assert!(text.contains("Done: 1 new, 1 refused.") && !text.contains("--apply"), "{text}");
    }

    #[test]
    fn a_long_report_is_cut_for_people_alone() {
        let rows: Vec<ImportRow> =
            (2..1002).map(|number| row(number, ImportOutcome::Unchanged, "")).collect();
        let response = ImportResponse { rows, unchanged: 1000, ..ImportResponse::default() };
        let answer = answer(&response, &words(false));
        let text = answer.render(Format::Table, &screen());
        assert_eq!(text.lines().filter(|line| line.contains("unchanged")).count(), SHOWN_ROWS + 1);
        assert!(text.contains("960 more rows"), "{text}");
        assert_eq!(answer.render(Format::Csv, &screen()).lines().count(), 1001);
    }

    #[test]
    fn an_empty_report_is_no_table() {
        let answer = answer(&ImportResponse::default(), &words(true));
        check_csv(&answer, &["row,outcome,reason,device"]);
        check_table(&answer, "Done: no rows.");
    }
}
