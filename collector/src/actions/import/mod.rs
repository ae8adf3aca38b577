//! Records of another source, taken in row by row: each is on its own, so that one bad row keeps nothing else out, and
//! taking the same rows in again changes nothing.
//!
//! Persons go first, since assets name them; sightings last, since they belong to devices that the same file may bring.
//! Knows nothing of files. Persons become ids before anything is kept; rows that can't be used are kept sealed, for
//! whoever corrects them.

mod assets;
mod corrected;
mod mapping;
mod refused;
mod sightings;
mod staff;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use muster_common::{
    id::{DeviceId, PersonId},
    inventory::MacAddress,
    observation::{AssetRecord, PersonName, PersonRecord, Record, RecordValue, Sighting},
    source::ImportName,
    time::Timestamp,
};

use crate::{
    identity::placeholder,
    pipeline::{ObserveError, Pipeline},
    privacy::VaultError,
    records::RecordError,
    registry::{Persons, PersonsError},
    store::{CommitError, Position},
};

use refused::RefusedRow;

/// Why an import stopped; the rows before it are in, and importing again goes on.
#[derive(Debug, thiserror::Error)]
pub enum ImportFailed {
    /// A row.
    #[error("could not take row {row} in; the rows before it are in, so repair the cause and import again")]
    Row {
        /// As the file counts.
        row: u32,
        /// What went wrong.
        #[source]
        source: ObserveError,
    },
    /// The persons named in the rows.
    #[error("could not keep the persons that the rows name")]
    Persons(#[from] PersonsError),
    /// The vault.
    #[error("could not seal the rows that were refused")]
    Vault(#[from] VaultError),
    /// The refused rows.
    #[error("could not read the refused rows of earlier imports")]
    Read(#[from] RecordError),
    /// The refused rows and the audit entry.
    #[error("could not keep the refused rows")]
    Commit(#[from] CommitError),
    /// A worker ended early.
    #[error("a worker of the import ended early: import again")]
    Worker(#[from] tokio::task::JoinError),
}

/// A row as its format read it.
#[derive(Debug, Clone)]
pub struct ImportRow {
    /// As the file counts.
    pub number: u32,
    /// What it says, or why it can't be used.
    pub record: Result<Record, String>,
    /// As it stands in the file.
    pub original: String,
}

/// What became, or would become, of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOutcome {
    /// A record that was not there; with or without a device that was.
    New,
    /// A record that said something else before.
    Update,
    /// Nothing.
    Unchanged,
    /// It contradicts another record, or several devices fit.
    Conflict,
    /// It can't be used.
    Refused,
}

/// A row in the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowReport {
    /// As the file counts.
    pub number: u32,
    /// What became of it.
    pub outcome: RowOutcome,
    /// What matched, or what to do.
    pub reason: String,
    /// The device that it is about, if that is there.
    pub device: Option<DeviceId>,
    /// The person that it is about, if that is there.
    pub person: Option<PersonId>,
}

impl RowReport {
    fn new(number: u32, outcome: RowOutcome, reason: impl Into<String>) -> Self {
        Self { number, outcome, reason: reason.into(), device: None, person: None }
    }
}

/// What became of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The rows in the order of the file.
    pub rows: Vec<RowReport>,
    /// Of the last write; none for a dry run.
    pub position: Option<Position>,
}

/// How far an import is; shared between whoever does it and whoever shows it.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    done: Arc<AtomicU32>,
    total: Arc<AtomicU32>,
}

impl Progress {
    /// Rows that are decided, of how many; 0 of 0 before the file is read.
    pub fn rows(&self) -> (u32, u32) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }

    fn begin(&self, rows: usize) {
        self.total.store(u32::try_from(rows).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    fn add(&self, rows: usize) {
        self.done.fetch_add(u32::try_from(rows).unwrap_or(u32::MAX), Ordering::Relaxed);
    }
}

/// Takes rows in, or says what would become of them.
#[derive(Debug, Clone)]
pub struct Importer {
    pipeline: Arc<Pipeline>,
    persons: Persons,
}

/// One import while it is done.
#[derive(Debug, Clone, Copy)]
struct Run<'a> {
    import: &'a ImportName,
    actor: &'a str,
    now: Timestamp,
    apply: bool,
    progress: &'a Progress,
}

/// A record with the number of its row and its text.
#[derive(Debug)]
struct Numbered<R> {
    number: u32,
    record: R,
    original: String,
}

/// Rows by what they speak of.
#[derive(Debug, Default)]
struct Sorted {
    assets: Vec<Numbered<AssetRecord>>,
    persons: Vec<Numbered<PersonRecord>>,
    sightings: Vec<Numbered<Sighting>>,
    refused: Vec<RefusedRow>,
}

impl Importer {
    /// Over the pipeline and the persons of one collector.
    pub fn new(pipeline: Arc<Pipeline>, persons: Persons) -> Self {
        Self { pipeline, persons }
    }

