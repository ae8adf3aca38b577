//! Rules about the crates: which may use which, and why each dependency from outside is there.

use super::{Source, Violation};

/// Each crate with those of ours that it may use; everything else that is ours is refused.
const MAY_USE: &[(&str, &[&str])] = &[
    ("common", &[]),
    ("proto", &["muster-common"]),
    ("config", &[]),
    ("charter", &["muster-common", "muster-config"]),
    ("agent", &["muster-common", "muster-config", "muster-proto"]),
    ("collector", &["muster-charter", "muster-common", "muster-config", "muster-proto"]),
    ("cli", &["muster-charter", "muster-collector", "muster-common", "muster-config", "muster-proto"]),
    ("bench", &["muster-agent", "muster-collector", "muster-common", "muster-proto"]),
    ("xtask", &[]),
    ("fuzz", &["muster-agent"]),
];

/// A dependency as one line of a manifest.
struct Dependency<'a> {
    line: usize,
    name: &'a str,
    text: &'a str,
}

/// `common ← proto ← {agent, collector, cli}`, `config ← {agent, collector, cli}`, `charter ← {collector, cli}`, `{agent, collector} ← bench`, `collector ← cli` for one command, xtask apart.
pub(super) fn directions(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (folder, manifest) in manifests(sources) {
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == folder) else {
            let message = "a crate without a place: add it to MAY_USE in xtask/src/tidy/crates.rs and to ARCHITECTURE.md";
            found.push(Violation::new(&manifest.path, 0, message));
            continue;
        };
        for dependency in dependencies(&manifest.text, is_dependency_table) {
            let is_ours = dependency.name.starts_with("muster") || dependency.name == "xtask";
            if is_ours && !allowed.contains(&dependency.name) {
                let message =
                    format!("{folder} may not use {}: see ARCHITECTURE.md, Crates", dependency.name);
                found.push(Violation::new(&manifest.path, dependency.line, message));
            }
        }
    }
    found
}

/// Each dependency from outside stands once in the root manifest, with the reason behind it.
pub(super) fn reasons(sources: &[Source]) -> Vec<Violation> {
    let Some(manifest) = sources.iter().find(|source| source.path == "Cargo.toml") else { return Vec::new() };
    let mut found = Vec::new();
    for dependency in dependencies(&manifest.text, |table| table == "workspace.dependencies") {
        let reason = dependency.text.split_once(" # ").map_or("", |(_, reason)| reason.trim());
        if !dependency.name.starts_with("muster-") && reason.len() < 8 {
            let message = format!("say behind {} what it is for: `# …` on the same line", dependency.name);
            found.push(Violation::new(&manifest.path, dependency.line, message));
        }
    }
    found
}

/// Members name a dependency and its features; version and path stand in the root manifest.
pub(super) fn members(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    // A workspace of its own shares nothing with the root manifest.
    let is_member = |manifest: &Source| !manifest.text.contains("\n[workspace]\n");
    for (_, manifest) in manifests(sources).filter(|(_, manifest)| is_member(manifest)) {
        for dependency in dependencies(&manifest.text, is_dependency_table) {
            let compact = dependency.text.replace(' ', "");
            if !compact.contains("workspace=true") {
                let message = format!(
                    "write `{}.workspace = true` and put the version in /Cargo.toml",
                    dependency.name
                );
                found.push(Violation::new(&manifest.path, dependency.line, message));
            }
        }
    }
    found
}

fn manifests(sources: &[Source]) -> impl Iterator<Item = (&str, &Source)> {
    sources.iter().filter_map(|source| {
        let folder = source.path.strip_suffix("/Cargo.toml")?;
        (!folder.contains('/')).then_some((folder, source))
    })
}

fn is_dependency_table(table: &str) -> bool {
    let last = table.rsplit('.').next().unwrap_or(table);
    ["dependencies", "dev-dependencies", "build-dependencies"].contains(&last)
}

fn dependencies(text: &str, is_wanted: impl Fn(&str) -> bool) -> Vec<Dependency<'_>> {
    let mut table = "";
    let mut found = Vec::new();
    for (index, text) in text.lines().enumerate() {
        if let Some(name) = text.strip_prefix('[') {
            table = name.trim_end().trim_end_matches(']');
            continue;
        }
        let Some((key, _)) = text.split_once('=').filter(|_| is_wanted(table)) else { continue };
        let name = key.trim().split('.').next().unwrap_or_default();
        if !name.starts_with('#') {
            found.push(Dependency { line: index + 1, name, text });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;

    #[test]
    fn a_crate_that_looks_the_wrong_way_is_found() {
        let good = "[dependencies]\nmuster-common.workspace = true\n";
        let bad = "[dependencies]\nanyhow.workspace = true\nmuster-collector.workspace = true\n";
        let hidden = "[target.'cfg(unix)'.dependencies]\nmuster-agent = { workspace = true }\n";
        let files = [("proto/Cargo.toml", good), ("agent/Cargo.toml", bad), ("common/Cargo.toml", hidden)];
        check(directions, &files, &["agent/Cargo.toml:3", "common/Cargo.toml:2"]);
        check(directions, &[("dashboard/Cargo.toml", good)], &["dashboard/Cargo.toml:0"]);
    }

    #[test]
    fn a_dependency_without_its_reason_is_found() {
        let text = "[workspace.dependencies]\nmuster-common = { path = \"common\" }\n\
                    anyhow = \"1\" # errors with context\nclap = \"4\"\n# a heading = of words\n[profile.dev]\ndebug = 0\n";
        check(reasons, &[("Cargo.toml", text)], &["Cargo.toml:4"]);
    }

    #[test]
    fn a_member_with_a_version_of_its_own_is_found() {
        let text = "[package]\nversion = \"1\"\n[dev-dependencies]\ntempfile = \"3\"\ntonic = { workspace = true }\n";
        check(members, &[("cli/Cargo.toml", text)], &["cli/Cargo.toml:4"]);
    }
}
