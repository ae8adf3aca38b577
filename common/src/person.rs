//! What an organisation says of a person that is not personal by itself: where in it they work, and until when.
//!
//! Names, addresses and numbers are not here: records, history and rules know a person by the id alone.

use std::time::Duration;

use crate::{id::PersonId, time::Timestamp};

/// A day, after which somebody's last one is over.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a staff list says of one person, without what names them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PersonFacts {
    /// Where the person works, as a path from the root: `Sales/EMEA`.
    pub department: Option<String>,
    /// Where the person sits.
    pub location: Option<String>,
    /// Who pays.
    pub cost_center: Option<String>,
    /// Whom the person reports to.
    pub manager: Option<PersonId>,
    /// First day.
    pub starts: Option<Timestamp>,
    /// Last day, as its first moment.
    pub ends: Option<Timestamp>,
}

impl PersonFacts {
    /// Whether the last day is over: a leaver.
    pub fn has_left(&self, now: Timestamp) -> bool {
        self.ends.is_some_and(|ends| ends.after(DAY) < now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_last_day_works_until_it_is_over() {
        let facts = PersonFacts { ends: "2026-11-30".parse().ok(), ..PersonFacts::default() };
        let has_left = |now: &str| facts.has_left(now.parse().unwrap());
        assert!(!has_left("2026-11-30T23:59:59Z") && has_left("2026-12-01T00:00:01Z"));
        assert!(!PersonFacts::default().has_left(Timestamp::from_millis(i64::MAX)));
    }
}
