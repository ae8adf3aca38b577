//! `muster-collector serve`: open, listen, say so, drain at SIGTERM or Ctrl-C; SIGHUP reads the charter again.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

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
    let hangups = signal(SignalKind::hangup()).context("SIGHUP can't be watched")?;
    tokio::spawn(read_charter_again(hangups, arguments.config.config.clone(), app.clone(), stop.clone()));
    let bound = Bound::bind(app, settings, stop).await?;
    let addresses = bound.addresses();
    say(format_args!(
        "ready: agents {}, enroll {}, api {}",
        addresses.agents, addresses.enroll, addresses.api
    ));
    bound.serve().await
}

/// At each SIGHUP the configuration's charter comes into force; everything else of it waits for the next start. A
/// configuration that is wrong changes nothing.
async fn read_charter_again(mut hangups: Signal, path: PathBuf, app: Arc<App>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            hangup = hangups.recv() => if hangup.is_none() { return },
        }
        let path = path.clone();
        match tokio::task::spawn_blocking(move || config::read(&path)).await {
            Ok(Ok(settings)) => {
                if app.charters.settings_changed(settings.charter) {
                    tracing::info!("the charter was read again and is in force");
                } else {
                    tracing::warn!(
                        "[charter] in the configuration is not used, since a charter was applied: use muster charter apply"
                    );
                }
            }
            Ok(Err(problems)) => {
                tracing::error!(problems = %problems, "the configuration is wrong; the charter stays as it was");
            }
            Err(error) => tracing::error!(error = %error, "the configuration could not be read again"),
        }
    }
}

fn log_to_stderr(settings: &config::Settings) -> anyhow::Result<()> {
    let filter: Targets = format!("warn,muster_collector={}", settings.log).parse()?;
    let printer = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
    printer.with_writer(std::io::stderr).with_ansi(false).finish().with(filter).init();
    Ok(())
}
