//! `warranty-ending`: its warranty ends within one of the charter's windows. Once it has ended there is nothing to decide.

use muster_common::{device::Field, flag::FlagCode, governance::Charter, time::Timestamp};

use super::{DeviceView, Rule, day, is_retired, moment};

pub(super) const RULE: Rule = Rule { code: FlagCode::WarrantyEnding, judge, flips, tells_anew: true };

fn judge(view: &DeviceView<'_>, charter: &Charter) -> Option<String> {
    let end = end(view)?;
    let window = charter.warranty.around(end, view.now).filter(|_| view.now < end)?;
    Some(format!("its warranty ends {}, within {} days", day(end), window.as_secs() / 86_400))
}

fn flips(view: &DeviceView<'_>, charter: &Charter) -> Option<Timestamp> {
    let end = end(view)?;
    Some(charter.warranty.next(end, view.now).unwrap_or(end))
}

fn end(view: &DeviceView<'_>) -> Option<Timestamp> {
    moment(view.device, Field::WarrantyEnd).filter(|_| !is_retired(view.device))
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn each_window_is_told_and_the_end_clears_it() {
        let mut sample = Sample::laptop();
        sample.claim(Field::WarrantyEnd, "2026-09-01");
        assert!(!sample.has(FlagCode::WarrantyEnding));
        for (days, expected) in [(2, Some(90)), (32, Some(60)), (62, Some(30)), (92, None)] {
            let mut sample = Sample::laptop();
            sample.claim(Field::WarrantyEnd, "2026-09-01");
            sample.days_pass(days);
            let found = sample.evaluate(&[]).into_iter().find(|flag| flag.code == FlagCode::WarrantyEnding);
            let text = expected.map(|window| format!("its warranty ends 2026-09-01, within {window} days"));
            assert_eq!(found.map(|flag| flag.evidence), text, "after {days} days");
        }
    }

    #[test]
    fn time_alone_leads_from_window_to_window() {
        let mut sample = Sample::laptop();
        sample.claim(Field::WarrantyEnd, "2026-09-01");
        sample.agent = muster_common::governance::AgentExpectation::Impossible;
        let mut moments = Vec::new();
        while let Some(next) = sample.next_change() {
            moments.push(day(next));
            sample.now = next;
        }
        assert_eq!(moments, ["2026-06-03", "2026-07-03", "2026-08-02", "2026-09-01"]);
    }

    #[test]
    fn what_is_retired_needs_none() {
        let mut sample = Sample::laptop();
        sample.claim(Field::WarrantyEnd, "2026-06-20");
        assert!(sample.has(FlagCode::WarrantyEnding));
        sample.claim(Field::State, "retired");
        assert!(!sample.has(FlagCode::WarrantyEnding));
    }
}
