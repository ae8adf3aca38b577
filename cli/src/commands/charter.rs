//! `muster charter`: the organisation's policy: checked without a collector, shown in plain words, tried against the live
//! inventory, applied as a new version.

use std::{fs, path::Path, path::PathBuf};

use clap::Subcommand;
use muster_common::time::{Clock, SystemClock};
use muster_proto::v1::{
    ApplyCharterRequest, ApplyCharterResponse, CharterDifference, CharterParagraph, CharterVersion,
    GetCharterRequest, ListCharterVersionsRequest, ListCharterVersionsResponse, NamedDevice,
    TryCharterRequest,
};

use super::{Paging, bare_id, count_note, grouped};
use crate::{
    connection::{Session, ask, ask_patiently},
    failure::{Failure, Kind},
    output::{Answer, Cell, Column, Document, Grid, Screen, ago, moment, visible},
};

/// The longest sentence that is shown, in characters.
const MAX_SENTENCE: usize = 2000;

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check a file, every problem at once; needs no collector
    Check {
        /// The charter
        file: PathBuf,
    },
    /// Say in plain words what is in force, what an earlier version said, or what a file says
    Show {
        /// A file, read without a collector
        #[arg(value_name = "FILE", conflicts_with = "version")]
        file: Option<PathBuf>,
        /// An earlier version
        #[arg(long, value_name = "N")]
        version: Option<u64>,
        /// The file itself, to be edited and applied again
        #[arg(long)]
        toml: bool,
    },
    /// Show what a file would change if it were applied now: flags, devices, values, rights
    Diff {
        /// The charter
        file: PathBuf,
        /// How many devices to name for each flag
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(i32).range(1..=1000))]
        devices: i32,
    },
    /// Put a file in force as a new version and judge everything by it
    Apply {
        /// The charter
        file: PathBuf,
        /// Why, for the audit log
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
        /// Only if this version is in force
        #[arg(long, value_name = "N")]
        expect: Option<u64>,
    },
    /// List the versions that were ever in force
    History(Paging),
}

/// The answer of what needs no collector; none for everything else.
pub(crate) fn offline(words: &Words) -> Option<Result<Answer, Failure>> {
    match &words.action {
        Action::Check { file } => Some(read(file).map(|version| checked(&version, file))),
        Action::Show { file: Some(file), version: _, toml } => {
            Some(read(file).map(|version| shown(&version, *toml)))
        }
        Action::Show { .. } | Action::Diff { .. } | Action::Apply { .. } | Action::History(_) => None,
    }
}

/// Asks the collector.
pub(crate) async fn run(words: &Words, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    if let Some(answer) = offline(words) {
        return answer;
    }
    let mut charter = session.charter.clone();
    match &words.action {
        Action::Check { file } => read(file).map(|version| checked(&version, file)),
        Action::Show { file: _, version, toml } => {
            let request = GetCharterRequest { version: version.unwrap_or(0) };
            let version = session.explain(charter.get_charter(ask(request)).await)?;
            Ok(shown(&version, *toml))
        }
        Action::Diff { file, devices } => {
            let request = TryCharterRequest { text: read(file)?.text, named: *devices };
            let difference = session.explain(charter.try_charter(ask_patiently(request)).await)?;
            Ok(compared(&difference))
        }
        Action::Apply { file, reason, expect } => {
            let request = ApplyCharterRequest {
                text: read(file)?.text,
                reason: reason.clone(),
                expected_version: *expect,
            };
            let response = session.explain(charter.apply_charter(ask_patiently(request)).await)?;
            Ok(applied(&response))
        }
        Action::History(paging) => {
            let mut whole = ListCharterVersionsResponse::default();
            let mut token = paging.first_token();
            loop {
                let request = ListCharterVersionsRequest { page_size: paging.size(), page_token: token };
                let page = session.explain(charter.list_charter_versions(ask(request)).await)?;
                whole.versions.extend(page.versions);
                whole.next_page_token = page.next_page_token;
                if !paging.goes_on(&whole.next_page_token) {
                    return Ok(listed(&whole, screen));
                }
                token = whole.next_page_token.clone();
            }
        }
    }
}

/// A file as a version that nobody has applied, or everything that is wrong with it.
fn read(file: &Path) -> Result<CharterVersion, Failure> {
    let unreadable = |why: String| {
        Failure::new(
            Kind::Usage,
            format!("{} can't be read: {why}", file.display()),
            "name a file that you may read",
        )
    };
    let size = fs::metadata(file).map_err(|error| unreadable(error.to_string()))?.len();
    if size > muster_charter::MAX_BYTES as u64 {
        return Err(unreadable(format!("it is longer than {} KiB", muster_charter::MAX_BYTES / 1024)));
    }
    let text = fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
    let charter = muster_charter::parse(file, &text).map_err(|problems| {
        let many = problems.list().len();
        let count = if many == 1 { "1 problem".to_owned() } else { format!("{many} problems") };
        Failure::new(Kind::Usage, problems.to_string(), format!("correct {count} and check again"))
    })?;
    let now = SystemClock.now();
    let explanation = muster_charter::explain(&charter, now)
        .into_iter()
        .map(|paragraph| CharterParagraph { heading: paragraph.heading.to_owned(), lines: paragraph.lines });
    Ok(CharterVersion {
        text,
        explanation: explanation.collect(),
        enforced: charter.phase.is_enforced_at(now),
        ..CharterVersion::default()
    })
}

