//! Moments as people say them.

use std::time::Duration;

use muster_common::time::Timestamp;
use muster_proto::convert::from_timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// `3 min ago`; a date when it is long past, and the moment itself when it lies ahead. Empty for none.
pub(crate) fn ago(time: Option<&prost_types::Timestamp>, now: Timestamp) -> String {
    let Some(time) = time.map(from_timestamp) else { return String::new() };
    // A collector's clock may be a little ahead of ours.
    if time > now.after(Duration::from_secs(MINUTE)) {
        return seconds(time);
    }
    let passed = now.since(time).as_secs();
    let several = |count: u64, unit: &str| format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" });
    match passed {
        0..MINUTE => "just now".to_owned(),
        MINUTE..HOUR => format!("{} min ago", passed / MINUTE),
        HOUR..DAY => format!("{} h ago", passed / HOUR),
        _ if passed < 60 * DAY => several(passed / DAY, "day"),
        _ => seconds(time).chars().take(10).collect(),
    }
}

/// RFC 3339, exact. Empty for none.
pub(crate) fn moment(time: Option<&prost_types::Timestamp>) -> String {
    time.map(|time| from_timestamp(time).to_string()).unwrap_or_default()
}

/// A field's text without the midnight that dates carry.
pub(crate) fn short_date(text: &str) -> &str {
    text.strip_suffix("T00:00:00Z").filter(|date| date.len() == 10).unwrap_or(text)
}

/// Without parts of a second.
fn seconds(time: Timestamp) -> String {
    Timestamp::from_millis(time.as_millis() / 1000 * 1000).to_string()
}

#[cfg(test)]
mod tests {
    use muster_proto::convert::to_timestamp;

    use super::*;

    #[test]
    fn moments_are_said_as_people_say_them() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        for (time, expected) in [
            ("2026-11-24T11:59:30Z", "just now"),
            ("2026-11-24T12:00:20Z", "just now"),
            ("2026-11-24T11:57:00Z", "3 min ago"),
            ("2026-11-24T06:59:00Z", "5 h ago"),
            ("2026-11-23T11:00:00Z", "1 day ago"),
            ("2026-10-24T12:00:00Z", "31 days ago"),
            ("2026-01-24T12:00:00Z", "2026-01-24"),
            ("2026-12-01T00:00:00.5Z", "2026-12-01T00:00:00Z"),
        ] {
            assert_eq!(ago(Some(&to_timestamp(time.parse().unwrap())), now), expected, "{time}");
        }
        assert_eq!(ago(None, now), "");
        assert_eq!(short_date("2026-11-24T00:00:00Z"), "2026-11-24");
        assert_eq!(short_date("2026-11-24T00:00:01Z"), "2026-11-24T00:00:01Z");
    }
}
