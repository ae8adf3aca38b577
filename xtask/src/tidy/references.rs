//! The rule that documents and files agree: what a document names is there.

use std::collections::BTreeSet;

use super::{Source, Violation};

/// Every file and folder of this repository that a document names, in a code span or as a link, exists.
pub(super) fn exist(sources: &[Source]) -> Vec<Violation> {
    let known = files_and_folders(sources);
    // A name of a folder that doesn't exist at all is more likely a path on an endpoint, such as `etc/os-release`.
    let is_ours = |path: &str| path.split_once('/').is_some_and(|(top, _)| known.contains(top));
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".md")) {
        let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut is_block = false;
        for (index, line) in source.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                is_block = !is_block;
            }
            if is_block {
                continue;
            }
            let spans = line.split('`').skip(1).step_by(2).filter(|span| is_path(span) && is_ours(span));
            let links = links(line).map(|link| resolve(folder, link));
            for path in spans.map(str::to_owned).chain(links) {
                if !known.contains(path.trim_end_matches('/')) {
                    found.push(Violation::new(&source.path, index + 1, format!("{path} is not there")));
                }
            }
        }
    }
    found
}

fn files_and_folders(sources: &[Source]) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for source in sources {
        let mut path = source.path.as_str();
        known.insert(path.to_owned());
        while let Some((folder, _)) = path.rsplit_once('/') {
            known.insert(folder.to_owned());
            path = folder;
        }
    }
    known
}

/// Whether a code span is a path rather than a pattern, a command or a placeholder.
fn is_path(span: &str) -> bool {
    let is_part =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "/._-".contains(letter);
    span.contains('/') && span.chars().all(is_part)
}

/// The targets of links into this repository.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#', ' ']).next())
        .filter(|target| !target.is_empty() && !target.contains("://"))
}

/// A link seen from the root.
fn resolve(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;

    #[test]
    fn what_is_named_and_not_there_is_found() {
        let text = "See `agent/src/lib.rs`, `agent/src/`, [it](agent/src/lib.rs#head) and [all](docs/adr/README.md).\n\
                    But not `agent/src/main.rs`, nor [this](docs/gone.md).\n\
                    Nor `etc/os-release`, `agent/src/NAME`, `a/b c`, [there](https://example.org/x).\n\
                    ```text\n`agent/src/none.rs`\n```\n";
        let files =
            [("README.md", text), ("agent/src/lib.rs", ""), ("docs/adr/README.md", "[up](../../README.md)")];
        check(exist, &files, &["README.md:2", "README.md:2"]);
    }
}
