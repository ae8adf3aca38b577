//! `muster exception`: dated acceptances of findings: asked for, approved by somebody else, ended.

use clap::Subcommand;
use muster_common::{flag::FlagCode, time::Timestamp};
use muster_config::Period;
use muster_proto::{
    convert::to_timestamp,
    v1::{
        DecideExceptionRequest, Exception, ExceptionState, ListExceptionsRequest, ListExceptionsResponse,
        RequestExceptionRequest, WithdrawExceptionRequest, exception, request_exception_request,
    },
};

use super::{Paging, bare_id, count_note, device};
use crate::{
    connection::{Session, ask},
    failure::{Failure, Kind},
    output::{Answer, Cell, Column, Document, Grid, Screen, Tone, moment},
};

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Ask that a finding be accepted until a date
    Request(Request),
    /// Approve a request; not your own, unless the charter allows it
    Approve(Decide),
    /// Refuse a request
    Refuse(Decide),
    /// End an exception, or take a request back
    Withdraw(Decide),
    /// List exceptions
    List {
        /// Only those: requested, approved, refused, withdrawn or expired
        #[arg(long, value_name = "STATE", value_parser = ["requested", "approved", "refused", "withdrawn", "expired"])]
        state: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
}

#[derive(Debug, clap::Args)]
struct Request {
    /// The finding, such as stale
    code: FlagCode,
    /// One device: its id, serial number, host name or asset tag
    #[arg(long, value_name = "DEVICE", conflicts_with = "filter", required_unless_present = "filter")]
    device: Option<String>,
    /// Every device that the filter finds, those that it finds later included
    #[arg(long, short, value_name = "FILTER")]
    filter: Option<String>,
    /// When it ends: a date such as 2027-01-31, or a period such as 30d
    #[arg(long, value_name = "WHEN")]
    until: String,
    /// Why the finding is acceptable
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, clap::Args)]
struct Decide {
    /// The id, as list shows it
    id: String,
    /// What to say about it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    remark: String,
}

impl Decide {
    fn name(&self) -> String {
        let id = self.id.strip_prefix("exceptions/").unwrap_or(&self.id);
        format!("exceptions/{id}")
    }
}

/// Does what was asked.
pub(crate) async fn run(words: &Words, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    let mut charter = session.charter.clone();
    match &words.action {
        Action::Request(request) => {
            let scope = match (&request.device, &request.filter) {
                (Some(device), _) => {
                    let found = device::find(device, session).await?;
                    request_exception_request::Scope::Device(found.name)
                }
                (None, filter) => {
                    request_exception_request::Scope::Filter(filter.clone().unwrap_or_default())
                }
            };
            let request = RequestExceptionRequest {
                code: request.code.name().to_owned(),
                scope: Some(scope),
                reason: request.reason.clone(),
                until_time: Some(to_timestamp(end(&request.until, screen.now)?)),
            };
            let response = session.explain(charter.request_exception(ask(request)).await)?;
            let note = format!("Somebody else approves it: muster exception approve {}", id_of(&response));
            Ok(one(&response, vec![note]))
        }
        Action::Approve(decide) => {
            let request =
                DecideExceptionRequest { name: decide.name(), approve: true, remark: decide.remark.clone() };
            Ok(one(&session.explain(charter.decide_exception(ask(request)).await)?, Vec::new()))
        }
        Action::Refuse(decide) => {
            let request =
                DecideExceptionRequest { name: decide.name(), approve: false, remark: decide.remark.clone() };
            Ok(one(&session.explain(charter.decide_exception(ask(request)).await)?, Vec::new()))
        }
        Action::Withdraw(decide) => {
            let request = WithdrawExceptionRequest { name: decide.name(), remark: decide.remark.clone() };
            Ok(one(&session.explain(charter.withdraw_exception(ask(request)).await)?, Vec::new()))
        }
        Action::List { state, paging } => {
            let mut whole = ListExceptionsResponse::default();
            let mut token = paging.first_token();
            let wanted = state.as_deref().map_or(ExceptionState::Unspecified, state_of);
            loop {
                let request = ListExceptionsRequest {
                    page_size: paging.size(),
                    page_token: token,
                    state: wanted.into(),
                };
                let page = session.explain(charter.list_exceptions(ask(request)).await)?;
                whole.exceptions.extend(page.exceptions);
                whole.next_page_token = page.next_page_token;
                if !paging.goes_on(&whole.next_page_token) {
                    return Ok(listed(&whole));
                }
                token = whole.next_page_token.clone();
            }
        }
    }
}

