//! Files of other systems taken in: rows a second, processor seconds and the most memory, for each format.
//!
//! Each format has a process and a store on disk of its own, so that one file's memory is not another's. The file is
//! taken in twice: all of it is new, then nothing is.

use std::{path::PathBuf, process::Command, sync::Arc, time::Instant};

use anyhow::{Context, Result, bail};
use arc_swap::ArcSwap;
use muster_collector::{
    actions::import::{ImportRow, Importer, Progress},
    import::service::{self, Job},
    index::Index,
    pipeline::{Pipeline, presence::Presence},
    privacy::Vault,
    registry::Persons,
    store::{
        Store,
        embedded::{EmbeddedOptions, EmbeddedStore},
    },
};
use muster_common::{governance::Charter, source::ImportName, time::SystemClock};
use serde::{Deserialize, Serialize};

use super::{
    meter::Meter,
    results::{MachineFacts, write_json},
    table,
};
use crate::files::{Content, FILES, File, named};

/// Options of the scenario.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Rows of each file
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub rows: u32,
    /// Only this format
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,
    /// Measure in this very process and print JSON; the scenario calls itself so
    #[arg(long, hide = true, requires = "format")]
    pub alone: bool,
    /// Where the results go
    #[arg(long, default_value = "target/bench", value_name = "DIR")]
    pub folder: PathBuf,
}

/// What one file cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// Its format.
    pub format: String,
    /// Its rows.
    pub rows: u32,
    /// Its length; 0 for records without a reader.
    pub bytes: u64,
    /// Processor seconds of the first import.
    pub first_cpu_s: f64,
    /// Rows a second of it.
    pub first_rows_per_s: f64,
    /// Processor seconds of the second import, in which nothing is new.
    pub again_cpu_s: f64,
    /// Rows a second of it.
    pub again_rows_per_s: f64,
    /// The most memory that the process had, in bytes: the index of what was imported and the store's cache included.
    pub peak_bytes: u64,
    /// What became of the rows: new, updated, unchanged, in conflict, refused.
    pub outcomes: [u32; 5],
}

/// Everything that the scenario found.
#[derive(Debug, Serialize)]
pub struct Results {
    /// Where.
    pub machine: MachineFacts,
    /// The files.
    pub imported: Vec<Imported>,
}

/// Runs the scenario.
#[expect(clippy::print_stdout, reason = "a benchmark talks to the person who started it")]
pub async fn run(arguments: &Arguments) -> Result<()> {
    let wanted: Vec<&File> = match &arguments.format {
        Some(format) => {
            vec![named(format).with_context(|| format!("no file of format {format} is made here"))?]
        }
        None => FILES.iter().collect(),
    };
    if arguments.alone {
        let file = wanted.first().context("a format")?;
        println!("{}", serde_json::to_string(&measure(file, arguments.rows).await?)?);
        return Ok(());
    }
    let mut imported = Vec::new();
    for file in wanted {
        imported.push(apart(file, arguments.rows)?);
    }
    let results = Results { machine: MachineFacts::here(), imported };
    table::print_machine(&results.machine);
    let mut shown = table::table(&[
        "format",
        "rows",
        "MiB",
        "CPU s",
        "rows/s",
        "again CPU s",
        "again rows/s",
        "peak MiB",
        "new",
        "unchanged",
        "refused",
    ]);
    for it in &results.imported {
        let mebibytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1_048_576.0);
        let [new, _, unchanged, _, refused] = it.outcomes;
        shown.add_row([
            it.format.clone(),
            it.rows.to_string(),
            mebibytes(it.bytes),
            format!("{:.1}", it.first_cpu_s),
            format!("{:.0}", it.first_rows_per_s),
            format!("{:.1}", it.again_cpu_s),
            format!("{:.0}", it.again_rows_per_s),
            mebibytes(it.peak_bytes),
            new.to_string(),
            unchanged.to_string(),
            refused.to_string(),
        ]);
    }
    table::align(&mut shown);
    println!("{shown}");
    println!(
        "CPU s: processor time of reader, identity, merge, store and index. again: the same file once more."
    );
    write_json(&arguments.folder.join("import.json"), &results)
}

