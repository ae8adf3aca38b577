//! `muster flags`: what is wrong, device by device, and how often.

use muster_common::flag::FlagCode;
use muster_proto::v1::{ListFlagsRequest, ListFlagsResponse};

use super::{Paging, bare_id, devices::tone, grouped};
use crate::{
    connection::{Session, ask},
    failure::Failure,
    output::{Answer, Cell, Column, Document, Grid, Screen, Tone, ago, moment},
};

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    /// Only this finding, such as stale or unknown
    #[arg(long, value_name = "CODE")]
    code: Option<FlagCode>,
    /// Only devices that match
    #[arg(long, short, value_name = "FILTER", default_value = "", hide_default_value = true)]
    filter: String,
    #[command(flatten)]
    paging: Paging,
}

/// Asks for the list.
pub(crate) async fn run(words: &Words, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    let mut whole = ListFlagsResponse::default();
    let mut token = words.paging.first_token();
    loop {
        let request = ListFlagsRequest {
            page_size: words.paging.size(),
            page_token: token,
            filter: words.filter.clone(),
            code: words.code.map(|code| code.name().to_owned()).unwrap_or_default(),
        };
        let page = session.explain(session.query.clone().list_flags(ask(request)).await)?;
        whole.flags.extend(page.flags);
        whole.counts = page.counts;
        whole.next_page_token = page.next_page_token;
        if !words.paging.goes_on(&whole.next_page_token) {
            return Ok(answer(&whole, screen));
        }
        token = whole.next_page_token.clone();
    }
}

fn answer(response: &ListFlagsResponse, screen: &Screen) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("device"),
        Column::new("flag"),
        Column::new("since"),
        Column::sentences("evidence"),
        Column::new("severity").spare(1),
        Column::new("id").spare(2),
    ]);
    for found in &response.flags {
        let flag = found.flag.clone().unwrap_or_default();
        let severity = flag.severity();
        grid.rows.push(vec![
            Cell::text(&found.display_name),
            Cell::text(&flag.code).in_tone(tone(severity)),
            Cell::pair(ago(flag.since_time.as_ref(), screen.now), moment(flag.since_time.as_ref())),
            Cell::text(&flag.evidence),
            Cell::text(severity.as_str_name().trim_start_matches("SEVERITY_").to_lowercase()),
            Cell::text(bare_id(&found.device)).in_tone(Tone::Quiet),
        ]);
    }
    let counts: Vec<String> = response
        .counts
        .iter()
        .map(|count| {
            let devices = if count.device_count == 1 { "device" } else { "devices" };
            format!("{} on {} {devices}", count.code, grouped(count.device_count))
        })
        .collect();
    let mut notes = if counts.is_empty() && response.flags.is_empty() {
        vec!["nothing is wrong".to_owned()]
    } else {
        vec![counts.join(" · ")]
    };
    if !response.next_page_token.is_empty() {
        notes.push(format!(
            "the first {} are shown (--all shows every one, --page-token {} the next page)",
            response.flags.len(),
            response.next_page_token
        ));
    }
    Answer { json: Document::of(response), grid, sheet: None, notes, shown_rows: None }
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::{DeviceFlag, FlagCount, Severity};

    use super::*;
    use crate::{
        commands::devices::samples::laptop,
        output::testing::{check_table, screen},
    };

    #[test]
    fn findings_stand_with_their_reason_and_their_number() {
        let laptop = laptop();
        let response = ListFlagsResponse {
            flags: vec![DeviceFlag {
                device: laptop.name.clone(),
                display_name: laptop.display_name.clone(),
                flag: laptop.flags.first().cloned(),
            }],
            next_page_token: String::new(),
            counts: vec![
                FlagCount {
                    code: "stale".to_owned(),
                    severity: Severity::Warning.into(),
                    device_count: 1042,
                },
                FlagCount { code: "unknown".to_owned(), severity: Severity::Warning.into(), device_count: 1 },
            ],
        };
        check_table(
            &answer(&response, &screen()),
            "
DEVICE  FLAG     SINCE    EVIDENCE                                       SEVERITY
web-03  unknown  2 h ago  no purchase record or approval vouches for it  warning

stale on 1,042 devices · unknown on 1 device",
        );
        check_table(&answer(&ListFlagsResponse::default(), &screen()), "nothing is wrong");
    }
}
