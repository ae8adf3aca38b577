//! The report as one HTML file: no script, nothing fetched, every text escaped, each figure opens its rows.

use std::path::Path;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use muster_common::time::Timestamp;
use muster_proto::v1::{Device, ImportOutcome};

use super::{
    Seen,
    summary::{Breakdown, Figure, Summary},
};
use crate::commands::devices::{category, holder, key, model, value};

/// Rows that a figure shows; the list of all assets has the rest.
const MOST_ROWS: usize = 500;
/// Values that a breakdown shows.
const MOST_VALUES: usize = 40;

const STYLE: &str = "\
:root{color-scheme:light dark;--quiet:#667;--line:#8884;--bad:#b3261e;--good:#1b6e3c}\
body{font:15px/1.45 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
details{border-bottom:1px solid var(--line)}summary{padding:.4rem 0;cursor:pointer;display:flex;gap:1rem}\
summary b{min-width:4rem;text-align:right;font-variant-numeric:tabular-nums}\
.quiet{color:var(--quiet)}.bad{color:var(--bad)}.good{color:var(--good)}code{font-size:.85em}\
@media print{details{break-inside:avoid}}";

/// The whole page.
pub(super) fn render(folder: &Path, seen: &[Seen], summary: &Summary, now: Timestamp) -> String {
    let open: u64 = summary.figures.iter().map(|figure| figure.count).sum();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Inventory assessment" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Inventory assessment" }
                p.quiet {
                    "Made " (now.to_string()) " from " (seen.len()) " files in " (folder.display().to_string())
                    ". It names people: treat it as the exports themselves."
                }
                p {
                    b { (summary.assets.len()) } " assets are known from these files; "
                    b { (open) } " findings say where they contradict each other or leave something open. "
                    "Every figure opens its rows."
                }
                h2 { "What doesn't fit together" }
                @for figure in &summary.figures { (shown(figure, &summary.assets)) }
                h2 { "How the assets are spread" }
                @for Breakdown { title, groups } in &summary.breakdowns {
                    h3 { (title) }
                    @for group in groups.iter().take(MOST_VALUES) {
                        details {
                            summary { b { (group.rows.len()) } span { (group.value) } }
                            (rows(&group.rows, &summary.assets))
                        }
                    }
                    @if groups.len() > MOST_VALUES {
                        p.quiet { "and " (groups.len() - MOST_VALUES) " other values" }
                    }
                }
                h2 { "The files" }
                @for file in seen { (file_shown(file)) }
                h2 { "All assets" }
                details {
                    summary { b { (summary.assets.len()) } span { "every asset with the fields that this page uses" } }
                    (all(&summary.assets))
                }
            }
        }
    }
    .into_string()
}

fn shown(figure: &Figure, assets: &[Device]) -> Markup {
    html! {
        details {
            summary {
                b class=(if figure.count > 0 { "bad" } else { "good" }) { (figure.count) }
                span { (figure.title) }
            }
            p.quiet { "muster assets --filter " code { "'" (figure.filter) "'" } }
            (rows(&figure.rows, assets))
        }
    }
}

fn rows(places: &[usize], assets: &[Device]) -> Markup {
    html! {
        table {
            tr { th { "name" } th { "what" } th { "serial, tag or key" } th { "owner" } th { "department" } th { "says" } }
            @for asset in places.iter().take(MOST_ROWS).filter_map(|place| assets.get(*place)) {
                tr {
                    td { a href={ "#" (anchor(asset)) } { (asset.display_name) } }
                    td { (model(asset)) }
                    td { (key(asset)) }
                    td { (holder(asset)) }
                    td { (value(asset, "department")) }
                    td.quiet { (sources(asset)) }
                }
            }
        }
        @if places.len() > MOST_ROWS {
            p.quiet { "and " (places.len() - MOST_ROWS) " more: all of them stand in the list at the end" }
        }
    }
}

fn file_shown(file: &Seen) -> Markup {
    match &file.outcome {
        Err(why) => {
            html! { details { summary { b.bad { "–" } span { (file.name) ": left out" } } p { (why) } } }
        }
        Ok(taken) => {
            let troubled: Vec<_> = taken
                .report
                .rows
                .iter()
                .filter(|row| matches!(row.outcome(), ImportOutcome::Refused | ImportOutcome::Conflict))
                .collect();
            html! {
                details {
                    summary {
                        b { (taken.report.rows.len()) }
                        span {
                            (file.name) ": " (taken.format.format) " as " (taken.source) ", "
                            (taken.report.conflicts) " in conflict, " (taken.report.refused) " refused"
                        }
                    }
                    p.quiet { (taken.format.why) }
                    ul { @for remark in &taken.report.remarks { li { (remark) } } }
                    @if !troubled.is_empty() {
                        table {
                            tr { th.n { "row" } th { "outcome" } th { "why" } }
                            @for row in troubled.iter().take(MOST_ROWS) {
                                tr {
                                    td.n { (row.row) }
                                    td { (if row.outcome() == ImportOutcome::Refused { "refused" } else { "conflict" }) }
                                    td { (row.reason) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn all(assets: &[Device]) -> Markup {
    html! {
        table {
            tr { th { "name" } th { "category" } th { "what" } th { "serial, tag or key" } th { "state" } th { "owner" } th { "department" } th { "location" } th { "findings" } th { "sources" } }
            @for asset in assets {
                tr id=(anchor(asset)) {
                    td { (asset.display_name) }
                    td { (category(asset)) }
                    td { (model(asset)) }
                    td { (key(asset)) }
                    td { (value(asset, "state")) }
                    td { (holder(asset)) }
                    td { (value(asset, "department")) }
                    td { (value(asset, "location")) }
                    td { (asset.flags.iter().map(|flag| flag.code.as_str()).collect::<Vec<_>>().join(", ")) }
                    td.quiet { (sources(asset)) }
                }
            }
        }
    }
}

fn anchor(asset: &Device) -> String {
    asset.name.replace('/', "-")
}

fn sources(asset: &Device) -> String {
    asset.seen_by.iter().map(|seen| seen.source.as_str()).collect::<Vec<_>>().join(", ")
}
