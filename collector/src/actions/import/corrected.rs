//! Which kept rows a later file has corrected: the same row, now taken in, needs no correction any more.
//!
//! Pure. A corrected row differs from what was refused, or it would be refused again; it is told by its number and most
//! of its cells, or by nearly all of them where one is nobody else's. A row that changed nothing corrects nothing.

use std::collections::{BTreeMap, BTreeSet};

/// A row that was refused before.
#[derive(Debug)]
pub(super) struct Waiting<K> {
    /// What it is kept as.
    pub(super) key: K,
    /// Its number in its file.
    pub(super) number: u32,
    /// As it stood there.
    pub(super) original: String,
}

/// A row that was taken in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken<'a> {
    /// Its number in its file.
    pub(super) number: u32,
    /// As it stands there.
    pub(super) original: &'a str,
    /// Whether it changed anything.
    pub(super) changed: bool,
}

/// The waiting rows that are in now; each taken row corrects one at most.
pub(super) fn corrected<K>(waiting: Vec<Waiting<K>>, taken: &[Taken<'_>]) -> Vec<K> {
    let mut frequency: BTreeMap<&str, u32> = BTreeMap::new();
    let mut by_number: BTreeMap<u32, usize> = BTreeMap::new();
    let mut whole: BTreeSet<&str> = BTreeSet::new();
    let changed: Vec<(Taken<'_>, BTreeSet<&str>)> =
        taken.iter().filter(|row| row.changed).map(|row| (*row, cells(row.original))).collect();
    for row in taken {
        whole.insert(row.original);
    }
    for (place, (row, cells)) in changed.iter().enumerate() {
        by_number.insert(row.number, place);
        for cell in cells {
            *frequency.entry(*cell).or_default() += 1;
        }
    }
    // The rows by the cells that are theirs alone.
    let own: BTreeMap<&str, usize> = changed
        .iter()
        .enumerate()
        .flat_map(|(place, (_, cells))| cells.iter().map(move |cell| (*cell, place)))
        .filter(|(cell, _)| frequency.get(cell) == Some(&1))
        .collect();
    let mut used: BTreeSet<usize> = BTreeSet::new();
    let mut done = Vec::new();
    for Waiting { key, number, original } in waiting {
        if whole.contains(original.as_str()) {
            done.push(key);
            continue;
        }
        let refused = cells(&original);
        let shared = |place: usize| changed[place].1.intersection(&refused).count();
        let same_place = by_number.get(&number).copied().filter(|place| shared(*place) * 2 >= refused.len());
        let alike = || {
            let places = refused.iter().filter_map(|cell| own.get(cell).copied());
            places.filter(|place| shared(*place) * 10 >= refused.len() * 7).max_by_key(|place| shared(*place))
        };
        let found = same_place.or_else(alike).filter(|place| !refused.is_empty() && used.insert(*place));
        if found.is_some() {
            done.push(key);
        }
    }
    done
}

/// What stands between the separators of a row.
fn cells(row: &str) -> BTreeSet<&str> {
    let bare = |cell: &'_ str| -> bool { !cell.is_empty() };
    row.split([',', ';', '\t', '|'])
        .map(|cell| cell.trim().trim_matches('"'))
        .filter(|cell| bare(cell))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(waiting: &[(u32, &str)], taken: &[(u32, &str, bool)], expected: &[u32]) {
        let waiting = waiting.iter().map(|(number, original)| Waiting {
            key: *number,
            number: *number,
            original: (*original).to_owned(),
        });
        let taken: Vec<Taken<'_>> = taken
            .iter()
            .map(|(number, original, changed)| Taken { number: *number, original, changed: *changed })
            .collect();
        assert_eq!(corrected(waiting.collect(), &taken), expected);
    }

    #[test]
    fn the_corrected_row_is_found_and_no_other() {
        let refused = (4, "1.23E+11;Lenovo;PO-1;jo@example.org");
        // The whole file again: the other rows of the order change nothing.
        check(
            &[refused],
            &[(3, "PF2;Lenovo;PO-1;al@example.org", false), (4, "PF3;Lenovo;PO-1;jo@example.org", true)],
            &[4],
        );
        // Only the corrected rows, and so with other numbers.
        check(&[refused], &[(2, "PF3;Lenovo;PO-1;jo@example.org", true)], &[4]);
        // Another purchase under the same name corrects nothing.
        check(&[refused], &[(4, "PF9;Dell;PO-7;al@example.org", true)], &[]);
        check(&[refused], &[(9, "PF9;Lenovo;PO-1;al@example.org", true)], &[]);
        // The very row goes in now, since its reader understands more.
        check(&[refused], &[(9, refused.1, false)], &[4]);
        // One row corrects one.
        check(
            &[(4, "x1;Lenovo;PO-1;jo@example.org"), (5, "x2;Lenovo;PO-1;jo@example.org")],
            &[(2, "PF3;Lenovo;PO-1;jo@example.org", true)],
            &[4],
        );
    }
}
