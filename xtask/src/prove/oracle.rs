//! What was acknowledged, kept outside of the store, against what is in the store afterwards.
//!
//! Knows nothing of the store but the lines of the torture example: `ack` and `change` with a position and the writes
//! `KEY:REVISION:COUNT`, `record` with one of them. The counts of a key go 1, 2, 3, … without end.

use std::collections::{HashMap, HashSet};

/// All that was promised.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    /// The writes of each acknowledged commit as text, by position.
    acknowledged: HashMap<u64, String>,
}

/// What was found wrong, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Acknowledged commits that aren't in the log, or not as they were acknowledged.
    pub(super) lost: u64,
    /// Writes of a key that are in the log more than once, or behind a later one.
    pub(super) duplicated: u64,
    /// Writes of a key that are missing between others.
    pub(super) missing: u64,
    /// Revisions that don't rise.
    pub(super) went_back: u64,
    /// Values that aren't those of any write.
    pub(super) damaged: u64,
    /// Records that aren't what the log says last.
    pub(super) stale: u64,
}

impl Verdict {
    /// Whether nothing was wrong.
    pub(super) fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}

impl Oracle {
    /// Takes the lines that were said before the end began; returns how many acknowledgements were among them.
    ///
    /// What is said after the power was cut is no promise: a machine without power says nothing. The file system does
    /// answer a sync that is under way at that moment with success now and then, and keeps nothing.
    pub(super) fn hear(&mut self, lines: &[String]) -> u64 {
        let mut count = 0;
        for line in lines {
            if let Some((position, writes)) = placed(line, "ack ") {
                self.acknowledged.insert(position, writes.to_owned());
                count += 1;
            }
        }
        count
    }

    /// How many commits were acknowledged altogether.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.len() as u64
    }

    /// The verdict when the store can't even be read: everything is lost.
    pub(super) fn all_lost(&self) -> Verdict {
        Verdict { lost: self.acknowledged(), ..Verdict::default() }
    }

    /// Compares with everything that is in the store.
    pub(super) fn compare<'a>(&self, dump: impl Iterator<Item = &'a str>) -> Verdict {
        let mut verdict = Verdict::default();
        let mut kept: HashSet<u64> = HashSet::new();
        let mut last: HashMap<&str, (u64, u64)> = HashMap::new();
        let mut records: HashMap<&str, (u64, u64)> = HashMap::new();
        for line in dump {
            if let Some((position, writes)) = placed(line, "change ") {
                if self.acknowledged.get(&position).is_some_and(|acknowledged| acknowledged == writes) {
                    kept.insert(position);
                }
                for write in writes.split(' ').filter(|write| !write.is_empty()) {
                    let Some((key, revision, count)) = write_of(write) else {
                        verdict.damaged += 1;
                        continue;
                    };
                    let (revision_before, count_before) = last.get(key).copied().unwrap_or_default();
                    verdict.duplicated += u64::from(count <= count_before);
                    verdict.missing += count.saturating_sub(count_before + 1);
                    verdict.went_back += u64::from(revision <= revision_before);
                    last.insert(key, (revision, count));
                }
            } else if let Some(record) = line.strip_prefix("record ") {
                match write_of(record) {
                    Some((key, revision, count)) => drop(records.insert(key, (revision, count))),
                    None => verdict.damaged += 1,
                }
            }
        }
        verdict.lost = self.acknowledged() - kept.len() as u64;
        let keys: HashSet<&str> = last.keys().chain(records.keys()).copied().collect();
        verdict.stale = keys.into_iter().filter(|key| last.get(key) != records.get(key)).count() as u64;
        verdict
    }
}

fn placed<'a>(line: &'a str, word: &str) -> Option<(u64, &'a str)> {
    let (position, writes) = line.strip_prefix(word)?.split_once(' ')?;
    Some((position.parse().ok()?, writes))
}

fn write_of(write: &str) -> Option<(&str, u64, u64)> {
    let mut parts = write.rsplitn(3, ':');
    let count = parts.next()?.parse().ok()?;
    let revision = parts.next()?.parse().ok()?;
    Some((parts.next()?, revision, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACKS: [&str; 4] = ["ready 0", "ack 1 a:1:1 b:1:1", "ack 3 a:3:3", "ack 2 a:2:2"];
    const WHOLE: [&str; 6] = [
        "chain 3",
        "change 1 a:1:1 b:1:1",
        "change 2 a:2:2",
        "change 3 a:3:3",
        "record a:3:3",
        "record b:1:1",
    ];

    fn check(place: usize, line: &str, expected: Verdict) {
        let mut oracle = Oracle::default();
        assert_eq!(oracle.hear(&ACKS.map(str::to_owned)), 3);
        let mut dump = WHOLE.to_vec();
        dump[place] = line;
        assert_eq!(oracle.compare(dump.into_iter()), expected, "{line}");
    }

    #[test]
    fn every_kind_of_fault_is_seen() {
        let none = Verdict::default();
        check(0, "chain 3", none);
        check(3, "", Verdict { lost: 1, stale: 1, ..none });
        check(2, "", Verdict { lost: 1, missing: 1, ..none });
        check(1, "change 1 a:1:1", Verdict { lost: 1, stale: 1, ..none });
        check(3, "change 3 a:2:3", Verdict { lost: 1, went_back: 1, stale: 1, ..none });
        check(0, "change 0 a:1:1", Verdict { duplicated: 1, went_back: 1, ..none });
        check(4, "record a:2:2", Verdict { stale: 1, ..none });
        check(4, "record a:3:damaged", Verdict { damaged: 1, stale: 1, ..none });
        check(0, "change 4 c:4:1", Verdict { stale: 1, ..none });
    }

    #[test]
    fn what_was_not_acknowledged_may_be_there() {
        let mut oracle = Oracle::default();
        oracle.hear(&[ACKS[1].to_owned()]);
        assert!(oracle.compare(WHOLE.into_iter()).is_clean());
    }
}
