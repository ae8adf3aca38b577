//! `never-seen`: deployed by the record for longer than the charter allows, an agent expected, and nothing ever reported.

use muster_common::{
    device::Field,
    flag::FlagCode,
    governance::{AgentExpectation, Charter},
    time::Timestamp,
};

use super::{DeviceView, Rule, Stage, moment, stage};

pub(super) const RULE: Rule = Rule { code: FlagCode::NeverSeen, judge, flips, tells_anew: false };

fn judge(view: &DeviceView<'_>, charter: &Charter) -> Option<String> {
    let due = due(view, charter)?;
    (view.now >= due).then(|| format!("no agent has reported from it since {}", recorded(view)))
}

fn flips(view: &DeviceView<'_>, charter: &Charter) -> Option<Timestamp> {
    due(view, charter)
}

/// When the first report is overdue.
fn due(view: &DeviceView<'_>, charter: &Charter) -> Option<Timestamp> {
    let waits = view.vouched
        && view.agent_seen.is_none()
        && view.others_seen.is_none()
        && !view.connected
        && view.device.agents.is_empty()
        && view.agent == AgentExpectation::Expected
        && stage(view.device) == Stage::InUse;
    waits.then(|| recorded(view).after(charter.first_report_within))
}

/// The day of its hand-over or purchase, or else the day on which its record came.
fn recorded(view: &DeviceView<'_>) -> Timestamp {
    moment(view.device, Field::Deployed)
        .or_else(|| moment(view.device, Field::PurchaseDate))
        .unwrap_or(view.device.first_seen)
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    fn bought(day: &str) -> Sample {
        let mut sample = Sample::laptop();
        sample.agent_seen = None;
        sample.claim(Field::PurchaseDate, day);
        sample
    }

    #[test]
    fn a_purchase_that_never_reported_is_noticed_after_thirty_days() {
        assert!(!bought("2026-05-03").has(FlagCode::NeverSeen));
        assert!(bought("2026-05-02").has(FlagCode::NeverSeen));
    }

    #[test]
    fn what_reported_is_in_stock_or_cannot_report_is_not() {
        let mut sample = bought("2026-01-01");
        sample.agent_seen = Some(sample.now);
        assert!(!sample.has(FlagCode::NeverSeen));
        let mut sample = bought("2026-01-01");
        sample.claim(Field::State, "in-stock");
        assert!(!sample.has(FlagCode::NeverSeen));
        let mut sample = bought("2026-01-01");
        sample.agent = AgentExpectation::Impossible;
        assert!(!sample.has(FlagCode::NeverSeen));
    }
}
