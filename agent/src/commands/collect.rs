//! `muster-agent collect`: one inventory, printed; no collector and no configuration. Nothing is sent anywhere, except
//! that in a cloud its metadata service is asked as the service asks it.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use muster_common::{
    inventory::Usage,
    time::{Clock, EndpointTime, SystemClock},
};
use muster_proto::{json, v1};

use crate::{
    collect,
    commands::{recorded, summary},
    config,
    host::{Host, LiveHost},
    permissions::{Permissions, permitted},
    sources::{SOURCES, USUAL_CERTIFICATE_FOLDERS},
    usage,
};

/// Arguments of `collect`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Read this folder as the root of a machine's file system, and nothing outside it; or a bundle of `muster-agent
    /// bundle`
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Also read what tells of people: usage, logins, what is installed for one user alone, neighbours. Nothing leaves
    /// this machine; whether the service may tell any of it is another matter: see status --leaves
    #[arg(long)]
    personal: bool,
    /// Also read certificates in the folders where servers usually have them
    #[arg(long)]
    certificates: bool,
    /// How to print: text for people, json as muster.v1.Inventory in canonical proto3 JSON
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Collects and prints.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let usual = USUAL_CERTIFICATE_FOLDERS.iter().filter(|_| arguments.certificates);
    let folders: Vec<String> = usual.map(|folder| (*folder).to_owned()).collect();
    let (host, now): (Box<dyn Host>, _) = match &arguments.root {
        Some(path) => (recorded(path, folders)?, None),
        None => {
            let uses = if arguments.personal { uses_that_the_service_found() } else { None };
            let host = LiveHost::open()
                .context("cannot read this machine")?
                .with_uses(uses)
                .with_certificate_folders(folders);
            (Box::new(host), Some(EndpointTime::from_millis(SystemClock.now().as_millis())))
        }
    };
    let permissions = if arguments.personal { Permissions::everything() } else { Permissions::default() };
    let inventory = collect::collect(host.as_ref(), &permitted(SOURCES, &permissions), now);
    match arguments.output {
        Output::Text => out.write_all(summary::summary(&inventory).as_bytes())?,
        Output::Json => writeln!(out, "{}", json::inventory(&v1::Inventory::from(&inventory)))?,
    }
    Ok(())
}

/// Whoever may read the service's state sees the use of applications too.
fn uses_that_the_service_found() -> Option<Arc<[Usage]>> {
    let settings = config::read(Path::new(config::DEFAULT_PATH));
    usage::kept(settings.as_ref().map_or(Path::new(config::DEFAULT_STATE), |settings| &settings.state_dir))
}
