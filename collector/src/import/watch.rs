//! Folders into which other systems put their files: each file that has come to rest is taken in and moved aside, with
//! its report beside it.
//!
//! Knows nothing of what files mean. A file that was taken in before, because the collector stopped between taking it in
//! and moving it, changes nothing when it is taken in again.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Read,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use muster_common::{chain::Chain, source::ImportName};
use muster_proto::{limits::IMPORT_FILE_BYTES, v1};
use tokio_util::sync::CancellationToken;

use super::service::{self, Job, ServiceError};
use crate::actions::import::{Importer, Progress};

/// A file that was changed since then may still be written.
const REST: Duration = Duration::from_secs(10);
/// Files that are looked at in one folder.
const MOST_FILES: usize = 1_000;
/// How often a file is tried that the collector could not keep.
const MOST_TRIES: u32 = 5;
/// Where files go that were taken in.
const DONE: &str = "done";
/// Where files go that were not.
const FAILED: &str = "failed";

/// A folder to look after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedFolder {
    /// The import's name.
    pub name: ImportName,
    /// Where files come.
    pub folder: PathBuf,
    /// Their format.
    pub format: String,
    /// How often it is looked.
    pub every: Duration,
}

/// How a file was when it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    bytes: u64,
    changed: SystemTime,
}

/// What is remembered between looks.
#[derive(Debug, Default)]
pub struct Watcher {
    shapes: BTreeMap<PathBuf, Shape>,
    tries: BTreeMap<PathBuf, u32>,
}

/// Looks after a folder until the stop.
pub async fn run(watched: WatchedFolder, importer: Importer, stop: CancellationToken) {
    let mut watcher = Watcher::default();
    loop {
        watcher.look(&watched, &importer, REST).await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(watched.every) => {}
        }
    }
}

impl Watcher {
    /// Takes in every file that has been as it is since the last look and for `rest`; how many.
    pub async fn look(&mut self, watched: &WatchedFolder, importer: &Importer, rest: Duration) -> usize {
        let folder = watched.folder.clone();
        let found = match blocking(move || files(&folder)).await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(
                    import.source = watched.name.as_str(),
                    folder = %watched.folder.display(),
                    error = %error,
                    "a watched folder can't be read: make it, and let the collector's user read and write there"
                );
                return 0;
            }
        };
        let before = std::mem::replace(&mut self.shapes, found.clone());
        self.tries.retain(|path, _| found.contains_key(path));
        let mut count = 0;
        for (path, shape) in found {
            let is_still = rest.is_zero()
                || before.get(&path) == Some(&shape)
                    && shape.changed.elapsed().is_ok_and(|elapsed| elapsed >= rest);
            if is_still {
                count += usize::from(self.take(watched, importer, &path).await);
            }
        }
        count
    }

    /// Takes one file in and moves it aside; whether it was moved.
    async fn take(&mut self, watched: &WatchedFolder, importer: &Importer, path: &Path) -> bool {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let reading = path.to_owned();
        let outcome = match blocking(move || read(&reading)).await {
            Ok(content) => {
                let source = watched.name.as_str().to_owned();
                // A mapping that is kept under the import's own name holds for it; a store that can't be read fails below.
                let is_kept = matches!(importer.mapping(&watched.name).await, Ok(Some(_)));
                let job = Job {
                    mapping: if is_kept { source.clone() } else { String::new() },
                    settings: Vec::new(),
                    source,
                    format: watched.format.clone(),
                    content,
                    apply: true,
                };
                let actor = format!("watch:{}", watched.name.as_str());
                let done = service::run_job(importer, job, &actor, &Progress::default()).await;
                done.map_err(|error| (matches!(error, ServiceError::Rows(_)), Chain(&error).to_string()))
            }
            Err(error) => Err((false, format!("could not be read: {error}"))),
        };
        let (place, report) = match outcome {
            Ok(response) => {
                service::log(watched.name.as_str(), "watch", &response);
                (DONE, report(&response))
            }
            Err((may_pass, reason)) => {
                tracing::error!(
                    import.source = watched.name.as_str(),
                    file = name,
                    reason,
                    "a file of a watched folder was not taken in"
                );
                let tries = self.tries.entry(path.to_owned()).or_default();
                *tries += 1;
                if may_pass && *tries < MOST_TRIES {
                    return false;
                }
                (FAILED, format!("{reason}\n"))
            }
        };
        let (from, folder) = (path.to_owned(), watched.folder.join(place));
        let moved = blocking(move || move_aside(&from, &folder, &report)).await;
        if let Err(error) = &moved {
            tracing::error!(
                import.source = watched.name.as_str(),
                file = name,
                error = %error,
                "a file that was taken in can't be moved aside: let the collector's user write there"
            );
        }
        moved.is_ok()
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// The files of a folder that somebody may want taken in: no hidden ones and none that are on their way.
fn files(folder: &Path) -> io::Result<BTreeMap<PathBuf, Shape>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let on_its_way = [".part", ".tmp", ".filepart", ".crdownload"].iter().any(|end| name.ends_with(end));
        // Of the entry itself: a link leads wherever somebody wanted.
        let about = entry.metadata()?;
        if name.starts_with('.') || on_its_way || !about.is_file() {
            continue;
        }
        found.insert(entry.path(), Shape { bytes: about.len(), changed: about.modified()? });
        if found.len() >= MOST_FILES {
            break;
        }
    }
    Ok(found)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("is no file any more"));
    }
    let mut content = Vec::new();
    fs::File::open(path)?.take(IMPORT_FILE_BYTES as u64 + 1).read_to_end(&mut content)?;
    Ok(content)
}

/// Moves a file into a folder under a name that isn't taken there, and writes its report beside it.
fn move_aside(from: &Path, folder: &Path, report: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let name = from.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let free = (0..10_000u32)
        .map(|number| if number == 0 { name.clone() } else { format!("{number}-{name}") })
        .find(|name| !folder.join(name).exists())
        .ok_or_else(|| io::Error::other("ten thousand files have that name: clear the folder"))?;
    fs::write(folder.join(format!("{free}.report.csv")), report)?;
    fs::rename(from, folder.join(free))
}

/// A row each, safe to open in a spreadsheet.
fn report(response: &v1::ImportResponse) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |cells: [&str; 4]| {
        // What begins like a formula is none.
        let safe = cells.map(|cell| match cell.chars().next() {
            Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{cell}"),
            Some(_) | None => cell.to_owned(),
        });
        writer.write_record(safe)
    };
    // Nothing but memory is written to, so nothing can fail.
    let _ = write(["row", "outcome", "reason", "device"]);
    for row in &response.rows {
        let outcome = match row.outcome() {
            v1::ImportOutcome::New => "new",
            v1::ImportOutcome::Update => "update",
            v1::ImportOutcome::Unchanged => "unchanged",
            v1::ImportOutcome::Conflict => "conflict",
            v1::ImportOutcome::Refused => "refused",
            v1::ImportOutcome::Unspecified => "",
        };
        let about = if row.device.is_empty() { &row.person } else { &row.device };
        let _ = write([&row.row.to_string(), outcome, &row.reason, about]);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}
