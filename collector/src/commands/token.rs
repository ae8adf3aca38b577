//! `muster-collector token create`: an enrolment token, made on the collector's own machine.
//!
//! Where the collector runs it is asked over its API, by an identity that is made for this one call; else the store is
//! opened. Both lead to the same record.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use muster_common::{
    time::{Clock, SystemClock},
    trust::name::PeerName,
};
use muster_proto::{
    client::{address::Address, channel, tls::session_config},
    v1,
};

use super::{ConfigArgument, init::FIRST_OPERATOR, say};
use crate::{
    app::{self, places},
    config::{self, Settings},
    registry::{
        Registry,
        token::{NewToken, TokenKind},
    },
    store::StoreError,
    tls::{
        authority::{self, Authority},
        client_bundle::ClientBundle,
    },
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
            over_api(&settings, &authority, wanted)
                .await
                .context("the collector is running, and did not make a token")?
        }
        Err(error) => bail!(error),
    };
    say(string);
    Ok(())
}

/// Asks the running collector, as the first operator, with an identity that is made for this one call.
async fn over_api(settings: &Settings, authority: &Authority, wanted: NewToken) -> anyhow::Result<String> {
    let NewToken { kind, bound_serial, hold: _, lifetime } = wanted;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let name = PeerName::Operator(FIRST_OPERATOR.parse().context("the first operator's name")?);
    let bundle = ClientBundle::make(authority, &name, clock.now())?;
    let roots = [authority.root().clone()];
    let config = session_config(&roots, bundle.into_identity()?, clock)?;
    let listen = settings.listen.api;
    let host = if listen.ip().is_unspecified() { IpAddr::from(Ipv4Addr::LOCALHOST) } else { listen.ip() };
    let expected = settings.server_names.first().context("the configuration names no server")?;
    let address = SocketAddr::new(host, listen.port()).to_string().parse::<Address>()?.expecting(expected)?;
    let opened = channel::open(&address, Arc::new(config), channel::Timing::default())?;
    let kind = match kind {
        TokenKind::OneTime => {
            v1::create_token_request::Kind::OneTime(v1::OneTime { serial: bound_serial.unwrap_or_default() })
        }
        TokenKind::Bulk { uses } => v1::create_token_request::Kind::Bulk(v1::Bulk { uses }),
    };
    let lifetime = lifetime.map(prost_types::Duration::try_from).transpose()?;
    let request = v1::CreateTokenRequest { kind: Some(kind), lifetime };
    let answer = v1::admin_client::AdminClient::new(opened.channel).create_token(request).await?;
    Ok(answer.into_inner().enrolment_string)
}
