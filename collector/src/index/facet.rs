//! How often each value of a column occurs among some rows.
//!
//! Knows nothing of where the rows come from.

use std::{cmp::Reverse, collections::HashMap};

use muster_common::{device::FieldKind, time::Timestamp};
use roaring::RoaringBitmap;

use super::{
    column::{Column, Data},
    number::NumberColumn,
    operand::DAY_MS,
    text::TextColumn,
};

/// Up to so many terms are counted bitmap by bitmap; with more, walking the rows is cheaper.
const FEW_TERMS: usize = 2048;

/// How often each value occurs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facets {
    /// Values with the number of rows that have them, the most frequent first, equal ones in the column's order.
    /// Spellings that differ in case only are one value, shown in the most frequent spelling; moments are counted by
    /// day, amounts by currency.
    pub values: Vec<(String, u64)>,
    /// How many distinct values there are, of which `values` may hold only the first.
    pub distinct: u64,
    /// How many of the rows have no value.
    pub missing: u64,
}

/// A value that was counted: its place in the column's order, and what shows it.
struct Counted {
    count: u64,
    place: i64,
    shown: i64,
}

/// Counts; of the values, the `limit` most frequent are returned.
pub(super) fn facets(column: &Column, rows: &RoaringBitmap, limit: usize) -> Facets {
    let missing = rows.len() - rows.intersection_len(column.present());
    let (mut counted, text): (Vec<Counted>, Box<dyn Fn(i64) -> String + '_>) = match column.data() {
        Data::Text(texts) | Data::Money { currency: texts, .. } => {
            (text_facets(texts, rows), Box::new(|term| texts.terms().text(term as u32).to_owned()))
        }
        Data::Number(numbers) if column.kind() == FieldKind::Time => (
            number_facets(numbers, rows, |ms| ms.div_euclid(DAY_MS) * DAY_MS),
            Box::new(|ms| Timestamp::from_millis(ms).to_string().chars().take(10).collect()),
        ),
        Data::Number(numbers) => {
            (number_facets(numbers, rows, |number| number), Box::new(|number| number.to_string()))
        }
    };
    let distinct = counted.len() as u64;
    let key = |counted: &Counted| (Reverse(counted.count), counted.place);
    if limit < counted.len() {
        counted.select_nth_unstable_by_key(limit, key);
        counted.truncate(limit);
    }
    counted.sort_unstable_by_key(key);
    let values = counted.iter().map(|counted| (text(counted.shown), counted.count)).collect();
    Facets { values, distinct, missing }
}

fn text_facets(column: &TextColumn, rows: &RoaringBitmap) -> Vec<Counted> {
    let (terms, ranks) = (column.terms(), column.terms().ranks());
    let size = terms.texts().len();
    let counts: Vec<u64> = if size <= FEW_TERMS {
        (0..size).map(|term| terms.postings(term as u32).count_in(rows)).collect()
    } else {
        let mut counts = vec![0; size];
        for term in rows.iter().flat_map(|row| column.terms_of(row)) {
            counts[*term as usize] += 1;
        }
        counts
    };
    let mut counted: Vec<Counted> = Vec::new();
    // The spellings of one text stand side by side in the order; the last one's rank and its most frequent
    // spelling's count.
    let mut last: Option<(usize, u64)> = None;
    for rank in 0..ranks.len() {
        let term = ranks.term(rank);
        let count = counts[term as usize];
        if count == 0 {
            continue;
        }
        match (&mut last, counted.last_mut()) {
            (Some((other, most)), Some(same)) if ranks.folded(*other) == ranks.folded(rank) => {
                same.count += count;
                if count > *most {
                    (*most, same.shown) = (count, i64::from(term));
                }
            }
            _ => {
                last = Some((rank, count));
                counted.push(Counted { count, place: rank as i64, shown: i64::from(term) });
            }
        }
    }
    counted
}

fn number_facets(column: &NumberColumn, rows: &RoaringBitmap, group: impl Fn(i64) -> i64) -> Vec<Counted> {
    let mut counts: HashMap<i64, u64> = HashMap::new();
    for number in rows.iter().filter_map(|row| column.get(row)) {
        *counts.entry(group(number)).or_default() += 1;
    }
    counts.into_iter().map(|(number, count)| Counted { count, place: number, shown: number }).collect()
}
