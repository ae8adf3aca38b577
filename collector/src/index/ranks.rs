//! The terms of a column in order: what sorting, ranges and wildcards need.
//!
//! Knows nothing of rows. Ranks are made when a reader first needs them and merged with the terms that came since,
//! so that loading a fleet costs one sort, and a new host name in a fleet of a million one linear pass.
//! All terms stand folded, in order, in one text with NUL between them, so that a wildcard is one substring search
//! over contiguous memory.

use std::{borrow::Cow, cmp::Ordering};

use memchr::memmem;
use muster_common::version;
use roaring::RoaringBitmap;

/// How the terms of a column are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Collation {
    /// By their folded text.
    Text,
    /// As versions: numbers by value, a tilde before the end. The order of dpkg, which suits the versions of
    /// operating systems, kernels and agents too.
    Version,
}

impl Collation {
    /// The order of two folded texts; different texts may be equal as versions.
    pub(super) fn compare(self, left: &str, right: &str) -> Ordering {
        match self {
            Self::Text => left.cmp(right),
            Self::Version => version::compare("deb", left, right).unwrap_or(Ordering::Equal),
        }
    }

    fn compare_strictly(self, left: (&str, &str), right: (&str, &str)) -> Ordering {
        self.compare(left.0, right.0).then_with(|| left.cmp(&right))
    }
}

/// The form of a text in which upper and lower case are equal.
pub(super) fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

/// The terms of a column in order.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    /// By rank: the term.
    order: Vec<u32>,
    /// By term: the rank.
    rank: Vec<u32>,
    /// The folded terms by rank, each with a NUL before and after.
    folded: String,
    /// By rank: where its folded text starts.
    starts: Vec<usize>,
}

