//! `muster lookup`: which device had an address, name or serial at a moment, and who used it.

use muster_common::time::Timestamp;
use muster_proto::{
    convert::to_timestamp,
    v1::{LookupRequest, LookupResponse},
};

use super::bare_id;
use crate::{
    connection::{Session, ask},
    failure::{Failure, Kind},
    output::{Answer, Cell, Column, Document, Grid, Screen, Tone, ago, moment},
};

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    /// IP or MAC address, host name, user, serial number, UUID, machine id or asset tag
    #[arg(value_name = "IDENTIFIER")]
    identifier: String,
    /// At that moment instead of now, such as 2026-11-01T08:00:00Z
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

/// Asks who had it.
pub(crate) async fn run(words: &Words, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    let request = LookupRequest { identifier: words.identifier.clone(), at: words.at.map(to_timestamp) };
    let response = session.explain(session.query.clone().lookup(ask(request)).await)?;
    if response.matches.is_empty() {
        let when = words.at.map_or("now".to_owned(), |time| format!("at {time}"));
        return Err(Failure::new(
            Kind::NotFound,
            format!("no device has {:?} {when}", words.identifier),
            "try another moment with --at, or search: muster devices --filter '\"TEXT\"'",
        ));
    }
    Ok(answer(&response, screen))
}

fn answer(response: &LookupResponse, screen: &Screen) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("device"),
        Column::new("as"),
        Column::new("assigned_to"),
        Column::new("from"),
        Column::new("to"),
        Column::new("source").spare(1),
        Column::new("id").spare(2),
    ]);
    for found in &response.matches {
        let to = found.to_time.as_ref();
        grid.rows.push(vec![
            Cell::text(&found.display_name),
            Cell::text(&found.kind),
            Cell::text(&found.assigned_person),
            Cell::pair(ago(found.from_time.as_ref(), screen.now), moment(found.from_time.as_ref())),
            Cell::pair(if to.is_some() { ago(to, screen.now) } else { "still so".to_owned() }, moment(to)),
            Cell::text(&found.source),
            Cell::text(bare_id(&found.device)).in_tone(Tone::Quiet),
        ]);
    }
    let notes = if response.ambiguous {
        vec!["ambiguous: more than one device had it at that moment".to_owned()]
    } else {
        Vec::new()
    };
    Answer { json: Document::of(response), grid, sheet: None, notes, shown_rows: None }
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::LookupMatch;

    use super::*;
    use crate::{
        commands::devices::samples::at,
        output::testing::{check_csv, check_table, screen},
    };

    #[test]
    fn ambiguity_is_stated() {
        let found = |name: &str, to: Option<prost_types::Timestamp>| LookupMatch {
            device: format!("devices/{name}"),
            display_name: name.to_owned(),
            kind: "ip".to_owned(),
            assigned_person: "Jo Doe".to_owned(),
            from_time: at("2026-11-24T09:00:00Z"),
            to_time: to,
            source: "agent".to_owned(),
        };
        let response = LookupResponse {
            matches: vec![found("a", None), found("b", at("2026-11-24T11:00:00Z"))],
            ambiguous: true,
        };
        check_table(
            &answer(&response, &screen()),
            "
DEVICE  AS  ASSIGNED TO  FROM     TO        SOURCE  ID
a       ip  Jo Doe       3 h ago  still so  agent   a
b       ip  Jo Doe       3 h ago  1 h ago   agent   b

ambiguous: more than one device had it at that moment",
        );
        check_csv(
            &answer(&response, &screen()),
            &[
                "device,as,assigned_to,from,to,source,id",
                "a,ip,Jo Doe,2026-11-24T09:00:00Z,,agent,a",
                "b,ip,Jo Doe,2026-11-24T09:00:00Z,2026-11-24T11:00:00Z,agent,b",
            ],
        );
    }
}
