//! `unknown`: it reports or is seen, and no authoritative record vouches for it.

use muster_common::{flag::FlagCode, governance::Charter};

use super::{DeviceView, Rule, never};

pub(super) const RULE: Rule = Rule { code: FlagCode::Unknown, judge, flips: never, tells_anew: false };

fn judge(view: &DeviceView<'_>, _: &Charter) -> Option<String> {
    (!view.vouched).then(|| "no purchase record or approval vouches for it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn a_purchase_record_clears_it() {
        let mut sample = Sample::laptop();
        sample.vouched = false;
        assert!(sample.has(FlagCode::Unknown));
        sample.vouched = true;
        assert!(!sample.has(FlagCode::Unknown));
    }
}
