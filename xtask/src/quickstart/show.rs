//! What a quick start prints: the device, and what to type next.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::place::Place;
use super::process::Program;

/// The device that this machine became.
pub(super) struct Device {
    id: String,
    hostname: String,
    flags: Vec<String>,
}

impl Device {
    /// The device in the answer of `muster devices --output json` once its software has arrived.
    pub(super) fn newest(answer: &str) -> Result<Option<Self>> {
        let answer: Value =
            serde_json::from_str(answer).context("`muster devices --output json` printed no JSON")?;
        Ok(answer.get(0).map(|device| Self {
            id: text(device, "id"),
            hostname: text(device, "hostname"),
            flags: Vec::new(),
        }))
    }
}

fn text(device: &Value, key: &str) -> String {
    device.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Prints the device as `muster device` shows it, and the commands that lead on.
pub(super) fn welcome(place: &Place, device: &Device, enrolled_now: bool, took: Duration) -> Result<()> {
    let how = if enrolled_now {
        "enrolled and inventoried"
    } else {
        "known from an earlier run, inventoried again"
    };
    println!("\n{} is {how} in {:.1} s.\n", device.hostname, took.as_secs_f64());
    print!("{}", Program::Cli.run(place.device_arguments(&device.id), None)?);
    if device.flags.iter().any(|flag| flag == "unknown") {
        println!("\nIt is flagged `unknown` because no purchase record vouches for it yet.");
    }
    Ok(())
}
