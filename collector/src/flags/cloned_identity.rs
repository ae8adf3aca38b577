//! `cloned-identity`: the same agent reports from several machines at the same time.

use muster_common::{flag::FlagCode, governance::Charter};

use super::{DeviceView, Rule, never};

pub(super) const RULE: Rule = Rule { code: FlagCode::ClonedIdentity, judge, flips: never, tells_anew: false };

/// How many peers are named; the finding over all of them is kept apart.
const NAMED: usize = 3;

fn judge(view: &DeviceView<'_>, _: &Charter) -> Option<String> {
    if view.clone_peers.is_empty() {
        return None;
    }
    let names: Vec<String> = view.clone_peers.iter().take(NAMED).map(ToString::to_string).collect();
    let more = if view.clone_peers.len() > NAMED || view.clone_peer_count as usize > NAMED {
        " and others"
    } else {
        ""
    };
    Some(format!("its agent's identity is in use on {}{more}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use muster_common::id::DeviceId;

    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn it_names_a_few_and_says_that_there_are_others() {
        let mut sample = Sample::laptop();
        assert!(!sample.has(FlagCode::ClonedIdentity));
        sample.clone_peers = (2..9).map(|byte| DeviceId::from_bytes([byte; 16])).collect();
        let flags = sample.evaluate(&[]);
        assert!(flags[0].evidence.ends_with("and others"), "{}", flags[0].evidence);
    }
}
