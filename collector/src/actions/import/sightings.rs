//! Rows that show endpoints on networks: noted with the devices that they belong to, all in one go.

use muster_common::{observation::Sighting, source::ImportName};

use super::{ImportFailed, Importer, Numbered, RowOutcome, RowReport, Run};
use crate::pipeline::sightings::Sighted;

impl Importer {
    /// Takes sightings in, or says what would become of them.
    pub(super) async fn sightings(
        &self,
        rows: Vec<Numbered<Sighting>>,
        run: Run<'_>,
    ) -> Result<Vec<RowReport>, ImportFailed> {
        let Some(first) = rows.first().map(|row| row.number) else { return Ok(Vec::new()) };
        let import: &ImportName = run.import;
        let sightings: Vec<&Sighting> = rows.iter().map(|row| &row.record).collect();
        let outcomes = self.pipeline.sight(import, &sightings, run.apply).await;
        let outcomes = outcomes.map_err(|source| ImportFailed::Row { row: first, source })?;
        run.progress.add(rows.len());
        let report = |(row, sighted): (Numbered<Sighting>, Sighted)| {
            let (outcome, reason) = match sighted {
                Sighted::Device(_, true) => (RowOutcome::Update, "seen"),
                Sighted::Device(_, false) => (RowOutcome::Unchanged, ""),
                Sighted::Nobody(true) => {
                    (RowOutcome::New, "no device reports this address: kept as a sighting")
                }
                Sighted::Several(true) => {
                    (RowOutcome::New, "several devices report this address: kept as a sighting")
                }
                Sighted::Nobody(false) | Sighted::Several(false) => {
                    (RowOutcome::Unchanged, "still no single device's")
                }
                Sighted::Old => (RowOutcome::Unchanged, "too long ago to tell whose address it was"),
                Sighted::Random => (RowOutcome::Unchanged, "a random address: counted, not listed"),
                Sighted::Nothing => (RowOutcome::Unchanged, "an address that names nobody"),
            };
            let mut reasons = vec![reason.to_owned()];
            reasons.extend(row.record.notes);
            reasons.retain(|reason| !reason.is_empty());
            let device = match sighted {
                Sighted::Device(device, _) => Some(device),
                Sighted::Nobody(_)
                | Sighted::Several(_)
                | Sighted::Old
                | Sighted::Random
                | Sighted::Nothing => None,
            };
            RowReport { device, ..RowReport::new(row.number, outcome, reasons.join("; ")) }
        };
        Ok(rows.into_iter().zip(outcomes).map(report).collect())
    }
}
