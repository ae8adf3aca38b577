//! `muster-collector serve`: open, listen, say so, drain at SIGTERM or Ctrl-C.

use std::sync::Arc;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{ConfigArgument, say};
use crate::{app::App, config, server::Bound};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let settings = config::read(&arguments.config.config)?;
    log_to_stderr(&settings)?;
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM can't be watched")?;
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        stopping.cancel();
    });
    let app = Arc::new(App::open(&settings).await?);
    let bound = Bound::bind(app, settings, stop).await?;
    let addresses = bound.addresses();
    say(format_args!(
        "ready: agents {}, enroll {}, api {}",
        addresses.agents, addresses.enroll, addresses.api
    ));
    bound.serve().await
}

fn log_to_stderr(settings: &config::Settings) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(format!("warn,muster_collector={}", settings.log))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    Ok(())
}
