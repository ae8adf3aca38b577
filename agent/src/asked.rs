//! What the organisation asks of this agent, within the bounds compiled in, and kept so that it holds offline.
//!
//! A collector asks and never orders: whatever it says is brought within bounds here before anything else sees it.
//! Before the first answer of a collector, and when the file can't be read, nothing is asked and nothing is granted.
//! Knows nothing of the local ceiling for what is personal; see [`permissions`](crate::permissions).

use std::{path::Path, time::Duration};

use muster_common::governance::{AgentSettings, NeighbourNetwork};
use muster_proto::{convert, v1};
use prost::Message;

use crate::{
    config::Schedule,
    state_file::{self, Form, StateFileError},
    transport::bounds,
};

/// The name of the file in the state folder.
pub const FILE: &str = "asked";

const FORM: Form = Form { mark: *b"MASK", version: 1, limit: 64 * 1024 };

/// Brings what a collector asks within the bounds compiled in.
#[must_use]
pub fn within_bounds(asked: AgentSettings) -> AgentSettings {
    let AgentSettings { interval, jitter_percent, privacy, neighbour_networks } = asked;
    let usable = |network: &NeighbourNetwork| network.prefix.length() >= SHORTEST_PREFIX;
    AgentSettings {
        interval: interval.map(|interval| interval.clamp(bounds::INTERVAL_LEAST, bounds::INTERVAL_MOST)),
        jitter_percent: jitter_percent.map(|percent| percent.min(bounds::JITTER_PERCENT_MOST)),
        privacy,
        neighbour_networks: neighbour_networks.into_iter().filter(usable).collect(),
    }
}

/// A shorter prefix names no organisation's network but a part of the Internet.
const SHORTEST_PREFIX: u8 = 8;

/// When to collect: as asked, and otherwise as this machine's own configuration says.
pub fn schedule(own: &Schedule, asked: &AgentSettings) -> Schedule {
    Schedule {
        interval: asked.interval.unwrap_or(own.interval),
        jitter_percent: asked.jitter_percent.unwrap_or(own.jitter_percent),
    }
}

/// Reads what was asked last; nothing when no collector has answered yet.
pub fn load(folder: &Path) -> Result<AgentSettings, StateFileError> {
    let path = folder.join(FILE);
    let Some(body) = state_file::read(&path, FORM)? else { return Ok(AgentSettings::default()) };
    let wire = v1::AgentSettings::decode(body.as_slice()).ok();
    let asked = wire.and_then(|wire| convert::settings_from_wire(wire).ok());
    // Bounds may have changed since it was written.
    asked.map(within_bounds).ok_or(StateFileError::Damaged { path })
}

/// Keeps it, atomically and durably.
pub fn save(folder: &Path, asked: &AgentSettings) -> Result<(), StateFileError> {
    state_file::write(&folder.join(FILE), FORM, &convert::settings_to_wire(asked).encode_to_vec())
}

/// In a line, for the log and for people.
pub fn in_words(asked: &AgentSettings) -> String {
    let AgentSettings { interval, jitter_percent, privacy, neighbour_networks } = asked;
    let mut words = Vec::new();
    words.extend(interval.map(|interval| format!("interval {}", in_units(interval))));
    words.extend(jitter_percent.map(|percent| format!("jitter {percent} %")));
    let granted = [
        (privacy.usage, "usage"),
        (privacy.logins, "logins"),
        (privacy.per_user, "per_user"),
        (privacy.neighbours, "neighbours"),
    ];
    let granted: Vec<&str> = granted.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect();
    words.push(match granted.as_slice() {
        [] => "nothing personal".to_owned(),
        granted => granted.join(", "),
    });
    if privacy.neighbours {
        words.push(format!("{} networks", neighbour_networks.len()));
    }
    words.join(", ")
}

/// A period as it stands in a configuration.
pub fn in_units(period: Duration) -> String {
    muster_config::Period::from_millis(u64::try_from(period.as_millis()).unwrap_or(u64::MAX)).to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use muster_common::governance::Privacy;

    use super::*;

    const OWN: Schedule = Schedule { interval: Duration::from_secs(3600), jitter_percent: 10 };

    fn interval(seconds: u64) -> AgentSettings {
        AgentSettings { interval: Some(Duration::from_secs(seconds)), ..AgentSettings::default() }
    }

    #[test]
    fn what_is_asked_stays_within_the_bounds() {
        for (asked, expected) in [(0, 300), (299, 300), (300, 300), (1800, 1800), (u64::MAX, 7 * 86_400)] {
            let bounded = within_bounds(interval(asked));
            assert_eq!(bounded.interval, Some(Duration::from_secs(expected)), "{asked} s");
        }
        let jitter = AgentSettings { jitter_percent: Some(255), ..AgentSettings::default() };
        assert_eq!(within_bounds(jitter).jitter_percent, Some(50));
        let networks = ["0.0.0.0/0", "::/0", "10.0.0.0/8", "2001:db8::/64"];
        let wide = AgentSettings {
            neighbour_networks: networks
                .iter()
                .map(|prefix| format!("{prefix} via 00:11:22:33:44:55").parse().unwrap())
                .collect(),
            ..AgentSettings::default()
        };
        let left: Vec<String> =
            within_bounds(wide).neighbour_networks.iter().map(|network| network.prefix.to_string()).collect();
        assert_eq!(left, ["10.0.0.0/8", "2001:db8::/64"], "the whole Internet is nobody's network");
    }

    #[test]
    fn what_is_not_asked_is_as_configured() {
        assert_eq!(schedule(&OWN, &AgentSettings::default()), OWN);
        let asked = schedule(&OWN, &interval(1800));
        assert_eq!((asked.interval.as_secs(), asked.jitter_percent), (1800, 10));
    }

    #[test]
    fn it_holds_offline_and_damage_grants_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(load(folder.path()).unwrap(), AgentSettings::default());
        let asked = AgentSettings {
            jitter_percent: Some(20),
            privacy: Privacy { usage: true, neighbours: true, ..Privacy::NONE },
            neighbour_networks: vec!["192.0.2.0/24 via 00:11:22:33:44:55".parse().unwrap()],
            ..interval(1800)
        };
        save(folder.path(), &asked).unwrap();
        assert_eq!(load(folder.path()).unwrap(), asked);
        assert_eq!(in_words(&asked), "interval 30m, jitter 20 %, usage, neighbours, 1 networks");
        fs::write(folder.path().join(FILE), b"nonsense").unwrap();
        assert!(matches!(load(folder.path()), Err(StateFileError::Damaged { .. })));
    }
}
