//! Rows that can't be used: kept sealed for whoever corrects them, until the corrected file goes in.

use std::collections::BTreeMap;

use muster_proto::store::v1 as stored;
use prost::Message;

use super::{ImportFailed, Importer, RowOutcome, RowReport, Run};
use crate::{
    records::{Read, key, put},
    store::{Commit, Position},
};

/// How many refused rows are kept in one commit.
const AT_ONCE: usize = 500;

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