impl Ranks {
    /// The ranks of `base` without the terms in `changed`, and with those of them whose text isn't empty.
    pub(super) fn merge(
        base: &Self,
        changed: &RoaringBitmap,
        texts: &[Box<str>],
        collation: Collation,
    ) -> Self {
        let text = |term: u32| texts.get(term as usize).map_or("", |text| &**text);
        let mut fresh: Vec<(Cow<'_, str>, u32)> = changed
            .iter()
            .filter(|term| !text(*term).is_empty())
            .map(|term| (fold(text(term)), term))
            .collect();
        fresh.sort_unstable_by(|a, b| collation.compare_strictly((&a.0, text(a.1)), (&b.0, text(b.1))));

        let mut merged = Self {
            order: Vec::with_capacity(base.order.len() + fresh.len()),
            rank: vec![0; texts.len()],
            folded: String::with_capacity(base.folded.len() + 16),
            starts: Vec::with_capacity(base.order.len() + fresh.len()),
        };
        merged.folded.push('\0');
        let mut fresh = fresh.into_iter().peekable();
        for (rank, term) in base.order.iter().enumerate().filter(|(_, term)| !changed.contains(**term)) {
            let kept = (base.folded(rank), text(*term));
            while let Some((folded, term)) = fresh.next_if(|(folded, term)| {
                collation.compare_strictly((folded, text(*term)), kept) == Ordering::Less
            }) {
                merged.push(&folded, term);
            }
            merged.push(kept.0, *term);
        }
        for (folded, term) in fresh {
            merged.push(&folded, term);
        }
        merged
    }

    fn push(&mut self, folded: &str, term: u32) {
        if let Some(rank) = self.rank.get_mut(term as usize) {
            *rank = self.order.len() as u32;
        }
        self.order.push(term);
        self.starts.push(self.folded.len());
        self.folded.push_str(folded);
        self.folded.push('\0');
    }

    /// How many terms.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The term of a rank.
    pub(super) fn term(&self, rank: usize) -> u32 {
        self.order[rank]
    }

    /// The rank of a term that has rows.
    pub(super) fn rank(&self, term: u32) -> u32 {
        self.rank[term as usize]
    }

    /// The folded text of a rank.
    pub(super) fn folded(&self, rank: usize) -> &str {
        let end = self.starts.get(rank + 1).copied().unwrap_or(self.folded.len()) - 1;
        &self.folded[self.starts[rank]..end]
    }

    /// The first rank whose folded text is not before `text`, or with `past` the first that is after it.
    pub(super) fn position(&self, text: &str, past: bool, collation: Collation) -> usize {
        let text = fold(text);
        let (mut low, mut high) = (0, self.order.len());
        while low < high {
            let middle = (low + high) / 2;
            let before = match collation.compare(self.folded(middle), &text) {
                Ordering::Less => true,
                Ordering::Equal => past,
                Ordering::Greater => false,
            };
            if before {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The first rank that is not before this very text, which need not be a term.
    pub(super) fn strict_position(&self, text: &str, texts: &[Box<str>], collation: Collation) -> usize {
        let folded = fold(text);
        let (mut low, mut high) = (0, self.order.len());
        while low < high {
            let middle = (low + high) / 2;
            let here = (self.folded(middle), &*texts[self.order[middle] as usize]);
            match collation.compare_strictly(here, (&folded, text)) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal | Ordering::Greater => high = middle,
            }
        }
        low
    }

    /// The ranks whose folded text contains `needle`, in order; a NUL in it stands for the start or the end.
    pub(super) fn containing(&self, needle: &str) -> Vec<usize> {
        let finder = memmem::Finder::new(needle.as_bytes());
        let text = self.folded.as_bytes();
        let (mut found, mut rank, mut from) = (Vec::new(), 0, 0);
        while let Some(offset) = text.get(from..).and_then(|rest| finder.find(rest)) {
            // A needle that begins with NUL is found one byte before its term.
            let place = from + offset + usize::from(needle.starts_with('\0'));
            while self.starts.get(rank + 1).is_some_and(|start| *start <= place) {
                rank += 1;
            }
            found.push(rank);
            rank += 1;
            match self.starts.get(rank) {
                Some(start) => from = start - 1,
                None => break,
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<Box<str>> {
        texts.iter().map(|text| Box::from(*text)).collect()
    }

    fn shown<'a>(ranks: &Ranks, texts: &'a [Box<str>]) -> Vec<&'a str> {
        (0..ranks.len()).map(|rank| &*texts[ranks.term(rank) as usize]).collect()
    }

    #[test]
    fn merging_equals_sorting_anew() {
        let mut terms = texts(&["web", "DB", "db", "", "Änne", "alpha"]);
        let first = Ranks::merge(&Ranks::default(), &(0..6).collect(), &terms, Collation::Text);
        assert_eq!(shown(&first, &terms), ["alpha", "DB", "db", "web", "Änne"]);
        terms[1] = "".into();
        terms[3] = "mail".into();
        terms.push("aa".into());
        let changed = RoaringBitmap::from_iter([1, 3, 6]);
        let merged = Ranks::merge(&first, &changed, &terms, Collation::Text);
        let anew = Ranks::merge(&Ranks::default(), &(0..7).collect(), &terms, Collation::Text);
        assert_eq!(shown(&merged, &terms), ["aa", "alpha", "db", "mail", "web", "Änne"]);
        assert_eq!((merged.order, merged.starts, merged.folded), (anew.order, anew.starts, anew.folded));
    }

    #[test]
    fn finds_parts_starts_and_ends() {
        let terms = texts(&["web1", "Webmail", "cobweb", "mail"]);
        let ranks = Ranks::merge(&Ranks::default(), &(0..4).collect(), &terms, Collation::Text);
        let find = |needle: &str| -> Vec<&str> {
            ranks.containing(needle).iter().map(|rank| &*terms[ranks.term(*rank) as usize]).collect()
        };
        assert_eq!(find("web"), ["cobweb", "web1", "Webmail"]);
        assert_eq!(find("\0web"), ["web1", "Webmail"]);
        assert_eq!(find("mail\0"), ["mail", "Webmail"]);
        assert_eq!(find("\0mail\0"), ["mail"]);
        assert!(find("x").is_empty());
    }

    #[test]
    fn versions_have_their_own_order() {
        let terms = texts(&["12.10", "12.5", "9", "12.10~rc1"]);
        let ranks = Ranks::merge(&Ranks::default(), &(0..4).collect(), &terms, Collation::Version);
        assert_eq!(shown(&ranks, &terms), ["9", "12.5", "12.10~rc1", "12.10"]);
        assert_eq!(ranks.position("12.5", false, Collation::Version), 1);
        assert_eq!(ranks.position("12.5", true, Collation::Version), 2);
        assert_eq!(ranks.position("12.05", true, Collation::Version), 2);
    }
}
