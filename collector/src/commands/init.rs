//! `muster-collector init`: from nothing to a collector that can be started.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use muster_common::{
    time::{Clock, SystemClock},
    trust::name::{ShortName, TrustDomain},
};
use muster_proto::private_file;
use rustls::pki_types::ServerName;

use super::{operator, say};
use crate::{
    app::{self, places},
    config,
    privacy::Vault,
    registry::{Registry, Role},
    tls::authority,
};

/// The name of the first operator.
pub(super) const FIRST_OPERATOR: &str = "admin";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Name or address by which agents and people reach this collector; may be given several times
    #[arg(long = "name", required = true, value_name = "NAME")]
    names: Vec<String>,
    /// The organisation's name in every certificate, for ever; like a DNS name, need not resolve
    #[arg(long, default_value = "muster.internal")]
    trust_domain: TrustDomain,
    /// Folder of authority, journal and view
    #[arg(long, default_value = "/var/lib/muster-collector", value_name = "DIR")]
    data: PathBuf,
    /// Configuration file to write; one that exists is kept
    #[arg(long, default_value = config::DEFAULT_PATH, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { names, trust_domain, data, config } = arguments;
    let servers = names
        .iter()
        .map(|name| ServerName::try_from(name.clone()))
        .collect::<Result<Vec<_>, _>>()
        .context("a --name is neither a DNS name nor an IP address")?;
    private_file::make_folder(&data)?;
    let data = data.canonicalize().with_context(|| format!("{} can't be opened", data.display()))?;
    write_config(&config, &data, &trust_domain, &names)?;
    let settings = config::read(&config)?;
    if settings.data_dir != data || settings.trust_domain != trust_domain {
        bail!(
            "{} is there already and says data_dir = {:?}, trust_domain = {:?}: give the same here, or another --config",
            config.display(),
            settings.data_dir.display().to_string(),
            settings.trust_domain.to_string(),
        );
    }
    let now = SystemClock.now();
    let authority = authority::init(&data.join(places::AUTHORITY), &trust_domain, &servers, now)?;
    Vault::open(&data.join(places::VAULT))?;
    let store = app::open_store(&settings).await?;
    let admin: ShortName = FIRST_OPERATOR.parse().context("the first operator's name")?;
    Registry::new(Arc::clone(&store)).set_operator(&admin, &[Role::Admin], &[], "init", now).await?;
    store.close().await?;
    let folder = data.join(places::OPERATOR);
    operator::write_bundle(&authority, &settings, &admin, &folder, now)?;

    say(format_args!("Authority of {trust_domain} made in {}", data.join(places::AUTHORITY).display()));
    say(format_args!("Configuration              {}", config.display()));
    say(format_args!("First operator             {FIRST_OPERATOR}, in {}", folder.display()));
    say("");
    say(format_args!("Next: muster-collector serve --config {}", config.display()));
    Ok(())
}

fn write_config(
    path: &Path,
    data: &Path,
    trust_domain: &TrustDomain,
    names: &[String],
) -> anyhow::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
    let table = toml::toml! {
        data_dir = (data.display().to_string())
        trust_domain = (trust_domain.to_string())
        server_names = (names.to_vec())
    };
    let text = format!("# Written by muster-collector init. Every other setting has its default.\n{table}");
    // Synced, since what init says is made must be there after a power cut; an empty file would start nothing.
    File::create(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| File::open(folder)?.sync_all())
        .with_context(|| format!("{} can't be written", path.display()))
}
