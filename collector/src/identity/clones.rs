//! One agent on several machines: was its disk moved from one to the other, or its image copied to both?
//!
//! A moved disk is silent where it was; a copied one goes on speaking in both places. So the times decide, and this is
//! all that they need.

use muster_common::time::Timestamp;

/// When one subject of an agent spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// For the first time.
    pub first: Timestamp,
    /// For the last time.
    pub last: Timestamp,
    /// Its stream is open now.
    pub live: bool,
}

/// Whether the agent spoke from both machines at the same time, or in turn.
pub fn are_clones(one: Span, other: Span) -> bool {
    let goes_on = |earlier: Span, later: Span| earlier.live || earlier.last >= later.first;
    if one.first <= other.first { goes_on(one, other) } else { goes_on(other, one) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(first: i64, last: i64, live: bool) -> Span {
        Span { first: Timestamp::from_millis(first), last: Timestamp::from_millis(last), live }
    }

    #[test]
    fn a_disk_moves_and_a_copy_stays() {
        assert!(!are_clones(span(1, 5, false), span(7, 9, true)));
        assert!(!are_clones(span(7, 9, true), span(1, 5, false)));
        assert!(are_clones(span(1, 5, true), span(7, 9, true)));
        assert!(are_clones(span(1, 8, false), span(7, 9, false)));
    }
}