fn checked(version: &CharterVersion, file: &Path) -> Answer {
    let mut grid = Grid::new(&[Column::new("file"), Column::new("problems")]);
    let name = visible(&file.display().to_string(), 400);
    grid.rows.push(vec![Cell::text(&name), Cell::text("0")]);
    let notes = vec![
        format!("What it says: muster charter show {name}"),
        format!("What it would change: muster charter diff {name}"),
    ];
    let sheet = Some(format!("{name} is a charter without problems\n"));
    Answer { json: Document::of(version), grid, sheet, notes, shown_rows: None }
}

fn shown(version: &CharterVersion, toml: bool) -> Answer {
    let mut grid = Grid::new(&[Column::new("subject"), Column::sentences("sentence")]);
    let mut sheet = if version.version > 0 {
        let when = moment(version.apply_time.as_ref());
        let reason = if version.reason.is_empty() {
            String::new()
        } else {
            format!(": {}", visible(&version.reason, MAX_SENTENCE))
        };
        format!("Version {}, applied {when} by {}{reason}\n", version.version, visible(&version.actor, 200))
    } else if version.text.is_empty() {
        "No charter was applied; this is what the collector's settings say.\n".to_owned()
    } else {
        String::new()
    };
    for paragraph in &version.explanation {
        if !sheet.is_empty() {
            sheet.push('\n');
        }
        sheet.push_str(&visible(&paragraph.heading, 200));
        sheet.push('\n');
        for line in &paragraph.lines {
            sheet.push_str(&format!("  {}\n", visible(line, MAX_SENTENCE)));
            grid.rows.push(vec![Cell::text(&paragraph.heading), Cell::text(line)]);
        }
    }
    if toml {
        let lines = version.text.lines().map(|line| visible(line, MAX_SENTENCE) + "\n");
        sheet = lines.collect();
    }
    Answer { json: Document::of(version), grid, sheet: Some(sheet), notes: Vec::new(), shown_rows: None }
}

fn compared(difference: &CharterDifference) -> Answer {
    let columns = [
        Column::new("what"),
        Column::new("name"),
        Column::new("change"),
        Column::number("devices"),
        Column::sentences("some"),
    ];
    let mut grid = Grid::new(&columns);
    let row = |what: &str, name: &str, change: &str, count: u64, some: &[NamedDevice]| {
        vec![
            Cell::text(what),
            Cell::text(name),
            Cell::text(change),
            Cell::pair(grouped(count), count.to_string()),
            Cell::pair(names(some, 5), names(some, usize::MAX)),
        ]
    };
    for flag in &difference.flags {
        for (change, count, some) in [
            ("appears", flag.appears, &flag.appearing[..]),
            ("clears", flag.clears, &flag.clearing[..]),
            ("other severity", flag.reweighed, &[][..]),
        ] {
            if count > 0 {
                grid.rows.push(row("flag", &flag.code, change, count, some));
            }
        }
    }
    for field in &difference.fields {
        grid.rows.push(row("field", &field.field, "other value", field.device_count, &field.some));
    }
    for rights in &difference.rights {
        let or_none = |text: &str| if text.is_empty() { "no rights".to_owned() } else { text.to_owned() };
        let change = format!("{} → {}", or_none(&rights.before), or_none(&rights.after));
        grid.rows.push(vec![
            Cell::text("rights"),
            Cell::text(&rights.account),
            Cell::text(change),
            Cell::default(),
            Cell::default(),
        ]);
    }
    let present = match difference.compared_version {
        0 => "the collector's settings".to_owned(),
        version => format!("version {version}"),
    };
    let mut notes = vec![format!(
        "Tried on {} assets against {present}. Nothing was changed.",
        grouped(difference.device_count)
    )];
    let sentences = |sign: &str, lines: &[String]| {
        lines.iter().map(|line| format!("{sign} {}", visible(line, MAX_SENTENCE))).collect::<Vec<_>>()
    };
    notes.extend(sentences("-", &difference.sentences_removed));
    notes.extend(sentences("+", &difference.sentences_added));
    let open: Vec<String> = difference
        .open
        .iter()
        .filter(|count| count.device_count > 0)
        .map(|count| format!("{} on {}", count.code, grouped(count.device_count)))
        .collect();
    let open = if open.is_empty() { "nothing".to_owned() } else { open.join(" · ") };
    notes.push(match &difference.enforce_time {
        None => format!("Under it these findings are open, and nobody is told: {open}"),
        Some(time) => {
            let day: String = moment(Some(time)).chars().take(10).collect();
            format!("From {day} on people are told. Were that today, they would be told of: {open}")
        }
    });
    let sheet = grid.rows.is_empty().then(|| "No flag, value or right would change.\n".to_owned());
    Answer { json: Document::of(difference), grid, sheet, notes, shown_rows: None }
}

