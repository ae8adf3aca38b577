//! `muster-collector operator NAME`: the identity of a person who uses the command line, made or renewed.
//!
//! Needs the authority's files and not the store, so it works while the collector runs; a role is another matter.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use muster_common::{
    time::{Clock, SystemClock, Timestamp},
    trust::name::{PeerName, ShortName},
};

use super::{ConfigArgument, init::FIRST_OPERATOR, say};
use crate::{
    app::{self, places},
    config::{self, Settings},
    registry::{Registry, Role},
    tls::{
        authority::{self, Authority},
        client_bundle::ClientBundle,
    },
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Short name: lower-case letters, digits, hyphens
    name: ShortName,
    /// What it may do; needs the collector stopped, since it changes the registry
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Role>,
    /// Of a custodian: a department that it answers for, with all below it, such as "Sales" or "Sales/EMEA"; again for
    /// each.
    #[arg(long = "department", value_name = "DEPARTMENT", requires = "roles")]
    departments: Vec<String>,
    /// Where key, certificate, roots and config.toml go
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgument,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { name, roles, departments, folder, config } = arguments;
    let settings = config::read(&config.config)?;
    let authority = authority::load(&settings.data_dir.join(places::AUTHORITY))?;
    let now = SystemClock.now();
    if !roles.is_empty() {
        let store = app::open_store(&settings)
            .await
            .context("a role is given while the collector is stopped: stop it, try again, start it")?;
        Registry::new(Arc::clone(&store)).set_operator(&name, &roles, &departments, "operator", now).await?;
        store.close().await?;
    }
    let folder = folder.unwrap_or_else(|| {
        if name.as_str() == FIRST_OPERATOR {
            settings.data_dir.join(places::OPERATOR)
        } else {
            settings.data_dir.join(places::OPERATORS).join(name.as_str())
        }
    });
    let end = write_bundle(&authority, &settings, &name, &folder, now)?;
    say(format_args!("Identity of operator {} in {}, good until {end}", name.as_str(), folder.display()));
    say(format_args!("Next: muster --config {} devices", folder.join(CONFIG_FILE).display()));
    Ok(())
}

const CONFIG_FILE: &str = "config.toml";

/// Writes key, certificate, roots and a configuration for `muster`; returns the certificate's end.
pub(super) fn write_bundle(
    authority: &Authority,
    settings: &Settings,
    name: &ShortName,
    folder: &Path,
    now: Timestamp,
) -> anyhow::Result<Timestamp> {
    let bundle = ClientBundle::make(authority, &PeerName::Operator(name.clone()), now)?;
    if let Some(parent) = folder.parent() {
        muster_proto::private_file::make_folder(parent)?;
    }
    bundle.write(folder)?;
    let host = settings.server_names.first().map_or("localhost", String::as_str);
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let address = format!("{host}:{}", settings.listen.api.port());
    let text = format!("address = {address:?}\n");
    let path = folder.join(CONFIG_FILE);
    fs::write(&path, text).with_context(|| format!("{} can't be written", path.display()))?;
    Ok(bundle.validity().not_after)
}
