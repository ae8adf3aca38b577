//! What agents are asked for. The bounds are those that are compiled into agents, which would clamp anything else.

use std::ops::RangeInclusive;

use muster_common::governance::{AgentSettings, NEIGHBOUR_NETWORKS, NeighbourNetwork, Privacy};
use muster_config::{Input, Period};

/// How often agents can be asked to look.
const AGENT_INTERVAL: RangeInclusive<Period> = Period::from_secs(300)..=Period::from_days(7);

pub(crate) fn agent_settings(input: &mut Input, table: &str, default: AgentSettings) -> AgentSettings {
    let AgentSettings { interval: _, jitter_percent: _, privacy, neighbour_networks } = default;
    let key = |name: &str| format!("{table}{name}");
    let interval = input.optional_bounded(&key("agents.interval"), AGENT_INTERVAL);
    let jitter_percent = input.optional_number(&key("agents.jitter_percent"), 0..=50);
    let privacy = Privacy {
        usage: input.flag(&key("privacy.usage"), privacy.usage),
        logins: input.flag(&key("privacy.logins"), privacy.logins),
        per_user: input.flag(&key("privacy.per_user"), privacy.per_user),
        neighbours: input.flag(&key("privacy.neighbours"), privacy.neighbours),
    };
    let networks_key = key("privacy.neighbour_networks");
    let neighbour_networks =
        input.list::<NeighbourNetwork>(&networks_key, neighbour_networks, NEIGHBOUR_NETWORKS);
    if privacy.neighbours && neighbour_networks.is_empty() {
        input.refuse(
            &key("privacy.neighbours"),
            format!("needs the networks on which neighbours may be listed in {networks_key}"),
        );
    }
    AgentSettings {
        interval: interval.map(Period::duration),
        jitter_percent: jitter_percent.and_then(|percent| u8::try_from(percent).ok()),
        privacy,
        neighbour_networks,
    }
}
