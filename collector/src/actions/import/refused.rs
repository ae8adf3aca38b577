//! Rows that can't be used: kept sealed for whoever corrects them, until the corrected file goes in.

use std::collections::BTreeMap;

use muster_common::source::ImportName;
use muster_proto::store::v1 as stored;
use prost::Message;

use super::{
    ImportFailed, Importer, RowOutcome, RowReport, Run,
    corrected::{Taken, Waiting, corrected},
};
use crate::{
    privacy::Sealed,
    records::{Read, delete, key, put},
    store::{Commit, Key, Position, Revision},
};

/// How many refused rows are kept in one commit.
const AT_ONCE: usize = 500;
/// How many rows that wait for correction are looked at.
const MOST_WAITING: usize = 20_000;

/// A row that can't be used.
#[derive(Debug)]
pub(super) struct RefusedRow {
    pub(super) number: u32,
    pub(super) reason: String,
    pub(super) original: String,
}

impl RefusedRow {
    /// The row in the report.
    pub(super) fn report(&self) -> RowReport {
        RowReport::new(self.number, RowOutcome::Refused, self.reason.clone())
    }
}

impl Importer {
    /// The rows of earlier imports by this name that wait for correction.
    pub(super) async fn waiting(
        &self,
        import: &ImportName,
    ) -> Result<Vec<Waiting<(Key, Revision)>>, ImportFailed> {
        let records = self.pipeline.records();
        let prefix = key::refused_rows_of(import.as_str());
        let mut waiting = Vec::new();
        let mut after: Option<Key> = None;
        while waiting.len() < MOST_WAITING {
            let page: Vec<(Key, stored::RefusedRow)> = records.scan(&prefix, after.as_ref(), AT_ONCE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            let keys = page.into_iter().map(|(key, _)| key).collect();
            let read: Vec<Read<stored::RefusedRow>> = records.get_all(keys).await?;
            for Read { key, record, revision } in read {
                let Some(row) = record else { continue };
                let sealed = Sealed { bytes: row.sealed_content, nonce: row.nonce };
                let opened = self.persons.vault().open_own(&sealed)?;
                let text = String::from_utf8_lossy(&opened);
                let original = text.split_once('\0').map_or("", |(_, original)| original).to_owned();
                waiting.push(Waiting { key: (key, revision), number: row.row, original });
            }
        }
        Ok(waiting)
    }

    /// Lets go of the rows that are in now.
    pub(super) async fn clear(
        &self,
        waiting: Vec<Waiting<(Key, Revision)>>,
        texts: &[(u32, String)],
        reports: &[RowReport],
        run: Run<'_>,
    ) -> Result<(), ImportFailed> {
        let outcomes: BTreeMap<u32, RowOutcome> =
            reports.iter().map(|report| (report.number, report.outcome)).collect();
        let taken: Vec<Taken<'_>> = texts
            .iter()
            .filter_map(|(number, original)| {
                let changed = match outcomes.get(number)? {
                    RowOutcome::New | RowOutcome::Update | RowOutcome::Conflict => true,
                    RowOutcome::Unchanged => false,
                    RowOutcome::Refused => return None,
                };
                Some(Taken { number: *number, original, changed })
            })
            .collect();
        for part in corrected(waiting, &taken).chunks(AT_ONCE) {
            let commit = Commit {
                kind: "import.corrected".to_owned(),
                time: run.now,
                actor: run.actor.to_owned(),
                expected: part.to_vec(),
                writes: part.iter().map(|(key, _)| delete(key.clone())).collect(),
                audit: None,
            };
            self.pipeline.records().commit(commit).await?;
        }
        Ok(())
    }

    /// Keeps the rows that can't be used, and the audit entry of the whole.
    pub(super) async fn keep_refused(
        &self,
        run: Run<'_>,
        rows: Vec<RefusedRow>,
        reports: &[RowReport],
    ) -> Result<Position, ImportFailed> {
        let Run { import, actor, now, .. } = run;
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
        let latest: BTreeMap<[u8; 16], RefusedRow> =
            rows.into_iter().map(|row| (vault.blind(&row.original), row)).collect();
        let latest: Vec<_> = latest.into_iter().collect();
        for part in latest.chunks(AT_ONCE) {
            let keys = part.iter().map(|(digest, _)| key::refused_row(import.as_str(), digest)).collect();
            let known: Vec<Read<stored::RefusedRow>> = records.get_all(keys).await?;
            let (mut expected, mut writes) = (Vec::new(), Vec::new());
            for ((_, row), read) in part.iter().zip(known) {
                let RefusedRow { number, reason, original } = row;
                if read.record.as_ref().is_some_and(|known| known.row == *number) {
                    continue;
                }
                // A reason may quote the row, and so a name that stands in the wrong column.
                let sealed = vault.seal_own(format!("{reason}\0{original}").as_bytes())?;
                let refused = stored::RefusedRow {
                    source: import.as_str().to_owned(),
                    row: *number,
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
