//! `renewal-due`: a renewal, or the end of a lease or contract, comes within one of the charter's windows, or was passed
//! over: then somebody pays for what nobody decided.

use muster_common::{device::Field, flag::FlagCode, governance::Charter, time::Timestamp};

use super::{DeviceView, Rule, day, is_retired, moment};

pub(super) const RULE: Rule = Rule { code: FlagCode::RenewalDue, judge, flips, tells_anew: true };

/// What ends, and what it is called.
const ENDS: &[(Field, &str)] = &[
    (Field::RenewalDate, "its renewal is due"),
    (Field::LeaseEnd, "its lease ends"),
    (Field::ContractEnd, "its contract ends"),
];

fn judge(view: &DeviceView<'_>, charter: &Charter) -> Option<String> {
    let (end, what) = first(view)?;
    let window = charter.renewal.around(end, view.now)?;
    Some(if end <= view.now {
        format!("{what} {}, and that day has passed", day(end))
    } else {
        format!("{what} {}, within {} days", day(end), window.as_secs() / 86_400)
    })
}

fn flips(view: &DeviceView<'_>, charter: &Charter) -> Option<Timestamp> {
    let (end, _) = first(view)?;
    Some(charter.renewal.next(end, view.now).unwrap_or(end))
}

fn first(view: &DeviceView<'_>) -> Option<(Timestamp, &'static str)> {
    if is_retired(view.device) {
        return None;
    }
    ENDS.iter().filter_map(|(field, what)| Some((moment(view.device, *field)?, *what))).min()
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    fn check(claims: &[(Field, &str)], expected: Option<&str>) {
        let mut sample = Sample::laptop();
        for (field, date) in claims {
            sample.claim(*field, date);
        }
        let found = sample.evaluate(&[]).into_iter().find(|flag| flag.code == FlagCode::RenewalDue);
        assert_eq!(found.map(|flag| flag.evidence).as_deref(), expected, "{claims:?}");
    }

    #[test]
    fn the_first_end_counts_and_one_that_was_passed_over_stays() {
        check(&[], None);
        check(&[(Field::RenewalDate, "2026-12-01")], None);
        check(&[(Field::RenewalDate, "2026-07-01")], Some("its renewal is due 2026-07-01, within 30 days"));
        check(
            &[(Field::RenewalDate, "2026-12-01"), (Field::LeaseEnd, "2026-08-20")],
            Some("its lease ends 2026-08-20, within 90 days"),
        );
        check(
            &[(Field::ContractEnd, "2026-05-01")],
            Some("its contract ends 2026-05-01, and that day has passed"),
        );
        check(&[(Field::ContractEnd, "2026-05-01"), (Field::State, "terminated")], None);
    }
}
