//! The collector's parts, put together from its settings: what every listener and task works on.

use std::sync::Arc;

use anyhow::Context;
use arc_swap::ArcSwap;
use muster_common::{
    governance::Charter,
    time::{Clock, SystemClock},
};

use crate::{
    actions::charters::Charters,
    audit::{
        AuditLog, Signer,
        heads::{Found, Heads},
    },
    config::{Backend, Settings},
    index::Index,
    pipeline::{Pipeline, presence::Presence},
    privacy::{Vault, evidence::EvidenceFiles},
    registry::{Persons, Registry},
    store::{
        Store, Unavailable,
        embedded::{EmbeddedOptions, EmbeddedStore},
        memory::MemoryStore,
    },
    tls::authority::{self, Authority},
};

/// Where things lie below the data folder.
pub mod places {
    /// Root and issuing authorities.
    pub const AUTHORITY: &str = "authority";
    /// Journal and view.
    pub const STORE: &str = "store";
    /// Keys of persons.
    pub const VAULT: &str = "vault";
    /// Files that prove something, sealed.
    pub const EVIDENCE: &str = "evidence";
    /// Identity of the first operator.
    pub const OPERATOR: &str = "operator";
    /// Identities of further ones, a folder each.
    pub const OPERATORS: &str = "operators";
}

/// The parts.
#[derive(Debug)]
pub struct App {
    /// Root and issuing authorities.
    pub authority: Arc<Authority>,
    /// What is kept.
    pub store: Arc<dyn Store>,
    /// What is asked.
    pub index: Arc<Index>,
    /// The only way to change what is known of devices.
    pub pipeline: Arc<Pipeline>,
    /// Identities, tokens and accounts.
    pub registry: Arc<Registry>,
    /// Versions of the charter.
    pub charters: Arc<Charters>,
    /// Persons, whose values lie under keys of their own.
    pub persons: Persons,
    /// The audit log.
    pub audit: Arc<AuditLog>,
    /// Where its heads go.
    pub heads: Arc<Heads>,
    /// Files that prove something of assets.
    pub evidence: EvidenceFiles,
    /// The collector's clock.
    pub clock: Arc<dyn Clock>,
}

impl App {
    /// Whether the disk failed to keep something: then only a new start, from what is on disk, knows what was kept.
    pub(crate) fn has_failed_disk(&self) -> bool {
        matches!(self.store.health(), Err(Unavailable::DiskFailed))
    }

    /// Opens everything and brings the index up to the store.
    ///
    /// # Errors
    /// What could not be opened, and what to do about it.
    pub async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let data = &settings.data_dir;
        let authority = authority::load(&data.join(places::AUTHORITY)).with_context(|| {
            format!("{} holds no authority; muster-collector init makes one", data.display())
        })?;
        let store = open_store(settings).await?;
        let vault = Vault::open(&data.join(places::VAULT)).context("the keys of persons can't be opened")?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let signer = Signer::open(&data.join(places::AUTHORITY), authority.trust_domain().clone())
            .context("heads of the audit log can't be signed")?;
        let audit = Arc::new(AuditLog::new(store.clone(), signer, clock.clone()));
        let heads = Heads::open(audit.clone(), settings.audit.clone())
            .context("the audit log's heads have nowhere to go")?;
        match heads.check().await.context("the last head of the audit log can't be compared")? {
            Found::Nothing | Found::Agrees => {}
            Found::Contradicts(what) => tracing::error!(
                what,
                "the audit log is not the one whose head was kept; run muster audit verify, and see docs/audit.md"
            ),
        }
        tracing::info!(audit.key = audit.key_text(), "heads of the audit log are signed with this key");
        let (index, presence) = (Arc::new(Index::new()), Arc::new(Presence::default()));
        let charter = Arc::new(ArcSwap::from_pointee(settings.charter.clone()));
        let pipeline =
            Arc::new(Pipeline::new(store.clone(), index.clone(), presence, charter.clone(), clock.clone()));
        let registry = Arc::new(Registry::under(store.clone(), charter));
        let vault = Arc::new(vault);
        let evidence = EvidenceFiles::new(data.join(places::EVIDENCE), vault.clone());
        let persons = Persons::new(store.clone(), vault);
        let staff = persons.load().await.context("the keys of erased persons can't be destroyed again")?;
        pipeline.set_persons(staff);
        registry.load().await.context("the accounts can't be read")?;
        let charters = Arc::new(Charters::new(pipeline.clone(), registry.clone()));
        let version = charters.load().await.context("the charter in force can't be read")?;
        if version > 0 && settings.charter != Charter::default() {
            tracing::warn!(
                charter.version = version,
                "[charter] in the configuration is not used, since a charter was applied: remove it there"
            );
        }
        let started = std::time::Instant::now();
        let devices = pipeline.load().await.context("the index can't be built from the store")?;
        tracing::info!(
            devices,
            duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "index built"
        );
        charters.load_exceptions().await.context("the exceptions can't be read")?;
        Ok(Self {
            authority: Arc::new(authority),
            store,
            index,
            pipeline,
            registry,
            charters,
            persons,
            evidence,
            audit,
            heads: Arc::new(heads),
            clock,
        })
    }

    /// Keeps what is only in memory and lets go of every file.
    ///
    /// # Errors
    /// When the last presence or the store's end could not be kept; the next start takes longer then.
    pub async fn close(&self) -> anyhow::Result<()> {
        self.pipeline.presence().flush(self.store.as_ref()).await?;
        if let Err(error) = self.heads.send().await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the audit log's last head did not get out"
            );
        }
        self.pipeline.sightings().flush(self.store.as_ref()).await?;
        self.store.close().await?;
        Ok(())
    }
}

/// Opens the store that the settings name.
///
/// # Errors
/// When another collector has it, or it can't be read.
pub async fn open_store(settings: &Settings) -> anyhow::Result<Arc<dyn Store>> {
    match settings.store.backend {
        Backend::Memory => Ok(Arc::new(MemoryStore::default())),
        Backend::Embedded => open_embedded(settings).await,
    }
}

async fn open_embedded(settings: &Settings) -> anyhow::Result<Arc<dyn Store>> {
    let options = EmbeddedOptions {
        cache_bytes: settings.store.cache_bytes,
        ..EmbeddedOptions::new(settings.data_dir.join(places::STORE))
    };
    let store = EmbeddedStore::open(options).await?;
    Ok(Arc::new(store))
}
