//! The rule about fail points, the places where a test may make a write, a sync or a rename go wrong.

use std::collections::BTreeMap;

use super::{Source, Violation};

const MACRO: &str = "fail_point!(\"";

/// A name used twice would make a test break two places at once and prove neither.
pub(super) fn unique(sources: &[Source]) -> Vec<Violation> {
    let mut first: BTreeMap<&str, String> = BTreeMap::new();
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.is_rust()) {
        for (index, line) in source.product().lines().enumerate() {
            for (at, _) in line.match_indices(MACRO) {
                let name = line[at + MACRO.len()..].split('"').next().unwrap_or_default();
                let here = format!("{}:{}", source.path, index + 1);
                match first.get(name) {
                    Some(other) => {
                        let message =
                            format!("fail point {name} already stands at {other}: give it another name");
                        found.push(Violation::new(&source.path, index + 1, message));
                    }
                    None => drop(first.insert(name, here)),
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;
    use super::*;

    #[test]
    fn a_name_used_twice_is_found() {
        // Written in two parts, so that the rule doesn't read this test as product code.
        let point = |name: &str| format!("//! A.\nfn a() {{ {}{name}\"); }}\n", MACRO);
        let files = [point("journal::append"), point("journal::sync"), point("journal::append")];
        let files = [("a.rs", files[0].as_str()), ("b.rs", files[1].as_str()), ("c.rs", files[2].as_str())];
        check(unique, &files, &["c.rs:2"]);
    }
}
