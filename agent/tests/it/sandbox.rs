//! No source runs a program: the whole command line under a filter that kills the process if it tries. And the
//! service shuts itself in.

use std::{
    collections::BTreeSet,
    env, fs,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, Output},
};

use muster_agent::sources::SOURCES;
use muster_common::inventory::SectionName;

/// The signal of a forbidden system call.
const SIGSYS: i32 = 31;

/// Runs the example under the filter.
fn sandboxed(arguments: &[&str]) -> Output {
    example("collect_sandboxed", arguments)
}

/// Runs an example, which lies beside the folder of this test.
fn example(name: &str, arguments: &[&str]) -> Output {
    let test = env::current_exe().unwrap();
    let built: PathBuf = test.parent().unwrap().parent().unwrap().join("examples").join(name);
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

#[test]
fn the_service_forbids_itself_to_write_elsewhere_and_to_start_programs() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::write(folder.path().join("existing"), "as it was").unwrap();
    let output = example("shut_in", &[state.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let check = |tries: &[&str], expected: &str| {
        for what in tries {
            assert!(text.contains(&format!("{what}: {expected}\n")), "{what} is not {expected}:\n{text}");
        }
    };
    check(&["write in the state folder", "rename in the state folder", "remove in the state folder"], "done");
    check(&["read elsewhere", "list processes", "start a thread"], "done");
    if text.contains("calls: not in force") {
        println!("skipped: this kernel has no filter of system calls");
    } else {
        check(&["start a program"], "PermissionDenied");
    }
    if text.contains("files: not in force") {
        println!("skipped: this kernel has no landlock");
        return;
    }
    check(
        &["write elsewhere", "overwrite elsewhere", "remove elsewhere", "write elsewhere from a thread"],
        "PermissionDenied",
    );
    if !text.contains("older landlock") {
        check(&["listen"], "PermissionDenied");
    }
    assert_eq!(fs::read_to_string(folder.path().join("existing")).unwrap(), "as it was");
}
