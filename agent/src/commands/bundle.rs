//! `muster-agent bundle`: a redacted recording of this machine, as one file for a bug report.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use muster_common::time::{Clock, EndpointTime, SystemClock};

use crate::{
    bundle::{self, Summary},
    commands::recorded,
    host::{Host, LiveHost},
    permissions::{Permissions, permitted},
    sources::{SOURCES, Source},
};

/// Left-out files that are named one by one.
const NAMED: usize = 20;

/// Arguments of `bundle`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Record this recorded machine (a folder, or a bundle) and not the one that runs
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Record also what tells of people: logins, what is installed for one user alone. Without it their homes are not
    /// looked into
    #[arg(long)]
    personal: bool,
    /// The file to write, .tar or .tar.zst; one that exists is never overwritten
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Records, redacts, writes and says what was done.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let host: Box<dyn Host> = match &arguments.root {
        // Certificates stand beside keys; neither is ever recorded.
        Some(path) => recorded(path, Vec::new())?,
        None => Box::new(LiveHost::open().context("cannot read this machine")?),
    };
    let permissions = if arguments.personal { Permissions::everything() } else { Permissions::default() };
    let sources = permitted(SOURCES, &permissions);
    let path = arguments.output.clone().unwrap_or_else(|| {
        let now = EndpointTime::from_millis(SystemClock.now().as_millis()).to_string();
        let digits = now.chars().take_while(|sign| *sign != '.').filter(char::is_ascii_digit);
        PathBuf::from(format!("muster-bundle-{}.tar.zst", digits.collect::<String>()))
    });
    let summary = bundle::bundle(host.as_ref(), &sources, &path)?;
    let not_run = SOURCES.iter().filter(|source| !sources.iter().any(|one| one.name() == source.name()));
    let not_run: Vec<&str> = not_run.map(|source| Source::name(*source)).collect();
    out.write_all(told(&summary, &path, &not_run).as_bytes())?;
    Ok(())
}

fn told(summary: &Summary, path: &Path, not_run: &[&str]) -> String {
    let Summary { files, content_bytes, bundle_bytes, replaced, left_out, dropped } = summary;
    let shown = path.display();
    let mut lines = vec![
        format!("Wrote {shown}: {files} files, {content_bytes} bytes, packed into {bundle_bytes}."),
        String::new(),
        "Replaced by made-up values of the same form, with a key that was not kept:".to_owned(),
    ];
    lines.extend(replaced.iter().map(|(words, count)| format!("  {count:>7}  {words}")));
    if replaced.is_empty() {
        lines.push("  nothing".to_owned());
    }
    if !left_out.is_empty() {
        lines.push(String::new());
        lines.push(
            "Read, and left out because no rule says what may be shown of them, or for their size:"
                .to_owned(),
        );
        lines.extend(left_out.iter().take(NAMED).map(|path| format!("  {path}")));
        if left_out.len() > NAMED {
            lines.push(format!("  and {} more", left_out.len() - NAMED));
        }
    }
    if *dropped > 0 {
        lines.push(format!("{dropped} more paths were left out: a bundle has a bound."));
    }
    if !not_run.is_empty() {
        lines.push(String::new());
        lines.push(format!("Not read without --personal: {}.", not_run.join(", ")));
    }
    lines.extend([
        String::new(),
        "Names and versions of software, models of devices, names of units, open ports, time zone and times are in it."
            .to_owned(),
        format!("Look at it before you send it: tar -xf {shown} -C SOME_FOLDER, then read the files there."),
        format!("What an inventory of it says: muster-agent collect --root {shown}"),
    ]);
    lines.join("\n") + "\n"
}
