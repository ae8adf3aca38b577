//! `muster coverage`: which source sees how many devices, and what one sees that another doesn't.

use muster_proto::v1::{Coverage, GetCoverageRequest};

use super::{grouped, reconcile::gaps};
use crate::{
    connection::{Session, ask},
    failure::Failure,
    output::{Answer, Document, Screen, ago},
};

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    /// How many days back the trend goes
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(i32).range(1..=400))]
    days: i32,
}

/// Asks and shows.
pub(crate) async fn run(words: &Words, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    let request = GetCoverageRequest { days: words.days };
    let response = session.explain(session.records.clone().get_coverage(ask(request)).await)?;
    Ok(answer(&response, screen))
}

fn answer(response: &Coverage, screen: &Screen) -> Answer {
    let mut notes: Vec<String> = response
        .sources
        .iter()
        .map(|source| {
            format!(
                "{} sees {} of {} devices, last {}",
                source.source,
                grouped(source.device_count),
                grouped(response.device_count),
                ago(source.last_time.as_ref(), screen.now)
            )
        })
        .collect();
    if notes.is_empty() {
        notes.push("no source has seen any device yet".to_owned());
    }
    let json = Document::of(response);
    Answer { json, grid: gaps(&response.gaps), sheet: None, notes, shown_rows: None }
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::CoveringSource;

    use super::*;
    use crate::{
        commands::devices::samples::at,
        output::testing::{check_table, screen},
    };

    #[test]
    fn each_source_says_how_much_it_sees() {
        let source = CoveringSource {
            source: "agent".to_owned(),
            device_count: 1_200,
            last_time: at("2026-11-24T10:00:00Z"),
            filter: String::new(),
        };
        let response = Coverage { sources: vec![source], gaps: Vec::new(), device_count: 1_500 };
        let text = answer(&response, &screen()).render(crate::arguments::Format::Table, &screen());
        assert!(text.contains("agent sees 1,200 of 1,500 devices, last "), "{text}");
        check_table(&answer(&Coverage::default(), &screen()), "no source has seen any device yet");
    }
}
