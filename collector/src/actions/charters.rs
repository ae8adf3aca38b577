//! The versions of the charter: read, tried against the live inventory, applied, and which one is in force.
//!
//! A version is the file's text as it was applied, so that what is shown later is what somebody wrote. Where none was
//! applied, the thresholds of the collector's own settings hold.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use muster_charter::{describe, explain};
use muster_common::{
    governance::{Charter, Exception, Phase, REASON_BYTES, Role},
    page::InvalidPageToken,
    time::Timestamp,
};
use muster_config::Problems;
use muster_proto::store::v1 as stored;
use prost::Message;

use crate::{
    pipeline::{ObserveError, Pipeline, again::JudgedAgain, trial::Trial},
    query::page,
    records::{RecordError, key, put},
    registry::{Account, Registry},
    store::{Commit, CommitError, Key, Position, Revision},
};

/// How problems name a charter that came over the wire.
const NAME: &str = "charter.toml";
/// Exceptions that are read in one go.
const PAGE: usize = 500;

/// Why a charter was not shown, tried or applied.
#[derive(Debug, thiserror::Error)]
pub enum CharterFailure {
    /// The text is no charter.
    #[error("{0}")]
    Problems(#[from] Problems),
    /// Not a version that was ever applied.
    #[error("there is no version {version} of the charter (muster charter history lists them)")]
    NoVersion {
        /// As it was asked for.
        version: u64,
    },
    /// Another version came in between.
    #[error("version {in_force} of the charter is in force, not {expected}: look at it, then try again")]
    Changed {
        /// Which is in force.
        in_force: u64,
        /// Which was expected.
        expected: u64,
    },
    /// The text is the one in force.
    #[error("version {version} of the charter says the same already")]
    Same {
        /// Which is in force.
        version: u64,
    },
    /// The reason is too long.
    #[error("the reason is longer than {REASON_BYTES} bytes")]
    Reason,
    /// Whoever applies it would lose the right to.
    #[error(
        "{account} would lose the role admin by this charter: name it with that role, or let another admin apply it"
    )]
    LockedOut {
        /// Who applies it.
        account: String,
    },
    /// The page token is of another list.
    #[error(transparent)]
    Token(#[from] InvalidPageToken),
    /// An earlier text can't be read by this version.
    #[error("version {version} of the charter can't be read by this version of the collector")]
    Unreadable {
        /// Which.
        version: u64,
        /// What is wrong with it.
        #[source]
        problems: Problems,
    },
    /// Devices could not be judged.
    #[error("could not judge by the charter")]
    Observe(#[from] ObserveError),
    /// The versions could not be read.
    #[error("could not read the versions of the charter")]
    Read(#[from] RecordError),
    /// The version was not taken.
    #[error("could not keep the charter")]
    Commit(#[from] CommitError),
}

/// What another charter would change.
#[derive(Debug)]
pub struct Difference {
    /// Flags and values.
    pub trial: Trial,
    /// Accounts whose rights change: name, before, after in plain words.
    pub rights: Vec<(String, String, String)>,
    /// What it says that the present one doesn't.
    pub added: Vec<String>,
    /// The other way round.
    pub removed: Vec<String>,
    /// When people begin to be told.
    pub enforced_from: Option<Timestamp>,
    /// The charter that was tried.
    pub charter: Charter,
    /// The version that it was compared with.
    pub compared: u64,
}

/// A charter that was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// Its number.
    pub version: u64,
    /// What judging everything by it came to.
    pub judged: JudgedAgain,
    /// Where it stands in the log.
    pub position: Position,
}

/// The versions of one collector's charter.
#[derive(Debug)]
pub struct Charters {
    pipeline: Arc<Pipeline>,
    registry: Arc<Registry>,
    version: AtomicU64,
}

impl Charters {
    /// Over the pipeline whose charter is in force; [`Self::load`] brings it up to what was applied.
    pub fn new(pipeline: Arc<Pipeline>, registry: Arc<Registry>) -> Self {
        Self { pipeline, registry, version: AtomicU64::new(0) }
    }

    /// Puts in force what was applied last; returns its version, 0 when there is none.
    ///
    /// # Errors
    /// When it can't be read: a collector must not judge by another charter than people believe.
    pub async fn load(&self) -> Result<u64, CharterFailure> {
        let Some(newest) = self.newest().await? else { return Ok(0) };
        let charter = muster_charter::parse(Path::new(NAME), &newest.text)
            .map_err(|problems| CharterFailure::Unreadable { version: newest.version, problems })?;
        self.pipeline.set_charter(charter);
        self.version.store(newest.version, Ordering::SeqCst);
        Ok(newest.version)
    }

    /// Puts the approved exceptions in force; after the index was built.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn load_exceptions(&self) -> Result<(), CharterFailure> {
        let mut after: Option<Key> = None;
        let mut all = Vec::new();
        loop {
            let page: Vec<(Key, Exception)> =
                self.pipeline.records().scan(key::EXCEPTIONS, after.as_ref(), PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            all.extend(page.into_iter().map(|(_, exception)| exception));
        }
        self.pipeline.set_exceptions(all, Duration::ZERO, self.pipeline.now());
        Ok(())
    }

    /// Takes the thresholds of settings that were read again; false when an applied charter stands above them.
    pub fn settings_changed(&self, charter: Charter) -> bool {
        let holds = self.version.load(Ordering::SeqCst) == 0;
        if holds {
            self.pipeline.set_charter(charter);
        }
        holds
    }

    /// The version in force, 0 when none was applied.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    /// A version with what it says; 0 is the one in force. Where none was applied its text is empty, and what is told
    /// of it is what the collector's settings say.
    ///
    /// # Errors
    /// When there is no such version.
    pub async fn get(&self, version: u64) -> Result<(stored::CharterVersion, Arc<Charter>), CharterFailure> {
        let wanted = if version == 0 { self.version() } else { version };
        if wanted == 0 {
            return Ok((stored::CharterVersion::default(), self.pipeline.charter()));
        }
        let read = self.pipeline.records().get::<stored::CharterVersion>(key::charter(wanted)).await?;
        let found = read.record.ok_or(CharterFailure::NoVersion { version })?;
        let charter = muster_charter::parse(Path::new(NAME), &found.text)
            .map_err(|problems| CharterFailure::Unreadable { version: found.version, problems })?;
        Ok((found, Arc::new(charter)))
    }

    /// A page of versions, newest first, with the token of the next one.
    ///
    /// # Errors
    /// When the token is of another list, or the store can't be read.
    pub async fn page(
        &self,
        token: &str,
        size: usize,
    ) -> Result<(Vec<stored::CharterVersion>, String), CharterFailure> {
        let after = page::key(token, key::CHARTERS)?;
        let listed = self.pipeline.records().scan(key::CHARTERS, after.as_ref(), size + 1).await?;
        Ok(page::cut(listed, size))
    }

    /// What a charter would change; of each flag at most `named` devices are named.
    ///
    /// # Errors
    /// When the text is no charter, or the store can't be read.
    pub async fn compare(&self, text: &str, named: usize) -> Result<Difference, CharterFailure> {
        let charter = muster_charter::parse(Path::new(NAME), text)?;
        let (present, now, compared) = (self.pipeline.charter(), self.pipeline.now(), self.version());
        let trial = self.pipeline.try_charter(&charter, named).await?;
        let sentences = |charter: &Charter| -> BTreeSet<String> {
            explain(charter, now).into_iter().flat_map(|paragraph| paragraph.lines).collect()
        };
        let (before, after) = (sentences(&present), sentences(&charter));
        let enforced_from = match charter.phase {
            Phase::Baseline => None,
            Phase::Enforce { from } => Some(from),
        };
        Ok(Difference {
            trial,
            rights: self.rights(&present, &charter, now),
            added: after.difference(&before).cloned().collect(),
            removed: before.difference(&after).cloned().collect(),
            enforced_from,
            charter,
            compared,
        })
    }

    /// Puts a charter in force as a new version, and judges everything by it.
    ///
    /// # Errors
    /// When it can't be applied; once it is, what could not be judged is judged by the clock.
    pub async fn apply(
        &self,
        text: &str,
        reason: &str,
        expected: Option<u64>,
        actor: &str,
    ) -> Result<Applied, CharterFailure> {
        let charter = muster_charter::parse(Path::new(NAME), text)?;
        if reason.len() > REASON_BYTES {
            return Err(CharterFailure::Reason);
        }
        let now = self.pipeline.now();
        let admin =
            self.registry.accounts_under(&charter, now).get(actor).is_some_and(|it| it.may(Role::Admin));
        let is_admin = self.registry.account(actor, now).is_some_and(|account| account.may(Role::Admin));
        if is_admin && !admin {
            return Err(CharterFailure::LockedOut { account: actor.to_owned() });
        }
        let newest = self.newest().await?;
        let in_force = newest.as_ref().map_or(0, |newest| newest.version);
        if let Some(expected) = expected.filter(|expected| *expected != in_force) {
            return Err(CharterFailure::Changed { in_force, expected });
        }
        if newest.is_some_and(|newest| newest.text == text) {
            return Err(CharterFailure::Same { version: in_force });
        }
        let version = in_force + 1;
        let record = stored::CharterVersion {
            version,
            time_ms: now.as_millis(),
            actor: actor.to_owned(),
            reason: reason.to_owned(),
            text: text.to_owned(),
        };
        let audit = stored::Audit {
            action: "charter.apply".to_owned(),
            target: format!("charter/{version}"),
            detail: reason.to_owned(),
        };
        let commit = Commit {
            kind: "charter".to_owned(),
            time: now,
            actor: actor.to_owned(),
            // Of two who apply at once, one is told that it isn't what they looked at.
            expected: vec![(key::charter(version), Revision::ABSENT)],
            writes: vec![put(key::charter(version), &record)],
            audit: Some(audit.encode_to_vec()),
        };
        let position = match self.pipeline.records().commit(commit).await {
            Ok(position) => position,
            Err(CommitError::Conflict { .. }) => {
                return Err(CharterFailure::Changed { in_force: version, expected: in_force });
            }
            Err(error) => return Err(error.into()),
        };
        self.pipeline.set_charter(charter);
        self.version.store(version, Ordering::SeqCst);
        let judged = self.pipeline.judge_all(&format!("charter/{version} by {actor}")).await?;
        Ok(Applied { version, judged, position })
    }

    async fn newest(&self) -> Result<Option<stored::CharterVersion>, CharterFailure> {
        let mut first = self.pipeline.records().scan(key::CHARTERS, None, 1).await?;
        Ok(first.pop().map(|(_, version)| version))
    }

    fn rights(&self, present: &Charter, other: &Charter, now: Timestamp) -> Vec<(String, String, String)> {
        let before = self.registry.accounts_under(present, now);
        let after = self.registry.accounts_under(other, now);
        let text = |charter: &Charter, account: Option<&Account>| match (
            account,
            account.and_then(|it| charter.grants.get(&it.name)),
        ) {
            (None, _) => String::new(),
            (Some(_), Some(grant)) => describe(grant, now),
            (Some(account), None) => {
                let roles: Vec<&str> = account.roles.iter().map(|role| role.name()).collect();
                roles.join(", ")
            }
        };
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        names
            .into_iter()
            .map(|name| (name.clone(), text(present, before.get(name)), text(other, after.get(name))))
            .filter(|(_, before, after)| before != after)
            .collect()
    }
}
