//! `muster persons`: who is known, who has left, and what one of them holds.

use clap::Subcommand;
use muster_proto::v1::{GetPersonRequest, ListPersonsRequest, ListPersonsResponse, Person};

use super::{Paging, count_note, grouped};
use crate::{
    connection::{Session, ask},
    failure::Failure,
    output::{Answer, Cell, Column, Document, Grid, Screen, Tone, moment},
};

/// The words of the command.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Words {
    #[command(subcommand)]
    action: Option<Action>,
    /// Only those whose last day is over
    #[arg(long)]
    leavers: bool,
    #[command(flatten)]
    paging: Paging,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show one person
    Show {
        /// Id, whole name, address or employee number
        #[arg(value_name = "PERSON")]
        name: String,
    },
}

/// Asks and shows.
pub(crate) async fn run(words: &Words, session: &Session, _: &Screen) -> Result<Answer, Failure> {
    let mut records = session.records.clone();
    if let Some(Action::Show { name }) = &words.action {
        let person =
            session.explain(records.get_person(ask(GetPersonRequest { name: name.clone() })).await)?;
        return Ok(shown(&person));
    }
    let mut whole = ListPersonsResponse::default();
    let mut token = words.paging.first_token();
    loop {
        let request =
            ListPersonsRequest { page_size: words.paging.size(), page_token: token, leavers: words.leavers };
        let page = session.explain(records.list_persons(ask(request)).await)?;
        whole.persons.extend(page.persons);
        whole.next_page_token = page.next_page_token;
        if !words.paging.goes_on(&whole.next_page_token) {
            return Ok(listed(&whole));
        }
        token = whole.next_page_token.clone();
    }
}

fn listed(response: &ListPersonsResponse) -> Answer {
    let mut grid = grid();
    grid.rows = response.persons.iter().map(row).collect();
    let note = if response.persons.is_empty() {
        "nobody is known yet (import a staff list: muster import FILE)".to_owned()
    } else {
        count_note(response.persons.len(), 0, "person", &response.next_page_token)
    };
    Answer { json: Document::of(response), grid, sheet: None, notes: vec![note], shown_rows: None }
}

fn shown(person: &Person) -> Answer {
    let mut grid = grid();
    grid.rows.push(row(person));
    let mut notes = Vec::new();
    if person.asset_count > 0 {
        notes.push(format!(
            "holds or answers for {}: muster assets --filter '{}'",
            grouped(person.asset_count),
            person.filter
        ));
    }
    Answer { json: Document::of(person), grid, sheet: None, notes, shown_rows: None }
}

fn grid() -> Grid {
    Grid::new(&[
        Column::new("name"),
        Column::new("email").spare(2),
        Column::new("number").spare(4),
        Column::new("department"),
        Column::new("location").spare(3),
        Column::new("manager").spare(5),
        Column::new("last_day"),
        Column::new("state"),
        Column::number("assets"),
        Column::new("id").spare(6),
    ])
}

fn row(person: &Person) -> Vec<Cell> {
    let last_day = moment(person.last_day.as_ref());
    let day = last_day.split_once('T').map_or(last_day.as_str(), |(day, _)| day);
    let (state, tone) = match (person.erase_time.is_some(), person.has_left) {
        (true, _) => ("erased", Tone::Quiet),
        (false, true) if person.asset_count > 0 => ("left", Tone::Warning),
        (false, true) => ("left", Tone::Quiet),
        (false, false) => ("", Tone::Plain),
    };
    vec![
        Cell::text(&person.display_name),
        Cell::text(&person.email),
        Cell::text(&person.employee_number),
        Cell::text(&person.department),
        Cell::text(&person.location),
        Cell::text(&person.manager_name),
        Cell::pair(day, &last_day),
        Cell::text(state).in_tone(tone),
        Cell::text(person.asset_count.to_string()),
        Cell::text(person.name.trim_start_matches("persons/")).in_tone(Tone::Quiet),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{commands::devices::samples::at, output::testing::check_table};

    #[test]
    fn a_leaver_who_holds_something_stands_out() {
        let person = Person {
            name: "persons/6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11".to_owned(),
            display_name: "Jo Doe".to_owned(),
            department: "Sales/EMEA".to_owned(),
            last_day: at("2026-09-30T00:00:00Z"),
            has_left: true,
            asset_count: 2,
            filter: "owner = \"x\"".to_owned(),
            ..Person::default()
        };
        check_table(
            &shown(&person),
            "
NAME    EMAIL  NUMBER  DEPARTMENT  LOCATION  MANAGER  LAST DAY    STATE  ASSETS
Jo Doe                 Sales/EMEA                     2026-09-30  left        2

holds or answers for 2: muster assets --filter 'owner = \"x\"'",
        );
        check_table(
            &listed(&ListPersonsResponse::default()),
            "nobody is known yet (import a staff list: muster import FILE)",
        );
    }
}
