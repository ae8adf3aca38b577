//! What differs between two records of one device, field by field: the content of its history.

use muster_common::device::{Claimed, Device, Field};

/// One field as it was and as it is; no claims where it wasn't or isn't known.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// Which field.
    pub field: Field,
    /// Its claims before, the winner first.
    pub before: Vec<Claimed>,
    /// Its claims after, the winner first.
    pub after: Vec<Claimed>,
}

/// The fields whose claims differ, in the order of the fields.
///
/// That a source confirmed the same word later is no change.
pub fn changes(before: Option<&Device>, after: &Device) -> Vec<FieldChange> {
    let claims = |device: Option<&Device>, field: Field| {
        device
            .and_then(|device| device.fields.get(&field))
            .map(|known| known.claims.clone())
            .unwrap_or_default()
    };
    let same = |left: &[Claimed], right: &[Claimed]| {
        left.len() == right.len()
            && left.iter().zip(right).all(|(a, b)| a.value == b.value && a.source == b.source)
    };
    Field::ALL
        .iter()
        .filter_map(|field| {
            let (before, after) = (claims(before, *field), claims(Some(after), *field));
            (!same(&before, &after)).then_some(FieldChange { field: *field, before, after })
        })
        .collect()
}
