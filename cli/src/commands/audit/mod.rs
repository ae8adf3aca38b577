//! `muster audit`: who changed what and when, whether the log of it is whole, and evidence for an auditor.

mod export;
mod verify;

use clap::Subcommand;
use muster_common::time::Timestamp;
use muster_proto::{
    convert::to_timestamp,
    v1::{ListAuditEntriesRequest, ListAuditEntriesResponse},
};

use super::Paging;
use crate::{
    connection::{Session, ask},
    failure::Failure,
    output::{Answer, Cell, Column, Document, Grid, Screen, ago, moment},
};

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List changes, newest first
    List(List),
    /// Check that no entry was changed, removed, inserted or moved, and that the log goes on from every signed head
    Verify(verify::Verify),
    /// Write an evidence pack that can be checked without the collector
    Export(export::Export),
}

#[derive(Debug, clap::Args)]
struct List {
    /// Only what this account did: operator/alice, or alice
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Only what was done to this: a device's id, an account, a token
    #[arg(long, value_name = "TEXT")]
    target: Option<String>,
    /// Not before this time
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    #[command(flatten)]
    paging: Paging,
}

/// Does what was asked; a failure beside the answer says that the log is not whole.
pub(crate) async fn run(
    words: &Words,
    session: &Session,
    screen: &Screen,
) -> Result<(Answer, Option<Failure>), Failure> {
    match &words.action {
        Action::List(list) => self::list(list, session, screen).await.map(|answer| (answer, None)),
        Action::Verify(verify) => verify::run(verify, session).await,
        Action::Export(export) => export::run(export, session).await.map(|answer| (answer, None)),
    }
}

async fn list(list: &List, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    let mut audit = session.audit.clone();
    let mut whole = ListAuditEntriesResponse::default();
    let mut token = list.paging.first_token();
    loop {
        let request = ListAuditEntriesRequest {
            page_size: list.paging.size(),
            page_token: token,
            actor: list.actor.clone().unwrap_or_default(),
            target: list.target.clone().unwrap_or_default(),
            start_time: list.since.map(to_timestamp),
            end_time: list.until.map(to_timestamp),
        };
        let page = session.explain(audit.list_audit_entries(ask(request)).await)?;
        whole.entries.extend(page.entries);
        whole.next_page_token = page.next_page_token;
        // A page that found nothing yet is no answer to somebody who asks for the first entries.
        let empty = whole.entries.is_empty() && !whole.next_page_token.is_empty();
        if !empty && !list.paging.goes_on(&whole.next_page_token) {
            return Ok(listed(&whole, screen));
        }
        token = whole.next_page_token.clone();
    }
}

fn listed(response: &ListAuditEntriesResponse, screen: &Screen) -> Answer {
    let mut grid = Grid::new(&[
        Column::number("number"),
        Column::new("when"),
        Column::new("who"),
        Column::new("action"),
        Column::new("target"),
        Column::sentences("detail"),
        Column::number("machines").spare(1),
    ]);
    for entry in &response.entries {
        grid.rows.push(vec![
            Cell::text(entry.number.to_string()),
            Cell::pair(ago(entry.time.as_ref(), screen.now), moment(entry.time.as_ref())),
            Cell::text(&entry.actor),
            Cell::text(&entry.action),
            Cell::text(&entry.target),
            Cell::text(&entry.detail),
            Cell::text(entry.folded_sha256.len().to_string()),
        ]);
    }
    let count = response.entries.len();
    let note = match (count, response.next_page_token.as_str()) {
        (0, _) => "no entry is like that".to_owned(),
        (_, "") => format!("{count} {}", if count == 1 { "entry" } else { "entries" }),
        (_, token) => {
            format!(
                "{count} entries, newest first (--all shows every one, --page-token {token} the next page)"
            )
        }
    };
    Answer { json: Document::of(response), grid, sheet: None, notes: vec![note], shown_rows: None }
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::AuditEntry;

    use super::*;
    use crate::{
        commands::devices::samples::at,
        output::testing::{check_table, screen},
    };

    #[test]
    fn a_list_tells_who_did_what_to_what() {
        let entry = AuditEntry {
            number: 1204,
            time: at("2026-11-24T11:57:00Z"),
            actor: "operator/alice".to_owned(),
            action: "token.revoke".to_owned(),
            target: "0f01020304050607".to_owned(),
            folded_sha256: vec![String::new(); 3],
            ..AuditEntry::default()
        };
        let response = ListAuditEntriesResponse { entries: vec![entry], next_page_token: "1204".to_owned() };
        check_table(
            &listed(&response, &screen()),
            "
NUMBER  WHEN       WHO             ACTION        TARGET            DETAIL  MACHINES
  1204  3 min ago  operator/alice  token.revoke  0f01020304050607                 3

1 entries, newest first (--all shows every one, --page-token 1204 the next page)",
        );
    }
}
