//! On which of the last 90 days each package ran, and on which of them anybody looked.
//!
//! Pure; a day is a number, and the clock of an endpoint may jump either way. Bounded: where there are too many packages
//! the one that ran longest ago goes.

use std::{collections::HashMap, sync::Arc};

use muster_common::{inventory::Usage, time::EndpointTime};

use super::DAY_MS;
use crate::sources::programs::Owner;

/// Days that are kept one by one.
const DAYS: u32 = 90;
const MASK: u128 = (1 << DAYS) - 1;
/// Packages that are kept.
pub(super) const OWNERS_LIMIT: usize = 2048;
/// A package that has not run for so many days is forgotten.
const FORGOTTEN_AFTER: i64 = 730;

/// The days of all packages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ledger {
    /// The day of the lowest bits; the next bit is the day before.
    pub(super) day: i64,
    /// The days on which anybody looked.
    pub(super) watched: u128,
    pub(super) owners: HashMap<Owner, Days>,
}

/// The days of one package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Days {
    /// The days on which it was seen.
    pub(super) seen: u128,
    /// The last one of them.
    pub(super) last: i64,
    /// Whether its program's path was seen once, not only its name.
    pub(super) by_path: bool,
}

impl Ledger {
    /// Notes that somebody looks on this day; whether that is new.
    pub(crate) fn look(&mut self, day: i64) -> bool {
        self.turn_to(day);
        let bit = self.bit(day);
        let is_new = self.watched & bit == 0;
        self.watched |= bit;
        is_new
    }

    /// Notes that a package ran on this day; whether that is new.
    pub(crate) fn note(&mut self, owner: &Owner, by_path: bool, day: i64) -> bool {
        let bit = self.bit(day);
        let noted = |days: &mut Days| {
            let before = *days;
            days.seen |= bit;
            days.last = days.last.max(day);
            days.by_path |= by_path;
            *days != before
        };
        if let Some(days) = self.owners.get_mut(owner) {
            return noted(days);
        }
        if self.owners.len() >= OWNERS_LIMIT {
            let oldest = self.owners.iter().min_by_key(|(owner, days)| (days.last, *owner));
            if let Some(oldest) = oldest.map(|(owner, _)| owner.clone()) {
                self.owners.remove(&oldest);
            }
        }
        self.owners.insert(owner.clone(), Days { seen: bit, last: day, by_path });
        true
    }

    /// What is told of it, in the order of the packages.
    pub(crate) fn uses(&self) -> Arc<[Usage]> {
        let mut rows: Vec<(&Owner, &Days)> = self.owners.iter().collect();
        rows.sort_unstable_by_key(|(owner, _)| *owner);
        let usage = |(owner, days): (&Owner, &Days)| Usage {
            purl_type: owner.purl_type.clone(),
            name: owner.name.clone(),
            last_used: days.last.checked_mul(DAY_MS).map(EndpointTime::from_millis),
            days_used: Some(days.seen.count_ones()),
            days_watched: Some(self.watched.count_ones()),
            confidence: Some(if days.by_path { "program" } else { "name" }.to_owned()),
        };
        rows.into_iter().map(usage).collect()
    }

    /// Makes this day the last one unless it lies in the past.
    fn turn_to(&mut self, day: i64) {
        let by = day.saturating_sub(self.day);
        if by > 0 {
            let shifted = |days: u128| match u32::try_from(by) {
                Ok(by) if by < DAYS => (days << by) & MASK,
                Ok(_) | Err(_) => 0,
            };
            self.watched = shifted(self.watched);
            for days in self.owners.values_mut() {
                days.seen = shifted(days.seen);
            }
            self.owners.retain(|_, days| day.saturating_sub(days.last) <= FORGOTTEN_AFTER);
            self.day = day;
        } else if by <= -i64::from(DAYS) {
            // The clock was far ahead: nothing of what was noted then has a day that can be believed.
            *self = Self { day, ..Self::default() };
        }
    }

    fn bit(&self, day: i64) -> u128 {
        let before = u32::try_from(self.day.saturating_sub(day)).ok().filter(|before| *before < DAYS);
        before.map_or(0, |before| 1 << before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(name: &str) -> Owner {
        Owner::new("deb", name)
    }

    /// Last day, days seen and days watched of each package.
    fn rows(ledger: &Ledger) -> Vec<(String, i64, u32, u32)> {
        let row = |usage: &Usage| {
            let last = usage.last_used.unwrap().as_millis();
            assert_eq!(last % DAY_MS, 0, "a day and no time");
            (usage.name.clone(), last / DAY_MS, usage.days_used.unwrap(), usage.days_watched.unwrap())
        };
        ledger.uses().iter().map(row).collect()
    }

    #[test]
    fn days_are_counted_and_run_out() {
        let mut ledger = Ledger::default();
        assert!(ledger.look(20_000));
        assert!(ledger.note(&owner("bash"), false, 20_000));
        assert!(
            !ledger.look(20_000) && !ledger.note(&owner("bash"), false, 20_000),
            "nothing new on one day"
        );
        assert!(ledger.note(&owner("bash"), true, 20_000), "the path is new");
        ledger.look(20_001);
        ledger.look(20_003);
        ledger.note(&owner("bash"), false, 20_003);
        ledger.note(&owner("gimp"), false, 20_003);
        let row = |name: &str, last, seen, watched| (name.to_owned(), last, seen, watched);
        assert_eq!(rows(&ledger), [row("bash", 20_003, 2, 3), row("gimp", 20_003, 1, 3)]);
        assert_eq!(ledger.uses()[0].confidence.as_deref(), Some("program"));
        assert_eq!(ledger.uses()[1].confidence.as_deref(), Some("name"));
        ledger.look(20_092);
        assert_eq!(rows(&ledger), [row("bash", 20_003, 1, 2), row("gimp", 20_003, 1, 2)], "90 days");
        ledger.look(20_093);
        assert_eq!(rows(&ledger), [row("bash", 20_003, 0, 2), row("gimp", 20_003, 0, 2)]);
        ledger.look(20_003 + FORGOTTEN_AFTER);
        assert_eq!(rows(&ledger).len(), 2);
        ledger.look(20_004 + FORGOTTEN_AFTER);
        assert!(rows(&ledger).is_empty());
    }

    #[test]
    fn a_clock_may_jump_either_way() {
        let mut ledger = Ledger::default();
        ledger.look(20_000);
        ledger.note(&owner("a"), false, 20_000);
        ledger.look(19_998);
        ledger.note(&owner("a"), false, 19_998);
        assert_eq!(rows(&ledger), [("a".to_owned(), 20_000, 2, 2)]);
        ledger.look(40_000);
        ledger.look(20_000);
        ledger.note(&owner("a"), false, 20_000);
        assert_eq!(rows(&ledger), [("a".to_owned(), 20_000, 1, 1)]);
        ledger.look(i64::MAX);
        ledger.look(i64::MIN);
        ledger.look(20_000);
        assert!(rows(&ledger).is_empty());
    }

    #[test]
    fn the_one_that_ran_longest_ago_makes_room() {
        let mut ledger = Ledger::default();
        ledger.look(20_000);
        for number in 0..OWNERS_LIMIT {
            ledger.note(&owner(&format!("p{number:04}")), false, 19_990 + i64::from(number != 7));
        }
        ledger.note(&owner("new"), false, 20_000);
        assert_eq!(ledger.owners.len(), OWNERS_LIMIT);
        assert!(!ledger.owners.contains_key(&owner("p0007")) && ledger.owners.contains_key(&owner("new")));
    }
}
