//! The gaps between sources: what one knows and another doesn't, each with the filter that opens its rows.
//!
//! A gap is a filter and nothing more, so a figure and its list can't differ. The counts of each day are kept, so that
//! it shows whether a gap closes.
//!
//! **To add a gap**: one line in [`GAPS`].

use std::collections::BTreeMap;

use muster_common::{device::Field, governance::State, time::Timestamp};
use muster_proto::{convert::to_timestamp, store::v1 as stored, v1};

use super::{Query, QueryFailure, View, page};
use crate::{
    index::Facets,
    merge,
    records::{Read, delete, key, put},
    registry::Sight,
    store::{Commit, Key, Write},
};

/// How many days of counts are kept.
const MOST_DAYS: u32 = 400;
/// How many days are shown when nobody says.
const USUAL_DAYS: u32 = 30;
/// The most sources that are set against each other.
const MOST_SOURCES: usize = 24;
/// A day in milliseconds.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What is a machine.
const DEVICES: &str = "NOT category != device";

/// The gaps that don't depend on which sources there are: code, words, filter.
const GAPS: &[(&str, &str, &str)] = &[
    ("unknown", "seen and not owned: no record vouches for it", "flag:unknown"),
    ("leaver-assigned", "somebody who has left still has it", "person.last_day < -24h"),
    (
        "seat-unused",
        "a seat is paid and was not signed in to for 90 days, or never",
        "category = seat AND NOT last_sign_in >= -90d",
    ),
    (
        "cloud-unowned",
        "a cloud resource has no owner or no tag",
        "category = cloud-resource OR cloud.instance:* AND NOT owner:* OR NOT tag:*",
    ),
];

/// A figure before it is counted.
struct Gap {
    code: String,
    title: String,
    filter: String,
}

impl View<'_> {
    /// Every gap with its count now and on earlier days.
    ///
    /// # Errors
    /// When the store can't answer.
    pub async fn reconcile(
        &self,
        request: &v1::ReconcileRequest,
    ) -> Result<v1::ReconcileResponse, QueryFailure> {
        let now = self.now();
        let gaps = self.counted(self.gaps()?, now)?;
        let gaps = self.with_trend(gaps, request.days).await?;
        Ok(v1::ReconcileResponse { gaps, time: Some(to_timestamp(now)) })
    }

    /// Which source sees how many devices, and what it sees that another doesn't.
    ///
    /// # Errors
    /// When the store can't answer.
    pub async fn coverage(&self, request: &v1::GetCoverageRequest) -> Result<v1::Coverage, QueryFailure> {
        let now = self.now();
        let seen = self.sources()?;
        let sighted = self.pipeline.sightings().last_by_source();
        let last_of = |source: &str| {
            let fleet = self.index.read();
            fleet.last_by_source().get(source).copied().max(sighted.get(source).copied())
        };
        let sources = seen
            .values
            .iter()
            .map(|(source, count)| v1::CoveringSource {
                source: source.clone(),
                device_count: *count,
                last_time: last_of(source).map(to_timestamp),
                filter: format!("seen_by:{source} AND {DEVICES}"),
            })
            .collect();
        let gaps = self.counted(intersections(&seen), now)?;
        let gaps = self.with_trend(gaps, request.days).await?;
        let device_count = self.index.read().count(&self.narrowed(page::filter(DEVICES)?), now)?;
        Ok(v1::Coverage { sources, gaps, device_count })
    }

    /// The gaps by what there is now.
    fn gaps(&self) -> Result<Vec<Gap>, QueryFailure> {
        let seen = self.sources()?;
        let unseen: String = seen
            .values
            .iter()
            .filter(|(source, _)| merge::precedence::is_witness(source))
            .map(|(source, _)| format!(" AND NOT seen_by:{source}"))
            .collect();
        let ended = State::ALL.iter().filter(|state| state.has_ended());
        let ended: String = ended.map(|state| format!(" AND NOT state = {state}")).collect();
        let mut gaps = vec![Gap {
            code: "paid-never-seen".to_owned(),
            title: "paid for and never seen by an agent or anybody else".to_owned(),
            filter: format!(
                "order_number:* OR purchase_date:* OR price:* OR invoice:* AND {DEVICES} AND NOT agent:*{unseen}{ended}"
            ),
        }];
        gaps.extend(GAPS.iter().map(|(code, title, filter)| Gap {
            code: (*code).to_owned(),
            title: (*title).to_owned(),
            filter: if *code == "leaver-assigned" {
                format!("{filter}{ended}")
            } else {
                (*filter).to_owned()
            },
        }));
        let differing = {
            let fleet = self.index.read();
            let rows = fleet.query(&self.narrowed(page::filter("differs:*")?), self.now())?;
            fleet.facets("differs", &rows, Field::ALL.len())?
        };
        gaps.extend(differing.values.into_iter().map(|(field, _)| Gap {
            code: format!("differs-{field}"),
            title: format!("sources say different things of {field}"),
            filter: format!("differs:{field}"),
        }));
        Ok(gaps)
    }

    /// The kinds of sources that see devices, the widest first.
    fn sources(&self) -> Result<Facets, QueryFailure> {
        let fleet = self.index.read();
        let rows = fleet.query(&self.narrowed(page::filter(DEVICES)?), self.now())?;
        Ok(fleet.facets("seen_by", &rows, MOST_SOURCES)?)
    }

    fn counted(&self, gaps: Vec<Gap>, now: Timestamp) -> Result<Vec<v1::Gap>, QueryFailure> {
        let fleet = self.index.read();
        gaps.into_iter()
            .map(|Gap { code, title, filter }| {
                let count = fleet.count(&self.narrowed(page::filter(&filter)?), now)?;
                Ok(v1::Gap { code, title, count, filter, trend: Vec::new() })
            })
            .collect()
    }

    async fn with_trend(&self, mut gaps: Vec<v1::Gap>, days: i32) -> Result<Vec<v1::Gap>, QueryFailure> {
        // What was counted over everything is not for those who see a part.
        if !self.is_whole() {
            return Ok(gaps);
        }
        let days = match u32::try_from(days) {
            Ok(0) | Err(_) => USUAL_DAYS,
            Ok(days) => days.min(MOST_DAYS),
        };
        let after = key::gap_counts(day_of(self.now()).saturating_sub(days));
        let mut after = Some(after);
        let mut trends: BTreeMap<String, Vec<v1::GapPoint>> = BTreeMap::new();
        loop {
            let page: Vec<(Key, stored::GapCounts)> =
                self.records().scan(key::GAP_COUNTS, after.as_ref(), 100).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (_, kept) in page {
                let time = Some(to_timestamp(Timestamp::from_millis(kept.time_ms)));
                for stored::GapCount { code, count } in kept.counts {
                    trends.entry(code).or_default().push(v1::GapPoint { time, count });
                }
            }
        }
        for gap in &mut gaps {
            gap.trend = trends.remove(&gap.code).unwrap_or_default();
        }
        Ok(gaps)
    }
}

