//! `retired-active`: recorded as retired, disposed of, sold or returned, and it reports. A spare being patched doesn't count.

use muster_common::{device::Field, flag::FlagCode, governance::Charter, time::Timestamp};

use super::{DeviceView, Rule, Stage, stage};

pub(super) const RULE: Rule = Rule { code: FlagCode::RetiredActive, judge, flips, tells_anew: false };

fn judge(view: &DeviceView<'_>, charter: &Charter) -> Option<String> {
    let is_active = view.connected || flips(view, charter).is_some_and(|quiet| view.now < quiet);
    let state =
        view.device.text(Field::State).filter(|_| is_active && stage(view.device) == Stage::Retired)?;
    Some(format!("recorded as {state}, and its agent reports"))
}

/// When it has been quiet for long enough to be believed gone.
fn flips(view: &DeviceView<'_>, charter: &Charter) -> Option<Timestamp> {
    if stage(view.device) != Stage::Retired {
        return None;
    }
    let recorded = view.device.fields.get(&Field::State)?.claims.first()?.observed;
    let seen = view.agent_seen.filter(|seen| *seen > recorded)?;
    Some(seen.after(charter.silence_for(view.device.text(Field::Class)).stale))
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn only_a_report_after_the_retirement_counts() {
        let mut sample = Sample::laptop();
        sample.claim(Field::State, "retired");
        assert!(sample.has(FlagCode::RetiredActive));
        sample.agent_seen = Some(sample.device.first_seen);
        assert!(!sample.has(FlagCode::RetiredActive));
    }

    #[test]
    fn a_spare_may_report_and_silence_clears_it() {
        let mut sample = Sample::laptop();
        sample.claim(Field::State, "spare");
        assert!(!sample.has(FlagCode::RetiredActive));
        sample.claim(Field::State, "sold");
        sample.silent_days(31);
        assert!(!sample.has(FlagCode::RetiredActive));
    }
}
