//! A small seeded sample of `cargo xtask prove durability`: the collector is killed three times under twenty machines.

use std::{path::Path, process::Command};

#[test]
fn what_was_acknowledged_survives_three_kills() {
    let xtask = Path::new(env!("CARGO_BIN_EXE_xtask"));
    let programs = ["muster-collector", "muster-agent", "muster-bench"];
    if let Some(missing) = programs.iter().find(|name| !xtask.with_file_name(name).is_file()) {
        println!("skipped: {missing} isn't built; cargo build --workspace --bins");
        return;
    }
    let none = ["--power-losses", "0", "--agent-kills", "1"];
    let some = ["--kills", "3", "--damaged-views", "1", "--devices", "20", "--seed", "7"];
    let output = Command::new(xtask)
        .args(["prove", "durability", "--at-hand"])
        .args(some)
        .args(none)
        .output()
        .unwrap();
    let (printed, complaint) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}{complaint}");
    let row = printed.lines().find(|line| line.starts_with("kill -9 of the collector")).unwrap();
    let figures: Vec<u64> = row.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [3, acknowledged, 0, 0] = *figures.as_slice() else { panic!("{row}") };
    assert!(acknowledged > 20, "{row}");
}
