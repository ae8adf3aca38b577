//! `muster agents`: which agents there are, and taking one's identity away.

use clap::Subcommand;
use muster_common::id::AgentId;
use muster_proto::v1::{ListAgentsRequest, ListAgentsResponse, RevokeAgentRequest, RevokeAgentResponse};

use super::{Paging, bare_id, count_note};
use crate::{
    connection::{Session, ask},
    failure::Failure,
    output::{Answer, Cell, Column, Document, Grid, Screen, Tone, ago, moment},
};

/// The words of the command.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Words {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    paging: Paging,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Take an agent's identity away and cut its connection
    Revoke {
        /// The agent's id, as the list shows it
        #[arg(value_name = "ID")]
        id: AgentId,
        /// Why, for the audit log, which keeps it for ever: name nobody
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// Does what was asked.
pub(crate) async fn run(words: &Words, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    let mut admin = session.admin.clone();
    if let Some(Action::Revoke { id, reason }) = &words.action {
        let request = RevokeAgentRequest { agent_id: id.to_string(), reason: reason.clone() };
        let response = session.explain(admin.revoke_agent(ask(request)).await)?;
        return Ok(revoked(&response, id));
    }
    let mut whole = ListAgentsResponse::default();
    let mut token = words.paging.first_token();
    loop {
        let request = ListAgentsRequest { page_size: words.paging.size(), page_token: token };
        let page = session.explain(admin.list_agents(ask(request)).await)?;
        whole.agents.extend(page.agents);
        whole.next_page_token = page.next_page_token;
        if !words.paging.goes_on(&whole.next_page_token) {
            return Ok(listed(&whole, screen));
        }
        token = whole.next_page_token.clone();
    }
}

fn listed(response: &ListAgentsResponse, screen: &Screen) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("agent"),
        Column::new("version"),
        Column::new("state"),
        Column::new("enrolled").spare(2),
        Column::new("certificate_until").spare(1),
        Column::new("device").spare(3),
    ]);
    for agent in &response.agents {
        let (state, tone) = match (agent.revoked, agent.connected) {
            (true, _) => ("revoked", Tone::Critical),
            (false, true) => ("connected", Tone::Good),
            (false, false) => ("away", Tone::Plain),
        };
        let until = moment(agent.certificate_expire_time.as_ref());
        let until_day = until.split_once('T').map_or(until.as_str(), |(day, _)| day);
        grid.rows.push(vec![
            Cell::text(&agent.agent_id),
            Cell::text(&agent.agent_version),
            Cell::text(state).in_tone(tone),
            Cell::pair(ago(agent.enrol_time.as_ref(), screen.now), moment(agent.enrol_time.as_ref())),
            Cell::pair(until_day, &until),
            Cell::text(bare_id(&agent.device)).in_tone(Tone::Quiet),
        ]);
    }
    let note = if response.agents.is_empty() {
        "no agent has enrolled yet (let one in: muster token create)".to_owned()
    } else {
        count_note(response.agents.len(), 0, "agent", &response.next_page_token)
    };
    Answer { json: Document::of(response), grid, sheet: None, notes: vec![note], shown_rows: None }
}

fn revoked(response: &RevokeAgentResponse, id: &AgentId) -> Answer {
    let mut grid = Grid::new(&[Column::new("agent"), Column::new("position")]);
    grid.rows.push(vec![Cell::text(id.to_string()), Cell::text(&response.position)]);
    let sheet = format!("agent {id} is revoked and its connection cut\n");
    let notes = vec!["To let that machine in again, make a new token: muster token create".to_owned()];
    Answer { json: Document::of(response), grid, sheet: Some(sheet), notes, shown_rows: None }
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::Agent;

    use super::*;
    use crate::{
        commands::devices::samples::at,
        output::testing::{check_table, screen},
    };

    #[test]
    fn a_list_tells_who_is_there() {
        let agent = |connected, revoked| Agent {
            agent_id: "0b8d3a52-1111-4b0e-9a44-0d6f9e5f2c11".to_owned(),
            device: "devices/6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11".to_owned(),
            agent_version: "0.1.0".to_owned(),
            enrol_time: at("2026-11-20T10:00:00Z"),
            certificate_expire_time: at("2026-12-20T10:00:00Z"),
            revoked,
            connected,
        };
        let response = ListAgentsResponse {
            agents: vec![agent(true, false), agent(false, false), agent(true, true)],
            next_page_token: String::new(),
        };
        check_table(
            &listed(&response, &screen()),
            "
AGENT                                 VERSION  STATE      ENROLLED    CERTIFICATE UNTIL
0b8d3a52-1111-4b0e-9a44-0d6f9e5f2c11  0.1.0    connected  4 days ago  2026-12-20
0b8d3a52-1111-4b0e-9a44-0d6f9e5f2c11  0.1.0    away       4 days ago  2026-12-20
0b8d3a52-1111-4b0e-9a44-0d6f9e5f2c11  0.1.0    revoked    4 days ago  2026-12-20

3 agents",
        );
    }
}
