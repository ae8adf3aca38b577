//! `muster import agent`: reports that `muster-agent export` wrote, carried here from where no network leads.
//!
//! Each file is told by itself, and one that is refused keeps no other out.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use muster_proto::{
    carried::{BEGINNING, FILE_BYTES},
    json,
    v1::{ImportReportRequest, ImportReportResponse, ReportOutcome},
};
use serde_json::json;

use super::{bare_id, grouped};
use crate::{
    connection::{Session, ask_patiently},
    failure::{Failure, Kind},
    output::{Answer, Cell, Column, Document, Grid, Screen, Tone, ago, moment},
};

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    /// The files, as muster-agent export wrote them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Only verify them and say what would happen
    #[arg(long)]
    dry_run: bool,
}

/// What became of one file.
type Told = Result<ImportReportResponse, String>;

/// Sends the files one after the other; a failure beside the answer says that not all of them were taken in.
pub(crate) async fn run(
    words: &Words,
    session: &Session,
    screen: &Screen,
) -> Result<(Answer, Option<Failure>), Failure> {
    let mut told: Vec<(&Path, Told)> = Vec::with_capacity(words.files.len());
    for path in &words.files {
        let content = match read(path) {
            Ok(content) => content,
            Err(reason) => {
                told.push((path, Err(reason)));
                continue;
            }
        };
        let request = ImportReportRequest { content, validate_only: words.dry_run };
        let outcome = session.admin.clone().import_report(ask_patiently(request)).await;
        match session.explain(outcome) {
            Ok(response) => told.push((path, Ok(response))),
            // Of this file; anything else would meet the next one too.
            Err(failure) if matches!(failure.kind(), Kind::Usage | Kind::Failed) => {
                told.push((path, Err(failure.what().to_owned())));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok((answer(&told, words.dry_run, screen), failure(&told)))
}

/// A file's bytes, if it begins as a report and is no longer than one may be; else why it isn't sent.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("it can't be read: {error}");
    let mut file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.by_ref().take(BEGINNING.len() as u64).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes != BEGINNING {
        return Err("it is no report that muster-agent export wrote".to_owned());
    }
    file.take((FILE_BYTES + 1 - bytes.len()) as u64).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > FILE_BYTES {
        return Err(format!(
            "it is longer than the {} MiB that a report may have",
            FILE_BYTES / (1024 * 1024)
        ));
    }
    Ok(bytes)
}

fn answer(told: &[(&Path, Told)], dry_run: bool, screen: &Screen) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("file"),
        Column::new("outcome"),
        Column::number("items").spare(3),
        Column::new("read").spare(1),
        Column::new("device").spare(2),
        Column::sentences("reason"),
    ]);
    let mut documents = Vec::with_capacity(told.len());
    for (path, outcome) in told {
        let file = path.display().to_string();
        let row = match outcome {
            Ok(response) => {
                let (word, tone) = word(response.outcome(), dry_run);
                let read = response.collect_time.as_ref();
                documents.push(json!({ "file": file, "report": json::to_value(response) }));
                [
                    Cell::text(word).in_tone(tone),
                    Cell::pair(grouped(response.items.into()), response.items.to_string()),
                    Cell::pair(ago(read, screen.now), moment(read)),
                    Cell::text(bare_id(&response.device)).in_tone(Tone::Quiet),
                    Cell::text(remark(response)),
                ]
            }
            Err(reason) => {
                documents.push(json!({ "file": file, "refused": reason }));
                let empty = Cell::text("");
                let outcome = Cell::text("refused").in_tone(Tone::Critical);
                [outcome, empty.clone(), empty.clone(), empty, Cell::text(reason)]
            }
        };
        grid.rows.push(std::iter::once(Cell::text(file)).chain(row).collect());
    }
    let mut notes = Vec::new();
    if dry_run {
        notes.push("Dry run: nothing was changed.".to_owned());
    }
    Answer { json: Document::of_value(documents.into()), grid, sheet: None, notes, shown_rows: None }
}

fn word(outcome: ReportOutcome, dry_run: bool) -> (&'static str, Tone) {
    match (outcome, dry_run) {
        (ReportOutcome::Accepted, false) => ("accepted", Tone::Good),
        (ReportOutcome::Accepted, true) => ("good", Tone::Good),
        (ReportOutcome::Known, _) => ("already known", Tone::Quiet),
        (ReportOutcome::Unspecified, _) => ("unknown", Tone::Plain),
    }
}

