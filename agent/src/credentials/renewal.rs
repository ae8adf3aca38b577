//! When a certificate is due for renewal: pure, judged again every minute.
//!
//! A timer set for days would miss a laptop's sleep. The spread over agents comes from a seed that is each agent's own,
//! so that a fleet that enrolled in one hour does not renew in one hour.

use muster_common::{id::AgentId, time::Timestamp};

/// Where a certificate stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing to do.
    Good,
    /// Under half is left, or about that: renew when connected.
    Due,
    /// Past its end: only a renewal is accepted.
    Expired,
}

/// The time of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Its first moment.
    pub not_before: Timestamp,
    /// Its last moment.
    pub not_after: Timestamp,
}

/// Where a certificate stands at `now`, for an agent with this seed.
pub fn standing(lifetime: Lifetime, now: Timestamp, seed: u64) -> Standing {
    if now >= lifetime.not_after {
        Standing::Expired
    } else if now >= renew_at(lifetime, seed) {
        Standing::Due
    } else {
        Standing::Good
    }
}

/// The moment from which an agent with this seed renews: half of the lifetime, 10 % of it earlier or later.
pub fn renew_at(lifetime: Lifetime, seed: u64) -> Timestamp {
    let whole = lifetime.not_after.since(lifetime.not_before);
    // 400 to 600 thousandths of the whole.
    let thousandths = u32::try_from(400 + seed % 201).unwrap_or(500);
    lifetime.not_before.after(whole / 1000 * thousandths)
}

/// An agent's own seed: random, since its id is.
pub fn seed(agent: AgentId) -> u64 {
    let [a, b, c, d, e, f, ..] = *agent.as_bytes();
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(days: i64) -> Timestamp {
        Timestamp::from_millis(days * 24 * 60 * 60 * 1000)
    }

    #[test]
    fn due_at_half_give_or_take_a_tenth() {
        let lifetime = Lifetime { not_before: day(1000), not_after: day(1030) };
        for (seed, now, expected) in [
            (0, day(1000), Standing::Good),
            (0, day(1011), Standing::Good),
            (0, day(1012), Standing::Due),
            (100, day(1014), Standing::Good),
            (100, day(1015), Standing::Due),
            (200, day(1017), Standing::Good),
            (200, day(1018), Standing::Due),
            (201, day(1012), Standing::Due),
            (u64::MAX, day(1018), Standing::Due),
            (7, day(0), Standing::Good),
            (7, day(1029), Standing::Due),
            (7, day(1030), Standing::Expired),
            (7, day(9000), Standing::Expired),
        ] {
            assert_eq!(standing(lifetime, now, seed), expected, "seed {seed} at {now}");
        }
    }

    #[test]
    fn a_fleet_is_spread_over_a_fifth_of_the_lifetime() {
        let lifetime = Lifetime { not_before: day(1000), not_after: day(1030) };
        let times: Vec<_> = (0..1000).map(|_| renew_at(lifetime, seed(AgentId::random()))).collect();
        let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        assert!(*first >= day(1012) && *last <= day(1018));
        assert!(last.since(*first) > day(5).since(day(0)));
    }

    #[test]
    fn a_lifetime_that_ends_before_it_begins_is_expired() {
        let lifetime = Lifetime { not_before: day(10), not_after: day(5) };
        assert_eq!(standing(lifetime, day(7), 3), Standing::Expired);
    }
}
