//! Rules about modules: who may call whom inside the collector and the agent.
//!
//! The directions are those of ARCHITECTURE.md. They are held on text because Rust's visibility can't say "not from
//! there", and because a wrong call is cheapest to undo on the day that it is written.

use super::paths::{self, Named};
use super::{Source, Violation};

/// Folders of `collector/src` that meet the outside world; they call the spine.
const RIM: &[&str] = &[
    "enroll",
    "ingest",
    "import",
    "admin",
    "charter",
    "lifecycle",
    "dashboard",
    "export",
    "notify",
    "background",
];
/// What machines claim, what operators change, who there is, and all reads.
const SPINE: &[&str] = &["pipeline", "actions", "registry", "query"];
/// Pure decisions; each may build on those before it.
const POLICY: &[&str] = &["identity", "merge", "flags", "governance", "advisory"];
/// What rim and spine both need: who is it, what may it do, how is it written.
const SERVING: &[&str] = &["tls", "authz", "audit", "privacy", "records", "metrics"];
/// What puts the others together, the one mapping of errors to gRPC codes, and what tests share.
const SHELL: &[&str] = &["status", "api", "app", "server", "config", "cli", "commands", "testing", "assess"];
/// What keeps and finds.
const GROUND: &[&str] = &["store", "index"];

/// Holds the directions inside `collector` and `agent`.
pub(super) fn modules(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        if let Some(module) = top_module(&source.path, "collector/src/") {
            collector(source, module, &mut found);
        }
        if source.is_in("agent/src/sources") {
            agent_source(source, &mut found);
        }
        if source.path.starts_with("common/src/") {
            common(source, &mut found);
        }
    }
    found
}

/// Holds what belongs to one place: sled, SQL, sysinfo.
pub(super) fn places(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.is_rust() && !source.path.starts_with("xtask/")) {
        let code = paths::code(source.product());
        if !source.is_in("collector/src/store/sled") {
            let message = "sled is named only in collector/src/store/sled: use the store's trait";
            report(source, paths::external(&code, "sled"), message, &mut found);
        }
        if source.path != "agent/src/host/live.rs" {
            let message = "sysinfo is named only in agent/src/host/live.rs: ask the host";
            report(source, paths::external(&code, "sysinfo"), message, &mut found);
        }
        if !source.is_in("collector/src/store/postgres") {
            for (index, line) in source.product().lines().enumerate() {
                if is_sql(line) {
                    let message = "SQL stands only in collector/src/store/postgres";
                    found.push(Violation::new(&source.path, index + 1, message));
                }
            }
        }
    }
    found
}

fn collector(source: &Source, module: &str, found: &mut Vec<Violation>) {
    let named = paths::own(source);
    let mut refuse = |groups: &[&[&str]], message: &str| {
        for named in &named {
            let first = named.parts.first().map_or("", String::as_str);
            if first != module && groups.iter().any(|group| group.contains(&first)) {
                let message = format!("{module} may not use {first}: {message}");
                found.push(Violation::new(&source.path, named.line, message));
            }
        }
    };
    if RIM.contains(&module) {
        refuse(&[GROUND, POLICY], "only the spine does; call pipeline, actions, registry or query");
    }
    if SPINE.contains(&module) {
        refuse(&[RIM], "the spine doesn't know who asks");
    }
    if SERVING.contains(&module) {
        refuse(&[RIM], "what serves the rim doesn't know it");
    }
    if GROUND.contains(&module) {
        refuse(&[RIM, SPINE, POLICY], "the ground knows nothing of what is decided on it");
    }
    if ![RIM, SPINE, SERVING, POLICY, GROUND, SHELL].iter().any(|group| group.contains(&module)) {
        let message =
            "a module without a place: give it one in xtask/src/tidy/directions.rs and in ARCHITECTURE.md";
        found.push(Violation::new(&source.path, 0, message));
    }
    if POLICY.contains(&module) {
        for named in &named {
            let first = named.parts.first().map_or("", String::as_str);
            let is_before =
                POLICY.iter().take_while(|policy| **policy != module).any(|policy| *policy == first);
            if first != module && !is_before {
                let message = format!(
                    "{module} may not use crate::{first}: policy sees muster_common, and of policy what comes before"
                );
                found.push(Violation::new(&source.path, named.line, message));
            }
        }
        let message = "policy is pure: it reads no clock, no file, no network and writes no log";
        let code = paths::code(source.product());
        for name in ["tokio", "tonic", "tracing", "muster_proto", "prost", "sled", "rand", "rustls"] {
            report(source, paths::external(&code, name), message, found);
        }
        impure(source, &code, message, found);
    }
}

