//! `muster adopt`: vouches in bulk for what is there already, at any state, without invented evidence.

use muster_proto::v1::{AdoptRequest, AdoptResponse};

use super::{bare_id, grouped};
use crate::{
    connection::{Session, ask_patiently},
    failure::Failure,
    output::{Answer, Cell, Column, Document, Grid, Tone},
};

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    /// What to adopt, such as flag:unknown
    #[arg(value_name = "FILTER")]
    filter: String,
    /// The state to enter it at, such as deployed or in-stock [default: as it is]
    #[arg(long, value_name = "STATE", default_value = "", hide_default_value = true)]
    state: String,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// Only show what would be adopted
    #[arg(long)]
    dry_run: bool,
}

/// Adopts, or says what would be.
pub(crate) async fn run(words: &Words, session: &Session) -> Result<Answer, Failure> {
    let request = AdoptRequest {
        filter: words.filter.clone(),
        state: words.state.clone(),
        reason: words.reason.clone(),
        validate_only: words.dry_run,
    };
    let response = session.explain(session.charter.clone().adopt(ask_patiently(request)).await)?;
    Ok(answer(&response, words.dry_run))
}

fn answer(response: &AdoptResponse, dry_run: bool) -> Answer {
    let mut grid = Grid::new(&[Column::new("asset"), Column::new("id").spare(1)]);
    for device in &response.some {
        grid.rows.push(vec![
            Cell::text(&device.display_name),
            Cell::text(bare_id(&device.device)).in_tone(Tone::Quiet),
        ]);
    }
    let mut notes = Vec::new();
    let more = response.adopted_count.saturating_sub(response.some.len() as u64);
    if more > 0 {
        notes.push(format!("and {} more", grouped(more)));
    }
    let counts = format!(
        "{} of {} assets, {} were vouched for already",
        grouped(response.adopted_count),
        grouped(response.matched_count),
        grouped(response.unchanged_count)
    );
    notes.push(if dry_run {
        format!("Dry run: {counts}. Nothing was changed.")
    } else {
        format!("Adopted: {counts}.")
    });
    Answer { json: Document::of(response), grid, sheet: None, notes, shown_rows: None }
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::NamedDevice;

    use super::*;
    use crate::output::testing::check_table;

    #[test]
    fn it_says_how_many_of_how_many() {
        let response = AdoptResponse {
            matched_count: 5_000,
            adopted_count: 4_998,
            unchanged_count: 2,
            some: vec![NamedDevice { device: "devices/x".to_owned(), display_name: "web-03".to_owned() }],
            position: String::new(),
        };
        check_table(
            &answer(&response, true),
            "
ASSET   ID
web-03  x

and 4,997 more
Dry run: 4,998 of 5,000 assets, 2 were vouched for already. Nothing was changed.",
        );
    }
}
