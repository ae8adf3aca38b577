//! The terms of a column: each distinct text once, with the rows that have it.
//!
//! Knows nothing of what the texts mean. A text is found in either case; every spelling is a term of its own. A
//! term that no row has any more is kept for a while, since an address or a name often comes back, and then its
//! number is used again: memory follows the fleet, not its history.

use std::{hash::BuildHasher, hash::RandomState, sync::OnceLock};

use hashbrown::HashTable;
use roaring::RoaringBitmap;

use super::{
    postings::Postings,
    ranks::{Collation, Ranks, fold},
};

/// The longest text that is told apart, in bytes; what is longer is cut. Page tokens hold a whole term.
const MAX_TERM_BYTES: usize = 512;
/// How many terms without rows are kept.
const MAX_IDLE_TERMS: usize = 64;

/// Terms with their rows.
#[derive(Debug)]
pub(super) struct Dictionary {
    collation: Collation,
    hasher: RandomState,
    /// By folded text: the term.
    table: HashTable<u32>,
    /// By term: its text; empty when the number is free.
    texts: Vec<Box<str>>,
    postings: Vec<Postings>,
    free: Vec<u32>,
    /// Terms that lost their last row; some may have rows again.
    idle: Vec<u32>,
    /// Ranks that held before the terms in `changed` came or went.
    base: Ranks,
    changed: RoaringBitmap,
    ranks: OnceLock<Ranks>,
}

/// A text as it can be a term.
pub(super) fn clean(text: &str) -> std::borrow::Cow<'_, str> {
    let cut = &text[..text.floor_char_boundary(MAX_TERM_BYTES)];
    // NUL separates terms in the ranks.
    if cut.contains('\0') { cut.replace('\0', " ").into() } else { cut.into() }
}

impl Dictionary {
    /// Without terms.
    pub(super) fn new(collation: Collation) -> Self {
        Self {
            collation,
            hasher: RandomState::new(),
            table: HashTable::new(),
            texts: Vec::new(),
            postings: Vec::new(),
            free: Vec::new(),
            idle: Vec::new(),
            base: Ranks::default(),
            changed: RoaringBitmap::new(),
            ranks: OnceLock::new(),
        }
    }

    /// The order of its terms.
    pub(super) fn collation(&self) -> Collation {
        self.collation
    }

    /// The term for a text that isn't empty, made when it is new. The caller gives it a row before it calls
    /// [`Self::tidy`].
    pub(super) fn intern(&mut self, text: &str) -> u32 {
        let text = clean(text);
        let hash = self.hasher.hash_one(&*fold(&text));
        if let Some(term) = self.table.find(hash, |term| *self.texts[*term as usize] == *text) {
            return *term;
        }
        self.loosen();
        let term = self.free.pop().unwrap_or_else(|| {
            self.texts.push("".into());
            self.postings.push(Postings::None);
            (self.texts.len() - 1) as u32
        });
        self.texts[term as usize] = text.into();
        self.changed.insert(term);
        let Self { table, texts, hasher, .. } = self;
        table.insert_unique(hash, term, |term| hasher.hash_one(&*fold(&texts[*term as usize])));
        term
    }

    /// Adds a row to a term.
    pub(super) fn insert(&mut self, term: u32, row: u32) {
        self.postings[term as usize].insert(row);
    }

    /// Takes a row from a term.
    pub(super) fn remove(&mut self, term: u32, row: u32) {
        let postings = &mut self.postings[term as usize];
        postings.remove(row);
        if postings.is_empty() {
            self.idle.push(term);
        }
    }

    /// Frees terms without rows when there are many.
    pub(super) fn tidy(&mut self) {
        if self.ranks.get().is_some() {
            // Nothing is merged into the old ones any more.
            self.base = Ranks::default();
        }
        if self.idle.len() <= MAX_IDLE_TERMS.max(self.texts.len() / 64) {
            return;
        }
        self.loosen();
        for term in std::mem::take(&mut self.idle) {
            let text = &self.texts[term as usize];
            if !self.postings[term as usize].is_empty() || text.is_empty() {
                continue;
            }
            let hash = self.hasher.hash_one(&*fold(text));
            if let Ok(entry) = self.table.find_entry(hash, |candidate| *candidate == term) {
                entry.remove();
            }
            self.texts[term as usize] = "".into();
            self.changed.insert(term);
            self.free.push(term);
        }
    }

    /// Makes the ranks stale: they become the base of the next ones.
    fn loosen(&mut self) {
        if let Some(ranks) = self.ranks.take() {
            self.base = ranks;
            self.changed.clear();
        }
    }

    /// The terms in order; made now when terms came since the last time.
    pub(super) fn ranks(&self) -> &Ranks {
        self.ranks.get_or_init(|| Ranks::merge(&self.base, &self.changed, &self.texts, self.collation))
    }

    /// Makes the ranks now, and lets go of the old ones.
    pub(super) fn prepare(&mut self) {
        self.ranks();
        self.base = Ranks::default();
    }

    /// The terms of a text in any case.
    pub(super) fn find(&self, text: &str) -> impl Iterator<Item = u32> {
        let folded = fold(&clean(text)).into_owned();
        let hash = self.hasher.hash_one(&*folded);
        self.table.iter_hash(hash).copied().filter(move |term| fold(&self.texts[*term as usize]) == folded)
    }

    /// A term's text.
    pub(super) fn text(&self, term: u32) -> &str {
        &self.texts[term as usize]
    }

    /// By term: its text; empty when the number is free.
    pub(super) fn texts(&self) -> &[Box<str>] {
        &self.texts
    }

    /// A term's rows.
    pub(super) fn postings(&self, term: u32) -> &Postings {
        &self.postings[term as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_dead_terms_are_used_again() {
        let mut terms = Dictionary::new(Collation::Text);
        for round in 0..50 {
            let name = |number: u32| format!("host-{}-{number}", round + number % 3);
            for number in 0..100 {
                terms.tidy();
                let term = terms.intern(&name(number));
                terms.insert(term, number);
            }
            // Now and then a reader comes, so that ranks are merged over several rounds.
            if round % 7 == 3 {
                let ranks = terms.ranks();
                let ranked: Vec<&str> = (0..ranks.len()).map(|rank| terms.text(ranks.term(rank))).collect();
                let mut texts: Vec<&str> = terms.texts.iter().map(|text| &**text).collect();
                texts.retain(|text| !text.is_empty());
                texts.sort_unstable();
                assert_eq!(ranked, texts);
            }
            for number in 0..100 {
                let term = terms.find(&name(number).to_uppercase()).next().unwrap();
                assert_eq!(terms.postings(term), &Postings::One(number));
                terms.remove(term, number);
            }
        }
        assert!(terms.texts.len() < 400, "{} terms", terms.texts.len());
    }

    #[test]
    fn either_case_finds_every_spelling() {
        let mut terms = Dictionary::new(Collation::Text);
        for (row, text) in ["LENOVO", "Lenovo", "Dell", "Größe"].iter().enumerate() {
            let term = terms.intern(text);
            terms.insert(term, row as u32);
        }
        let mut found: Vec<&str> = terms.find("lenovo").map(|term| terms.text(term)).collect();
        found.sort_unstable();
        assert_eq!(found, ["LENOVO", "Lenovo"]);
        assert_eq!(terms.find("GRÖSSE").count(), 0);
        assert_eq!(terms.find("GRÖßE").count(), 1);
    }

    #[test]
    fn long_and_odd_texts_are_tamed() {
        assert_eq!(clean(&"ä".repeat(300)).len(), 512);
        assert_eq!(clean("a\0b"), "a b");
    }
}
