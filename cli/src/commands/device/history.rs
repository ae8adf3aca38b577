//! `muster device --history`: what changed on one machine, newest first.

use muster_proto::v1::{Device, HistoryEntry, ListDeviceHistoryRequest, ListDeviceHistoryResponse};

use super::{packages, short_source};
use crate::{
    commands::{Paging, count_note},
    connection::{Session, ask},
    failure::Failure,
    output::{Answer, Cell, Column, Document, Grid, Screen, ago, moment, short_date},
};

/// Asks for the changes.
pub(super) async fn run(
    device: &Device,
    paging: &Paging,
    session: &Session,
    screen: &Screen,
) -> Result<Answer, Failure> {
    let mut whole = ListDeviceHistoryResponse::default();
    let mut token = paging.first_token();
    loop {
        let request = ListDeviceHistoryRequest {
            parent: device.name.clone(),
            page_size: paging.size(),
            page_token: token,
        };
        let page = session.explain(session.query.clone().list_device_history(ask(request)).await)?;
        whole.entries.extend(page.entries);
        whole.next_page_token = page.next_page_token;
        if !paging.goes_on(&whole.next_page_token) {
            return Ok(answer(device, &whole, screen));
        }
        token = whole.next_page_token.clone();
    }
}

fn answer(device: &Device, history: &ListDeviceHistoryResponse, screen: &Screen) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("when"),
        Column::number("revision").spare(2),
        Column::new("who").spare(1),
        Column::sentences("what"),
    ]);
    for entry in &history.entries {
        grid.rows.push(vec![
            Cell::pair(ago(entry.commit_time.as_ref(), screen.now), moment(entry.commit_time.as_ref())),
            Cell::text(entry.revision.to_string()),
            Cell::pair(short_source(&entry.actor), &entry.actor),
            Cell::text(changes(entry)),
        ]);
    }
    let total = i64::try_from(history.entries.len()).unwrap_or(0);
    let mut note = count_note(history.entries.len(), total, "change", "");
    if !history.next_page_token.is_empty() {
        note = format!(
            "{note} so far, newest first (--all shows every one, --page-token {} the next page)",
            history.next_page_token
        );
    }
    let sheet =
        history.entries.is_empty().then(|| format!("nothing has changed on {}\n", device.display_name));
    Answer { json: Document::of(history), grid, sheet, notes: vec![note], shown_rows: None }
}

/// What changed, in one line.
fn changes(entry: &HistoryEntry) -> String {
    let mut parts: Vec<String> = Vec::new();
    for change in &entry.changes {
        let (before, after) = (short_date(&change.before), short_date(&change.after));
        parts.push(match (before, after) {
            ("", after) => format!("{} is {after}", change.field),
            (before, "") => format!("{} is gone, was {before}", change.field),
            (before, after) => format!("{}: {before} → {after}", change.field),
        });
    }
    for (count, names, word) in
        [(entry.software_added, &entry.added, "added"), (entry.software_removed, &entry.removed, "removed")]
    {
        if count > 0 {
            let named: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
            let more = if named.is_empty() {
                String::new()
            } else {
                format!(
                    ": {}{}",
                    named.join(", "),
                    if u64::from(count) > named.len() as u64 { ", …" } else { "" }
                )
            };
            parts.push(format!("{} {word}{more}", packages(count.into())));
        }
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::FieldChange;

    use super::*;
    use crate::{
        commands::devices::samples::{at, laptop},
        output::testing::{check_table, screen},
    };

    #[test]
    fn history_tells_what_changed() {
        let change = |field: &str, before: &str, after: &str| FieldChange {
            field: field.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
        };
        let history = ListDeviceHistoryResponse {
            entries: vec![HistoryEntry {
                revision: 4,
                commit_time: at("2026-11-24T09:00:00Z"),
                actor: "agent:0b8d3a52-1111-4b0e-9a44-0d6f9e5f2c11".to_owned(),
                changes: vec![
                    change("os.version", "12", "13"),
                    change("owner", "", "Jo"),
                    change("ip", "192.0.2.7", ""),
                ],
                software_added: 40,
                software_removed: 1,
                added: vec!["bash 5.2".to_owned()],
                removed: vec!["vim 9.0".to_owned()],
            }],
            next_page_token: String::new(),
        };
        check_table(
            &answer(&laptop(), &history, &screen()),
            "
WHEN     REVISION  WHO    WHAT
3 h ago         4  agent  os.version: 12 → 13; owner is Jo; ip is gone, was 192.0.2.7; 40 packages
                          added: bash 5.2, …; 1 package removed: vim 9.0

1 change",
        );
    }
}
