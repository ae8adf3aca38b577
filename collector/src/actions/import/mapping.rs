//! What was chosen about a kind of file, kept under a name, so that the next file of it needs no choices.
//!
//! Knows nothing of what the choices mean: whoever keeps them has read them before.

use muster_common::source::ImportName;
use muster_proto::store::v1 as stored;
use prost::Message;

use super::{ImportFailed, Importer};
use crate::{
    records::{Read, key, put},
    store::{Commit, Key, Position, Write},
};

/// The most mappings that are listed.
const MAX_MAPPINGS: usize = 1_000;

impl Importer {
    /// The mapping of this name, if one is kept.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn mapping(&self, name: &ImportName) -> Result<Option<stored::ImportMapping>, ImportFailed> {
        let read: Read<stored::ImportMapping> = self.pipeline.records().get(key::mapping(name)).await?;
        Ok(read.record)
    }

    /// Every mapping by its name, at most 1,000.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn mappings(&self) -> Result<Vec<(String, stored::ImportMapping)>, ImportFailed> {
        let found: Vec<(Key, stored::ImportMapping)> =
            self.pipeline.records().scan(key::MAPPINGS, None, MAX_MAPPINGS).await?;
        let name = |key: &Key| {
            let bytes = key.as_bytes().strip_prefix(key::MAPPINGS).unwrap_or_default();
            String::from_utf8_lossy(bytes).into_owned()
        };
        Ok(found.into_iter().map(|(key, mapping)| (name(&key), mapping)).collect())
    }

    /// Keeps a mapping in place of what was kept under its name; an empty text takes it away.
    ///
    /// # Errors
    /// When it can't be kept.
    pub async fn save_mapping(
        &self,
        name: &ImportName,
        toml: String,
        actor: &str,
    ) -> Result<Position, ImportFailed> {
        let records = self.pipeline.records();
        let read: Read<stored::ImportMapping> = records.get(key::mapping(name)).await?;
        let now = self.pipeline.now();
        let (verb, write) = if toml.is_empty() {
            ("import.mapping.remove", Write { key: read.key.clone(), value: None })
        } else {
            let mapping =
                stored::ImportMapping { toml, changed_by: actor.to_owned(), changed_ms: now.as_millis() };
            ("import.mapping.save", put(read.key.clone(), &mapping))
        };
        let audit = stored::Audit {
            action: verb.to_owned(),
            target: format!("mapping:{}", name.as_str()),
            detail: String::new(),
        };
        let commit = Commit {
            kind: "import.mapping".to_owned(),
            time: now,
            actor: actor.to_owned(),
            expected: vec![read.expectation()],
            writes: vec![write],
            audit: Some(audit.encode_to_vec()),
        };
        Ok(records.commit(commit).await?)
    }
}
