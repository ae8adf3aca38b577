//! What another charter would change, decided over the live inventory and not done.
//!
//! Every record is folded and judged by both charters at the same moment, so that what differs is the charter's doing
//! alone; nothing is written, and nobody waits for it but who asks.

use std::collections::BTreeMap;

use muster_common::{
    device::{Device, Field},
    flag::FlagCode,
    governance::Charter,
    id::DeviceId,
};

use super::{ObserveError, Pipeline, refold::Refold};
use crate::{records::key, store::Key};

/// Devices that are read in one go.
const PAGE: usize = 500;

/// What another charter would change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trial {
    /// How many records were judged by both.
    pub devices: u64,
    /// By flag.
    pub flags: BTreeMap<FlagCode, FlagTrial>,
    /// On how many records a field shows another value, with some of them.
    pub fields: BTreeMap<Field, (u64, Vec<Named>)>,
    /// Open findings under the other charter.
    pub open: BTreeMap<FlagCode, u64>,
    /// Findings under the other charter that an exception covers.
    pub excepted: BTreeMap<FlagCode, u64>,
}

/// What becomes of one flag.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlagTrial {
    /// On how many records it appears.
    pub appears: u64,
    /// On how many it clears.
    pub clears: u64,
    /// On how many it stays with another severity.
    pub reweighed: u64,
    /// Some of those where it appears.
    pub appearing: Vec<Named>,
    /// Some of those where it clears.
    pub clearing: Vec<Named>,
}

/// A device by id, and by a name for people.
pub type Named = (DeviceId, String);

impl Pipeline {
    /// Tries a charter; of each flag and field at most `named` devices are named.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn try_charter(&self, other: &Charter, named: usize) -> Result<Trial, ObserveError> {
        let present = self.charter.load_full();
        let now = self.now();
        let mut trial = Trial::default();
        let mut after: Option<Key> = None;
        loop {
            let page: Vec<(Key, Device)> = self.records.scan(key::DEVICES, after.as_ref(), PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(trial) };
            after = Some(last.clone());
            for (_, device) in page.iter().filter(|(_, device)| device.merged_into.is_none()) {
                let subjects = self.subjects_of(device).await?;
                let surroundings = self.surroundings(device.id, &subjects, &[]).await?;
                let by = |charter: &Charter| {
                    let refold = Refold {
                        id: device.id,
                        before: Some(device),
                        subjects: &subjects,
                        explanation: "",
                        actor: "",
                        now,
                        software: (Vec::new(), Vec::new()),
                        surroundings: Some(surroundings.clone()),
                    };
                    self.refold_by(charter, refold).device
                };
                trial.compare(&by(&present), &by(other), named);
            }
        }
    }
}

impl Trial {
    fn compare(&mut self, before: &Device, after: &Device, named: usize) {
        self.devices += 1;
        let name = |of: &mut Vec<Named>| {
            if of.len() < named {
                of.push((after.id, after.display_name()));
            }
        };
        let has = |device: &Device, code| {
            device.flags.iter().find(|flag| flag.code == code).map(|flag| flag.severity)
        };
        for flag in &after.flags {
            let open = if flag.is_open() { &mut self.open } else { &mut self.excepted };
            *open.entry(flag.code).or_default() += 1;
            match has(before, flag.code) {
                None => {
                    let of = self.flags.entry(flag.code).or_default();
                    of.appears += 1;
                    name(&mut of.appearing);
                }
                Some(severity) if severity != flag.severity => {
                    self.flags.entry(flag.code).or_default().reweighed += 1;
                }
                Some(_) => {}
            }
        }
        for flag in before.flags.iter().filter(|flag| has(after, flag.code).is_none()) {
            let of = self.flags.entry(flag.code).or_default();
            of.clears += 1;
            name(&mut of.clearing);
        }
        for field in Field::ALL.iter().filter(|field| before.value(**field) != after.value(**field)) {
            let (count, some) = self.fields.entry(*field).or_default();
            *count += 1;
            name(some);
        }
    }
}
