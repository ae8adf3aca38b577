//! What flags are judged by: limits of silence, deadlines, required fields. The keys that a collector's own settings
//! may hold too, as the charter of a collector that was given no other.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_common::device::Field;
use muster_common::governance::{Charter, SilenceLimits};
use muster_config::{Input, Period};

use crate::agents::agent_settings;
use crate::names::FieldName;

/// More silence than ten years is never noticed.
const LONGEST_SILENCE: Period = Period::from_days(3650);

/// Reads the thresholds and what agents are asked for; `table` is empty, or ends with a point. What isn't set keeps the
/// charter's own default, and so does everything that stands in a charter's file alone.
pub fn thresholds(input: &mut Input, table: &str) -> Charter {
    let charter = Charter::default();
    let classes: Vec<String> = charter.silence.keys().cloned().collect();
    read(input, table, charter, &classes)
}

/// The same into a charter whose classes are known; each of `classes` may have limits of its own.
pub(crate) fn read(input: &mut Input, table: &str, charter: Charter, classes: &[String]) -> Charter {
    let otherwise = silence_of(input, table, "otherwise", charter.silence_otherwise);
    let mut silence: BTreeMap<String, SilenceLimits> = BTreeMap::new();
    for class in classes {
        let usual = charter.silence.get(class).copied();
        let limits = silence_of(input, table, class, usual.unwrap_or(otherwise));
        if usual.is_some() || limits != otherwise {
            silence.insert(class.clone(), limits);
        }
    }
    let key = |name: &str| format!("{table}{name}");
    let devices = u64::from(charter.devices_per_identifier);
    let devices = input.number(&key("devices_per_identifier"), devices, 1..=10_000);
    let required_fields = input.list::<FieldName>(&key("required_fields"), Vec::new(), Field::ALL.len());
    let required_fields = required_fields.into_iter().map(|field| field.0).collect();
    Charter {
        silence,
        silence_otherwise: otherwise,
        first_report_within: period(input, &key("first_report_within"), charter.first_report_within),
        required_fields,
        devices_per_identifier: u32::try_from(devices).expect("bounded by 10,000"),
        agents: agent_settings(input, table, charter.agents.clone()),
        ..charter
    }
}

fn silence_of(input: &mut Input, table: &str, class: &str, default: SilenceLimits) -> SilenceLimits {
    let missing_key = format!("{table}silence.{class}.missing");
    let stale = period(input, &format!("{table}silence.{class}.stale"), default.stale);
    let missing = period(input, &missing_key, default.missing);
    if missing < stale {
        input.refuse(&missing_key, "is shorter than `stale`: a device is stale first and missing later");
    }
    SilenceLimits { stale, missing }
}

fn period(input: &mut Input, key: &str, default: Duration) -> Duration {
    let default = Period::from_secs(default.as_secs());
    input.bounded(key, default, Period::from_secs(60)..=LONGEST_SILENCE).duration()
}
