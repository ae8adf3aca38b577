//! What an agent's report says of things on its machine that are assets of their own: each becomes an observation.
//!
//! It comes after the report and before its acknowledgement, also when the report is known already: one that was kept
//! while the collector fell is sent again, and nothing on the machine is missed. A thing that is known to hang there
//! costs two reads and no write, and only when its section is sent. What isn't there any more stays attached in the
//! record: a laptop that left its desk says nothing about who has the monitor, until another machine meets it.

use muster_common::{
    device::{Device, Field, Value},
    id::{AgentId, DeviceId},
    inventory::{Item, SectionName},
    source::{Source, SubjectKey},
};
use muster_proto::convert::item_from_body;

use super::{
    Observation, ObserveError, Outcome, Pipeline, Speaker, attach::evidence_of, observation::SectionUpdate,
};
use crate::{
    merge::peripherals::{Peripheral, peripherals},
    records::{Read, Subject, key},
};

/// Sections in which such things stand.
const SECTIONS: &[&str] = &[SectionName::MONITORS, SectionName::USB, SectionName::STORAGE];
/// Things that one report may bring.
const MOST_AT_ONCE: usize = 64;
/// Things that were ever found on one device: past this its agent makes them up.
const MOST_ON_ONE: usize = 256;

impl Pipeline {
    /// Takes what the report of an agent found on its machine.
    pub(super) async fn note_found(
        &self,
        agent: AgentId,
        report: &Observation,
        outcome: &Outcome,
    ) -> Result<(), ObserveError> {
        let items: Vec<Item> = report.sections.iter().filter(is_looked_at).flat_map(items_of).collect();
        let mut found = peripherals(&items);
        if found.is_empty() {
            return Ok(());
        }
        let speaker: Read<Subject> = self.records.get(key::subject(&outcome.subject)).await?;
        // A guest shows what its hypervisor made up, and a container what hangs on its host.
        if speaker.record.is_none_or(|subject| evidence_of(&subject).is_virtual) {
            return Ok(());
        }
        if found.len() > MOST_AT_ONCE {
            tracing::warn!(
                device.id = %outcome.device,
                found = found.len(),
                "more peripherals on one machine than are taken at once: the others are passed over"
            );
            found.truncate(MOST_AT_ONCE);
        }
        for peripheral in found {
            self.take_found(agent, outcome.device, peripheral, report).await?;
        }
        Ok(())
    }

    async fn take_found(
        &self,
        agent: AgentId,
        on: DeviceId,
        mut fields: Peripheral,
        report: &Observation,
    ) -> Result<(), ObserveError> {
        fields.insert(Field::AttachedTo, Value::Text(on.to_string()));
        let speaker = Speaker::Found { agent, on, fields };
        let mut observation = Observation::first(speaker, report.observed);
        observation.received = report.received;
        observation.carrier.clone_from(&report.carrier);
        let known: Read<Subject> = self.records.get(key::subject(&observation.subject)).await?;
        match &known.record {
            Some(known) if self.is_up_to_date(known, &observation).await? => return Ok(()),
            Some(_) => {}
            None => {
                let all = key::subjects_beginning(&SubjectKey::found_on(on));
                let met: Vec<(_, Subject)> = self.records.scan(&all, None, MOST_ON_ONE).await?;
                if met.len() == MOST_ON_ONE {
                    tracing::warn!(device.id = %on, "a machine has shown too many peripherals: no more are taken");
                    return Ok(());
                }
            }
        }
        Box::pin(self.observe(&observation)).await.map(drop)
    }

    /// Whether the same was said before and the thing hasn't been met elsewhere since.
    async fn is_up_to_date(&self, known: &Subject, found: &Observation) -> Result<bool, ObserveError> {
        let Speaker::Found { agent, fields, .. } = &found.speaker else { return Ok(false) };
        let says = known.fields.iter().map(|(field, (value, _))| (field, value));
        if known.source != Source::Agent(*agent) || !says.eq(fields) {
            return Ok(false);
        }
        let read: Read<Device> = self.records.get(key::device(known.device)).await?;
        let hangs = read.record.and_then(|mut device| device.fields.remove(&Field::AttachedTo));
        // Of agents only the one that met it last has a claim there.
        Ok(hangs.is_some_and(|hangs| {
            hangs.claims.iter().any(|claim| {
                claim.source == known.source && fields.get(&Field::AttachedTo) == Some(&claim.value)
            })
        }))
    }
}

fn is_looked_at(update: &&SectionUpdate) -> bool {
    SECTIONS.contains(&update.name.as_str())
}

/// The items of an update; those of a newer agent that can't be read are nothing that could be told.
fn items_of(update: &SectionUpdate) -> impl Iterator<Item = Item> {
    update.upserts.iter().filter_map(|item| item_from_body(&item.body, &item.installation).ok().flatten())
}
