//! `muster sightings`: what leases and scans showed and no device reports, network by network.

use muster_proto::v1::{ListSightingsRequest, ListSightingsResponse};

use super::{Paging, count_note, grouped};
use crate::{
    connection::{Session, ask},
    failure::Failure,
    output::{Answer, Cell, Column, Document, Grid, Screen, Tone, ago, moment},
};

/// How many networks people get to see.
const SHOWN_NETWORKS: usize = 8;

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    /// Only of this network, such as 192.0.2.0/24
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    network: String,
    #[command(flatten)]
    paging: Paging,
}

/// Asks for the list.
pub(crate) async fn run(words: &Words, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    let mut records = session.records.clone();
    let mut whole: Option<ListSightingsResponse> = None;
    let mut token = words.paging.first_token();
    loop {
        let request = ListSightingsRequest {
            page_size: words.paging.size(),
            page_token: token,
            network: words.network.clone(),
        };
        let page = session.explain(records.list_sightings(ask(request)).await)?;
        let next = page.next_page_token.clone();
        match &mut whole {
            None => whole = Some(page),
            Some(whole) => {
                whole.sightings.extend(page.sightings);
                whole.next_page_token = page.next_page_token;
            }
        }
        if !words.paging.goes_on(&next) {
            return Ok(answer(&whole.unwrap_or_default(), screen));
        }
        token = next;
    }
}

fn answer(response: &ListSightingsResponse, screen: &Screen) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("mac"),
        Column::new("ip"),
        Column::new("hostname"),
        Column::new("network").spare(3),
        Column::new("sources"),
        Column::new("last"),
        Column::new("first").spare(2),
        Column::new("reason").spare(4),
    ]);
    for sighting in &response.sightings {
        let time = |time: Option<&_>| Cell::pair(ago(time, screen.now), moment(time));
        grid.rows.push(vec![
            Cell::text(&sighting.mac),
            Cell::text(&sighting.ip),
            Cell::text(&sighting.hostname),
            Cell::text(&sighting.network),
            Cell::text(sighting.sources.join(" ")),
            time(sighting.last_time.as_ref()),
            time(sighting.first_time.as_ref()),
            Cell::text(&sighting.reason).in_tone(Tone::Quiet),
        ]);
    }
    let mut notes = Vec::new();
    for network in response.networks.iter().take(SHOWN_NETWORKS) {
        notes.push(format!(
            "{}: {} that no device reports (last {})",
            network.network,
            grouped(network.count.into()),
            ago(network.last_time.as_ref(), screen.now)
        ));
    }
    if response.networks.len() > SHOWN_NETWORKS {
        notes.push(format!("{} more networks", response.networks.len() - SHOWN_NETWORKS));
    }
    if response.random > 0 {
        notes.push(format!("{} random addresses, not listed", grouped(response.random.into())));
    }
    if response.dropped > 0 {
        notes.push(format!(
            "{} could not be kept, so many are kept already: look after the networks above",
            grouped(response.dropped)
        ));
    }
    notes.push(if response.sightings.is_empty() {
        "everything that was seen is a device's".to_owned()
    } else {
        count_note(response.sightings.len(), response.total_size, "sighting", &response.next_page_token)
    });
    Answer { json: Document::of(response), grid, sheet: None, notes, shown_rows: None }
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::{Sighting, SightingNetwork};

    use super::*;
    use crate::{
        commands::devices::samples::at,
        output::testing::{check_table, screen},
    };

    #[test]
    fn a_network_is_one_finding() {
        let response = ListSightingsResponse {
            sightings: vec![Sighting {
                mac: "00:1b:21:09:09:09".to_owned(),
                ip: "192.0.2.9".to_owned(),
                hostname: "printer".to_owned(),
                sources: vec!["dhcp".to_owned()],
                last_time: at("2026-11-24T10:00:00Z"),
                network: "192.0.2.0/24".to_owned(),
                ..Sighting::default()
            }],
            total_size: 1,
            networks: vec![SightingNetwork {
                network: "192.0.2.0/24".to_owned(),
                count: 1,
                last_time: at("2026-11-24T10:00:00Z"),
            }],
            random: 3,
            ..ListSightingsResponse::default()
        };
        let text = answer(&response, &screen()).render(crate::arguments::Format::Table, &screen());
        for expected in ["192.0.2.0/24: 1 that no device reports", "3 random addresses", "1 sighting"] {
            assert!(text.contains(expected), "{text}");
        }
        check_table(
            &answer(&ListSightingsResponse::default(), &screen()),
            "everything that was seen is a device's",
        );
    }
}
