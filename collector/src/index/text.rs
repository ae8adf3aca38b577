//! A column of texts: for each row none, one or several terms.
//!
//! Knows nothing of what the texts mean. Almost every row has one term, which is its cell; several stand in a list
//! that the cell points to.

use muster_common::filter::{Operator, Value};
use roaring::RoaringBitmap;

use super::{
    dictionary::{Dictionary, clean},
    postings::union,
    ranks::{Collation, fold},
};

/// A cell without a term.
const EMPTY: u32 = u32::MAX;
/// A cell with this bit holds the number of a list.
const LIST: u32 = 1 << 31;

/// A column of texts.
#[derive(Debug)]
pub(super) struct TextColumn {
    terms: Dictionary,
    cells: Vec<u32>,
    lists: Vec<Box<[u32]>>,
    free_lists: Vec<u32>,
    present: RoaringBitmap,
}

impl TextColumn {
    /// Without rows.
    pub(super) fn new(collation: Collation) -> Self {
        Self {
            terms: Dictionary::new(collation),
            cells: Vec::new(),
            lists: Vec::new(),
            free_lists: Vec::new(),
            present: RoaringBitmap::new(),
        }
    }

    /// Gives a row these texts and no others; empty ones don't count.
    pub(super) fn set<'a>(&mut self, row: u32, texts: impl IntoIterator<Item = &'a str>) {
        let mut texts = texts.into_iter().filter(|text| !text.is_empty()).peekable();
        let Some(first) = texts.next() else { return self.replace(row, Vec::new()) };
        let old = self.terms_of(row);
        if texts.peek().is_none()
            && let [only] = old
            && *self.terms.text(*only) == *clean(first)
        {
            return;
        }
        self.terms.tidy();
        let mut terms = vec![self.terms.intern(first)];
        terms.extend(texts.map(|text| self.terms.intern(text)));
        terms.sort_unstable();
        terms.dedup();
        self.replace(row, terms);
    }

    fn replace(&mut self, row: u32, new: Vec<u32>) {
        let old = self.terms_of(row).to_vec();
        if old == new {
            return;
        }
        for term in new.iter().filter(|term| !old.contains(term)) {
            self.terms.insert(*term, row);
        }
        for term in old.iter().filter(|term| !new.contains(term)) {
            self.terms.remove(*term, row);
        }
        if new.is_empty() {
            self.present.remove(row);
        } else {
            self.present.insert(row);
        }
        self.store(row, new);
    }

    fn store(&mut self, row: u32, terms: Vec<u32>) {
        let row = row as usize;
        if row >= self.cells.len() {
            self.cells.resize(row + 1, EMPTY);
        }
        let cell = self.cells[row];
        if cell != EMPTY && cell & LIST != 0 {
            self.lists[(cell & !LIST) as usize] = Box::default();
            self.free_lists.push(cell & !LIST);
        }
        self.cells[row] = match terms[..] {
            [] => EMPTY,
            [only] => only,
            _ => {
                let list = self.free_lists.pop().unwrap_or_else(|| {
                    self.lists.push(Box::default());
                    (self.lists.len() - 1) as u32
                });
                self.lists[list as usize] = terms.into();
                list | LIST
            }
        };
    }

    /// The terms of a row.
    pub(super) fn terms_of(&self, row: u32) -> &[u32] {
        match self.cells.get(row as usize) {
            None | Some(&EMPTY) => &[],
            Some(cell) if cell & LIST != 0 => &self.lists[(cell & !LIST) as usize],
            Some(cell) => std::slice::from_ref(cell),
        }
    }

    /// The texts of a row.
    pub(super) fn texts_of(&self, row: u32) -> impl Iterator<Item = &str> {
        self.terms_of(row).iter().map(|term| self.terms.text(*term))
    }

    /// The rows that have a text.
    pub(super) fn present(&self) -> &RoaringBitmap {
        &self.present
    }

    /// The terms.
    pub(super) fn terms(&self) -> &Dictionary {
        &self.terms
    }

    /// Makes ready for readers what they would else have to wait for.
    pub(super) fn prepare(&mut self) {
        self.terms.prepare();
    }

    /// The least rank of a row's terms.
    pub(super) fn rank(&self, row: u32) -> Option<u32> {
        let ranks = self.terms.ranks();
        self.terms_of(row).iter().map(|term| ranks.rank(*term)).min()
    }

    /// The rows that compare so with the value. [`Operator::Has`] finds a part of a text; where the column is a
    /// list of `members`, a whole member.
    pub(super) fn compare(&self, operator: Operator, value: &Value, members: bool) -> RoaringBitmap {
        match operator {
            Operator::Equal => self.matching(value),
            Operator::NotEqual => &self.present - self.matching(value),
            Operator::Has if members => self.matching(value),
            Operator::Has => self.holding(value),
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                self.range(operator, value.text().unwrap_or(""))
            }
        }
    }

    /// The rows with a text of this form, in either case.
    pub(super) fn matching(&self, value: &Value) -> RoaringBitmap {
        let edges = match value {
            Value::Any => return self.present.clone(),
            Value::Exact(text) => {
                return union(self.terms.find(text).map(|term| self.terms.postings(term)));
            }
            Value::Prefix(text) => ("\0", text.as_str(), ""),
            Value::Suffix(text) => ("", text.as_str(), "\0"),
            Value::Contains(text) => ("", text.as_str(), ""),
        };
        self.containing(edges)
    }

    /// The rows with a text that has this one, in either case; wildcards bind it to the start or the end.
    pub(super) fn holding(&self, value: &Value) -> RoaringBitmap {
        match value {
            Value::Exact(text) => self.containing(("", text, "")),
            Value::Any | Value::Prefix(_) | Value::Suffix(_) | Value::Contains(_) => self.matching(value),
        }
    }

    fn containing(&self, (before, text, after): (&str, &str, &str)) -> RoaringBitmap {
        if text.contains('\0') {
            return RoaringBitmap::new();
        }
        let ranks = self.terms.ranks();
        let found = ranks.containing(&format!("{before}{}{after}", fold(text)));
        union(found.into_iter().map(|rank| self.terms.postings(ranks.term(rank))))
    }

    fn range(&self, operator: Operator, text: &str) -> RoaringBitmap {
        let ranks = self.terms.ranks();
        let position = |past| ranks.position(text, past, self.terms.collation());
        let range = match operator {
            Operator::Less => 0..position(false),
            Operator::LessOrEqual => 0..position(true),
            Operator::Greater => position(true)..ranks.len(),
            Operator::GreaterOrEqual => position(false)..ranks.len(),
            Operator::Equal | Operator::NotEqual | Operator::Has => position(false)..position(true),
        };
        union(range.map(|rank| self.terms.postings(ranks.term(rank))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: RoaringBitmap) -> Vec<u32> {
        rows.iter().collect()
    }

    #[test]
    fn rows_change_their_texts() {
        let mut column = TextColumn::new(Collation::Text);
        column.set(3, ["a", "b", "a", ""]);
        column.set(1, ["b"]);
        assert_eq!(column.texts_of(3).collect::<Vec<_>>(), ["a", "b"]);
        column.set(3, ["c", "b"]);
        assert!(column.matching(&Value::Exact("A".into())).is_empty());
        assert_eq!(rows(column.matching(&Value::Exact("B".into()))), [1, 3]);
        column.set(3, []);
        column.set(1, ["B"]);
        assert_eq!((rows(column.present().clone()), column.rank(3)), (vec![1], None));
        assert_eq!(column.texts_of(1).collect::<Vec<_>>(), ["B"]);
    }

    #[test]
    fn compares_texts() {
        let mut column = TextColumn::new(Collation::Text);
        for (row, text) in ["alpha", "Beta", "beta2", "gamma"].iter().enumerate() {
            column.set(row as u32, [*text]);
        }
        let check = |operator, value: &str, expected: &[u32]| {
            let value = Value::Exact(value.to_owned());
            assert_eq!(rows(column.compare(operator, &value, false)), expected, "{operator:?} {value}");
        };
        check(Operator::Equal, "BETA", &[1]);
        check(Operator::NotEqual, "beta", &[0, 2, 3]);
        check(Operator::Has, "eta", &[1, 2]);
        check(Operator::Less, "beta", &[0]);
        check(Operator::LessOrEqual, "beta", &[0, 1]);
        check(Operator::Greater, "beta", &[2, 3]);
        check(Operator::GreaterOrEqual, "beta2", &[2, 3]);
        check(Operator::Has, "a\0b", &[]);
        assert_eq!(rows(column.matching(&Value::Prefix("b".into()))), [1, 2]);
        assert_eq!(rows(column.matching(&Value::Suffix("A".into()))), [0, 1, 3]);
    }
}
