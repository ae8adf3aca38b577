//! The proof that the interface is plain gRPC: the Python of docs/clients against a collector of its own.
//!
//! Knows nothing of the schema beyond its files' names. Needs python3 with venv, and pip's package index once.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::quickstart::{self, Running};
use crate::root;
use crate::steps::{output_of, shown};

/// Pinned, so that the proof fails for our reasons alone.
const PACKAGES: [&str; 2] = ["grpcio==1.76.0", "grpcio-tools==1.76.0"];
const SCHEMAS: [&str; 2] = ["muster/v1/inventory.proto", "muster/v1/query.proto"];

pub(super) fn run(words: &[String]) -> Result<()> {
    if !words.is_empty() {
        bail!("the proof takes no options");
    }
    let python = environment()?;
    let generated = generate(&python)?;
    quickstart::build()?;

    let folder = env::temp_dir().join(format!("muster-python-{}", std::process::id()));
    let running = Running::start(&folder, &*quickstart::stop_signal()?)?;
    let list = |filter: &str, folder: &Path| {
        let script = root().join("docs/clients/list_devices.py");
        let mut command = Command::new(&python);
        command.env("PYTHONPATH", &generated).arg(script).arg(running.api_address()).arg(folder).arg(filter);
        output_of(&mut command)
    };
    let listed = list("", &running.operator_folder());
    let unknown = list("flag:unknown", &running.operator_folder());
    let id = running.device().id().to_owned();
    running.drain()?;
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;

    let listed = listed?;
    print!("{listed}");
    ensure!(
        listed.lines().count() == 1,
        "one device is enrolled, the client lists {}",
        listed.lines().count()
    );
    ensure!(listed.contains(&id), "the client doesn't list {id}");
    ensure!(unknown? == listed, "the filter flag:unknown finds another list");
    Ok(())
}

/// A Python with the gRPC packages, made once under target/.
fn environment() -> Result<PathBuf> {
    let folder = root().join("target/python");
    let python = folder.join("bin/python");
    let mark = folder.join(PACKAGES.join("+"));
    if !mark.exists() {
        shown(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        shown(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
        fs::write(&mark, "")?;
    }
    Ok(python)
}

/// Generates the client's half of the schema.
fn generate(python: &Path) -> Result<PathBuf> {
    let out = root().join("target/python/generated");
    fs::create_dir_all(&out)?;
    let mut command = Command::new(python);
    command.args(["-m", "grpc_tools.protoc", "-I"]).arg(root().join("proto/schema"));
    for option in ["--python_out", "--grpc_python_out"] {
        command.arg(format!("{option}={}", out.display()));
    }
    shown(command.args(SCHEMAS))?;
    Ok(out)
}
