//! `unassigned`: in use, and no person, department or place is accountable for it.

use muster_common::{device::Field, flag::FlagCode, governance::Charter};

use super::{DeviceView, Rule, Stage, never, stage};

pub(super) const RULE: Rule = Rule { code: FlagCode::Unassigned, judge, flips: never, tells_anew: false };

/// Any of these will do: a kiosk belongs to its place, and a monitor to the device that it hangs on.
const HOLDERS: &[Field] =
    &[Field::Owner, Field::AssignedTo, Field::Department, Field::Location, Field::AttachedTo];

fn judge(view: &DeviceView<'_>, _: &Charter) -> Option<String> {
    let is_held = HOLDERS.iter().any(|field| view.device.value(*field).is_some());
    (!is_held && stage(view.device) == Stage::InUse)
        .then(|| "no owner, person, department or location is recorded".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn a_place_is_enough_and_stock_needs_none() {
        let mut sample = Sample::laptop();
        sample.device.fields.remove(&Field::Owner);
        assert!(sample.has(FlagCode::Unassigned));
        sample.claim(Field::Location, "lobby");
        assert!(!sample.has(FlagCode::Unassigned));
        sample.device.fields.remove(&Field::Location);
        sample.claim(Field::State, "in-stock");
        assert!(!sample.has(FlagCode::Unassigned));
    }
}
