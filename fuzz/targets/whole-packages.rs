//! Random bytes as the target `whole-packages` of the agent's parsers takes them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(muster_agent::parsers::feed("whole-packages", bytes));
});
