//! Walks along the chain and says where it breaks.
//!
//! Knows nothing of where entries come from and holds one hash at a time, so that a log of any length can be walked.

use super::{AuditDigest, Linked, link};

/// Where a walk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Walk {
    number: u64,
    position: u64,
    hash: AuditDigest,
}

/// Where and how the chain breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Removed, inserted or reordered.
    #[error(
        "entry {expected} is expected here, but this is entry {found}: an entry was removed, inserted or moved"
    )]
    Number {
        /// Which would follow.
        expected: u64,
        /// Which does.
        found: u64,
    },
    /// Another entry stood before it.
    #[error(
        "entry {number} does not follow the entry before it: one of the two was changed, removed or inserted"
    )]
    Previous {
        /// Which entry.
        number: u64,
    },
    /// It is not what was written.
    #[error("entry {number} is not what was hashed: it was changed")]
    Changed {
        /// Which entry.
        number: u64,
    },
    /// The positions that it accounts for don't add up.
    #[error("entry {number} does not account for every change since the entry before")]
    Positions {
        /// Which entry.
        number: u64,
    },
}

impl Walk {
    /// Before the first entry.
    pub fn begin() -> Self {
        Self::default()
    }

    /// Behind an entry that is taken for right, such as the one before a pack's first.
    pub fn behind(number: u64, position: u64, hash: AuditDigest) -> Self {
        Self { number, position, hash }
    }

    /// The number of the entry that was walked last; 0 before the first.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Up to which position everything is accounted for.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The hash of the entry that was walked last.
    pub fn hash(&self) -> AuditDigest {
        self.hash
    }

    /// Goes on to the next entry.
    ///
    /// # Errors
    /// When it is not the one that was written behind the last; the walk stays where it is.
    pub fn step(&mut self, linked: &Linked) -> Result<(), Broken> {
        let Linked { entry, previous, hash } = linked;
        let number = entry.number;
        if number != self.number + 1 {
            return Err(Broken::Number { expected: self.number + 1, found: number });
        }
        if link(previous, &entry.body()) != *hash {
            return Err(Broken::Changed { number });
        }
        if *previous != self.hash {
            return Err(Broken::Previous { number });
        }
        // A store that is older than its audit log has changes before the first entry, and only there.
        let follows = if self.number == 0 { entry.first >= 1 } else { entry.first == self.position + 1 };
        let accounted = entry.position.checked_sub(entry.first) == Some(entry.folded.len() as u64);
        if !follows || !accounted {
            return Err(Broken::Positions { number });
        }
        *self = Self { number, position: entry.position, hash: *hash };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{Entry, Folded},
        time::Timestamp,
    };

    /// A log of five entries, of which the third folds two changes in.
    fn log() -> Vec<Linked> {
        let mut walk = Walk::begin();
        (1..=5)
            .map(|number| {
                let first = walk.position() + 1;
                let folded: Vec<AuditDigest> = (0..if number == 3 { 2 } else { 0 })
                    .map(|place| {
                        let time = Timestamp::from_millis(7);
                        let (actor, kind) = ("agent:1".to_owned(), "report".to_owned());
                        Folded { position: first + place, time, actor, kind, writes: AuditDigest::ZERO }
                            .digest()
                    })
                    .collect();
                let linked = Entry {
                    number,
                    first,
                    position: first + folded.len() as u64,
                    time: Timestamp::from_millis(1_700_000_000_000),
                    actor: "operator/alice".to_owned(),
                    kind: "token.create".to_owned(),
                    action: "token.create".to_owned(),
                    target: format!("tokens/{number}"),
                    detail: String::new(),
                    writes: AuditDigest::of(b"writes"),
                    folded,
                }
                .after(walk.hash());
                walk.step(&linked).unwrap();
                linked
            })
            .collect()
    }

    fn walked(log: &[Linked]) -> Result<Walk, Broken> {
        let mut walk = Walk::begin();
        log.iter().try_for_each(|linked| walk.step(linked)).map(|()| walk)
    }

    #[test]
    fn a_whole_log_is_walked_to_its_end() {
        let walk = walked(&log()).unwrap();
        assert_eq!((walk.number(), walk.position()), (5, 7));
    }

    #[test]
    fn whatever_is_changed_in_an_entry_is_found() {
        let changes: [fn(&mut Linked); 13] = [
            |it| it.entry.first += 1,
            |it| it.entry.position += 1,
            |it| it.entry.time = Timestamp::from_millis(1_700_000_000_001),
            |it| it.entry.actor = "operator/mallory".to_owned(),
            |it| it.entry.kind.push('x'),
            |it| it.entry.action.clear(),
            |it| it.entry.target = "tokens/9".to_owned(),
            |it| it.entry.detail.push(' '),
            |it| it.entry.writes = AuditDigest::of(b"others"),
            |it| it.entry.folded.push(AuditDigest::ZERO),
            |it| it.previous = AuditDigest::ZERO,
            |it| it.hash = AuditDigest::ZERO,
            |it| std::mem::swap(&mut it.entry.kind, &mut it.entry.target),
        ];
        for (case, change) in changes.iter().enumerate() {
            let mut log = log();
            change(&mut log[2]);
            assert_eq!(walked(&log), Err(Broken::Changed { number: 3 }), "case {case}");
        }
        let mut moved = log();
        moved[2].entry.folded.swap(0, 1);
        assert_eq!(walked(&moved), Err(Broken::Changed { number: 3 }));
        let mut renumbered = log();
        renumbered[2].entry.number = 4;
        assert_eq!(walked(&renumbered), Err(Broken::Number { expected: 3, found: 4 }));
    }

    #[test]
    fn removed_inserted_and_reordered_entries_are_found() {
        let mut removed = log();
        removed.remove(2);
        assert_eq!(walked(&removed), Err(Broken::Number { expected: 3, found: 4 }));
        let mut first_removed = log();
        first_removed.remove(0);
        assert_eq!(walked(&first_removed), Err(Broken::Number { expected: 1, found: 2 }));
        let mut twice = log();
        twice.insert(3, twice[2].clone());
        assert_eq!(walked(&twice), Err(Broken::Number { expected: 4, found: 3 }));
        let mut reordered = log();
        reordered.swap(2, 3);
        assert_eq!(walked(&reordered), Err(Broken::Number { expected: 3, found: 4 }));
    }

    #[test]
    fn whoever_hashes_a_changed_entry_anew_must_hash_all_after_it() {
        let mut log = log();
        let Linked { mut entry, previous, .. } = log[1].clone();
        entry.actor = "operator/mallory".to_owned();
        log[1] = entry.after(previous);
        assert_eq!(walked(&log), Err(Broken::Previous { number: 3 }));
        // Doing so gives a log that is whole in itself and ends in another hash, which a head outside contradicts.
        let honest = walked(&self::log()).unwrap();
        for place in 2..log.len() {
            log[place] = log[place].entry.clone().after(log[place - 1].hash);
        }
        assert_ne!(walked(&log).unwrap().hash(), honest.hash());
    }

    #[test]
    fn every_change_is_accounted_for() {
        let mut gap = log();
        gap.truncate(3);
        let entry = gap.pop().unwrap().entry;
        let skipping = Entry { first: entry.first + 1, position: entry.position + 1, ..entry.clone() };
        let fewer = Entry { folded: entry.folded[..1].to_vec(), ..entry };
        for entry in [skipping, fewer] {
            let mut log = gap.clone();
            log.push(entry.after(gap[1].hash));
            assert_eq!(walked(&log), Err(Broken::Positions { number: 3 }));
        }
    }
}
