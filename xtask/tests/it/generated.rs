//! The generated code is checked in, so that nobody needs a generator to build; this test generates it again.
//!
//! `cargo xtask proto` runs it with `MUSTER_UPDATE=1`, which writes what differs instead of failing.

use std::{fs, path::Path};

const SCHEMAS: &[&str] = &[
    "muster/v1/admin.proto",
    "muster/v1/audit.proto",
    "muster/v1/carried.proto",
    "muster/v1/charter.proto",
    "muster/v1/enrollment.proto",
    "muster/v1/ingest.proto",
    "muster/v1/inventory.proto",
    "muster/v1/lifecycle.proto",
    "muster/v1/query.proto",
    "muster/v1/records.proto",
    "muster/store/v1/lifecycle.proto",
    "muster/store/v1/record.proto",
];

/// What an agent calls; with what these files need, that is all it speaks.
const AGENT_SCHEMAS: [&str; 2] = ["muster/v1/enrollment.proto", "muster/v1/ingest.proto"];

/// The compiled files, without comments: each byte is one that every agent carries.
fn agent_descriptors(root: &Path) -> Vec<u8> {
    let mut descriptors = protox::compile(AGENT_SCHEMAS, [root.join("schema")]).expect("the schema compiles");
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    prost::Message::encode_to_vec(&descriptors)
}

#[test]
fn generated_code_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    let checked_in = root.join("src/gen");
    let fresh = tempfile::tempdir().unwrap();

    let descriptors = protox::compile(SCHEMAS, [root.join("schema")]).unwrap();
    fs::write(fresh.path().join("descriptors.bin"), prost::Message::encode_to_vec(&descriptors)).unwrap();
    fs::write(fresh.path().join("agent_descriptors.bin"), agent_descriptors(&root)).unwrap();
    let mut config = prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .out_dir(fresh.path())
        .build_transport(false)
        .bytes(".muster.v1.Envelope")
        .bytes(".muster.v1.EncodedItem")
        .bytes(".muster.v1.SignedReport")
        .emit_rerun_if_changed(false)
        .compile_fds_with_config(descriptors, config)
        .unwrap();

    let update = std::env::var_os("MUSTER_UPDATE").is_some();
    let mut stale = Vec::new();
    for entry in fs::read_dir(fresh.path()).unwrap() {
        let path = entry.unwrap().path();
        let target = checked_in.join(path.file_name().unwrap());
        let new = fs::read(&path).unwrap();
        if fs::read(&target).ok().as_deref() != Some(&new) {
            if update {
                fs::write(&target, new).unwrap();
            } else {
                stale.push(target);
            }
        }
    }
    assert!(stale.is_empty(), "out of date: {stale:?}; run cargo xtask proto");
}
