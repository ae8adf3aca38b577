//! Records of another source, taken in row by row: each is an observation of its own, so that one bad row keeps nothing
//! else out, and taking the same rows in again changes nothing.
//!
//! Knows nothing of files. Persons become ids before anything is kept; rows that can't be used are kept sealed, for
//! whoever corrects them.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use muster_common::{
    asset::Category,
    device::{Field, Value},
    id::{DeviceId, PersonId},
    inventory::MacAddress,
    observation::{AssetRecord, PersonName, Record, RecordIdentifiers, RecordValue},
    source::ImportName,
    time::Timestamp,
};
use muster_proto::store::v1 as stored;
use prost::Message;
use tokio::task::JoinSet;

use crate::{
    identity::placeholder,
    pipeline::{
        ObserveError, Pipeline,
        observation::{Attachment, Observation, Outcome, Speaker},
        preview::Preview,
    },
    privacy::VaultError,
    records::{Read, RecordError, key, put},
    registry::{Persons, PersonsError},
    store::{Commit, CommitError, Position},
};

/// How many rows are on their way at once; they share their durable flushes.
const AT_ONCE: usize = 64;
/// How many refused rows are kept in one commit.
const REFUSED_AT_ONCE: usize = 500;

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
}

/// What became of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The rows in the order of the file.
    pub rows: Vec<RowReport>,
    /// Of the last write; none for a dry run.
    pub position: Option<Position>,
}

/// Takes rows in, or says what would become of them.
#[derive(Debug, Clone)]
pub struct Importer {
    pipeline: Arc<Pipeline>,
    persons: Persons,
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
    pub async fn preview(&self, import: &ImportName, rows: Vec<ImportRow>) -> Result<Report, ImportFailed> {
        let now = self.pipeline.now();
        let mut persons: BTreeMap<String, PersonId> = BTreeMap::new();
        for name in names(&rows) {
            if let Some(text) = name.key()
                && !persons.contains_key(&text)
            {
                // Whoever isn't there yet would be made; any other id says as much.
                let known = self.persons.find(&text).await?;
                persons.insert(text, known.unwrap_or_else(PersonId::random));
            }
        }
        let mut reports = Vec::with_capacity(rows.len());
        // Rows of this file about the same machine, which would meet each other only if they were taken in.
        let mut earlier: HashMap<String, u32> = HashMap::new();
        for row in rows {
            let record = match asset(row.record) {
                Ok(record) => record,
                Err(reason) => {
                    reports.push(refused(row.number, reason));
                    continue;
                }
            };
            let observation = observe(import, &record, &persons, now);
            let preview = self
                .pipeline
                .preview(&observation)
                .await
                .map_err(|source| ImportFailed::Row { row: row.number, source })?;
            let mut report = self.report(row.number, &record, &preview).await?;
            let serial = record.identifiers.serial.clone();
            if let Some(first) = serial.and_then(|serial| earlier.insert(serial, row.number))
                && report.outcome == RowOutcome::New
            {
                report.outcome = RowOutcome::Conflict;
                report.reason = format!("another order of the machine in row {first}; both would be kept");
            }
            reports.push(report);
        }
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
    ) -> Result<Report, ImportFailed> {
        let now = self.pipeline.now();
        let persons = Arc::new(self.persons.resolve(names(&rows), actor, now).await?);
        let mut reports = Vec::with_capacity(rows.len());
        let mut refused_rows = Vec::new();
        let mut met: HashSet<String> = HashSet::new();
        let mut running: JoinSet<Result<RowReport, ImportFailed>> = JoinSet::new();
        for row in rows {
            let record = match asset(row.record) {
                Ok(record) => record,
                Err(reason) => {
                    reports.push(refused(row.number, reason.clone()));
                    refused_rows.push((row.number, reason, row.original));
                    continue;
                }
            };
            // Rows about one machine go in the order of the file, or it would be chance which of them is in conflict.
            let meets = keys_of(&record).into_iter().filter(|text| !met.insert(text.clone())).count() > 0;
            while running.len() >= AT_ONCE || meets && !running.is_empty() {
                if let Some(done) = running.join_next().await {
                    reports.push(done??);
                }
            }
            let (this, import, persons) = (self.clone(), import.clone(), Arc::clone(&persons));
            running.spawn(async move { this.take(&import, row.number, &record, &persons, now).await });
        }
        while let Some(done) = running.join_next().await {
            reports.push(done??);
        }
        reports.sort_by_key(|report| report.number);
        let position = self.keep_refused(import, refused_rows, &reports, actor, now).await?;
        Ok(Report { rows: reports, position: Some(position) })
    }