fn agent_source(source: &Source, found: &mut Vec<Violation>) {
    for named in paths::own(source) {
        let first = named.parts.first().map_or("", String::as_str);
        if !["host", "sources"].contains(&first) {
            let message =
                format!("a source may not use crate::{first}: it sees the machine through `&dyn Host` only");
            found.push(Violation::new(&source.path, named.line, message));
        }
    }
    let code = paths::code(source.product());
    for (index, line) in code.lines().enumerate() {
        if (line.contains("cfg(") || line.contains("cfg!(")) && !line.contains("cfg(test)") {
            let message = "a source has no cfg: a recorded machine of any platform is read on every platform";
            found.push(Violation::new(&source.path, index + 1, message));
        }
    }
    impure(source, &code, "a source reads only through its host", found);
}

fn common(source: &Source, found: &mut Vec<Violation>) {
    let code = paths::code(source.product());
    let message = "common has no IO, no async, no logging, and reads the clock in time.rs alone";
    if source.path != "common/src/time.rs" {
        impure(source, &code, message, found);
    }
    for name in ["tokio", "tracing", "log"] {
        report(source, paths::external(&code, name), message, found);
    }
}

/// Reports paths into the standard library that touch the world.
fn impure(source: &Source, code: &str, message: &str, found: &mut Vec<Violation>) {
    let touches = |named: &Named| {
        let parts: Vec<&str> = named.parts.iter().map(String::as_str).collect();
        matches!(parts[..], ["std", "fs" | "process" | "env" | "thread", ..])
            || matches!(parts[..], ["std", "time", "SystemTime" | "Instant", ..])
            || matches!(parts[..], ["std", "net", "TcpStream" | "TcpListener" | "UdpSocket", ..])
    };
    report(source, paths::external(code, "std").into_iter().filter(touches).collect(), message, found);
}

fn report(source: &Source, named: Vec<Named>, message: &str, found: &mut Vec<Violation>) {
    for named in named {
        found.push(Violation::new(
            &source.path,
            named.line,
            format!("{}: {message}", named.parts.join("::")),
        ));
    }
}

/// The module right under the crate's root that a file belongs to; none for the shell (lib.rs, main.rs).
fn top_module<'a>(path: &'a str, src: &str) -> Option<&'a str> {
    let inside = path.strip_prefix(src)?;
    let first = inside.split('/').next()?;
    let module = first.strip_suffix(".rs").unwrap_or(first);
    (!["lib", "main"].contains(&module)).then_some(module)
}

