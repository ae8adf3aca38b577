//! The table that the proof prints: a row for each kind of end.

use super::ledger::Verdict;

/// What a row adds up.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) rounds: u64,
    /// Reports that were acknowledged; none where nobody outside hears them.
    pub(super) acknowledged: Option<u64>,
    pub(super) verdict: Verdict,
}

impl Row {
    /// Adds another row's figures.
    pub(super) fn add(&mut self, other: Self) {
        let Self { rounds, acknowledged, verdict } = other;
        self.rounds += rounds;
        if let Some(acknowledged) = acknowledged {
            *self.acknowledged.get_or_insert_default() += acknowledged;
        }
        self.verdict.add(verdict);
    }

    /// Prints it; whether nothing was wrong.
    pub(super) fn show(&self, name: &str) -> bool {
        let Self { rounds, acknowledged, verdict: Verdict { lost, duplicated } } = self;
        let acknowledged = acknowledged.map_or("-".to_owned(), |count| count.to_string());
        println!("{name:<40} {rounds:>6} {acknowledged:>12} {lost:>6} {duplicated:>10}");
        self.verdict.is_clean()
    }
}

/// Prints the head.
pub(super) fn head() {
    println!("{:<40} {:>6} {:>12} {:>6} {:>10}", "end", "rounds", "acknowledged", "lost", "duplicated");
}
