//! What an assessment says, gathered from the collector in memory: figures with their rows, and how assets are spread.

use std::collections::{BTreeMap, HashMap};

use muster_collector::query::{QueryFailure, View};
use muster_proto::v1::{Device, ListDevicesRequest, ReconcileRequest, ReconcileResponse};

use crate::{
    commands::devices::value,
    failure::{Failure, Kind},
};

/// Findings that are figures of their own, beside the gaps between sources.
const FINDINGS: &[(&str, &str)] = &[
    ("contradictions on identity or between equal sources", "flag:conflict"),
    ("identifiers that several assets claim", "flag:duplicate-identifier"),
    ("assets without an accountable owner", "NOT owner:* AND NOT assigned_to:* AND NOT category = seat"),
];

/// By what assets are counted.
pub(super) const BREAKDOWNS: &[(&str, &str)] = &[
    ("category", "Category"),
    ("state", "Stage of life"),
    ("criticality", "Criticality"),
    ("location", "Location"),
    ("department", "Department"),
    ("owner", "Owner"),
];

/// A figure and its rows.
pub(super) struct Figure {
    /// What is counted.
    pub(super) title: String,
    /// How many assets.
    pub(super) count: u64,
    /// Which, in the words of `muster assets --filter`.
    pub(super) filter: String,
    /// Their places among the assets.
    pub(super) rows: Vec<usize>,
}

/// How assets are spread over the values of a field.
pub(super) struct Breakdown {
    /// The field, for people.
    pub(super) title: &'static str,
    /// The values, the most frequent first.
    pub(super) groups: Vec<Group>,
}

/// The assets with one value.
pub(super) struct Group {
    /// The value.
    pub(super) value: String,
    /// Their places among the assets.
    pub(super) rows: Vec<usize>,
}

/// Everything that the report shows.
pub(super) struct Summary {
    /// Every asset, in the order of their names.
    pub(super) assets: Vec<Device>,
    /// The figures.
    pub(super) figures: Vec<Figure>,
    /// How they are spread.
    pub(super) breakdowns: Vec<Breakdown>,
    /// The gaps as the collector tells them, for programs.
    pub(super) gaps: ReconcileResponse,
}

/// Asks the collector everything.
pub(super) async fn gather(view: &View<'_>) -> Result<Summary, Failure> {
    let assets = every(view, "").await?;
    let places: HashMap<&str, usize> =
        assets.iter().enumerate().map(|(place, asset)| (asset.name.as_str(), place)).collect();
    let gaps = view.reconcile(&ReconcileRequest::default()).await.map_err(|error| failed(&error))?;
    let questions = gaps
        .gaps
        .iter()
        .map(|gap| (gap.title.clone(), gap.filter.clone()))
        .chain(FINDINGS.iter().map(|(title, filter)| ((*title).to_owned(), (*filter).to_owned())));
    let mut figures = Vec::new();
    for (title, filter) in questions {
        let found = every(view, &filter).await?;
        let rows: Vec<usize> =
            found.iter().filter_map(|asset| places.get(asset.name.as_str()).copied()).collect();
        figures.push(Figure { title, count: found.len() as u64, filter, rows });
    }
    let breakdowns =
        BREAKDOWNS.iter().map(|(field, title)| Breakdown { title, groups: groups(&assets, field) }).collect();
    Ok(Summary { assets, figures, breakdowns, gaps })
}

fn groups(assets: &[Device], field: &str) -> Vec<Group> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, asset) in assets.iter().enumerate() {
        let shown = match (field, value(asset, field)) {
            ("category", "") => "device",
            ("owner", "") => value(asset, "assigned_to"),
            (_, shown) => shown,
        };
        groups.entry(shown).or_default().push(place);
    }
    let named = |shown: &str| if shown.is_empty() { "not known" } else { shown }.to_owned();
    let mut groups: Vec<Group> =
        groups.into_iter().map(|(shown, rows)| Group { value: named(shown), rows }).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.rows.len()));
    groups
}

/// Every asset that matches, page after page.
async fn every(view: &View<'_>, filter: &str) -> Result<Vec<Device>, Failure> {
    let mut request =
        ListDevicesRequest { page_size: 1000, filter: filter.to_owned(), ..ListDevicesRequest::default() };
    let mut assets = Vec::new();
    loop {
        let page = view.list_assets(&request).await.map_err(|error| failed(&error))?;
        assets.extend(page.devices);
        if page.next_page_token.is_empty() {
            return Ok(assets);
        }
        request.page_token = page.next_page_token;
    }
}

fn failed(error: &QueryFailure) -> Failure {
    Failure::new(Kind::Failed, "the collector in memory could not answer", error.to_string())
}
