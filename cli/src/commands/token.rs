//! `muster token`: the strings that let new machines in.

use clap::Subcommand;
use muster_config::Period;
use muster_proto::v1::{
    Bulk, CreateTokenRequest, CreateTokenResponse, ListTokensRequest, ListTokensResponse, OneTime,
    RevokeTokenRequest, RevokeTokenResponse, Token, create_token_request,
};

use super::{Paging, count_note};
use crate::{
    connection::{Session, ask},
    failure::Failure,
    output::{Answer, Cell, Column, Document, Grid, Screen, Tone, ago, moment, visible},
};

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a string for one machine, or for many
    Create(Create),
    /// List tokens, without their secrets
    List(Paging),
    /// Make a token useless
    Revoke {
        /// The id, as list shows it
        id: String,
    },
}

#[derive(Debug, clap::Args)]
struct Create {
    /// For one machine (this is what you get without --bulk)
    #[arg(long, conflicts_with = "bulk")]
    one_time: bool,
    /// For so many machines
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    bulk: Option<u32>,
    /// Only the machine with this serial number may use it
    #[arg(long, value_name = "SERIAL", conflicts_with = "bulk")]
    serial: Option<String>,
    /// How long it is good for, such as 12h or 7d [default: 24h, with --bulk 7d]
    #[arg(long, value_name = "TIME")]
    lifetime: Option<Period>,
}

/// Does what was asked.
pub(crate) async fn run(words: &Words, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    let mut admin = session.admin.clone();
    match &words.action {
        Action::Create(create) => {
            let response = session.explain(admin.create_token(ask(request(create))).await)?;
            Ok(created(&response, screen))
        }
        Action::List(paging) => {
            let mut whole = ListTokensResponse::default();
            let mut token = paging.first_token();
            loop {
                let request = ListTokensRequest { page_size: paging.size(), page_token: token };
                let page = session.explain(admin.list_tokens(ask(request)).await)?;
                whole.tokens.extend(page.tokens);
                whole.next_page_token = page.next_page_token;
                if !paging.goes_on(&whole.next_page_token) {
                    return Ok(listed(&whole, screen));
                }
                token = whole.next_page_token.clone();
            }
        }
        Action::Revoke { id } => {
            let response =
                session.explain(admin.revoke_token(ask(RevokeTokenRequest { id: id.clone() })).await)?;
            Ok(revoked(&response, id))
        }
    }
}

fn request(create: &Create) -> CreateTokenRequest {
    let kind = match create.bulk {
        Some(uses) => create_token_request::Kind::Bulk(Bulk { uses }),
        None => {
            create_token_request::Kind::OneTime(OneTime { serial: create.serial.clone().unwrap_or_default() })
        }
    };
    let lifetime = create.lifetime.map(|period| {
        let seconds = i64::try_from(period.duration().as_secs()).unwrap_or(i64::MAX);
        prost_types::Duration { seconds, nanos: 0 }
    });
    CreateTokenRequest { kind: Some(kind), lifetime }
}

fn created(response: &CreateTokenResponse, screen: &Screen) -> Answer {
    let token = response.token.clone().unwrap_or_default();
    let mut grid = Grid::new(&[Column::new("id"), Column::new("enrolment_string"), Column::new("expires")]);
    grid.rows.push(vec![
        Cell::text(&token.id),
        Cell::text(&response.enrolment_string),
        Cell::text(moment(token.expire_time.as_ref())),
    ]);
    let uses = if token.uses == 1 { "one machine".to_owned() } else { format!("{} machines", token.uses) };
    let serial = if token.serial.is_empty() {
        String::new()
    } else {
        format!(", serial {}", visible(&token.serial, 64))
    };
    let sheet = format!("{}\n", visible(&response.enrolment_string, 400));
    let notes = vec![
        format!(
            "For {uses}{serial}, until {}. It is shown this once.",
            ago(token.expire_time.as_ref(), screen.now)
        ),
        "On the new machine, with the collector's address in /etc/muster/agent.toml:".to_owned(),
        "  muster-agent enroll --token-file -     (paste it, then Ctrl-D)".to_owned(),
    ];
    Answer { json: Document::of(response), grid, sheet: Some(sheet), notes, shown_rows: None }
}

