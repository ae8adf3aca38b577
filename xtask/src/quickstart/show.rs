//! What a quick start prints: the device, and what to type next.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Running;
use super::place::OPERATOR_CONFIG;
use super::process::Program;

/// The device that this machine became, as `muster devices --output json` tells it.
#[derive(Debug)]
pub(crate) struct Device(Value);

impl Device {
    /// The connected device whose software has arrived, the one that reported last if there are several.
    pub(super) fn reporting(answer: &str) -> Result<Option<Self>> {
        let answer: Value =
            serde_json::from_str(answer).context("`muster devices --output json` printed no JSON")?;
        let devices = answer.get("devices").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let reporting = devices.iter().filter(|device| {
            let has_software = device.get("softwareCount").and_then(Value::as_u64).unwrap_or(0) > 0;
            let is_connected = device.get("connected").and_then(Value::as_bool).unwrap_or(false);
            has_software && is_connected
        });
        // RFC 3339 in UTC sorts as text.
        let newest = reporting.max_by_key(|device| device.get("lastSeenTime").and_then(Value::as_str));
        Ok(newest.cloned().map(Self))
    }

    /// The id alone, as the command line takes it.
    pub(crate) fn id(&self) -> &str {
        self.text("name").trim_start_matches("devices/")
    }

    fn display_name(&self) -> &str {
        self.text("displayName")
    }

    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn has_flag(&self, code: &str) -> bool {
        let flags = self.0.get("flags").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        flags.iter().any(|flag| flag.get("code").and_then(Value::as_str) == Some(code))
    }

    /// The winning value of a field.
    fn field(&self, name: &str) -> Option<&str> {
        let fields = self.0.get("fields").and_then(Value::as_array)?;
        let field = fields.iter().find(|field| field.get("field").and_then(Value::as_str) == Some(name))?;
        field.get("value").and_then(Value::as_str).filter(|value| !value.is_empty())
    }

    /// The column of a purchase list by which this machine can be named, with its value: a virtual machine often has
    /// no serial number that anybody should believe.
    fn identifier(&self) -> Option<(&'static str, &str)> {
        let columns = ["serial", "uuid", "machine_id", "mac"];
        columns.into_iter().find_map(|column| Some((column, self.field(column)?)))
    }
}

/// Prints the device as `muster device` shows it, and the commands that lead on.
pub(super) fn welcome(running: &Running, took: Duration) -> Result<()> {
    let Running { place, device, enrolled_now, .. } = running;
    let how = if *enrolled_now {
        "enrolled and inventoried"
    } else {
        "known from an earlier run and inventoried again"
    };
    println!("\n{} is {how} in {:.1} s.\n", device.display_name(), took.as_secs_f64());
    print!("{}", Program::Cli.run(place.device_arguments(device.id()), None)?);

    println!("\nType next in another terminal:\n");
    println!("  export MUSTER_CONFIG={}", word(&place.path(OPERATOR_CONFIG)));
    println!("  export PATH={}:$PATH", word(&programs_text()?));
    println!("  muster devices");
    println!("  muster software");
    println!("  muster flags");
    if device.has_flag("unknown")
        && let Some((column, value)) = device.identifier()
    {
        let list = place.path("purchases.csv");
        let text = format!(
            "{column},owner,company,purchase_date,order_number\n{value},IT operations,Example Ltd,2026-01-15,PO-1\n"
        );
        fs::write(&list, text).with_context(|| format!("cannot write {list}"))?;
        println!(
            "\nIt is flagged `unknown`: no purchase record vouches for it. {list} would;\nwithout --apply it is only tried:\n"
        );
        println!("  muster import {} --source purchase --apply", word(&list));
    }
    Ok(())
}

fn programs_text() -> Result<String> {
    let program = Program::Cli.path()?;
    Ok(program.parent().unwrap_or(Path::new(".")).display().to_string())
}

/// A path as one word of a shell.
fn word(path: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-".contains(letter);
    if path.chars().all(is_plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"devices": [
        {"name": "devices/1", "softwareCount": 3, "lastSeenTime": "2026-11-24T08:00:00Z"},
        {"name": "devices/2", "connected": true, "softwareCount": 3, "lastSeenTime": "2026-11-24T08:00:01Z",
         "displayName": "web-1", "flags": [{"code": "unknown"}],
         "fields": [{"field": "serial", "value": ""}, {"field": "machine_id", "value": "abc"}]},
        {"name": "devices/3", "connected": true, "lastSeenTime": "2026-11-24T08:00:02Z"}
    ]}"#;

    #[test]
    fn the_device_that_reports_is_found_among_others() {
        let device = Device::reporting(ANSWER).unwrap().unwrap();
        assert_eq!((device.id(), device.display_name()), ("2", "web-1"));
        assert!(device.has_flag("unknown") && !device.has_flag("stale"));
        assert_eq!(device.identifier(), Some(("machine_id", "abc")));
        assert!(Device::reporting("{}").unwrap().is_none());
        assert!(Device::reporting("no devices").is_err());
    }

    #[test]
    fn paths_are_one_word_of_a_shell() {
        assert_eq!(word("/a/b-c_d.toml"), "/a/b-c_d.toml");
        assert_eq!(word("/a b/it's"), "'/a b/it'\\''s'");
    }
}
