//! `muster software`: titles and versions, with the number of devices that have them.

use muster_proto::v1::{ListSoftwareRequest, ListSoftwareResponse};

use super::{Paging, count_note, grouped};
use crate::{
    connection::{Session, ask},
    failure::Failure,
    output::{Answer, Cell, Column, Document, Grid, Tone},
};

const EXAMPLES: &str = "\
Examples:
  --filter 'name = \"openssl\"'
  --filter 'name = \"openssl\" AND version < \"3.0.11-1~deb12u2\"'";

/// The words of the command.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Words {
    /// Only titles that match
    #[arg(long, short, value_name = "FILTER", default_value = "", hide_default_value = true)]
    filter: String,
    #[command(flatten)]
    paging: Paging,
}

/// Asks for the list.
pub(crate) async fn run(words: &Words, session: &Session) -> Result<Answer, Failure> {
    let mut whole = ListSoftwareResponse::default();
    let mut token = words.paging.first_token();
    loop {
        let request = ListSoftwareRequest {
            page_size: words.paging.size(),
            page_token: token,
            filter: words.filter.clone(),
        };
        let page = session.explain(session.query.clone().list_software(ask(request)).await)?;
        whole.software.extend(page.software);
        whole.total_size = page.total_size;
        whole.next_page_token = page.next_page_token;
        if !words.paging.goes_on(&whole.next_page_token) {
            return Ok(answer(&whole));
        }
        token = whole.next_page_token.clone();
    }
}

fn answer(response: &ListSoftwareResponse) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("name"),
        Column::new("version"),
        Column::new("architecture").spare(1),
        Column::new("vendor").spare(2),
        Column::number("devices"),
        Column::new("purl").spare(3),
    ]);
    for title in &response.software {
        grid.rows.push(vec![
            Cell::text(&title.name),
            Cell::text(&title.version),
            Cell::text(&title.architecture),
            Cell::text(&title.vendor),
            Cell::pair(grouped(title.device_count), title.device_count.to_string()),
            Cell::text(&title.purl).in_tone(Tone::Quiet),
        ]);
    }
    let notes = if response.software.is_empty() {
        vec!["no title matches".to_owned()]
    } else {
        vec![count_note(response.software.len(), response.total_size, "title", &response.next_page_token)]
    };
    Answer { json: Document::of(response), grid, sheet: None, notes, shown_rows: None }
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::SoftwareTitle;

    use super::*;
    use crate::output::testing::check_table;

    #[test]
    fn titles_stand_with_their_number_of_devices() {
        let response = ListSoftwareResponse {
            software: vec![SoftwareTitle {
                purl: "pkg:deb/debian/bash@5.2.37-2?arch=amd64".to_owned(),
                name: "bash".to_owned(),
                version: "5.2.37-2".to_owned(),
                architecture: "amd64".to_owned(),
                vendor: "Debian".to_owned(),
                device_count: 12_004,
            }],
            next_page_token: String::new(),
            total_size: 1,
        };
        check_table(
            &answer(&response),
            "
NAME  VERSION   ARCHITECTURE  VENDOR  DEVICES  PURL
bash  5.2.37-2  amd64         Debian   12,004  pkg:deb/debian/bash@5.2.37-2?arch=amd64

1 title",
        );
        check_table(&answer(&ListSoftwareResponse::default()), "no title matches");
    }
}
