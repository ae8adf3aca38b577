//! `duplicate-identifier`: more devices claim one of its identifiers than can rightly have it.

use muster_common::{flag::FlagCode, governance::Charter};

use super::{DeviceView, Rule, never};
use crate::identity::IdentifierKind;

pub(super) const RULE: Rule =
    Rule { code: FlagCode::DuplicateIdentifier, judge, flips: never, tells_anew: false };

fn judge(view: &DeviceView<'_>, charter: &Charter) -> Option<String> {
    let is_cloned = !view.clone_peers.is_empty();
    let shared = view.claims.iter().find(|(kind, devices)| match limit(*kind, charter) {
        // An image brings its agent and machine id along, and that has its own finding.
        _ if is_cloned && matches!(kind, IdentifierKind::Agent | IdentifierKind::MachineId) => false,
        Some(limit) => *devices > limit,
        None => false,
    })?;
    // The number isn't in the text: it would rewrite every record with each machine that joins.
    Some(format!("its {} is claimed by other devices too", shared.0.words()))
}

/// How many devices may claim an identifier of a kind; none where `cloned-identity` speaks of it.
fn limit(kind: IdentifierKind, charter: &Charter) -> Option<u32> {
    match kind {
        // Made to be unique in the whole world, or in its scheme.
        IdentifierKind::Uuid
        | IdentifierKind::Instance
        | IdentifierKind::AssetTag
        | IdentifierKind::AssetKey => Some(1),
        IdentifierKind::Serial
        | IdentifierKind::BoardSerial
        | IdentifierKind::Mac
        | IdentifierKind::MachineId => Some(charter.devices_per_identifier),
        IdentifierKind::Agent => None,
    }
}

#[cfg(test)]
mod tests {
    use muster_common::id::DeviceId;

    use super::super::sample::Sample;
    use super::*;

    fn check(claims: &[(IdentifierKind, u32)], expected: bool) {
        let mut sample = Sample::laptop();
        sample.claims = claims.to_vec();
        assert_eq!(sample.has(FlagCode::DuplicateIdentifier), expected, "{claims:?}");
    }

    #[test]
    fn a_uuid_belongs_to_one_device_and_a_serial_to_few() {
        check(&[(IdentifierKind::Uuid, 1), (IdentifierKind::Serial, 3)], false);
        check(&[(IdentifierKind::Uuid, 2)], true);
        check(&[(IdentifierKind::Serial, 4)], true);
        check(&[(IdentifierKind::Agent, 500)], false);
    }

    #[test]
    fn the_machine_id_of_clones_has_its_own_finding() {
        let mut sample = Sample::laptop();
        sample.claims = vec![(IdentifierKind::MachineId, 500)];
        sample.clone_peers = vec![DeviceId::from_bytes([2; 16])];
        assert!(!sample.has(FlagCode::DuplicateIdentifier));
    }
}
