//! `stale`: deployed, and silent past its class's limit by the collector's clock; past the second limit it is `missing`,
//! and where another source saw it since, `agent-silent`. What is away by agreement is neither.

use muster_common::{flag::FlagCode, governance::Charter, time::Timestamp};

use super::{DeviceView, Rule, silence::silence};

pub(super) const RULE: Rule = Rule { code: FlagCode::Stale, judge, flips, tells_anew: false };

fn judge(view: &DeviceView<'_>, charter: &Charter) -> Option<String> {
    let silence = silence(view, charter)?;
    let is_stale = silence.others.is_none() && (silence.stale..silence.missing).contains(&view.now);
    is_stale.then(|| format!("silent since {}", silence.since))
}

fn flips(view: &DeviceView<'_>, charter: &Charter) -> Option<Timestamp> {
    silence(view, charter).map(|silence| silence.stale)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use muster_common::{device::Field, governance::AgentExpectation};

    use super::super::sample::Sample;
    use super::*;

    /// Stale after this many days of silence, by class.
    fn check(class: &str, fresh: u32, stale: u32) {
        let mut sample = Sample::laptop();
        sample.claim(Field::Class, class);
        sample.silent_days(fresh);
        assert!(!sample.has(FlagCode::Stale), "a {class} is stale after {fresh} days");
        sample.silent_days(stale);
        assert!(sample.has(FlagCode::Stale), "a {class} isn't stale after {stale} days");
    }

    #[test]
    fn each_class_has_its_limit() {
        check("server", 0, 1);
        check("desktop", 20, 21);
        check("laptop", 29, 30);
        check("virtual", 29, 30);
    }

    #[test]
    fn what_is_not_deployed_may_be_silent() {
        for state in ["in-stock", "in-repair", "spare", "retired", "disposed", "stolen"] {
            let mut sample = Sample::laptop();
            sample.claim(Field::State, state);
            sample.silent_days(60);
            assert!(!sample.has(FlagCode::Stale), "{state}");
        }
    }

    #[test]
    fn connected_devices_and_those_without_an_agent_are_never_stale() {
        let mut sample = Sample::laptop();
        sample.silent_days(60);
        sample.connected = true;
        assert!(!sample.has(FlagCode::Stale));
        sample.connected = false;
        sample.agent = AgentExpectation::Impossible;
        assert!(!sample.has(FlagCode::Stale));
        sample.agent = AgentExpectation::Expected;
        sample.agent_seen = None;
        assert!(!sample.has(FlagCode::Stale));
    }

    #[test]
    fn what_is_away_is_stale_when_it_should_be_back() {
        let mut sample = Sample::laptop();
        sample.silent_days(100);
        sample.claim(Field::AwayUntil, "2026-06-10");
        assert!(!sample.has(FlagCode::Stale) && !sample.has(FlagCode::Missing));
        assert_eq!(
            sample.next_change().map(|moment| moment.to_string()),
            Some("2026-06-10T00:00:00Z".to_owned())
        );
        sample.days_pass(9);
        assert!(sample.has(FlagCode::Missing));
    }

    #[test]
    fn the_collectors_own_downtime_is_nobodys_silence() {
        let mut sample = Sample::laptop();
        sample.silent_days(40);
        sample.downtime = Duration::from_secs(15 * 24 * 3600);
        assert!(!sample.has(FlagCode::Stale));
    }
}