fn names(devices: &[NamedDevice], most: usize) -> String {
    let shown: Vec<&str> = devices
        .iter()
        .take(most)
        .map(
            |device| {
                if device.display_name.is_empty() { bare_id(&device.device) } else { &device.display_name }
            },
        )
        .collect();
    let more = if devices.len() > most { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn applied(response: &ApplyCharterResponse) -> Answer {
    let mut grid = Grid::new(&[
        Column::number("version"),
        Column::number("judged"),
        Column::number("changed"),
        Column::new("position"),
    ]);
    grid.rows.push(vec![
        Cell::text(response.version.to_string()),
        Cell::text(response.judged_count.to_string()),
        Cell::text(response.changed_count.to_string()),
        Cell::text(&response.position),
    ]);
    let sheet = format!(
        "Version {} is in force: {} assets judged by it, {} of them changed\n",
        response.version,
        grouped(response.judged_count),
        grouped(response.changed_count)
    );
    Answer { json: Document::of(response), grid, sheet: Some(sheet), notes: Vec::new(), shown_rows: None }
}

fn listed(response: &ListCharterVersionsResponse, screen: &Screen) -> Answer {
    let mut grid = Grid::new(&[
        Column::number("version"),
        Column::new("applied"),
        Column::new("by"),
        Column::sentences("reason"),
    ]);
    for version in &response.versions {
        let time = version.apply_time.as_ref();
        grid.rows.push(vec![
            Cell::text(version.version.to_string()),
            Cell::pair(ago(time, screen.now), moment(time)),
            Cell::text(&version.actor),
            Cell::text(&version.reason),
        ]);
    }
    let note = if response.versions.is_empty() {
        "no charter was applied (begin with deploy/examples/charter.toml: muster charter apply FILE)"
            .to_owned()
    } else {
        count_note(response.versions.len(), 0, "version", &response.next_page_token)
    };
    Answer { json: Document::of(response), grid, sheet: None, notes: vec![note], shown_rows: None }
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::{FlagCount, FlagDifference, RightsDifference, Severity};

    use super::*;
    use crate::{
        commands::devices::samples::at,
        output::testing::{check_table, screen},
    };

    #[test]
    fn a_difference_names_flags_devices_and_rights() {
        let laptop = NamedDevice { device: "devices/x".to_owned(), display_name: "anna-laptop".to_owned() };
        let difference = CharterDifference {
            device_count: 5_000,
            flags: vec![FlagDifference {
                code: "incomplete".to_owned(),
                appears: 1_203,
                clears: 0,
                reweighed: 0,
                appearing: vec![laptop],
                clearing: Vec::new(),
            }],
            rights: vec![RightsDifference {
                account: "operator/eve".to_owned(),
                before: String::new(),
                after: "auditor until 2027-01-31".to_owned(),
            }],
            sentences_added: vec!["Every device must have owner.".to_owned()],
            open: vec![FlagCount {
                code: "incomplete".to_owned(),
                severity: Severity::Info.into(),
                device_count: 1_203,
                excepted_count: 0,
            }],
            enforce_time: at("2027-03-01T00:00:00Z"),
            compared_version: 2,
            ..CharterDifference::default()
        };
        check_table(
            &compared(&difference),
            "
WHAT    NAME          CHANGE                                DEVICES  SOME
flag    incomplete    appears                                 1,203  anna-laptop
rights  operator/eve  no rights → auditor until 2027-01-31

Tried on 5,000 assets against version 2. Nothing was changed.
+ Every device must have owner.
From 2027-03-01 on people are told. Were that today, they would be told of: incomplete on 1,203",
        );
    }

    #[test]
    fn what_is_in_force_is_said_in_sentences() {
        let version = CharterVersion {
            version: 3,
            apply_time: at("2026-11-24T10:00:00Z"),
            actor: "operator/ada".to_owned(),
            reason: "new offices".to_owned(),
            text: "x = 1\n".to_owned(),
            explanation: vec![CharterParagraph {
                heading: "Phase".to_owned(),
                lines: vec!["Baseline: findings are counted and nobody is told of them.".to_owned()],
            }],
            enforced: false,
        };
        check_table(
            &shown(&version, false),
            "
Version 3, applied 2026-11-24T10:00:00Z by operator/ada: new offices

Phase
  Baseline: findings are counted and nobody is told of them.",
        );
        check_table(&shown(&version, true), "x = 1");
        check_table(
            &listed(
                &ListCharterVersionsResponse { versions: vec![version], next_page_token: String::new() },
                &screen(),
            ),
            "
VERSION  APPLIED  BY            REASON
      3  2 h ago  operator/ada  new offices

1 version",
        );
    }
}
