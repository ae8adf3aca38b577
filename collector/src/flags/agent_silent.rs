//! `agent-silent`: its agent is silent past its class's limit, and another source saw the device since.

use muster_common::{flag::FlagCode, governance::Charter, time::Timestamp};

use super::{DeviceView, Rule, silence::silence};

pub(super) const RULE: Rule = Rule { code: FlagCode::AgentSilent, judge, flips, tells_anew: false };

fn judge(view: &DeviceView<'_>, charter: &Charter) -> Option<String> {
    let silence = silence(view, charter)?;
    let seen = silence.others.filter(|_| (silence.stale..silence.missing).contains(&view.now))?;
    Some(format!("its agent is silent since {}; another source saw it {seen}", silence.since))
}

fn flips(view: &DeviceView<'_>, charter: &Charter) -> Option<Timestamp> {
    silence(view, charter).map(|silence| silence.stale)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::sample::Sample;
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn only_what_was_seen_after_its_agent_fell_silent_counts() {
        let mut sample = Sample::laptop();
        sample.silent_days(40);
        sample.others_seen = Some(sample.now.before(50 * DAY));
        assert!(!sample.has(FlagCode::AgentSilent) && sample.has(FlagCode::Stale));
        sample.others_seen = Some(sample.now.before(DAY));
        assert!(sample.has(FlagCode::AgentSilent) && !sample.has(FlagCode::Stale));
        sample.days_pass(100);
        assert!(!sample.has(FlagCode::AgentSilent) && sample.has(FlagCode::Missing));
    }
}
