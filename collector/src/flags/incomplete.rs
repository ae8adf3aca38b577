//! `incomplete`: a field that the charter requires isn't there.

use muster_common::{device::Field, flag::FlagCode, governance::Charter};

use super::{DeviceView, Rule, never};

pub(super) const RULE: Rule = Rule { code: FlagCode::Incomplete, judge, flips: never, tells_anew: false };

fn judge(view: &DeviceView<'_>, charter: &Charter) -> Option<String> {
    let absent: Vec<&str> = charter
        .required_of(view.device.text(Field::Category), view.device.text(Field::Class))
        .filter(|field| view.device.value(*field).is_none())
        .map(|field| field.name())
        .collect();
    (!absent.is_empty()).then(|| format!("the charter requires {}", absent.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn it_names_the_absent_fields() {
        let mut sample = Sample::laptop();
        sample.charter.required_fields = vec![Field::Owner, Field::Serial, Field::CostCenter];
        let flags = sample.evaluate(&[]);
        assert_eq!(flags[0].evidence, "the charter requires serial, cost_center");
        sample.claim(Field::Serial, "PF0ABCDE");
        sample.claim(Field::CostCenter, "4711");
        assert!(!sample.has(FlagCode::Incomplete));
    }
}
