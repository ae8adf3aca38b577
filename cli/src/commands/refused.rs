//! `muster import refused`: the rows that could not be used, as they stood in the file, for whoever corrects them.

use muster_proto::v1::{ListRefusedRowsRequest, ListRefusedRowsResponse};

use super::{Paging, count_note};
use crate::{
    connection::{Session, ask},
    failure::Failure,
    output::{Answer, Cell, Column, Document, Grid, Screen, Tone, ago, moment},
};

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    #[command(flatten)]
    paging: Paging,
}

/// Asks for the list.
pub(crate) async fn run(words: &Words, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    let mut admin = session.admin.clone();
    let mut whole = ListRefusedRowsResponse::default();
    let mut token = words.paging.first_token();
    loop {
        let request = ListRefusedRowsRequest { page_size: words.paging.size(), page_token: token };
        let page = session.explain(admin.list_refused_rows(ask(request)).await)?;
        whole.rows.extend(page.rows);
        whole.next_page_token = page.next_page_token;
        if !words.paging.goes_on(&whole.next_page_token) {
            return Ok(answer(&whole, screen));
        }
        token = whole.next_page_token.clone();
    }
}

fn answer(response: &ListRefusedRowsResponse, screen: &Screen) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("source"),
        Column::number("row"),
        Column::sentences("reason"),
        Column::sentences("content").spare(2),
        Column::new("imported").spare(1),
    ]);
    for row in &response.rows {
        let time = row.import_time.as_ref();
        grid.rows.push(vec![
            Cell::text(&row.source),
            Cell::text(row.row.to_string()),
            Cell::text(&row.reason),
            Cell::text(&row.content).in_tone(Tone::Quiet),
            Cell::pair(ago(time, screen.now), moment(time)),
        ]);
    }
    let note = if response.rows.is_empty() {
        "no row waits for correction".to_owned()
    } else {
        format!(
            "{} (correct them in their file and import it again; those that go in leave this list)",
            count_note(response.rows.len(), 0, "row", &response.next_page_token)
        )
    };
    Answer { json: Document::of(response), grid, sheet: None, notes: vec![note], shown_rows: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::{check_table, screen};

    #[test]
    fn an_empty_list_says_so() {
        check_table(&answer(&ListRefusedRowsResponse::default(), &screen()), "no row waits for correction");
    }
}
