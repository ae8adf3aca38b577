//! `missing`: as stale, past the second limit, and seen by nobody.

use muster_common::{flag::FlagCode, governance::Charter, time::Timestamp};

use super::{DeviceView, Rule, silence::silence};

pub(super) const RULE: Rule = Rule { code: FlagCode::Missing, judge, flips, tells_anew: false };

fn judge(view: &DeviceView<'_>, charter: &Charter) -> Option<String> {
    let silence = silence(view, charter)?;
    (view.now >= silence.missing)
        .then(|| format!("silent and unseen since {}", silence.others.unwrap_or(silence.since)))
}

fn flips(view: &DeviceView<'_>, charter: &Charter) -> Option<Timestamp> {
    silence(view, charter).map(|silence| silence.missing)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn it_replaces_stale_past_the_second_limit() {
        let mut sample = Sample::laptop();
        sample.silent_days(89);
        assert!(sample.has(FlagCode::Stale) && !sample.has(FlagCode::Missing));
        sample.silent_days(90);
        assert!(!sample.has(FlagCode::Stale) && sample.has(FlagCode::Missing));
    }

    #[test]
    fn what_another_source_saw_is_not_missing() {
        let mut sample = Sample::laptop();
        sample.silent_days(200);
        sample.others_seen = Some(sample.now.before(Duration::from_secs(24 * 3600)));
        assert!(sample.has(FlagCode::AgentSilent) && !sample.has(FlagCode::Missing));
    }
}