/// What a person should know though the report can be used.
fn remark(response: &ImportReportResponse) -> String {
    let (read, claimed) = (response.collect_time.as_ref(), response.endpoint_time.as_ref());
    match (read, claimed) {
        (Some(read), Some(claimed)) if read.seconds.abs_diff(claimed.seconds) > CLOCK_SECONDS => {
            format!("the machine's clock said {}", moment(Some(claimed)))
        }
        (Some(_) | None, Some(_)) => String::new(),
        (Some(_) | None, None) => "the machine had no time".to_owned(),
    }
}

/// A clock that is off by less is nobody's business here.
const CLOCK_SECONDS: u64 = 120;

/// That not every file could be used; one alone is told whole.
fn failure(told: &[(&Path, Told)]) -> Option<Failure> {
    let refused: Vec<(&Path, &str)> =
        told.iter().filter_map(|(path, told)| Some((*path, told.as_ref().err()?.as_str()))).collect();
    let what = match refused.as_slice() {
        [] => return None,
        [(path, reason)] => format!("{} was refused: {reason}", path.display()),
        several => format!("{} of {} files were refused", several.len(), told.len()),
    };
    Some(Failure::new(
        Kind::Failed,
        what,
        "the reason says what to do with each; the other files are not affected",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::{check_csv, check_table, screen};

    fn response(outcome: ReportOutcome, read: &str, claimed: &str) -> ImportReportResponse {
        let time = |text: &str| {
            let time: muster_common::time::Timestamp = text.parse().unwrap();
            Some(muster_proto::convert::to_timestamp(time))
        };
        ImportReportResponse {
            outcome: outcome.into(),
            agent_id: "0b8d3a52-1111-4b0e-9a44-0d6f9e5f2c11".to_owned(),
            device: "devices/0b8d3a52-2222-4b0e-9a44-0d6f9e5f2c11".to_owned(),
            sequence: 4,
            sections: 30,
            items: 1234,
            collect_time: time(read),
            endpoint_time: time(claimed),
        }
    }

    #[test]
    fn each_file_is_told_by_itself() {
        let good = response(ReportOutcome::Accepted, "2026-11-22T12:00:00Z", "2026-11-22T12:00:30Z");
        let known = response(ReportOutcome::Known, "2026-11-20T12:00:00Z", "1970-01-01T00:00:00Z");
        let told: Vec<(&Path, Told)> = vec![
            (Path::new("a"), Ok(good.clone())),
            (Path::new("b"), Ok(known)),
            (Path::new("c"), Err("it can't be read".to_owned())),
        ];
        check_csv(
            &answer(&told, false, &screen()),
            &[
                "file,outcome,items,read,device,reason",
                "a,accepted,1234,2026-11-22T12:00:00Z,0b8d3a52-2222-4b0e-9a44-0d6f9e5f2c11,",
                "b,already known,1234,2026-11-20T12:00:00Z,0b8d3a52-2222-4b0e-9a44-0d6f9e5f2c11,the machine's clock said 1970-01-01T00:00:00Z",
                "c,refused,,,,it can't be read",
            ],
        );
        let alone: Vec<(&Path, Told)> = vec![(Path::new("a"), Ok(good))];
        check_table(
            &answer(&alone, true, &screen()),
            "
FILE  OUTCOME  ITEMS  READ        DEVICE                                REASON
a     good     1,234  2 days ago  0b8d3a52-2222-4b0e-9a44-0d6f9e5f2c11

Dry run: nothing was changed.",
        );
        assert!(failure(&alone).is_none());
        let failure = failure(&told).unwrap();
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.to_string().contains("c was refused: it can't be read"), "{failure}");
    }

    #[test]
    fn what_is_no_report_is_not_sent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let check = |bytes: &[u8], length: u64, expected: &str| {
            let file = File::create(&path).unwrap();
            std::io::Write::write_all(&mut &file, bytes).unwrap();
            // Sparse: no disk is needed for it.
            file.set_len(length).unwrap();
            let refused = read(&path).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        };
        check(b"serial,owner\n", 13, "no report");
        check(b"", 0, "no report");
        check(b"", 1 << 30, "no report");
        check(BEGINNING, 1 << 30, "longer than the 16 MiB");
        assert!(read(&folder.path().join("none")).unwrap_err().contains("can't be read"));
        std::fs::write(&path, BEGINNING).unwrap();
        assert_eq!(read(&path).unwrap(), BEGINNING, "whether there is more is the collector's to judge");
    }
}
