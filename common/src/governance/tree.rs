//! Locations and departments as trees: each node is written as its path, `Germany/Bonn/2nd floor`.

use std::{collections::BTreeSet, fmt, str::FromStr};

/// The longest path in bytes.
const PATH_BYTES: usize = 256;

/// Nodes by their paths; every parent is a node too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    nodes: BTreeSet<String>,
}

/// A node's path: parts between slashes, none of them empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodePath(String);

impl FromStr for NodePath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_good =
            |part: &str| !part.is_empty() && part.trim() == part && !part.contains(char::is_control);
        if text.len() > PATH_BYTES || !text.split('/').all(is_good) {
            let shown: String = text.chars().take(64).collect();
            return Err(format!(
                "{shown:?} is not a path (write \"Germany/Bonn\", without spaces at the slashes)"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Tree {
    /// A tree of these nodes and all above them.
    pub fn new(paths: impl IntoIterator<Item = NodePath>) -> Self {
        let mut nodes = BTreeSet::new();
        for NodePath(path) in paths {
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            nodes.extend(ends.map(|end| path[..end].to_owned()));
        }
        Self { nodes }
    }

    /// Every node by its whole path, parents before children.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(String::as_str)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The whole path of a node that a record names, by that path or by its last part where only one node has it;
    /// letters' case doesn't matter.
    pub fn find(&self, name: &str) -> Option<&str> {
        let wanted = name.trim().to_lowercase();
        let whole = self.paths().find(|path| path.to_lowercase() == wanted);
        whole.or_else(|| {
            let last =
                |path: &&str| path.rsplit('/').next().is_some_and(|part| part.to_lowercase() == wanted);
            let mut found = self.paths().filter(last);
            let first = found.next()?;
            found.next().is_none().then_some(first)
        })
    }

    /// Every text by which a record may name a node or one below it: the text itself, whole paths, and last parts that
    /// only one node has.
    pub fn names_within(&self, above: &str) -> Vec<String> {
        let mut names = vec![above.to_owned()];
        for path in self.paths().filter(|path| self.is_within(path, above)) {
            let last = path.rsplit('/').next().unwrap_or(path);
            names.extend(
                [path].into_iter().chain((self.find(last) == Some(path)).then_some(last)).map(str::to_owned),
            );
        }
        names.sort();
        names.dedup();
        names
    }

    /// Whether what a record names is `above` or lies below it. What is not in the tree lies below its own name alone.
    pub fn is_within(&self, name: &str, above: &str) -> bool {
        match (self.find(name), self.find(above)) {
            (Some(path), Some(above)) => {
                path == above || path.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
            }
            (None, _) | (_, None) => name.trim().to_lowercase() == above.trim().to_lowercase(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        Tree::new(
            ["Germany/Bonn/2nd floor", "Germany/Berlin", "France/Paris/2nd floor"]
                .map(|path| path.parse().unwrap()),
        )
    }

    #[test]
    fn parents_are_nodes_too() {
        let paths: Vec<String> = tree().paths().map(str::to_owned).collect();
        assert_eq!(paths[..3], ["France", "France/Paris", "France/Paris/2nd floor"]);
        assert_eq!(paths.len(), 7);
    }

    #[test]
    fn a_name_is_found_where_it_is_alone() {
        let tree = tree();
        assert_eq!(tree.find("bonn"), Some("Germany/Bonn"));
        assert_eq!(tree.find("Germany/bonn"), Some("Germany/Bonn"));
        assert_eq!(tree.find("2nd floor"), None);
        assert_eq!(tree.find("Rome"), None);
    }

    #[test]
    fn a_branch_holds_what_is_below_it_alone() {
        let tree = tree();
        assert!(tree.is_within("Bonn", "Germany") && tree.is_within("Germany", "germany"));
        assert!(!tree.is_within("Germany", "Bonn") && !tree.is_within("Paris", "Germany"));
        assert!(tree.is_within("Rome", "rome") && !tree.is_within("Rome", "Germany"));
    }

    #[test]
    fn a_branch_is_named_by_paths_and_by_names_that_are_alone() {
        assert_eq!(tree().names_within("Bonn"), ["Bonn", "Germany/Bonn", "Germany/Bonn/2nd floor"]);
        assert_eq!(tree().names_within("Rome"), ["Rome"]);
    }

    #[test]
    fn paths_have_no_empty_parts() {
        for bad in ["", "/", "a//b", "a/", " a", "a/ b", "a\n"] {
            assert!(bad.parse::<NodePath>().is_err(), "{bad:?}");
        }
    }
}
