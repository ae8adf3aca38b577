//! `disposal-unproven`: retired for longer than the charter allows, without proof of wiping and disposal. What was sold or
//! went back to its lessor needs the proof of wiping; what is ephemeral, such as a cloud instance, needs none.

use muster_common::{asset::Category, device::Field, flag::FlagCode, governance::Charter, time::Timestamp};

use super::{DeviceView, Rule, moment};

pub(super) const RULE: Rule = Rule { code: FlagCode::DisposalUnproven, judge, flips, tells_anew: false };

fn judge(view: &DeviceView<'_>, charter: &Charter) -> Option<String> {
    let due = due(view, charter)?;
    (view.now >= due).then(|| {
        let state = view.device.text(Field::State).unwrap_or_default();
        format!("{state} without proof of {}", absent(view, state).join(" and "))
    })
}

fn flips(view: &DeviceView<'_>, charter: &Charter) -> Option<Timestamp> {
    due(view, charter)
}

/// When a proof that isn't there is overdue.
fn due(view: &DeviceView<'_>, charter: &Charter) -> Option<Timestamp> {
    let is_device = view.device.text(Field::Category).is_none_or(|of| of == Category::Device.name());
    let state = view.device.text(Field::State)?;
    if !is_device || absent(view, state).is_empty() {
        return None;
    }
    let recorded = || view.device.fields.get(&Field::State)?.claims.first().map(|claim| claim.observed);
    let retired = moment(view.device, Field::Retired).or_else(recorded)?;
    Some(retired.after(charter.disposal_within))
}

/// The proofs that a state needs and that aren't there.
fn absent(view: &DeviceView<'_>, state: &str) -> Vec<&'static str> {
    let needed: &[(Field, &str)] = match state {
        "retired" | "wiped" | "disposed" => {
            &[(Field::WipeEvidence, "wiping"), (Field::DisposalEvidence, "disposal")]
        }
        "sold" | "returned-to-lessor" => &[(Field::WipeEvidence, "wiping")],
        _ => &[],
    };
    needed.iter().filter(|(field, _)| view.device.value(*field).is_none()).map(|(_, what)| *what).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    fn check(claims: &[(Field, &str)], expected: Option<&str>) {
        let mut sample = Sample::laptop();
        sample.agent_seen = None;
        for (field, text) in claims {
            sample.claim(*field, text);
        }
        let found = sample.evaluate(&[]).into_iter().find(|flag| flag.code == FlagCode::DisposalUnproven);
        assert_eq!(found.map(|flag| flag.evidence).as_deref(), expected, "{claims:?}");
    }

    #[test]
    fn the_table_of_states_and_proofs() {
        use Field::{Category, DisposalEvidence, Retired, State, WipeEvidence};

        check(&[(State, "deployed")], None);
        check(&[(State, "retired")], Some("retired without proof of wiping and disposal"));
        check(&[(State, "retired"), (Retired, "2026-05-03")], None);
        check(
            &[(State, "retired"), (Retired, "2026-05-02")],
            Some("retired without proof of wiping and disposal"),
        );
        check(&[(State, "wiped"), (WipeEvidence, "x")], Some("wiped without proof of disposal"));
        check(&[(State, "disposed"), (WipeEvidence, "x"), (DisposalEvidence, "y")], None);
        check(&[(State, "sold")], Some("sold without proof of wiping"));
        check(&[(State, "sold"), (WipeEvidence, "x")], None);
        check(&[(State, "terminated")], None);
        check(&[(State, "retired"), (Category, "subscription")], None);
    }
}