fn listed(response: &ListTokensResponse, screen: &Screen) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("id"),
        Column::new("kind"),
        Column::new("used"),
        Column::new("state"),
        Column::new("serial").spare(1),
        Column::new("expires"),
        Column::new("created_by").spare(2),
        Column::new("created").spare(3),
    ]);
    for token in &response.tokens {
        let (state, tone) = state(token, screen);
        grid.rows.push(vec![
            Cell::text(&token.id),
            Cell::text(&token.kind),
            Cell::pair(format!("{} of {}", token.used, token.uses), format!("{}/{}", token.used, token.uses)),
            Cell::text(state).in_tone(tone),
            Cell::text(&token.serial),
            Cell::pair(ago(token.expire_time.as_ref(), screen.now), moment(token.expire_time.as_ref())),
            Cell::text(&token.created_by),
            Cell::pair(ago(token.create_time.as_ref(), screen.now), moment(token.create_time.as_ref())),
        ]);
    }
    let note = if response.tokens.is_empty() {
        "there are no tokens (make one: muster token create)".to_owned()
    } else {
        count_note(response.tokens.len(), 0, "token", &response.next_page_token)
    };
    Answer { json: Document::of(response), grid, sheet: None, notes: vec![note], shown_rows: None }
}

fn state(token: &Token, screen: &Screen) -> (&'static str, Tone) {
    let expires = token.expire_time.as_ref().map(muster_proto::convert::from_timestamp);
    if token.revoked {
        ("revoked", Tone::Quiet)
    } else if token.used >= token.uses {
        ("used up", Tone::Quiet)
    } else if expires.is_some_and(|expires| expires <= screen.now) {
        ("expired", Tone::Quiet)
    } else {
        ("good", Tone::Good)
    }
}

fn revoked(response: &RevokeTokenResponse, id: &str) -> Answer {
    let mut grid = Grid::new(&[Column::new("id"), Column::new("position")]);
    grid.rows.push(vec![Cell::text(id), Cell::text(&response.position)]);
    let sheet = format!("token {} lets nobody in any more\n", visible(id, 64));
    Answer { json: Document::of(response), grid, sheet: Some(sheet), notes: Vec::new(), shown_rows: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        commands::devices::samples::at,
        output::testing::{check_table, screen},
    };

    fn token() -> Token {
        Token {
            id: "0f01020304050607".to_owned(),
            kind: "one-time".to_owned(),
            uses: 1,
            used: 0,
            serial: "PF1ABCDE".to_owned(),
            create_time: at("2026-11-24T11:00:00Z"),
            expire_time: at("2026-11-25T11:00:00Z"),
            revoked: false,
            created_by: "operator:jo".to_owned(),
        }
    }

    #[test]
    fn a_new_token_says_how_to_use_it() {
        let response = CreateTokenResponse {
            enrolment_string: "mst1.0f01020304050607.secret.pin".to_owned(),
            token: Some(token()),
        };
        check_table(
            &created(&response, &screen()),
            "
mst1.0f01020304050607.secret.pin

For one machine, serial PF1ABCDE, until 2026-11-25T11:00:00Z. It is shown this once.
On the new machine, with the collector's address in /etc/muster/agent.toml:
  muster-agent enroll --token-file -     (paste it, then Ctrl-D)",
        );
    }

    #[test]
    fn a_list_tells_which_are_still_good() {
        let used = Token { used: 1, ..token() };
        let old = Token { expire_time: at("2026-11-24T11:30:00Z"), ..token() };
        let revoked = Token { revoked: true, ..token() };
        let response =
            ListTokensResponse { tokens: vec![token(), used, old, revoked], next_page_token: String::new() };
        let answer = listed(&response, &screen());
        let states: Vec<&str> = answer.grid.rows.iter().map(|row| row[3].shown.as_str()).collect();
        assert_eq!(states, ["good", "used up", "expired", "revoked"]);
        assert_eq!(answer.notes, ["4 tokens"]);
    }
}
