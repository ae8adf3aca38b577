//! The units that are shipped keep their programs in a narrow sandbox, by systemd's own judgement.

use std::{path::Path, process::Command};

/// systemd's score in tenths, from 0 (closed) to 100 (open); each unit may have this much and no more.
const LIMITS: &[(&str, u32)] = &[("muster-agent.service", 20), ("muster-collector.service", 15)];

/// Whether systemd finds the unit's exposure at or under the limit; none where there is no systemd to ask.
fn is_within(unit: &Path, limit: u32) -> Option<bool> {
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=yes", "--no-pager", &format!("--threshold={limit}")])
        .arg(unit)
        .output()
        .ok()?;
    // Versions before 250 can't judge a file; they say so on standard error and print no table.
    String::from_utf8_lossy(&output.stdout)
        .contains("Overall exposure level")
        .then_some(output.status.success())
}

#[test]
fn units_are_as_closed_as_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd");
    for (unit, limit) in LIMITS {
        match is_within(&folder.join(unit), *limit) {
            None => println!("skipped: no systemd-analyze here that judges files"),
            Some(within) => {
                assert!(within, "{unit} is more exposed than {limit} tenths; see systemd-analyze security")
            }
        }
    }
}

#[test]
fn an_open_unit_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("open.service");
    std::fs::write(&unit, "[Service]\nExecStart=/bin/true\n").unwrap();
    assert_ne!(is_within(&unit, 20), Some(true));
}
