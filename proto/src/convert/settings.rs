//! What agents are asked for, both directions.
//!
//! Knows nothing of what an agent makes of it: its bounds and its own ceiling stand in the agent.

use std::time::Duration;

use muster_common::governance::{AgentSettings, NeighbourNetwork, NetworkPrefix, Privacy};

use super::{Invalid, bounded};
use crate::{limits, v1};

/// The wire form.
pub fn settings_to_wire(settings: &AgentSettings) -> v1::AgentSettings {
    let AgentSettings { interval, jitter_percent, privacy, neighbour_networks } = settings;
    let Privacy { usage, logins, per_user, neighbours } = *privacy;
    v1::AgentSettings {
        interval: interval.map(|interval| prost_types::Duration {
            seconds: i64::try_from(interval.as_secs()).unwrap_or(i64::MAX),
            nanos: interval.subsec_nanos().cast_signed(),
        }),
        jitter_percent: jitter_percent.map(u32::from),
        privacy: Some(v1::PrivacyGrants {
            usage: Some(usage),
            logins: Some(logins),
            per_user: Some(per_user),
            neighbours: Some(neighbours),
        }),
        neighbour_networks: neighbour_networks.iter().map(network_to_wire).collect(),
    }
}

/// The domain form; what is absent is not granted.
///
/// # Errors
/// When a list is over its bound or a value has no meaning: settings are taken whole or not at all.
pub fn settings_from_wire(wire: v1::AgentSettings) -> Result<AgentSettings, Invalid> {
    let v1::AgentSettings { interval, jitter_percent, privacy, neighbour_networks } = wire;
    bounded("neighbour_networks", &neighbour_networks, limits::NEIGHBOUR_NETWORKS)?;
    let v1::PrivacyGrants { usage, logins, per_user, neighbours } = privacy.unwrap_or_default();
    let interval = interval
        .map(|interval| Duration::try_from(interval).map_err(|_| Invalid::Malformed { field: "interval" }));
    Ok(AgentSettings {
        interval: interval.transpose()?,
        jitter_percent: jitter_percent.map(|percent| u8::try_from(percent).unwrap_or(u8::MAX)),
        privacy: Privacy {
            usage: usage.unwrap_or_default(),
            logins: logins.unwrap_or_default(),
            per_user: per_user.unwrap_or_default(),
            neighbours: neighbours.unwrap_or_default(),
        },
        neighbour_networks: neighbour_networks.iter().map(network_from_wire).collect::<Result<_, _>>()?,
    })
}

fn network_to_wire(network: &NeighbourNetwork) -> v1::NeighbourNetwork {
    let NeighbourNetwork { prefix, gateway } = network;
    v1::NeighbourNetwork { prefix: prefix.to_string(), gateway_mac: gateway.to_string() }
}

fn network_from_wire(wire: &v1::NeighbourNetwork) -> Result<NeighbourNetwork, Invalid> {
    let v1::NeighbourNetwork { prefix, gateway_mac } = wire;
    let prefix: NetworkPrefix =
        prefix.parse().map_err(|_| Invalid::Malformed { field: "neighbour_networks.prefix" })?;
    let gateway =
        gateway_mac.parse().map_err(|_| Invalid::Malformed { field: "neighbour_networks.gateway_mac" })?;
    Ok(NeighbourNetwork { prefix, gateway })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_go_both_ways_and_nothing_means_nothing() {
        let settings = AgentSettings {
            interval: Some(Duration::from_millis(1_800_500)),
            jitter_percent: Some(20),
            privacy: Privacy { usage: true, neighbours: true, ..Privacy::NONE },
            neighbour_networks: vec!["192.0.2.0/24 via 00:11:22:33:44:55".parse().unwrap()],
        };
        assert_eq!(settings_from_wire(settings_to_wire(&settings)).unwrap(), settings);
        let nothing = settings_from_wire(v1::AgentSettings::default()).unwrap();
        assert_eq!(nothing, AgentSettings::default());
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        let network = |prefix: &str, mac: &str| v1::AgentSettings {
            neighbour_networks: vec![v1::NeighbourNetwork {
                prefix: prefix.to_owned(),
                gateway_mac: mac.to_owned(),
            }],
            ..v1::AgentSettings::default()
        };
        let negative = v1::AgentSettings {
            interval: Some(prost_types::Duration { seconds: -1, nanos: 0 }),
            ..v1::AgentSettings::default()
        };
        let many = v1::AgentSettings {
            neighbour_networks: vec![v1::NeighbourNetwork::default(); limits::NEIGHBOUR_NETWORKS + 1],
            ..v1::AgentSettings::default()
        };
        for bad in [
            network("192.0.2.1/24", "00:11:22:33:44:55"),
            network("192.0.2.0/24", "gateway"),
            network("", ""),
            negative,
            many,
        ] {
            assert!(settings_from_wire(bad.clone()).is_err(), "{bad:?} was accepted");
        }
    }
}