impl Query {
    /// Keeps today's counts, if that was not done yet; whether it was done now. To be called now and then.
    ///
    /// # Errors
    /// When they can't be kept.
    pub async fn keep_counts(&self) -> Result<bool, QueryFailure> {
        let now = self.now();
        let whole = self.seen_by(&Sight::Everything);
        let day = day_of(now);
        let read: Read<stored::GapCounts> = self.records().get(key::gap_counts(day)).await?;
        if read.record.is_some() {
            return Ok(false);
        }
        let mut gaps = whole.gaps()?;
        gaps.extend(intersections(&whole.sources()?));
        let counts = whole.counted(gaps, now)?;
        let counts = counts.into_iter().map(|gap| stored::GapCount { code: gap.code, count: gap.count });
        let kept = stored::GapCounts { time_ms: now.as_millis(), counts: counts.collect() };
        let mut writes: Vec<Write> = vec![put(read.key.clone(), &kept)];
        let old: Vec<(Key, stored::GapCounts)> = self.records().scan(key::GAP_COUNTS, None, 8).await?;
        let first = key::gap_counts(day.saturating_sub(MOST_DAYS));
        writes.extend(old.into_iter().map(|(key, _)| key).filter(|key| *key < first).map(delete));
        let commit = Commit {
            kind: "reconcile.count".to_owned(),
            time: now,
            actor: "clock".to_owned(),
            expected: vec![read.expectation()],
            writes,
            audit: None,
        };
        self.records().commit(commit).await?;
        Ok(true)
    }
}

/// What each source sees and each other one doesn't.
fn intersections(seen: &Facets) -> Vec<Gap> {
    let names: Vec<&str> = seen.values.iter().map(|(source, _)| source.as_str()).collect();
    let pairs = names.iter().flat_map(|left| names.iter().map(move |right| (*left, *right)));
    pairs
        .filter(|(left, right)| left != right)
        .map(|(left, right)| Gap {
            code: format!("{left}-not-{right}"),
            title: format!("seen by {left} and not by {right}"),
            filter: format!("seen_by:{left} AND NOT seen_by:{right} AND {DEVICES}"),
        })
        .collect()
}

fn day_of(now: Timestamp) -> u32 {
    u32::try_from(now.as_millis().div_euclid(DAY_MS)).unwrap_or(0)
}
