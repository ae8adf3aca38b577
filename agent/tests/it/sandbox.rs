//! No source runs a program: the whole command line under a filter that kills the process if it tries.

use std::{
    collections::BTreeSet,
    env,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, Output},
};

use muster_agent::sources::SOURCES;
use muster_common::inventory::SectionName;

/// The signal of a forbidden system call.
const SIGSYS: i32 = 31;

/// Runs the example, which lies beside the folder of this test.
fn sandboxed(arguments: &[&str]) -> Output {
    let test = env::current_exe().unwrap();
    let built: PathBuf = test.parent().unwrap().parent().unwrap().join("examples/collect_sandboxed");
    let output = Command::new(&built).args(arguments).output();
    output.unwrap_or_else(|error| panic!("{}: {error} (cargo test builds it)", built.display()))
}

#[test]
fn collect_starts_no_program() {
    let output = sandboxed(&["collect", "--output", "json"]);
    assert!(output.status.success(), "{} {}", output.status, String::from_utf8_lossy(&output.stderr));
    let inventory: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let sections = inventory["sections"].as_array().unwrap();
    let names: Vec<_> = sections.iter().map(|section| section["name"].as_str().unwrap()).collect();
    let all = SOURCES.iter().filter(|source| source.personal().is_none()).map(|source| source.section());
    let all: BTreeSet<_> = all.collect();
    assert_eq!(names, all.iter().map(SectionName::as_str).collect::<Vec<_>>());
    let text = sandboxed(&["collect"]);
    assert!(text.status.success());
    assert!(String::from_utf8(text.stdout).unwrap().starts_with("Machine\n"));
}

#[test]
fn the_filter_would_have_noticed() {
    let output = sandboxed(&["--try-fork"]);
    assert_eq!(
        output.status.signal(),
        Some(SIGSYS),
        "{} {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}
