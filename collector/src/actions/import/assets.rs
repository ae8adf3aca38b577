//! Rows that speak of assets: each an observation of its own, on its way with others so that they share their flushes.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use muster_common::{
    asset::Category,
    device::{Device, Field, Value},
    id::PersonId,
    observation::{AssetRecord, PersonName, RecordIdentifiers, RecordValue},
};
use tokio::task::JoinSet;

use super::{ImportFailed, Importer, Numbered, RowOutcome, RowReport, Run};
use crate::{
    pipeline::{
        observation::{Attachment, Observation, Outcome, Speaker},
        preview::Preview,
    },
    records::{Read, key},
};

/// How many rows are on their way at once.
const AT_ONCE: usize = 256;

impl Importer {
    /// Takes assets in, or says what would become of them; `persons` are those whom they name, by [`PersonName::key`].
    pub(super) async fn assets(
        &self,
        rows: Vec<Numbered<AssetRecord>>,
        persons: BTreeMap<String, PersonId>,
        run: Run<'_>,
    ) -> Result<Vec<RowReport>, ImportFailed> {
        if run.apply {
            self.take_assets(rows, persons, run).await
        } else {
            self.foresee(rows, persons, run).await
        }
    }

    async fn foresee(
        &self,
        rows: Vec<Numbered<AssetRecord>>,
        persons: BTreeMap<String, PersonId>,
        run: Run<'_>,
    ) -> Result<Vec<RowReport>, ImportFailed> {
        let mut reports = Vec::with_capacity(rows.len());
        // Rows of this file about the same machine, which would meet each other only if they were taken in.
        let mut earlier: HashMap<String, u32> = HashMap::new();
        for Numbered { number, record, .. } in rows {
            let observation = observe(run, &record, &persons);
            let failed = |source| ImportFailed::Row { row: number, source };
            let Preview { outcome, explanation } =
                self.pipeline.preview(&observation).await.map_err(failed)?;
            let mut report = report(number, &record.notes, &Outcome { explanation, ..outcome });
            // A new device's id is made up.
            if let Some(id) = report.device {
                let known: Read<Device> = self.pipeline.records().get(key::device(id)).await?;
                report.device = known.record.map(|device| device.id);
            }
            let serial = record.identifiers.serial.clone();
            if let Some(first) = serial.and_then(|serial| earlier.insert(serial, number))
                && report.outcome == RowOutcome::New
            {
                report.outcome = RowOutcome::Conflict;
                report.reason = format!("another order of the machine in row {first}; both would be kept");
            }
            reports.push(report);
            run.progress.add(1);
        }
        Ok(reports)
    }

    async fn take_assets(
        &self,
        rows: Vec<Numbered<AssetRecord>>,
        persons: BTreeMap<String, PersonId>,
        run: Run<'_>,
    ) -> Result<Vec<RowReport>, ImportFailed> {
        let mut reports = Vec::with_capacity(rows.len());
        let mut met: HashSet<String> = HashSet::new();
        let mut running: JoinSet<Result<RowReport, ImportFailed>> = JoinSet::new();
        for Numbered { number, record, .. } in rows {
            // Rows about one machine go in the order of the file, or it would be chance which of them is in conflict.
            let meets = keys_of(&record).into_iter().filter(|text| !met.insert(text.clone())).count() > 0;
            while running.len() >= AT_ONCE || meets && !running.is_empty() {
                if let Some(done) = running.join_next().await {
                    reports.push(done??);
                    run.progress.add(1);
                }
            }
            let observation = observe(run, &record, &persons);
            let (pipeline, notes) = (Arc::clone(&self.pipeline), record.notes);
            running.spawn(async move {
                let outcome = pipeline.observe(&observation).await;
                let outcome = outcome.map_err(|source| ImportFailed::Row { row: number, source })?;
                Ok(report(number, &notes, &outcome))
            });
        }
        while let Some(done) = running.join_next().await {
            reports.push(done??);
            run.progress.add(1);
        }
        Ok(reports)
    }
}

fn report(number: u32, notes: &[String], outcome: &Outcome) -> RowReport {
    let Outcome { device, attachment, changed, explanation, .. } = outcome;
    let (outcome, mut reasons) = match (attachment, changed) {
        (Attachment::Conflict, _) => (RowOutcome::Conflict, vec![explanation.clone()]),
        (Attachment::Matched | Attachment::New, _) => (RowOutcome::New, vec![explanation.clone()]),
        (Attachment::Known, true) => (RowOutcome::Update, Vec::new()),
        (Attachment::Known, false) => (RowOutcome::Unchanged, Vec::new()),
    };
    reasons.extend(notes.iter().cloned());
    reasons.retain(|reason| !reason.is_empty());
    RowReport { device: Some(*device), ..RowReport::new(number, outcome, reasons.join("; ")) }
}

/// The record's identifiers as texts that differ where they do.
fn keys_of(record: &AssetRecord) -> Vec<String> {
    let RecordIdentifiers { serial, asset_tag, uuid, machine_id, macs, instance, asset_key } =
        &record.identifiers;
    let texts =
        [("s", serial), ("t", asset_tag), ("u", uuid), ("i", machine_id), ("c", instance), ("k", asset_key)];
    // The key of a seat is its own only together with the person.
    let person = record.of_person.as_ref().and_then(PersonName::key).unwrap_or_default();
    let texts = texts
        .into_iter()
        .filter_map(|(kind, text)| text.as_ref().map(|text| format!("{kind}/{text}\n{person}")));
    texts.chain(macs.iter().map(|mac| format!("m/{mac}"))).collect()
}

/// The observation that a record is, with ids for its persons.
fn observe(run: Run<'_>, record: &AssetRecord, persons: &BTreeMap<String, PersonId>) -> Observation {
    let id_of = |name: &PersonName| name.key().and_then(|text| persons.get(&text)).copied();
    let mut fields: BTreeMap<Field, Value> = BTreeMap::new();
    for (field, value) in &record.fields {
        let value = match value {
            RecordValue::Plain(value) => Some(value.clone()),
            RecordValue::Person(name) => id_of(name).map(Value::Person),
        };
        fields.extend(value.map(|value| (*field, value)));
    }
    if record.category != Category::Device {
        fields.insert(Field::Category, Value::Text(record.category.name().to_owned()));
    }
    let RecordIdentifiers { instance, asset_key, .. } = &record.identifiers;
    let mut row_key = record.row_key.clone();
    let mut asset_key = asset_key.clone();
    // One person's seat is told from the next one's by whose it is.
    if let Some(person) = record.of_person.as_ref().and_then(id_of) {
        row_key = format!("{row_key}\n{person}");
        if record.category != Category::Device {
            asset_key = Some(asset_key.map_or_else(|| person.to_string(), |key| format!("{key}/{person}")));
        }
        fields.entry(Field::AssignedTo).or_insert(Value::Person(person));
    }
    for (field, value) in [(Field::Instance, instance.clone()), (Field::AssetKey, asset_key)] {
        fields.extend(value.map(|value| (field, Value::Text(value))));
    }
    let speaker = Speaker::Row { import: run.import.clone(), row_key, fields, vouches: record.vouches };
    // When the source saw it is not when it came in, and what happens happens when it came in.
    let seen = record.seen.filter(|seen| *seen < run.now);
    Observation { received: run.now, ..Observation::first(speaker, seen.unwrap_or(run.now)) }
}
