//! Every question of the index scenario has an answer over a small fleet.

use muster_bench::scenario::index::{Arguments, measure};

#[test]
fn every_question_finds_something() {
    let arguments =
        Arguments { devices: 2_000, packages: 40, titles: 2_000, seed: 1, folder: std::path::PathBuf::new() };
    let results = measure(&arguments).unwrap();
    assert_eq!(results.devices, 2_000);
    for asked in &results.asked {
        assert!(asked.found > 0, "{} finds nothing", asked.question);
    }
}
