//! `muster assets`: devices and everything else that is owned, rented or paid for, in one list.

use muster_proto::v1::ListDevicesResponse;

use super::{
    bare_id,
    devices::{self, List, category, holder, key, model, value, worst},
    list_note,
};
use crate::{
    connection::Session,
    failure::Failure,
    output::{Answer, Cell, Column, Document, Grid, Screen, Tone},
};

const EXAMPLES: &str = "\
Filters are those of muster devices, such as:
  --filter 'category = subscription AND renewal_date < \"2027-01-31\"'
  --filter 'category = peripheral AND NOT attached_to:*'
  --filter 'state = deployed AND NOT owner:*'";

/// The words of the command.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Words {
    #[command(flatten)]
    list: List,
}

/// Asks for the list.
pub(crate) async fn run(words: &Words, session: &Session, _: &Screen) -> Result<Answer, Failure> {
    let query = session.query.clone();
    let ask = |request| {
        let mut query = query.clone();
        async move { query.list_assets(request).await }
    };
    Ok(answer(devices::every_page(&words.list, session, ask).await?))
}

fn answer(response: ListDevicesResponse) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("name"),
        Column::new("category"),
        Column::new("what").spare(2),
        Column::new("key").spare(3),
        Column::new("state"),
        Column::new("owner"),
        Column::new("department").spare(1),
        Column::new("flags"),
        Column::new("id").spare(4),
    ]);
    for asset in &response.devices {
        let flags: Vec<&str> = asset.flags.iter().map(|flag| flag.code.as_str()).collect();
        grid.rows.push(vec![
            Cell::text(asset.display_name.clone()),
            Cell::text(category(asset)),
            Cell::text(model(asset)),
            Cell::text(key(asset)),
            Cell::text(value(asset, "state")),
            Cell::text(holder(asset)),
            Cell::text(value(asset, "department")),
            Cell::pair(flags.join(", "), flags.join(" ")).in_tone(worst(asset)),
            Cell::text(bare_id(&asset.name)).in_tone(Tone::Quiet),
        ]);
    }
    let notes = list_note(response.devices.len(), response.total_size, "asset", &response.next_page_token);
    Answer { json: Document::of(&response), grid, sheet: None, notes, shown_rows: None }
}