    async fn take(
        &self,
        import: &ImportName,
        row: u32,
        record: &AssetRecord,
        persons: &BTreeMap<String, PersonId>,
        now: Timestamp,
    ) -> Result<RowReport, ImportFailed> {
        let observation = observe(import, record, persons, now);
        let failed = |source| ImportFailed::Row { row, source };
        // The reason has to be asked for before: afterwards the record is known.
        let Preview { explanation, .. } = self.pipeline.preview(&observation).await.map_err(failed)?;
        let outcome = self.pipeline.observe(&observation).await.map_err(failed)?;
        self.report(row, record, &Preview { outcome, explanation }).await
    }

    async fn report(
        &self,
        number: u32,
        record: &AssetRecord,
        preview: &Preview,
    ) -> Result<RowReport, ImportFailed> {
        let Preview { outcome: Outcome { device, attachment, changed, .. }, explanation } = preview;
        let (outcome, mut reasons) = match (attachment, changed) {
            (Attachment::Conflict, _) => (RowOutcome::Conflict, vec![explanation.clone()]),
            (Attachment::Matched | Attachment::New, _) => (RowOutcome::New, vec![explanation.clone()]),
            (Attachment::Known, true) => (RowOutcome::Update, Vec::new()),
            (Attachment::Known, false) => (RowOutcome::Unchanged, Vec::new()),
        };
        reasons.extend(record.notes.iter().cloned());
        reasons.retain(|reason| !reason.is_empty());
        let known: Read<muster_common::device::Device> =
            self.pipeline.records().get(key::device(*device)).await?;
        Ok(RowReport {
            number,
            outcome,
            reason: reasons.join("; "),
            device: known.record.is_some().then_some(*device),
        })
    }

    /// Keeps the rows that can't be used, and the audit entry of the whole.
    async fn keep_refused(
        &self,
        import: &ImportName,
        rows: Vec<(u32, String, String)>,
        reports: &[RowReport],
        actor: &str,
        now: Timestamp,
    ) -> Result<Position, ImportFailed> {
        let vault = self.persons.vault();
        let records = self.pipeline.records();
        let commit = |expected, writes, audit: Option<Vec<u8>>| Commit {
            kind: "import.rows".to_owned(),
            time: now,
            actor: actor.to_owned(),
            expected,
            writes,
            audit,
        };
        // The same row again takes the place of the earlier one.
        let mut latest = BTreeMap::new();
        for (row, reason, original) in rows {
            latest.insert(vault.blind(&original), (row, reason, original));
        }
        let latest: Vec<_> = latest.into_iter().collect();
        for part in latest.chunks(REFUSED_AT_ONCE) {
            let keys = part.iter().map(|(digest, _)| key::refused_row(import.as_str(), digest)).collect();
            let known: Vec<Read<stored::RefusedRow>> = records.get_all(keys).await?;
            let (mut expected, mut writes) = (Vec::new(), Vec::new());
            for ((_, (row, reason, original)), read) in part.iter().zip(known) {
                if read.record.as_ref().is_some_and(|known| known.row == *row) {
                    continue;
                }
                // A reason may quote the row, and so a name that stands in the wrong column.
                let sealed = vault.seal_own(format!("{reason}\0{original}").as_bytes())?;
                let refused = stored::RefusedRow {
                    source: import.as_str().to_owned(),
                    row: *row,
                    reason: String::new(),
                    sealed_content: sealed.bytes,
                    nonce: sealed.nonce,
                    time_ms: now.as_millis(),
                };
                expected.push(read.expectation());
                writes.push(put(read.key, &refused));
            }
            if !writes.is_empty() {
                records.commit(commit(expected, writes, None)).await?;
            }
        }
        let count = |wanted| reports.iter().filter(|report| report.outcome == wanted).count();
        let audit = stored::Audit {
            action: "import.apply".to_owned(),
            target: format!("import:{}", import.as_str()),
            detail: format!(
                "{} new, {} updated, {} unchanged, {} in conflict, {} refused",
                count(RowOutcome::New),
                count(RowOutcome::Update),
                count(RowOutcome::Unchanged),
                count(RowOutcome::Conflict),
                count(RowOutcome::Refused)
            ),
        };
        Ok(records.commit(commit(Vec::new(), Vec::new(), Some(audit.encode_to_vec()))).await?)
    }
}

