//! Results as tables for people.

#![expect(clippy::print_stdout, reason = "a benchmark talks to the person who started it")]

use comfy_table::{Cell, CellAlignment, Table, presets};

use super::{
    ingest::Results,
    results::{MachineFacts, Phase, ocs},
};

/// Prints what the ingest scenario found.
pub(super) fn print_ingest(results: &Results) {
    let Results { machine, devices, packages, titles, at_once, seed, phases, memory, at_rest, .. } = results;
    print_machine(machine);
    println!(
        "{devices} devices, {packages} packages each from {titles} titles, {at_once} at once, seed {seed}\n"
    );
    let mut table = table(&[
        "operation",
        "done",
        "failed",
        "CPU ms",
        "ops/s",
        "p50 ms",
        "p99 ms",
        "bytes up",
        "bytes down",
        "new packages",
        "OCS CPU ms",
        "times less",
    ]);
    for phase in phases {
        table.add_row(row(phase));
    }
    align(&mut table);
    println!("{table}");
    println!("CPU ms: processor time of the collector for one operation, what it put off included.");
    println!("ops/s and ms: with the load generator on the same cores. Bytes: on TCP, TLS included.\n");
    for phase in phases {
        for (failure, count) in &phase.failures {
            println!("failed {count} times in \"{}\": {failure}", phase.name);
        }
    }
    println!(
        "memory: {} bytes for each of {} idle agents ({:.1} MiB before, {:.1} MiB with them)",
        memory.bytes_per_agent,
        memory.idle_agents,
        mebibytes(memory.before_bytes),
        mebibytes(memory.after_bytes),
    );
    let each = |bytes: u64| bytes / (*devices).max(1);
    println!(
        "at rest: {} bytes a device (journal {}, view {}); OCS {}, {:.1} times more",
        each(at_rest.all_bytes),
        each(at_rest.journal_bytes),
        each(at_rest.view_bytes),
        ocs::BYTES_PER_DEVICE,
        ocs::BYTES_PER_DEVICE as f64 / each(at_rest.all_bytes).max(1) as f64,
    );
    println!(
        "restart: ready after {} ms; {} of {} acknowledged devices in sync",
        results.restart_ms, results.in_sync_after_restart, results.acknowledged
    );
}

/// Prints where it was measured.
pub(super) fn print_machine(machine: &MachineFacts) {
    let MachineFacts { cores, processor, kernel, memory_mib, commit } = machine;
    println!("{cores} cores of {processor}, {memory_mib} MiB, Linux {kernel}, commit {commit}");
}

/// A table whose first column is text and whose others are numbers.
pub(super) fn table(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(heads.to_vec());
    table
}

/// Sets numbers to the right.
pub(super) fn align(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn row(phase: &Phase) -> Vec<Cell> {
    let or_dash = |text: Option<String>| Cell::new(text.unwrap_or_else(|| "–".to_owned()));
    vec![
        Cell::new(&phase.name),
        Cell::new(phase.operations),
        Cell::new(phase.failed),
        Cell::new(format!("{:.3}", phase.cpu_ms_per_operation)),
        Cell::new(format!("{:.0}", phase.per_second)),
        Cell::new(format!("{:.1}", phase.p50_ms)),
        Cell::new(format!("{:.1}", phase.p99_ms)),
        Cell::new(phase.sent_bytes),
        Cell::new(phase.received_bytes),
        or_dash(phase.new_packages.map(|count| format!("{count:.1}"))),
        or_dash(phase.other.map(|other| format!("{:.0}", other.ocs_cpu_ms))),
        or_dash(phase.times_less().map(|times| format!("{times:.0}"))),
    ]
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}