/// One file in a process of its own.
fn apart(file: &File, rows: u32) -> Result<Imported> {
    let program = std::env::current_exe().context("this program has no path")?;
    let rows = rows.to_string();
    let words = ["import", "--alone", "--format", file.format, "--rows", &rows];
    let output = Command::new(program).args(words).output().context("the process did not start")?;
    if !output.status.success() {
        bail!("{}: {}", file.format, String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("what {} printed", file.format))
}

/// Takes a file in twice.
async fn measure(file: &File, rows: u32) -> Result<Imported> {
    let folder = tempfile::tempdir().context("a folder for the store")?;
    let store = EmbeddedStore::open(EmbeddedOptions::new(folder.path().join("store"))).await?;
    let store: Arc<dyn Store> = Arc::new(store);
    let (index, presence) = (Arc::new(Index::new()), Arc::new(Presence::default()));
    let charter = Arc::new(ArcSwap::from_pointee(Charter::default()));
    let clock = Arc::new(SystemClock);
    let pipeline = Arc::new(Pipeline::new(store.clone(), index, presence, charter, clock));
    pipeline.load().await?;
    let persons = Persons::new(store.clone(), Arc::new(Vault::open(&folder.path().join("vault"))?));
    let importer = Importer::new(pipeline, persons);
    let meter = Meter::new(std::process::id());

    let mut runs = Vec::new();
    let mut bytes = 0;
    let mut outcomes = [0; 5];
    for _ in 0..2 {
        let content = (file.make)(rows);
        let (begun, cpu) = (Instant::now(), meter.cpu()?);
        let counted = match content {
            Content::Bytes(content) => {
                bytes = content.len() as u64;
                let (source, format) = (file.source.to_owned(), file.format.to_owned());
                let (mapping, settings) = (String::new(), Vec::new());
                let job = Job { source, format, mapping, settings, content, apply: true };
                let response = service::run_job(&importer, job, "bench", &Progress::default()).await?;
                [response.created, response.updated, response.unchanged, response.conflicts, response.refused]
            }
            Content::Records(records) => direct(&importer, file, records).await?,
        };
        runs.push(((meter.cpu()? - cpu).as_secs_f64(), f64::from(rows) / begun.elapsed().as_secs_f64()));
        let all = outcomes.iter_mut().zip(counted);
        all.for_each(|(sum, count)| *sum += count);
    }
    let peak_bytes = meter.peak()?;
    store.close().await?;
    Ok(Imported {
        format: file.format.to_owned(),
        rows,
        bytes,
        first_cpu_s: runs[0].0,
        first_rows_per_s: runs[0].1,
        again_cpu_s: runs[1].0,
        again_rows_per_s: runs[1].1,
        peak_bytes,
        outcomes,
    })
}

/// Records as a reader delivers them.
async fn direct(
    importer: &Importer,
    file: &File,
    records: Vec<muster_common::observation::Record>,
) -> Result<[u32; 5]> {
    use muster_collector::actions::import::RowOutcome;
    let rows = records.into_iter().zip(2..);
    let rows = rows.map(|(record, number)| ImportRow { number, record: Ok(record), original: String::new() });
    let name = ImportName::new(file.source)?;
    let report = importer.apply(&name, rows.collect(), "bench", &Progress::default()).await?;
    let count = |wanted| {
        let rows = report.rows.iter().filter(|row| row.outcome == wanted);
        u32::try_from(rows.count()).unwrap_or(u32::MAX)
    };
    Ok([
        count(RowOutcome::New),
        count(RowOutcome::Update),
        count(RowOutcome::Unchanged),
        count(RowOutcome::Conflict),
        count(RowOutcome::Refused),
    ])
}
