//! `muster-agent`'s own command line under a filter that kills the process when it starts another one.
//!
//! Knows nothing of inventories. A test runs it with `collect`, to show that no source runs a program, and with
//! `--try-fork`, to show that the filter would have noticed.

use std::{env, process::Command};

use anyhow::Context;
use seccompiler::{BpfProgram, TargetArch};

/// A new thread shares memory and thread group; anything else that `clone` makes is a process.
const FILTER: &str = r#"{
  "main": {
    "mismatch_action": "allow",
    "match_action": "kill_process",
    "filter": [
      { "syscall": "execve" },
      { "syscall": "execveat" },
      FORKS
      { "syscall": "clone3" },
      { "syscall": "clone",
        "args": [ { "index": 0, "type": "dword", "op": { "masked_eq": 65536 }, "val": 0 } ] }
    ]
  }
}"#;

fn main() -> anyhow::Result<()> {
    // Newer architectures have no call but clone for these.
    let forks =
        if cfg!(target_arch = "x86_64") { r#"{ "syscall": "fork" }, { "syscall": "vfork" },"# } else { "" };
    let architecture = TargetArch::try_from(env::consts::ARCH)?;
    let filter = FILTER.replace("FORKS", forks);
    let programs = seccompiler::compile_from_json(filter.as_bytes(), architecture)?;
    let program: &BpfProgram = programs.get("main").context("the filter has one program")?;
    seccompiler::apply_filter_all_threads(program)?;

    if env::args().nth(1).as_deref() == Some("--try-fork") {
        let status = Command::new("/bin/true").status()?;
        anyhow::bail!("a program ran in spite of the filter: {status}");
    }
    muster_agent::cli::run()
}
