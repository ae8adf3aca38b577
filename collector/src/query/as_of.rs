//! Lists and counts as they were: every record is taken back to the moment, and the same index answers over those.
//!
//! What has no past by list is refused and not guessed: software titles, what staff lists say of persons, presence. A
//! moment of the past never changes, so the last one that was asked for is kept for the next page. Bounded, since every
//! record's history is walked.

use std::sync::{Arc, PoisonError, RwLock};

use muster_common::{
    device::Device,
    filter::{Comparison, Filter},
    time::Timestamp,
};

use super::{Query, QueryFailure};
use crate::{index::Fleet, records::key, store::Key};

/// The most records that are taken back for one list.
const MOST_RECORDS: usize = 50_000;
/// Records that are read in one go.
const PAGE: usize = 1_000;
/// Fields without a past; what begins with a dot behind one of them too.
const WITHOUT_PAST: &[&str] = &["software", "person", "last_seen", "connected"];

/// The moment that was asked for last, with the fleet as it was then.
#[derive(Debug, Default)]
pub(super) struct AsOf {
    last: RwLock<Option<(Timestamp, Arc<Fleet>)>>,
}

impl Query {
    /// The fleet as it was at a moment.
    ///
    /// # Errors
    /// [`QueryFailure::TooManyForPast`], or why the store can't answer.
    pub(super) async fn fleet_at(&self, at: Timestamp) -> Result<Arc<Fleet>, QueryFailure> {
        let known = self.as_of.last.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, fleet)) = known.filter(|(moment, _)| *moment == at) {
            return Ok(fleet);
        }
        let is_past = at < self.now();
        let mut fleet = Fleet::default();
        let (mut after, mut count): (Option<Key>, usize) = (None, 0);
        loop {
            let page: Vec<(Key, Device)> = self.records().scan(key::DEVICES, after.as_ref(), PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            count += page.len();
            if count > MOST_RECORDS {
                return Err(QueryFailure::TooManyForPast { most: MOST_RECORDS });
            }
            for (_, mut device) in page {
                match self.rewind(&mut device, at).await {
                    Ok(()) => fleet.upsert(&device, &[]),
                    Err(QueryFailure::NotYet { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let fleet = Arc::new(fleet);
        if is_past {
            *self.as_of.last.write().unwrap_or_else(PoisonError::into_inner) = Some((at, fleet.clone()));
        }
        Ok(fleet)
    }
}

/// Refuses a filter that asks for something without a past.
pub(super) fn check(filter: &Filter) -> Result<(), QueryFailure> {
    match filter {
        Filter::All | Filter::Search(_) => Ok(()),
        Filter::And(parts) | Filter::Or(parts) => parts.iter().try_for_each(check),
        Filter::Not(inner) => check(inner),
        Filter::Software(_) => Err(QueryFailure::NoPast { field: "software".to_owned() }),
        Filter::Comparison(Comparison { field, .. }) => {
            let first = field.as_str().split('.').next().unwrap_or_default();
            if WITHOUT_PAST.contains(&first) {
                return Err(QueryFailure::NoPast { field: field.to_string() });
            }
            Ok(())
        }
    }
}
