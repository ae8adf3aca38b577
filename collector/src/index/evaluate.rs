//! A filter tree as bitmap algebra over any table.
//!
//! Knows nothing of columns. The rows that are still possible narrow from part to part of an `AND`, so that what has
//! to look at each row (an order of versions) looks at few. The depth of the tree is the parser's.

use muster_common::{
    filter::{Comparison, Filter, Value},
    time::Timestamp,
};
use roaring::RoaringBitmap;

use super::error::QueryError;

/// Rows that a filter can be asked of.
pub(super) trait Table {
    /// The rows among `within`, and perhaps others, that match.
    fn compare(
        &self,
        comparison: &Comparison,
        within: &RoaringBitmap,
        now: Timestamp,
    ) -> Result<RoaringBitmap, QueryError>;

    /// The rows that have this word.
    fn search(&self, value: &Value) -> RoaringBitmap;

    /// The rows that have one package which matches all of `inner`.
    fn software(&self, inner: &Filter, now: Timestamp) -> Result<RoaringBitmap, QueryError>;
}

/// The rows among `within` that match.
pub(super) fn evaluate(
    table: &dyn Table,
    filter: &Filter,
    within: &RoaringBitmap,
    now: Timestamp,
) -> Result<RoaringBitmap, QueryError> {
    Ok(match filter {
        Filter::All => within.clone(),
        Filter::And(parts) => {
            let mut rows = within.clone();
            // Even when no row is left the others are read, so that a wrong field is always reported.
            for part in
                parts.iter().filter(|part| !is_costly(part)).chain(parts.iter().filter(|p| is_costly(p)))
            {
                rows = evaluate(table, part, &rows, now)?;
            }
            rows
        }
        Filter::Or(parts) => {
            let mut rows = RoaringBitmap::new();
            for part in parts {
                rows |= evaluate(table, part, within, now)?;
            }
            rows
        }
        Filter::Not(inner) => within - evaluate(table, inner, within, now)?,
        Filter::Comparison(comparison) => table.compare(comparison, within, now)? & within,
        Filter::Search(value) => table.search(value) & within,
        Filter::Software(inner) => table.software(inner, now)? & within,
    })
}

/// Whether fewer possible rows make it cheaper.
fn is_costly(filter: &Filter) -> bool {
    match filter {
        Filter::Comparison(comparison) => comparison.operator.is_order(),
        Filter::Not(inner) => is_costly(inner),
        Filter::And(parts) | Filter::Or(parts) => parts.iter().any(is_costly),
        Filter::All | Filter::Search(_) | Filter::Software(_) => false,
    }
}
