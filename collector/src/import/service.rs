//! An import as the Admin service gets it: the file is read by its format, its rows are previewed or taken in, and the
//! report goes back.

use muster_common::source::{ImportName, InvalidSource};
use muster_proto::v1;

use super::{ImportError, Placeholders, Row, options::Options, read};
use crate::actions::import::{ImportFailed, ImportRow, Importer, Progress, RowOutcome, RowReport};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The name of the source.
    #[error("the import's name can't be used")]
    Name(#[from] InvalidSource),
    /// The file as a whole.
    #[error(transparent)]
    File(#[from] ImportError),
    /// Taking rows in.
    #[error(transparent)]
    Rows(#[from] ImportFailed),
}

const PLACEHOLDERS: Placeholders = Placeholders {
    text: Importer::is_placeholder,
    uuid: Importer::is_placeholder_uuid,
    mac: Importer::is_placeholder_mac,
};

/// A file and what is to be done with it.
#[derive(Debug, Clone)]
pub struct Job {
    /// The import's name.
    pub source: String,
    /// One of [`super::formats`].
    pub format: String,
    /// The file.
    pub content: Vec<u8>,
    /// False: a dry run.
    pub apply: bool,
}

/// Answers an import; `actor` stands in the audit.
///
/// # Errors
/// [`ServiceError::Name`] and [`ServiceError::File`] are the caller's to correct.
pub async fn run(
    importer: &Importer,
    request: v1::ImportRequest,
    actor: &str,
) -> Result<v1::ImportResponse, ServiceError> {
    let v1::ImportRequest { source, format, content, apply } = request;
    run_job(importer, Job { source, format, content, apply }, actor, &Progress::default()).await
}

/// The same, and tells how far it is.
///
/// # Errors
/// As [`run`].
pub async fn run_job(
    importer: &Importer,
    job: Job,
    actor: &str,
    progress: &Progress,
) -> Result<v1::ImportResponse, ServiceError> {
    let Job { source, format, content, apply } = job;
    let name = ImportName::new(source)?;
    let options = Options::default();
    // Reading sixteen megabytes takes a while, and other calls wait on this thread.
    let file = tokio::task::spawn_blocking(move || read(&format, &content, &options, &PLACEHOLDERS))
        .await
        .map_err(ImportFailed::from)??;
    let rows = file.rows.into_iter().map(row).collect();
    let report = if apply {
        importer.apply(&name, rows, actor, progress).await?
    } else {
        importer.preview(&name, rows, progress).await?
    };
    let count = |wanted| {
        let rows = report.rows.iter().filter(|row| row.outcome == wanted);
        u32::try_from(rows.count()).unwrap_or(u32::MAX)
    };
    Ok(v1::ImportResponse {
        created: count(RowOutcome::New),
        updated: count(RowOutcome::Update),
        unchanged: count(RowOutcome::Unchanged),
        conflicts: count(RowOutcome::Conflict),
        refused: count(RowOutcome::Refused),
        position: report.position.map(|position| position.to_string()).unwrap_or_default(),
        rows: report.rows.into_iter().map(answer).collect(),
        remarks: file.remarks,
    })
}

/// Notes in the log what was taken in.
pub fn log(source: &str, actor: &str, response: &v1::ImportResponse) {
    tracing::info!(
        import.source = source,
        actor,
        created = response.created,
        updated = response.updated,
        unchanged = response.unchanged,
        conflicts = response.conflicts,
        refused = response.refused,
        "file imported"
    );
}

fn row(row: Row) -> ImportRow {
    let Row { number, outcome, original } = row;
    ImportRow { number, record: outcome.map_err(|refused| refused.reason), original }
}

fn answer(row: RowReport) -> v1::ImportRow {
    let RowReport { number, outcome, reason, device, person } = row;
    let outcome = match outcome {
        RowOutcome::New => v1::ImportOutcome::New,
        RowOutcome::Update => v1::ImportOutcome::Update,
        RowOutcome::Unchanged => v1::ImportOutcome::Unchanged,
        RowOutcome::Conflict => v1::ImportOutcome::Conflict,
        RowOutcome::Refused => v1::ImportOutcome::Refused,
    };
    v1::ImportRow {
        row: number,
        outcome: outcome.into(),
        reason,
        device: device.map(|device| format!("devices/{device}")).unwrap_or_default(),
        person: person.map(|person| format!("persons/{person}")).unwrap_or_default(),
    }
}
