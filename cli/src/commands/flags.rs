//! `muster flags`: what is wrong, device by device, and how often.

use muster_common::flag::FlagCode;
use muster_proto::v1::{
    AcknowledgeFlagRequest, Flag, FlagStanding, ListFlagsRequest, ListFlagsResponse, ListWorkItemsRequest,
    ListWorkItemsResponse,
};

use super::{Paging, bare_id, device, devices::tone, grouped};
use crate::{
    connection::{Session, ask},
    failure::Failure,
    output::{Answer, Cell, Column, Document, Grid, Screen, Tone, ago, moment, visible},
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
    /// What there is to do instead: findings of one cause as one item, at most ten
    #[arg(long, conflicts_with_all = ["code", "acknowledge"])]
    work_items: bool,
    /// Say that you have seen this device's finding (name it by --code) and work on it
    #[arg(long, value_name = "DEVICE", requires = "code")]
    acknowledge: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Asks for the list.
pub(crate) async fn run(words: &Words, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    if words.work_items {
        let request = ListWorkItemsRequest { filter: words.filter.clone() };
        let work = session.explain(session.charter.clone().list_work_items(ask(request)).await)?;
        return Ok(work_answer(&work));
    }
    if let (Some(named), Some(code)) = (&words.acknowledge, words.code) {
        let found = device::find(named, session).await?;
        let request = AcknowledgeFlagRequest { device: found.name, code: code.name().to_owned() };
        let done = session.explain(session.charter.clone().acknowledge_flag(ask(request)).await)?;
        let sheet = Some(format!("{code} of {} is acknowledged\n", visible(&found.display_name, 200)));
        let grid = Grid::new(&[Column::new("position")]);
        return Ok(Answer { json: Document::of(&done), grid, sheet, notes: Vec::new(), shown_rows: None });
    }
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
        Column::new("standing").spare(1),
        Column::new("severity").spare(2),
        Column::new("id").spare(3),
    ]);
    for found in &response.flags {
        let flag = found.flag.clone().unwrap_or_default();
        let severity = flag.severity();
        grid.rows.push(vec![
            Cell::text(&found.display_name),
            Cell::text(&flag.code).in_tone(tone(severity)),
            Cell::pair(ago(flag.since_time.as_ref(), screen.now), moment(flag.since_time.as_ref())),
            Cell::text(&flag.evidence),
            Cell::text(standing(&flag)),
            Cell::text(severity.as_str_name().trim_start_matches("SEVERITY_").to_lowercase()),
            Cell::text(bare_id(&found.device)).in_tone(Tone::Quiet),
        ]);
    }
    let counts: Vec<String> = response
        .counts
        .iter()
        .map(|count| {
            let devices = if count.device_count == 1 { "device" } else { "devices" };
            let excepted = match count.excepted_count {
                0 => String::new(),
                count => format!(" ({} excepted)", grouped(count)),
            };
            format!("{} on {} {devices}{excepted}", count.code, grouped(count.device_count))
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

/// Where a finding stands, in words.
pub(crate) fn standing(flag: &Flag) -> String {
    match flag.standing() {
        FlagStanding::Unspecified | FlagStanding::Open => "open".to_owned(),
        FlagStanding::Acknowledged => format!("acknowledged by {}", flag.acknowledged_by),
        FlagStanding::Excepted => {
            let until: String = moment(flag.excepted_until_time.as_ref()).chars().take(10).collect();
            let own = if flag.self_approved { ", own request" } else { "" };
            format!("excepted until {until}{own}")
        }
    }
}

fn work_answer(work: &ListWorkItemsResponse) -> Answer {
    let mut grid = Grid::new(&[
        Column::sentences("what_to_do"),
        Column::number("assets"),
        Column::new("severity"),
        Column::new("flags").spare(1),
        Column::sentences("filter"),
    ]);
    for item in &work.items {
        let severity = item.severity();
        grid.rows.push(vec![
            Cell::text(&item.title),
            Cell::pair(grouped(item.device_count), item.device_count.to_string()),
            Cell::text(severity.as_str_name().trim_start_matches("SEVERITY_").to_lowercase())
                .in_tone(tone(severity)),
            Cell::text(item.codes.join(" ")),
            Cell::text(&item.filter),
        ]);
    }
    let excepted = match work.excepted_count {
        0 => String::new(),
        count => format!(", {} more are excepted", grouped(count)),
    };
    let note = if work.items.is_empty() {
        format!("there is nothing to do{excepted}")
    } else {
        format!("{} open findings in {} work items{excepted}", grouped(work.open_count), work.items.len())
    };
    Answer { json: Document::of(work), grid, sheet: None, notes: vec![note], shown_rows: None }
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
                    excepted_count: 3,
                },
                FlagCount {
                    code: "unknown".to_owned(),
                    severity: Severity::Warning.into(),
                    device_count: 1,
                    excepted_count: 0,
                },
            ],
        };
        check_table(
            &answer(&response, &screen()),
            "
DEVICE  FLAG     SINCE    EVIDENCE                                       STANDING  SEVERITY
web-03  unknown  2 h ago  no purchase record or approval vouches for it  open      warning

stale on 1,042 devices (3 excepted) · unknown on 1 device",
        );
        check_table(&answer(&ListFlagsResponse::default(), &screen()), "nothing is wrong");
    }
}
