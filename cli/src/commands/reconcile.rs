//! `muster reconcile`: where sources differ, each figure with the filter that opens its rows.

use muster_proto::v1::{Gap, ReconcileRequest, ReconcileResponse};

use super::grouped;
use crate::{
    connection::{Session, ask},
    failure::Failure,
    output::{Answer, Cell, Column, Document, Grid, Tone},
};

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    /// How many days back the trend goes
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(i32).range(1..=400))]
    days: i32,
}

/// Asks and shows.
pub(crate) async fn run(words: &Words, session: &Session) -> Result<Answer, Failure> {
    let request = ReconcileRequest { days: words.days };
    let response = session.explain(session.records.clone().reconcile(ask(request)).await)?;
    Ok(answer(&response))
}

fn answer(response: &ReconcileResponse) -> Answer {
    let grid = gaps(&response.gaps);
    let open = response.gaps.iter().filter(|gap| gap.count > 0).count();
    let note = if open == 0 {
        "the sources agree".to_owned()
    } else {
        "list the rows of a figure: muster assets --filter 'FILTER'".to_owned()
    };
    Answer { json: Document::of(response), grid, sheet: None, notes: vec![note], shown_rows: None }
}

/// Figures with their trend and filter.
pub(super) fn gaps(gaps: &[Gap]) -> Grid {
    let mut grid = Grid::new(&[
        Column::new("gap"),
        Column::number("count"),
        Column::new("trend"),
        Column::sentences("what").spare(2),
        Column::sentences("filter"),
    ]);
    for gap in gaps {
        let tone = if gap.count > 0 { Tone::Warning } else { Tone::Good };
        grid.rows.push(vec![
            Cell::text(&gap.code),
            Cell::pair(grouped(gap.count), gap.count.to_string()).in_tone(tone),
            Cell::text(trend(gap)),
            Cell::text(&gap.title),
            Cell::text(&gap.filter).in_tone(Tone::Quiet),
        ]);
    }
    grid
}

/// What became of the figure since the first day that is shown.
fn trend(gap: &Gap) -> String {
    let Some(first) = gap.trend.first() else { return String::new() };
    match i128::from(gap.count) - i128::from(first.count) {
        0 => "same".to_owned(),
        more @ 1.. => format!("+{more}"),
        fewer => fewer.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use muster_proto::v1::GapPoint;

    use super::*;
    use crate::output::testing::check_csv;

    #[test]
    fn a_figure_stands_with_its_filter_and_what_became_of_it() {
        let gap = Gap {
            code: "unknown".to_owned(),
            title: "seen and not owned".to_owned(),
            count: 5,
            filter: "flag:unknown".to_owned(),
            trend: vec![GapPoint { time: None, count: 8 }, GapPoint { time: None, count: 6 }],
        };
        let response = ReconcileResponse { gaps: vec![gap], time: None };
        check_csv(
            &answer(&response),
            &["gap,count,trend,what,filter", "unknown,5,'-3,seen and not owned,flag:unknown"],
        );
    }
}
