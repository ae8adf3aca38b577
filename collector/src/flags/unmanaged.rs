//! `unmanaged`: an agent is expected, another source sees the device, and no agent ever reported from it.

use muster_common::{
    flag::FlagCode,
    governance::{AgentExpectation, Charter},
};

use super::{DeviceView, Rule, Stage, never, stage};

pub(super) const RULE: Rule = Rule { code: FlagCode::Unmanaged, judge, flips: never, tells_anew: false };

fn judge(view: &DeviceView<'_>, _: &Charter) -> Option<String> {
    let is_unmanaged = view.others_seen.is_some()
        && view.agent_seen.is_none()
        && !view.connected
        && view.device.agents.is_empty()
        && view.agent == AgentExpectation::Expected
        && stage(view.device) == Stage::InUse;
    is_unmanaged.then(|| "another source sees it, and no agent reports from it".to_owned())
}

#[cfg(test)]
mod tests {
    use muster_common::device::Field;

    use super::super::sample::Sample;
    use super::*;

    fn seen() -> Sample {
        let mut sample = Sample::laptop();
        sample.agent_seen = None;
        sample.others_seen = Some(sample.now);
        sample
    }

    #[test]
    fn what_another_source_sees_should_have_an_agent() {
        assert!(seen().has(FlagCode::Unmanaged) && !seen().has(FlagCode::NeverSeen));
    }

    #[test]
    fn what_has_one_can_have_none_or_is_not_in_use_is_not_unmanaged() {
        assert!(!Sample::laptop().has(FlagCode::Unmanaged));
        let mut sample = seen();
        sample.agent_seen = Some(sample.now);
        assert!(!sample.has(FlagCode::Unmanaged));
        for expectation in [AgentExpectation::Impossible, AgentExpectation::Optional] {
            let mut sample = seen();
            sample.agent = expectation;
            assert!(!sample.has(FlagCode::Unmanaged), "{expectation:?}");
        }
        let mut sample = seen();
        sample.claim(Field::State, "in-stock");
        assert!(!sample.has(FlagCode::Unmanaged));
    }
}
