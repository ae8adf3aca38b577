//! `muster-collector token create`: an enrolment token, made on the collector's own machine.
//!
//! Where the collector runs it is asked over its API, by an identity that is made for this one call; else the store is
//! opened. Both lead to the same record.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use muster_common::time::{Clock, SystemClock};

use super::{ConfigArgument, say};
use crate::{
    app::{self, places},
    config,
    registry::Registry,
    registry::token::{NewToken, TokenKind},
    store::StoreError,
    tls::authority,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a token and print it once
    Create(Create),
}

#[derive(Debug, clap::Args)]
struct Create {
    /// For one machine (the default)
    #[arg(long, conflicts_with = "bulk")]
    one_time: bool,
    /// For so many machines
    #[arg(long, value_name = "USES", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    bulk: Option<u32>,
    /// Only for the machine with this system serial number
    #[arg(long, value_name = "SERIAL")]
    serial: Option<String>,
    /// How many hours it is good: 24 unless given, 168 for --bulk
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u64).range(1..=24 * 365))]
    hours: Option<u64>,
    #[command(flatten)]
    config: ConfigArgument,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Action::Create(create) = arguments.action;
    let settings = config::read(&create.config.config)?;
    let authority = authority::load(&settings.data_dir.join(places::AUTHORITY))?;
    let kind = create.bulk.map_or(TokenKind::OneTime, |uses| TokenKind::Bulk { uses });
    let lifetime = create.hours.map(|hours| Duration::from_secs(hours * 3600));
    let wanted = NewToken { kind, bound_serial: create.serial, hold: false, lifetime };
    let string = match app::open_store(&settings).await {
        Ok(store) => {
            let now = SystemClock.now();
            let registry = Registry::new(Arc::clone(&store));
            let (_, string) = registry.create_token(wanted, authority.root_pin(), "console", now).await?;
            store.close().await?;
            string.reveal()
        }
        Err(error) if matches!(error.downcast_ref(), Some(StoreError::Locked { .. })) => {
            crate::api::create_token_over_api(&settings, &authority, wanted)
                .await
                .context("the collector is running, and did not make a token")?
        }
        Err(error) => bail!(error),
    };
    say(string);
    Ok(())
}
