//! `muster audit export`: an evidence pack as a file of JSON lines, for whoever has no collector.

use std::{
    fs::OpenOptions,
    io::{BufWriter, Write},
    path::PathBuf,
};

use muster_common::{id::DeviceId, time::Timestamp};
use muster_proto::{
    convert::to_timestamp,
    json,
    v1::{
        AuditPackHeader, AuditPackLine, AuditPeriod, ExportAuditPackRequest, LookupRequest,
        audit_pack_line::Line, export_audit_pack_request::Scope,
    },
};

use super::super::{bare_id, grouped};
use crate::{
    connection::{Session, ask, ask_patiently},
    failure::{Failure, Kind},
    output::{Answer, Cell, Column, Document, Grid},
};

/// The words of export.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// Device id, serial number, host name, asset tag, MAC or IP address
    #[arg(value_name = "ASSET", required_unless_present_any = ["since", "until"])]
    asset: Option<String>,
    /// Every entry from this time on, instead of one asset's
    #[arg(long, value_name = "TIME", conflicts_with = "asset")]
    since: Option<Timestamp>,
    /// Every entry before this time, instead of one asset's
    #[arg(long, value_name = "TIME", conflicts_with = "asset")]
    until: Option<Timestamp>,
    /// The file to write; it must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Writes the pack.
pub(super) async fn run(words: &Export, session: &Session) -> Result<Answer, Failure> {
    let scope = match &words.asset {
        Some(asset) => Scope::Asset(format!("devices/{}", find(asset, session).await?)),
        None => Scope::Period(AuditPeriod {
            start_time: words.since.map(to_timestamp),
            end_time: words.until.map(to_timestamp),
        }),
    };
    let request = ExportAuditPackRequest { scope: Some(scope) };
    let mut lines = session.explain(session.audit.clone().export_audit_pack(ask_patiently(request)).await)?;
    let name = words.out.display();
    let unwritable = |error: std::io::Error| {
        Failure::new(Kind::Usage, format!("{name} can't be written: {error}"), "name a new file with --out")
    };
    let mut first = session.explain(lines.message().await.map(tonic::Response::new))?;
    let mut out = None;
    let (mut full, mut skipped) = (0_u64, 0_u64);
    let mut header = AuditPackHeader::default();
    while let Some(line) = first {
        // Made only now, so that an error before leaves no empty file.
        if out.is_none() {
            let file =
                OpenOptions::new().write(true).create_new(true).open(&words.out).map_err(unwritable)?;
            out = Some(BufWriter::new(file));
        }
        match &line.line {
            Some(Line::Header(found)) => header = found.clone(),
            Some(Line::Entry(_)) => full += 1,
            Some(Line::Skipped(_)) => skipped += 1,
            None => {}
        }
        if let Some(out) = &mut out {
            writeln!(out, "{}", text(&line)).map_err(unwritable)?;
        }
        first = session.explain(lines.message().await.map(tonic::Response::new))?;
    }
    let mut out = out.ok_or_else(|| {
        Failure::new(Kind::Failed, "the collector sent nothing", "look at the collector's log")
    })?;
    out.flush().and_then(|()| out.get_ref().sync_all()).map_err(unwritable)?;
    Ok(answer(&header, full, skipped, &name.to_string()))
}

/// A line of the file.
fn text(line: &AuditPackLine) -> String {
    json::to_value(line).to_string()
}

/// The id of an asset, by whatever identifier it has.
async fn find(asset: &str, session: &Session) -> Result<DeviceId, Failure> {
    if let Ok(id) = bare_id(asset).parse() {
        return Ok(id);
    }
    let request = LookupRequest { identifier: asset.to_owned(), at: None };
    let found = session.explain(session.query.clone().lookup(ask(request)).await)?;
    let mut ids: Vec<DeviceId> =
        found.matches.iter().filter_map(|found| bare_id(&found.device).parse().ok()).collect();
    ids.sort_unstable();
    ids.dedup();
    match ids.as_slice() {
        [id] => Ok(*id),
        [] => Err(Failure::new(
            Kind::NotFound,
            format!("there is no device {asset}"),
            "see what there is: muster devices",
        )),
        several => Err(Failure::new(
            Kind::Usage,
            format!("{asset} is {} devices", several.len()),
            "name one by its id: muster devices",
        )),
    }
}

fn answer(header: &AuditPackHeader, full: u64, skipped: u64, file: &str) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("file"),
        Column::new("scope"),
        Column::number("entries"),
        Column::number("skipped"),
        Column::new("head"),
    ]);
    grid.rows.push(vec![
        Cell::text(file),
        Cell::text(&header.scope),
        Cell::text(full.to_string()),
        Cell::text(skipped.to_string()),
        Cell::text(&header.head),
    ]);
    let sheet = format!(
        "{file}: {} entries about {}, and the hashes of {} others up to entry {}\n",
        grouped(full),
        header.scope,
        grouped(skipped),
        grouped(header.last_number)
    );
    let notes = vec![
        "Anybody can check it with Python alone (docs/audit.md):".to_owned(),
        format!("  python3 verify.py {file} --key KEY --heads FILE"),
    ];
    Answer { json: Document::of(header), grid, sheet: Some(sheet), notes, shown_rows: None }
}
