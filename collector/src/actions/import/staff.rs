//! Rows of a staff list: persons get their values and what the organisation says of them, and every list knows at once
//! who has left.

use std::collections::{BTreeSet, HashMap};

use muster_common::{id::PersonId, observation::PersonRecord};

use super::{ImportFailed, Importer, Numbered, RowOutcome, RowReport, Run, refused::RefusedRow};
use crate::registry::PersonOutcome;

impl Importer {
    /// Takes persons in, or says what would become of them; the rows to keep for correction come with the reports.
    pub(super) async fn staff(
        &self,
        rows: Vec<Numbered<PersonRecord>>,
        run: Run<'_>,
    ) -> Result<(Vec<RowReport>, Vec<RefusedRow>), ImportFailed> {
        let mut reports = Vec::with_capacity(rows.len());
        let mut refused = Vec::new();
        let mut refuse = |reports: &mut Vec<RowReport>, number, original, reason: String| {
            let row = RefusedRow { number, reason, original };
            reports.push(row.report());
            refused.push(row);
        };
        run.progress.add(rows.len());
        let (known, nameless): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| has_identity(&row.record));
        for Numbered { number, original, .. } in nameless {
            let reason = "has neither address, number nor name, so it can't be told who this is".to_owned();
            refuse(&mut reports, number, original, reason);
        }
        if known.is_empty() {
            return Ok((reports, refused));
        }
        let records: Vec<&PersonRecord> = known.iter().map(|row| &row.record).collect();
        let Run { import, actor, now, apply, .. } = run;
        let taken = self.persons.enrol(import, &records, actor, now, apply).await?;
        if apply {
            let persons: BTreeSet<PersonId> = taken.iter().map(|person| person.id).collect();
            self.show_persons(&persons).await?;
        }
        let mut first: HashMap<PersonId, u32> = HashMap::new();
        for (row, person) in known.into_iter().zip(taken) {
            let Numbered { number, record, original } = row;
            let outcome = match person.outcome {
                PersonOutcome::New => RowOutcome::New,
                PersonOutcome::Update => RowOutcome::Update,
                PersonOutcome::Unchanged | PersonOutcome::Erased => RowOutcome::Unchanged,
                PersonOutcome::Contradiction => {
                    let reason = "the address is known as another person's than the employee number (correct one of them)";
                    refuse(&mut reports, number, original, reason.to_owned());
                    continue;
                }
            };
            let mut reasons = record.notes;
            if person.outcome == PersonOutcome::Erased {
                reasons.push(
                    "this person was erased and stays so (somebody who begins again has a first day after that)"
                        .to_owned(),
                );
            }
            if let Some(first) = first.insert(person.id, number) {
                reasons.push(format!("the same person as in row {first}; this row's words are kept"));
            }
            let is_there = apply || outcome != RowOutcome::New;
            let report = RowReport::new(number, outcome, reasons.join("; "));
            reports.push(RowReport { person: Some(person.id).filter(|_| is_there), ..report });
        }
        Ok((reports, refused))
    }

    /// Lets lists know what has become of persons, by every id that they go by.
    async fn show_persons(&self, persons: &BTreeSet<PersonId>) -> Result<(), ImportFailed> {
        let facts = self.persons.facts(persons).await?;
        let aliases = self.persons.aliases(persons).await?;
        let mut all = Vec::with_capacity(facts.len());
        for (id, facts) in facts {
            for alias in aliases.get(&id).into_iter().flatten() {
                all.push((*alias, facts.clone()));
            }
            all.push((id, facts));
        }
        self.pipeline.set_persons(all);
        Ok(())
    }
}

fn has_identity(record: &PersonRecord) -> bool {
    let has = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
    has(&record.name.email) || has(&record.name.display) || has(&record.employee_number)
}
