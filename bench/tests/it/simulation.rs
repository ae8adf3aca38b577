//! A small seeded sample of the simulation with ground truth; the large one is `cargo xtask prove identity`.

use std::collections::BTreeMap;

use muster_bench::simulation::{self, Settings};
use muster_collector::testing::{Observation, PipelineRoad, Placed, Road};
use muster_common::{governance::Charter, id::DeviceId, source::SubjectKey, time::Timestamp};

const SAMPLE: Settings = Settings { machines: 500, days: 730, seed: 7 };

#[test]
fn every_machine_stays_one_device() {
    let summary = simulation::run(&SAMPLE, &mut PipelineRoad::new(Charter::default()).unwrap());
    println!("{summary}");
    assert!(summary.observations > 5_000, "too little happened:\n{summary}");
    assert!(summary.conflicts < 40, "people would be flooded:\n{summary}");
    assert_eq!((summary.false_merges, summary.false_splits), (0, 0), "{summary}");
}

/// A road that believes agent ids alone, as many do.
#[derive(Default)]
struct Naive(BTreeMap<SubjectKey, DeviceId>);

impl Road for Naive {
    fn observe(&mut self, observation: &Observation, _: Timestamp) -> Placed {
        let key = match observation {
            Observation::Report { agent, .. } => SubjectKey::agent(*agent, "none"),
            Observation::Row { import, row_key, .. } => SubjectKey::import(import, row_key),
        };
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&self.0.len().to_be_bytes());
        let device = *self.0.entry(key).or_insert(DeviceId::from_bytes(bytes));
        Placed { device, in_conflict: false }
    }

    fn hang_up(&mut self, _: u64) {}
}

#[test]
fn the_simulation_finds_a_road_that_is_wrong() {
    let summary = simulation::run(&SAMPLE, &mut Naive::default());
    assert!(summary.false_merges > 0 && summary.false_splits > 100, "{summary}");
    assert!(!summary.holds());
}