fn is_sql(line: &str) -> bool {
    let starts = ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TABLE ", "ALTER TABLE "];
    line.match_indices('"').any(|(at, _)| starts.iter().any(|word| line[at + 1..].starts_with(word)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;

    #[test]
    fn the_rim_reaches_the_ground_through_the_spine() {
        let files = [
            ("collector/src/ingest/session.rs", "use crate::pipeline::Pipeline;\nuse crate::store::Store;\n"),
            ("collector/src/import/mod.rs", "use crate::{pipeline, index::Index};\n"),
            ("collector/src/admin.rs", "fn a() { crate::flags::stale() }\n"),
            ("collector/src/pipeline/mod.rs", "use crate::store::Store;\nuse crate::identity;\n"),
            ("collector/src/app.rs", "use crate::store::Store;\nuse crate::ingest;\n"),
        ];
        let expected = [
            "collector/src/ingest/session.rs:2",
            "collector/src/import/mod.rs:1",
            "collector/src/admin.rs:1",
        ];
        check(modules, &files, &expected);
    }

    #[test]
    fn neither_the_spine_nor_the_ground_looks_up() {
        let files = [
            ("collector/src/query/mod.rs", "use crate::index::Index;\nuse crate::ingest::Session;\n"),
            ("collector/src/store/memory.rs", "use super::super::pipeline::A;\nuse super::Store;\n"),
        ];
        check(modules, &files, &["collector/src/query/mod.rs:2", "collector/src/store/memory.rs:1"]);
    }

    #[test]
    fn every_module_has_a_place() {
        let files = [
            ("collector/src/tls/mod.rs", "use crate::records::Records;\n"),
            ("collector/src/authz.rs", "use crate::ingest::Session;\n"),
            ("collector/src/wishes/mod.rs", "//! Wishes.\n"),
        ];
        check(modules, &files, &["collector/src/authz.rs:1", "collector/src/wishes/mod.rs:0"]);
    }

    #[test]
    fn policy_is_pure() {
        let files = [
            (
                "collector/src/flags/stale.rs",
                "use muster_common::time::Timestamp;\nuse crate::flags::Rule;\n",
            ),
            (
                "collector/src/merge/mod.rs",
                "use crate::store::Store;\nuse std::time::SystemTime;\nuse std::fs;\n",
            ),
            ("collector/src/identity/mod.rs", "use std::time::Duration;\nuse tracing::info;\n"),
            ("collector/src/identity/judge.rs", "use crate::merge::Fold;\n"),
            ("collector/src/merge/fold.rs", "use crate::identity::Evidence;\n"),
        ];
        let expected = [
            "collector/src/merge/mod.rs:1",
            "collector/src/merge/mod.rs:2",
            "collector/src/merge/mod.rs:3",
            "collector/src/identity/mod.rs:2",
            "collector/src/identity/judge.rs:1",
        ];
        check(modules, &files, &expected);
    }

    #[test]
    fn a_source_sees_its_host_alone() {
        let good = "use crate::host::Host;\nuse super::Source;\n#[cfg(test)]\nmod tests {}\n";
        let bad = "use crate::spool::Spool;\n#[cfg(unix)]\nuse std::fs;\n// cfg(unix)\n";
        let files = [("agent/src/sources/os/mod.rs", good), ("agent/src/sources/network.rs", bad)];
        let path = "agent/src/sources/network.rs";
        check(modules, &files, &[&format!("{path}:1"), &format!("{path}:2"), &format!("{path}:3")]);
    }

    #[test]
    fn common_touches_nothing() {
        let files = [
            ("common/src/id.rs", "use std::{env, fmt};\n"),
            ("common/src/time.rs", "use std::net::IpAddr;\n"),
        ];
        check(modules, &files, &["common/src/id.rs:1"]);
    }

    #[test]
    fn what_belongs_to_one_place_is_found_elsewhere() {
        let files = [
            ("collector/src/store/sled/view.rs", "use sled::Db;\n"),
            ("collector/src/store/mod.rs", "mod sled;\nfn open() { sled::open() }\n"),
            ("collector/src/store/journal/mod.rs", "fn a(b: sled::Db) {}\n"),
            ("agent/src/host/live.rs", "use sysinfo::System;\n"),
            ("agent/src/collect/mod.rs", "use sysinfo::{System, Disks};\n"),
            ("collector/src/store/postgres/rows.rs", "const A: &str = \"SELECT id FROM device\";\n"),
            ("collector/src/query/mod.rs", "\nconst A: &str = \"SELECT id FROM device\";\n"),
        ];
        let expected = [
            "collector/src/store/journal/mod.rs:1",
            "agent/src/collect/mod.rs:1",
            "agent/src/collect/mod.rs:1",
            "collector/src/query/mod.rs:2",
        ];
        check(places, &files, &expected);
    }
}
