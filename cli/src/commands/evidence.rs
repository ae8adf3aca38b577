//! `muster evidence`: files that prove something of an asset.

use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use muster_common::governance::EvidenceKind;
use muster_proto::{
    limits::EVIDENCE_BYTES,
    v1::{AddEvidenceRequest, Evidence, GetEvidenceRequest, ListEvidenceRequest, ListEvidenceResponse},
};

use super::{count_note, device};
use crate::{
    connection::{Session, ask, ask_patiently},
    failure::{Failure, Kind},
    output::{Answer, Cell, Column, Document, Grid, Screen, Tone, ago, moment, visible},
};

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Keep a file: PDF, PNG, JPEG or plain text, at most 10 MiB
    Add {
        /// Asset: id, serial number, host name or asset tag
        asset: String,
        /// The file
        file: PathBuf,
        /// What it proves: wipe-certificate, disposal-certificate, sale-record, return-receipt, delivery-note, invoice,
        /// repair-report, loss-report or other
        #[arg(long, value_name = "KIND")]
        kind: EvidenceKind,
    },
    /// List an asset's files, each checked
    List {
        /// Asset: id, serial number, host name or asset tag
        asset: String,
    },
    /// Fetch a file back, as it was added
    Get {
        /// Asset: id, serial number, host name or asset tag
        asset: String,
        /// The hash, as list shows it
        hash: String,
        /// Where to write it; nothing that is there is written over
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}

/// Does what was asked.
pub(crate) async fn run(words: &Words, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    let mut lifecycle = session.lifecycle.clone();
    match &words.action {
        Action::Add { asset, file, kind } => {
            let content = read(file)?;
            let asset = device::find(asset, session).await?;
            let file_name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let request =
                AddEvidenceRequest { asset: asset.name, kind: kind.name().to_owned(), file_name, content };
            let added = session.explain(lifecycle.add_evidence(ask_patiently(request)).await)?;
            let note = format!("Kept as sha256:{}", added.hash);
            Ok(Answer { json: Document::of(&added), notes: vec![note], ..listed(&[added], screen) })
        }
        Action::List { asset } => {
            let asset = device::find(asset, session).await?;
            let request = ListEvidenceRequest { asset: asset.name };
            let response = session.explain(lifecycle.list_evidence(ask(request)).await)?;
            Ok(listed(&response.evidence, screen))
        }
        Action::Get { asset, hash, to } => {
            let asset = device::find(asset, session).await?;
            let request = GetEvidenceRequest { asset: asset.name, hash: hash.clone() };
            let response = session.explain(lifecycle.get_evidence(ask_patiently(request)).await)?;
            write_new(to, &response.content)?;
            let evidence = response.evidence.unwrap_or_default();
            let note = format!("Written to {}", visible(&to.display().to_string(), 400));
            Ok(Answer { json: Document::of(&evidence), notes: vec![note], ..listed(&[evidence], screen) })
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let limit = EVIDENCE_BYTES as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    read.map_err(|error| {
        let what = format!("{} can't be read: {error}", path.display());
        Failure::new(Kind::Usage, what, "name a file that you may read")
    })?;
    Ok(bytes)
}

/// Writes a file that isn't there yet.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let written = File::create_new(path).and_then(|mut file| file.write_all(bytes));
    written.map_err(|error| {
        let what = format!("{} can't be written: {error}", path.display());
        Failure::new(Kind::Usage, what, "name a file that isn't there yet, in a folder that you may write")
    })
}

fn listed(evidence: &[Evidence], screen: &Screen) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("kind"),
        Column::new("file"),
        Column::new("type").spare(1),
        Column::number("bytes").spare(2),
        Column::new("added"),
        Column::new("added_by").spare(3),
        Column::new("hash"),
        Column::sentences("state"),
    ]);
    for item in evidence {
        let (state, tone) = match item.damage.as_str() {
            "" => ("sound", Tone::Good),
            damage => (damage, Tone::Critical),
        };
        let time = item.add_time.as_ref();
        grid.rows.push(vec![
            Cell::text(&item.kind),
            Cell::text(&item.file_name),
            Cell::text(&item.media_type),
            Cell::text(item.size_bytes.to_string()),
            Cell::pair(ago(time, screen.now), moment(time)),
            Cell::text(&item.added_by),
            Cell::text(&item.hash),
            Cell::text(state).in_tone(tone),
        ]);
    }
    let notes = vec![count_note(evidence.len(), 0, "file", "")];
    let json = Document::of(&ListEvidenceResponse { evidence: evidence.to_vec() });
    Answer { json, grid, sheet: None, notes, shown_rows: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::{check_csv, screen};

    #[test]
    fn damage_is_told() {
        let sound = Evidence { kind: "invoice".to_owned(), hash: "ab".to_owned(), ..Evidence::default() };
        let gone = Evidence { damage: "it was changed".to_owned(), ..sound.clone() };
        let lines = [
            "kind,file,type,bytes,added,added_by,hash,state",
            "invoice,,,0,,,ab,sound",
            "invoice,,,0,,,ab,it was changed",
        ];
        check_csv(&listed(&[sound, gone], &screen()), &lines);
    }

    #[test]
    fn nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wipe.pdf");
        write_new(&path, b"one").unwrap();
        assert_eq!(write_new(&path, b"two").unwrap_err().kind(), Kind::Usage);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
    }
}
