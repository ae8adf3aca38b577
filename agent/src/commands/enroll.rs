//! `muster-agent enroll`: gets this machine's certificate from a collector.
//!
//! The enrolment string comes from a file or from standard input, never from the command line, which every user of the
//! machine can read.

use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;
use muster_common::{
    time::{Clock, SystemClock},
    trust::token::{EnrollmentString, MAX_TEXT_BYTES},
};
use zeroize::Zeroizing;

use crate::{
    config::{self, Settings},
    credentials::{
        clock::JudgingClock,
        files::{CredentialFiles, Slot, delete_token, read_token},
        identity::Identity,
    },
    enroll::{Enrolled, Enroller},
    supervisor::{Machine, StateLock},
};

/// Arguments of `enroll`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The configuration; drop-ins lie in the folder beside it, agent.d for agent.toml
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    /// File with the enrolment string, or - for standard input; deleted once it is used. Unless given, token_file of
    /// the configuration
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Enrol anew although this machine has an identity already; stop the service first
    #[arg(long)]
    again: bool,
    /// If an operator has to approve this machine, don't wait for it
    #[arg(long)]
    no_wait: bool,
}

/// An operator has to approve this machine first.
#[derive(Debug, thiserror::Error)]
#[error(
    "an operator of the collector has to approve this machine; run the same again in {} s with the same enrolment string",
    .retry_after.as_secs()
)]
pub(crate) struct NotApproved {
    retry_after: Duration,
}

/// Enrols; prints who this machine is now.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let settings = config::read(&arguments.config)?;
    let files = CredentialFiles::open(&settings.state_dir)?;
    if let Some(identity) = files.load(Slot::Current)?
        && !arguments.again
    {
        writeln!(out, "This machine is enrolled already.")?;
        print(&identity, &settings, out)?;
        writeln!(out, "To enrol it anew, stop the service and add --again.")?;
        return Ok(());
    }
    let _lock = StateLock::take(&settings.state_dir)?;
    let source = arguments.token_file.as_deref().or(settings.token_file.as_deref());
    let Some(source) = source else {
        bail!("give the enrolment string by --token-file FILE, or by --token-file - on standard input");
    };
    let token = if source == Path::new("-") { from_standard_input()? } else { read_token(source)? };

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let identity = runtime.block_on(enrol(&settings, &files, &token, arguments.no_wait, out))?;

    if source != Path::new("-") {
        delete_token(source).context("enrolled, but the used enrolment string can't be deleted")?;
    }
    writeln!(out, "This machine is enrolled.")?;
    print(&identity, &settings, out)
}

async fn enrol(
    settings: &Settings,
    files: &CredentialFiles,
    token: &EnrollmentString,
    no_wait: bool,
    out: &mut dyn Write,
) -> anyhow::Result<Identity> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let read = Machine::new(settings, clock.clone()).read().await?;
    let enroller = Enroller {
        address: settings.collector.enroll.clone(),
        way: settings.proxying.way_to(&settings.collector.enroll),
        clock: Arc::new(JudgingClock::new(clock)),
        files: files.clone(),
        evidence: read.inventory.evidence.clone(),
    };
    loop {
        match enroller.attempt(token).await? {
            Enrolled::Now(identity) => return Ok(*identity),
            Enrolled::Pending(retry_after) if no_wait => return Err(NotApproved { retry_after }.into()),
            Enrolled::Pending(retry_after) => {
                writeln!(
                    out,
                    "An operator of the collector has to approve this machine; asking again in {} s.",
                    retry_after.as_secs()
                )?;
                out.flush()?;
                tokio::time::sleep(retry_after).await;
            }
        }
    }
}

fn from_standard_input() -> anyhow::Result<EnrollmentString> {
    let mut text = Zeroizing::new(String::new());
    let limit = MAX_TEXT_BYTES as u64 * 4;
    io::stdin().lock().take(limit).read_to_string(&mut text).context("cannot read standard input")?;
    if text.trim().is_empty() {
        bail!("standard input is empty, expected the enrolment string of muster-collector token create");
    }
    Ok(text.parse()?)
}

fn print(identity: &Identity, settings: &Settings, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "  agent        {}", identity.agent_id)?;
    writeln!(out, "  device       {}", identity.device_id)?;
    writeln!(out, "  collector    {}", settings.collector.session)?;
    writeln!(out, "  certificate  until {}", identity.lifetime().not_after)?;
    Ok(())
}