/// Every person that the rows name.
fn names(rows: &[ImportRow]) -> Vec<&PersonName> {
    let assets = rows.iter().filter_map(|row| match &row.record {
        Ok(Record::Asset(record)) => Some(record),
        Ok(Record::Person(_) | Record::Sighting(_)) | Err(_) => None,
    });
    assets
        .flat_map(|record| record.fields.values())
        .filter_map(|value| match value {
            RecordValue::Person(name) => Some(name),
            RecordValue::Plain(_) => None,
        })
        .collect()
}

/// The record of a row, if it is of an asset.
fn asset(record: Result<Record, String>) -> Result<AssetRecord, String> {
    match record? {
        Record::Asset(record) => Ok(record),
        Record::Person(_) | Record::Sighting(_) => {
            Err("only records of assets can be taken in so far".to_owned())
        }
    }
}

/// The record's identifiers as texts that differ where they do.
fn keys_of(record: &AssetRecord) -> Vec<String> {
    let RecordIdentifiers { serial, asset_tag, uuid, machine_id, macs, instance, asset_key } =
        &record.identifiers;
    let texts =
        [("s", serial), ("t", asset_tag), ("u", uuid), ("i", machine_id), ("c", instance), ("k", asset_key)];
    let texts =
        texts.into_iter().filter_map(|(kind, text)| text.as_ref().map(|text| format!("{kind}/{text}")));
    texts.chain(macs.iter().map(|mac| format!("m/{mac}"))).collect()
}

/// The observation that a record is, with ids for its persons.
fn observe(
    import: &ImportName,
    record: &AssetRecord,
    persons: &BTreeMap<String, PersonId>,
    now: Timestamp,
) -> Observation {
    let mut fields: BTreeMap<Field, Value> = BTreeMap::new();
    for (field, value) in &record.fields {
        let value = match value {
            RecordValue::Plain(value) => Some(value.clone()),
            RecordValue::Person(name) => {
                name.key().and_then(|text| persons.get(&text)).copied().map(Value::Person)
            }
        };
        fields.extend(value.map(|value| (*field, value)));
    }
    if record.category != Category::Device {
        fields.insert(Field::Category, Value::Text(record.category.name().to_owned()));
    }
    let RecordIdentifiers { instance, asset_key, .. } = &record.identifiers;
    for (field, value) in [(Field::Instance, instance), (Field::AssetKey, asset_key)] {
        fields.extend(value.clone().map(|value| (field, Value::Text(value))));
    }
    let speaker = Speaker::Row {
        import: import.clone(),
        row_key: record.row_key.clone(),
        fields,
        vouches: record.vouches,
    };
    Observation::first(speaker, now)
}

fn refused(number: u32, reason: String) -> RowReport {
    RowReport { number, outcome: RowOutcome::Refused, reason, device: None }
}