/// A moment that was given as a date or a period from now.
fn end(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Ok(period) = text.parse::<Period>() {
        return Ok(now.after(period.duration()));
    }
    text.parse().map_err(|error: muster_common::time::InvalidTime| {
        Failure::new(
            Kind::Usage,
            error.to_string(),
            "write a date such as 2027-01-31, or a period such as 30d",
        )
    })
}

fn state_of(name: &str) -> ExceptionState {
    match name {
        "requested" => ExceptionState::Requested,
        "approved" => ExceptionState::Approved,
        "refused" => ExceptionState::Refused,
        "withdrawn" => ExceptionState::Withdrawn,
        "expired" => ExceptionState::Expired,
        _ => ExceptionState::Unspecified,
    }
}

fn id_of(exception: &Exception) -> &str {
    exception.name.strip_prefix("exceptions/").unwrap_or(&exception.name)
}

fn grid(exceptions: &[Exception]) -> Grid {
    let mut grid = Grid::new(&[
        Column::new("id"),
        Column::new("state"),
        Column::new("flag"),
        Column::sentences("scope"),
        Column::new("until"),
        Column::number("covers").spare(1),
        Column::new("requester").spare(2),
        Column::new("approver"),
        Column::sentences("reason"),
    ]);
    for exception in exceptions {
        let state = exception.state();
        let tone = match state {
            ExceptionState::Requested => Tone::Warning,
            ExceptionState::Approved => Tone::Good,
            ExceptionState::Unspecified
            | ExceptionState::Refused
            | ExceptionState::Withdrawn
            | ExceptionState::Expired => Tone::Quiet,
        };
        let scope = match &exception.scope {
            Some(exception::Scope::Device(device)) => format!("device {}", bare_id(device)),
            Some(exception::Scope::Filter(filter)) => filter.clone(),
            None => String::new(),
        };
        let until = moment(exception.until_time.as_ref());
        let own = if exception.self_approved { " (own request)" } else { "" };
        grid.rows.push(vec![
            Cell::text(id_of(exception)),
            Cell::text(state.as_str_name().trim_start_matches("EXCEPTION_STATE_").to_lowercase())
                .in_tone(tone),
            Cell::text(&exception.code),
            Cell::text(scope),
            Cell::pair(until.chars().take(10).collect::<String>(), until),
            Cell::text(exception.covered_count.to_string()),
            Cell::text(&exception.requester),
            Cell::text(format!("{}{own}", exception.approver)),
            Cell::text(&exception.reason),
        ]);
    }
    grid
}

fn one(exception: &Exception, notes: Vec<String>) -> Answer {
    let grid = grid(std::slice::from_ref(exception));
    Answer { json: Document::of(exception), grid, sheet: None, notes, shown_rows: None }
}

fn listed(response: &ListExceptionsResponse) -> Answer {
    let mut notes = vec![count_note(response.exceptions.len(), 0, "exception", &response.next_page_token)];
    let own = response.exceptions.iter().filter(|exception| exception.self_approved).count();
    if own > 0 {
        notes.push(format!("{own} approved by the requester, as the charter allows"));
    }
    Answer {
        json: Document::of(response),
        grid: grid(&response.exceptions),
        sheet: None,
        notes,
        shown_rows: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        commands::devices::samples::at,
        output::testing::{check_table, screen},
    };

    #[test]
    fn what_its_requester_approved_is_marked() {
        let exception = Exception {
            name: "exceptions/6f1c".to_owned(),
            code: "stale".to_owned(),
            scope: Some(exception::Scope::Filter("location = \"Bonn\"".to_owned())),
            reason: "shut in winter".to_owned(),
            until_time: at("2027-01-31T00:00:00Z"),
            requester: "operator/ada".to_owned(),
            state: ExceptionState::Approved.into(),
            approver: "operator/ada".to_owned(),
            self_approved: true,
            covered_count: 12,
            ..Exception::default()
        };
        let response = ListExceptionsResponse { exceptions: vec![exception], next_page_token: String::new() };
        check_table(
            &listed(&response),
            "
ID    STATE     FLAG   SCOPE              UNTIL       APPROVER                    REASON
6f1c  approved  stale  location = \"Bonn\"  2027-01-31  operator/ada (own request)  shut in winter

1 exception
1 approved by the requester, as the charter allows",
        );
    }

    #[test]
    fn an_end_is_a_date_or_a_period() {
        let now = screen().now;
        assert_eq!(end("2d", now).unwrap().to_string(), "2026-11-26T12:00:00Z");
        assert_eq!(end("2027-01-31", now).unwrap().to_string(), "2027-01-31T00:00:00Z");
        assert_eq!(end("soon", now).unwrap_err().exit_code(), 2);
    }
}
