//! An import as the Admin service gets it: the file is read by its format, its rows are previewed or taken in, and the
//! report goes back.

use muster_common::{
    source::{ImportName, InvalidSource},
    time::Timestamp,
};
use muster_proto::{convert::to_timestamp, store::v1 as stored, v1};

use super::{
    ImportError, Placeholders, Row,
    options::{InvalidOptions, Options},
    read,
};
use crate::actions::import::{ImportFailed, ImportRow, Importer, Progress, RowOutcome, RowReport};

/// The most choices beside a mapping.
const MAX_SETTINGS: usize = 500;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The name of the source.
    #[error("the import's name can't be used")]
    Name(#[from] InvalidSource),
    /// The file as a whole.
    #[error(transparent)]
    File(#[from] ImportError),
    /// What was chosen about it.
    #[error("what was chosen can't be used: {0}")]
    Options(#[from] InvalidOptions),
    /// A mapping that nobody keeps.
    #[error("there is no mapping {name} (muster import mapping list shows those that are kept)")]
    NoSuchMapping {
        /// Its name.
        name: String,
    },
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
    /// The import's name; empty: the format's own.
    pub source: String,
    /// One of [`super::formats()`], or [`super::AUTO`].
    pub format: String,
    /// A mapping that is kept under this name; empty: none.
    pub mapping: String,
    /// Choices that go over the mapping's, `KEY=VALUE` each.
    pub settings: Vec<String>,
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
    let v1::ImportRequest { source, format, content, apply, mapping, settings } = request;
    let job = Job { source, format, mapping, settings, content, apply };
    run_job(importer, job, actor, &Progress::default()).await
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
    let Job { source, format, mapping, settings, content, apply } = job;
    let chosen = if source.is_empty() { None } else { Some(ImportName::new(source)?) };
    let mut options = if mapping.is_empty() { Options::default() } else { kept(importer, mapping).await? };
    options.set_all(settings.iter().take(MAX_SETTINGS).map(String::as_str))?;
    // Reading sixteen megabytes takes a while, and other calls wait on this thread.
    let (format, file) =
        tokio::task::spawn_blocking(move || read(&format, &content, &options, &PLACEHOLDERS))
            .await
            .map_err(ImportFailed::from)??;
    let name = match chosen {
        Some(name) => name,
        None => ImportName::new(format.source)?,
    };
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
        format: format.name.to_owned(),
        source: name.as_str().to_owned(),
    })
}

/// What was chosen in a mapping that is kept.
async fn kept(importer: &Importer, name: String) -> Result<Options, ServiceError> {
    let name = ImportName::new(name)?;
    match importer.mapping(&name).await? {
        Some(mapping) => Ok(Options::from_toml(&mapping.toml)?),
        None => Err(ServiceError::NoSuchMapping { name: name.as_str().to_owned() }),
    }
}

/// Keeps a mapping, if it can be understood; an empty text takes it away.
///
/// # Errors
/// [`ServiceError::Name`] and [`ServiceError::Options`] are the caller's to correct.
pub async fn save_mapping(
    importer: &Importer,
    request: v1::SaveMappingRequest,
    actor: &str,
) -> Result<v1::SaveMappingResponse, ServiceError> {
    let v1::SaveMappingRequest { name, toml } = request;
    let name = ImportName::new(name)?;
    Options::from_toml(&toml)?;
    let position = importer.save_mapping(&name, toml, actor).await?;
    Ok(v1::SaveMappingResponse { position: position.to_string() })
}

/// Lists the mappings.
///
/// # Errors
/// When they can't be read.
pub async fn list_mappings(importer: &Importer) -> Result<v1::ListMappingsResponse, ServiceError> {
    let mappings = importer.mappings().await?.into_iter().map(|(name, mapping)| {
        let stored::ImportMapping { toml, changed_by, changed_ms } = mapping;
        let change_time = Some(to_timestamp(Timestamp::from_millis(changed_ms)));
        v1::Mapping { name, toml, changed_by, change_time }
    });
    Ok(v1::ListMappingsResponse { mappings: mappings.collect() })
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
