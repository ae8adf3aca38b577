//! What there is to do: open findings counted over a filter, and put together as policy has it.

use std::collections::HashMap;

use muster_common::flag::FlagCode;

use super::{QueryFailure, View, page};
use crate::governance::work::{self, Count, Item};

/// Work items with what they were made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The most urgent first, each with a filter that lists its assets.
    pub items: Vec<(Item, String)>,
    /// Open findings in all.
    pub open: u64,
    /// Findings that an exception covers.
    pub excepted: u64,
}

impl View<'_> {
    /// What there is to do about the assets that a filter finds.
    ///
    /// # Errors
    /// What is wrong with the filter.
    pub async fn work(&self, filter: &str) -> Result<Work, QueryFailure> {
        let parsed = self.narrowed(self.with_persons(page::filter(filter)?).await?);
        let charter = self.charter();
        let (standing, excepted, assets) = {
            let fleet = self.index.read();
            let rows = fleet.query(&parsed, self.now())?;
            let standing = fleet.facets("flag", &rows, FlagCode::ALL.len())?;
            let excepted = fleet.facets("excepted", &rows, FlagCode::ALL.len())?;
            (standing.values, excepted.values, rows.len())
        };
        let excepted: HashMap<String, u64> = excepted.into_iter().collect();
        let counts: Vec<Count> = standing
            .into_iter()
            .filter_map(|(code, standing)| {
                let devices = standing.saturating_sub(excepted.get(&code).copied().unwrap_or(0));
                let code: FlagCode = code.parse().ok()?;
                Some(Count { code, severity: charter.severity(code), devices })
            })
            .collect();
        let items = work::items(&counts, assets).into_iter().map(|item| {
            let shown = filter_of(&item, filter);
            (item, shown)
        });
        Ok(Work {
            items: items.collect(),
            open: counts.iter().map(|count| count.devices).sum(),
            excepted: excepted.values().sum(),
        })
    }
}

/// A filter that lists an item's assets among those that were asked for.
fn filter_of(item: &Item, within: &str) -> String {
    let codes: Vec<String> =
        item.codes.iter().map(|code| format!("(flag:{code} AND NOT excepted:{code})")).collect();
    let own = if codes.len() == 1 { codes.concat() } else { format!("({})", codes.join(" OR ")) };
    if within.trim().is_empty() { own } else { format!("({within}) AND {own}") }
}
