//! `muster-agent export`: a signed report in a file, for a collector that no network leads to.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use muster_common::time::SystemClock;
use muster_proto::private_file;

use crate::{
    config,
    export::{Export, export},
    supervisor::Machine,
};

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The configuration; drop-ins lie in the folder beside it, agent.d for agent.toml
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// Where to write the report: a new file, which nothing replaces
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Reads the machine, writes the file, says what is in it and what to do with it.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let settings = config::read(&arguments.config)?;
    // Before the machine is read, which takes a moment.
    private_file::check_free(&arguments.to)?;
    let machine = Machine::new(&settings, Arc::new(SystemClock));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exported = runtime.block_on(export(&settings, &machine))?;
    private_file::create(&arguments.to, &exported.file)?;
    print(&exported, &arguments.to, out)
}

fn print(export: &Export, path: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let Export { file, agent, sequence, observed, sections, items, left_out } = export;
    let path = path.display();
    writeln!(out, "Wrote {path}: {items} items in {sections} sections, {} bytes.", file.len())?;
    writeln!(out, "  agent   {agent}")?;
    writeln!(out, "  report  {sequence}")?;
    if let Some(observed) = observed {
        writeln!(out, "  read    {observed} by this machine's clock")?;
    }
    for section in left_out {
        writeln!(
            out,
            "  left out, since all together are more than a report may have: {}",
            section.as_str()
        )?;
    }
    writeln!(
        out,
        "Carry it to a machine with access to the collector and run there: muster import agent FILE"
    )?;
    Ok(())
}
