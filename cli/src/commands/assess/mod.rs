//! `muster assess`: what a folder of other systems' exports says of an inventory, without agents and without a collector.
//!
//! The files are taken in by a collector that lives in this process' memory and is gone afterwards, so that the answer
//! is the one that a real collector would give. The report is one HTML file.

mod files;
mod page;
mod summary;

use std::{fs, path::PathBuf};

use muster_collector::assess::{Assessment, NotTaken, Taken};
use muster_common::time::Timestamp;

use crate::{
    failure::{Failure, Kind},
    output::{Answer, Cell, Column, Document, Grid},
};

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    /// Folder with the exports: purchases, staff, device management, help desk, directory, cloud, leases …
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Where the report is written
    #[arg(long, value_name = "FILE", default_value = "muster-assessment.html")]
    to: PathBuf,
}

/// A file of the folder and what became of it.
pub(super) struct Seen {
    pub(super) name: String,
    pub(super) outcome: Result<Taken, NotTaken>,
}

/// Reads the folder, takes every file in and writes the report.
pub(crate) async fn run(words: &Words, now: Timestamp) -> Result<Answer, Failure> {
    let files = files::read(&words.folder)?;
    let vault = tempfile::tempdir().map_err(|error| local("make a folder for keys", &error))?;
    let mut collector =
        Assessment::new(vault.path()).map_err(|error| local("keep names sealed meanwhile", &error))?;
    let mut seen = Vec::with_capacity(files.len());
    for file in files {
        let outcome = collector.take(file.content).await;
        seen.push(Seen { name: file.name, outcome });
    }
    let summary = summary::gather(&collector.view()).await?;
    let html = page::render(&words.folder, &seen, &summary, now);
    fs::write(&words.to, html).map_err(|error| local(&format!("write {}", words.to.display()), &error))?;
    Ok(answer(words, &seen, &summary))
}

fn answer(words: &Words, seen: &[Seen], summary: &summary::Summary) -> Answer {
    let mut grid = Grid::new(&[Column::new("what"), Column::number("count"), Column::new("filter").spare(1)]);
    for figure in &summary.figures {
        grid.rows.push(vec![
            Cell::text(figure.title.clone()),
            Cell::text(figure.count.to_string()),
            Cell::text(figure.filter.clone()),
        ]);
    }
    let taken = seen.iter().filter(|file| file.outcome.is_ok()).count();
    let mut notes: Vec<String> = seen
        .iter()
        .filter_map(|file| match &file.outcome {
            Ok(_) => None,
            Err(why) => Some(format!("{} was left out: {why}", file.name)),
        })
        .collect();
    notes.push(format!(
        "{taken} of {} files taken in, {} assets; the report with every row: {}",
        seen.len(),
        summary.assets.len(),
        words.to.display()
    ));
    Answer { json: Document::of(&summary.gaps), grid, sheet: None, notes, shown_rows: None }
}

fn local(what: &str, error: &dyn std::error::Error) -> Failure {
    Failure::new(Kind::Failed, format!("could not {what}"), error.to_string())
}
