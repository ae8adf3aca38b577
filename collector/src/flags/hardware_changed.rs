//! `hardware-changed`: a decisive part, such as the main board, is another than before, and the machine is the same.

use std::time::Duration;

use muster_common::{flag::FlagCode, governance::Charter, time::Timestamp};

use super::{DeviceView, Rule};

pub(super) const RULE: Rule = Rule { code: FlagCode::HardwareChanged, judge, flips, tells_anew: false };

/// It is news for this long, and history afterwards.
const NEWS: Duration = Duration::from_secs(30 * 24 * 3600);

fn judge(view: &DeviceView<'_>, charter: &Charter) -> Option<String> {
    let changed = view.hardware_changed?;
    let is_news = flips(view, charter).is_some_and(|end| view.now < end);
    is_news.then(|| format!("decisive hardware was found changed at {changed}"))
}

fn flips(view: &DeviceView<'_>, _: &Charter) -> Option<Timestamp> {
    view.hardware_changed.map(|changed| changed.after(NEWS))
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn it_is_news_for_a_month() {
        let mut sample = Sample::laptop();
        assert!(!sample.has(FlagCode::HardwareChanged));
        sample.hardware_changed = Some(sample.now);
        assert!(sample.has(FlagCode::HardwareChanged));
        sample.days_pass(30);
        assert!(!sample.has(FlagCode::HardwareChanged));
    }
}