    /// Whether a serial number or asset tag is a placeholder.
    pub fn is_placeholder(text: &str) -> bool {
        placeholder::is_serial(text)
    }

    /// Whether a UUID is one.
    pub fn is_placeholder_uuid(text: &str) -> bool {
        placeholder::is_uuid_text(text)
    }

    /// Whether a MAC address is one.
    pub fn is_placeholder_mac(mac: MacAddress) -> bool {
        placeholder::is_mac(mac)
    }

    /// Says what [`Self::apply`] would do.
    ///
    /// # Errors
    /// When what is known can't be read.
    pub async fn preview(
        &self,
        import: &ImportName,
        rows: Vec<ImportRow>,
        progress: &Progress,
    ) -> Result<Report, ImportFailed> {
        let run = Run { import, actor: "", now: self.pipeline.now(), apply: false, progress };
        let (reports, _) = self.all(rows, run).await?;
        Ok(Report { rows: reports, position: None })
    }

    /// Takes the rows in; when this returns they are durable.
    ///
    /// # Errors
    /// When something can't be kept; rows that are in stay in.
    pub async fn apply(
        &self,
        import: &ImportName,
        rows: Vec<ImportRow>,
        actor: &str,
        progress: &Progress,
    ) -> Result<Report, ImportFailed> {
        let run = Run { import, actor, now: self.pipeline.now(), apply: true, progress };
        let (reports, refused) = self.all(rows, run).await?;
        let position = self.keep_refused(run, refused, &reports).await?;
        Ok(Report { rows: reports, position: Some(position) })
    }

    /// Every row, by what it speaks of; the reports in the order of the file, and the rows to keep for correction.
    async fn all(
        &self,
        rows: Vec<ImportRow>,
        run: Run<'_>,
    ) -> Result<(Vec<RowReport>, Vec<RefusedRow>), ImportFailed> {
        run.progress.begin(rows.len());
        let waiting = if run.apply { self.waiting(run.import).await? } else { Vec::new() };
        // Texts are kept only where there is something that they may correct.
        let texts: Vec<(u32, String)> = match waiting.is_empty() {
            true => Vec::new(),
            false => rows.iter().map(|row| (row.number, row.original.clone())).collect(),
        };
        let Sorted { assets, persons, sightings, mut refused } = sort(rows);
        run.progress.add(refused.len());
        let mut reports: Vec<RowReport> = refused.iter().map(RefusedRow::report).collect();
        let (more, further) = self.staff(persons, run).await?;
        reports.extend(more);
        refused.extend(further);
        let ids = self.named(&assets, run).await?;
        reports.extend(self.assets(assets, ids, run).await?);
        reports.extend(self.sightings(sightings, run).await?);
        reports.sort_by_key(|report| report.number);
        self.clear(waiting, &texts, &reports, run).await?;
        Ok((reports, refused))
    }

    /// The persons that assets name, by [`PersonName::key`].
    async fn named(
        &self,
        assets: &[Numbered<AssetRecord>],
        run: Run<'_>,
    ) -> Result<BTreeMap<String, PersonId>, ImportFailed> {
        let named = assets.iter().flat_map(|asset| names(&asset.record)).filter(|it| it.key().is_some());
        if run.apply {
            return Ok(self.persons.resolve(named, run.actor, run.now).await?);
        }
        let mut persons: BTreeMap<String, PersonId> = BTreeMap::new();
        for text in named.filter_map(PersonName::key) {
            if let Entry::Vacant(free) = persons.entry(text) {
                // Whoever isn't there yet would be made; any other id says as much.
                let known = self.persons.find(free.key()).await?;
                free.insert(known.unwrap_or_else(PersonId::random));
            }
        }
        Ok(persons)
    }
}

/// Every person that a record names.
fn names(record: &AssetRecord) -> impl Iterator<Item = &PersonName> {
    let fields = record.fields.values().filter_map(|value| match value {
        RecordValue::Person(name) => Some(name),
        RecordValue::Plain(_) => None,
    });
    fields.chain(record.of_person.as_ref())
}

fn sort(rows: Vec<ImportRow>) -> Sorted {
    let mut sorted = Sorted::default();
    for ImportRow { number, record, original } in rows {
        match record {
            Ok(Record::Asset(record)) if record.of_person.as_ref().is_some_and(|it| it.key().is_none()) => {
                let reason = "names nobody, so it can't be told whose it is".to_owned();
                sorted.refused.push(RefusedRow { number, reason, original });
            }
            Ok(Record::Asset(record)) => sorted.assets.push(Numbered { number, record, original }),
            Ok(Record::Person(record)) => sorted.persons.push(Numbered { number, record, original }),
            Ok(Record::Sighting(record)) => sorted.sightings.push(Numbered { number, record, original }),
            Err(reason) => sorted.refused.push(RefusedRow { number, reason, original }),
        }
    }
    sorted
}
