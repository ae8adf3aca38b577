//! A collector in memory, for one look at a folder of exports: the same road, the same rules, and nothing is kept.
//!
//! What `muster assess` says of a folder is what a collector would say after importing it, since it is one. Names of
//! persons lie sealed under a vault in the folder that the caller gives, which is to be removed afterwards.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use arc_swap::ArcSwap;
use muster_common::{
    chain::Chain,
    governance::Charter,
    time::{Clock, SystemClock},
};
use muster_proto::v1;

use crate::{
    actions::import::Importer,
    import::{
        self, Recognised,
        service::{self, ServiceError},
    },
    index::Index,
    pipeline::{Pipeline, presence::Presence},
    privacy::{Vault, VaultError},
    query::{Query, View},
    registry::{Persons, Sight},
    store::memory::MemoryStore,
};

/// Who takes the files in, in histories that nobody keeps.
const ACTOR: &str = "assess";

/// Why a file was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// It looks like none of the formats.
    #[error("it looks like none of the formats that can be imported")]
    NotRecognised,
    /// Its format could not read it, or its rows could not be kept.
    #[error("{format}: {}", Chain(.source))]
    Failed {
        /// What it was taken for.
        format: &'static str,
        /// Why not.
        #[source]
        source: ServiceError,
    },
}

/// A file that was taken in.
#[derive(Debug)]
pub struct Taken {
    /// What it was taken for, and why.
    pub format: Recognised,
    /// The name under which its claims stand.
    pub source: String,
    /// What became of its rows.
    pub report: v1::ImportResponse,
}

/// The collector.
#[derive(Debug)]
pub struct Assessment {
    importer: Importer,
    query: Query,
    /// How often each source's name was given.
    sources: BTreeMap<&'static str, u32>,
}

impl Assessment {
    /// Without anything in it yet; `vault` is an empty folder for the keys of persons.
    ///
    /// # Errors
    /// When the folder can't be used.
    pub fn new(vault: &Path) -> Result<Self, VaultError> {
        let store = Arc::new(MemoryStore::default());
        let index = Arc::new(Index::new());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let charter = Arc::new(ArcSwap::from_pointee(Charter::default()));
        let presence = Arc::new(Presence::default());
        let pipeline = Arc::new(Pipeline::new(store.clone(), index.clone(), presence, charter, clock));
        let persons = Persons::new(store, Arc::new(Vault::open(vault)?));
        let importer = Importer::new(pipeline.clone(), persons.clone());
        Ok(Self { importer, query: Query::new(pipeline, index, persons), sources: BTreeMap::new() })
    }

    /// Takes a file in, as whatever it looks most like.
    ///
    /// # Errors
    /// Why it can't be used; what was taken in before stays.
    pub async fn take(&mut self, content: Vec<u8>) -> Result<Taken, NotTaken> {
        let format = import::recognise(&content).into_iter().next().ok_or(NotTaken::NotRecognised)?;
        let name = format.format;
        let known = import::formats().find(|known| known.name == name).ok_or(NotTaken::NotRecognised)?;
        let count = self.sources.entry(known.source).or_default();
        *count += 1;
        // Two lists of one kind are two sources, or the second would take the first one's rows for its own.
        let source = if *count == 1 { known.source.to_owned() } else { format!("{}-{count}", known.source) };
        let request = v1::ImportRequest {
            source: source.clone(),
            format: name.to_owned(),
            content,
            apply: true,
            ..v1::ImportRequest::default()
        };
        let report = service::run(&self.importer, request, ACTOR)
            .await
            .map_err(|source| NotTaken::Failed { format: name, source })?;
        Ok(Taken { format, source, report })
    }

    /// Everything that is known now.
    pub fn view(&self) -> View<'_> {
        self.query.seen_by(&Sight::Everything)
    }
}
