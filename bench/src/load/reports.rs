//! What an agent of the fleet has to say, encoded by the agent's own encoder.

use muster_agent::report::{EncodedInventory, Held, envelopes, evidence as agent_evidence, step};
use muster_common::time::EndpointTime;
use muster_proto::{convert, v1};

use crate::fleet::{Choice, Fleet};

/// Length of a spool's epoch on the wire.
const EPOCH_BYTES: usize = 16;

/// What tells which device it is, as enrolment shows it.
pub fn evidence(fleet: &Fleet, device: u64) -> Vec<v1::Item> {
    // The packages are no evidence, so it does not matter which there are.
    agent_evidence(&fleet.inventory(device, Choice::Slice(0), 0))
}

/// The first message of a session. With `claimed` the agent believes that the collector holds that generation.
pub fn hello(fleet: &Fleet, device: u64, choice: Choice, claimed: Option<u32>) -> v1::Hello {
    let inventory = EncodedInventory::new(&fleet.inventory(device, choice, claimed.unwrap_or(0)));
    let digest = |section: &muster_agent::report::EncodedSection| v1::SectionDigest {
        section: section.name().as_str().to_owned(),
        digest: section.manifest().digest(section.name()).as_bytes().to_vec(),
    };
    let baseline = inventory.sections.values().map(|section| digest(section)).collect();
    v1::Hello {
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        capabilities: Vec::new(),
        boot_id: format!("boot-{device}"),
        spool_epoch: epoch(fleet, device),
        baseline: if claimed.is_some() { baseline } else { Vec::new() },
        evidence: inventory.evidence,
        lineage: Vec::new(),
        endpoint_time: inventory.observed.map(convert::to_timestamp_endpoint),
    }
}

/// The whole inventory.
pub fn full(fleet: &Fleet, device: u64, choice: Choice, sequence: u64) -> Vec<v1::Envelope> {
    let inventory = EncodedInventory::new(&fleet.inventory(device, choice, 0));
    let sections = inventory.sections.values().filter_map(|section| step(section, &Held::default(), false));
    envelopes(sequence, inventory.observed, sections.map(|step| step.report).collect())
}

/// What changed from one generation to the next.
pub fn delta(fleet: &Fleet, device: u64, choice: Choice, to: u32, sequence: u64) -> Vec<v1::Envelope> {
    let [before, after] = [to.saturating_sub(1), to]
        .map(|generation| EncodedInventory::new(&fleet.inventory(device, choice, generation)));
    let sections = after.sections.iter().filter_map(|(name, section)| {
        let held = step(before.sections.get(name)?, &Held::default(), false)?.reached;
        step(section, &held, false).map(|step| step.report)
    });
    envelopes(sequence, after.observed, sections.collect())
}

/// A sign of life.
pub fn heartbeat(millis: i64) -> v1::SessionRequest {
    let endpoint_time = Some(convert::to_timestamp_endpoint(EndpointTime::from_millis(millis)));
    v1::SessionRequest {
        message: Some(v1::session_request::Message::Heartbeat(v1::Heartbeat { endpoint_time })),
    }
}

/// The same for every session of a device, as a spool on disk would keep it.
pub(super) fn epoch(fleet: &Fleet, device: u64) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&fleet.shape().seed.to_le_bytes());
    hasher.update(&device.to_le_bytes());
    hasher.finalize().as_bytes()[..EPOCH_BYTES].to_vec()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use muster_common::delta::SectionDigest;
    use muster_common::inventory::SectionName;
    use prost::Message;

    use super::*;
    use crate::fleet::Shape;

    fn sections(envelopes: &[v1::Envelope]) -> Vec<v1::SectionReport> {
        let [envelope] = envelopes else { panic!("{} envelopes", envelopes.len()) };
        let mut payload = Vec::new();
        match envelope.codec() {
            v1::Codec::Zstd => {
                zstd::stream::read::Decoder::new(&*envelope.payload)
                    .unwrap()
                    .read_to_end(&mut payload)
                    .unwrap();
            }
            v1::Codec::Identity | v1::Codec::Unspecified => payload.extend(&envelope.payload),
        }
        v1::Report::decode(payload.as_slice()).unwrap().sections
    }

    #[test]
    fn a_delta_follows_on_what_was_sent_in_full_and_leads_to_what_hello_claims() {
        let fleet = Fleet::new(Shape { titles: 2_000, packages: 200, ..Shape::default() });
        let full = sections(&full(&fleet, 3, Choice::Popular, 1));
        let delta = sections(&delta(&fleet, 3, Choice::Popular, 1, 2));
        let [changed] = delta.as_slice() else { panic!("{} sections", delta.len()) };
        let before = full.iter().find(|section| section.section == changed.section).unwrap();
        assert_eq!((full.len(), before.upserts.len()), (5, 200));
        assert_eq!(changed.base_digest.as_ref(), Some(&before.result_digest));
        assert_eq!((changed.upserts.len(), changed.removed_keys.len()), (2, 2));
        let hello = hello(&fleet, 3, Choice::Popular, Some(1));
        let claimed = hello.baseline.iter().find(|claim| claim.section == changed.section).unwrap();
        assert_eq!(claimed.digest, changed.result_digest);
        assert!(SectionDigest::from_slice(&claimed.digest).is_some());
        assert_eq!(changed.section, SectionName::SOFTWARE_DPKG);
    }
}
