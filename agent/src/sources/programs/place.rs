//! Where a program may lie of which only the name is known, and where links lead.
//!
//! Knows the folders of programs; a folder is listed only for names that the kernel has cut off, and once.

use std::collections::HashMap;

use super::{Clue, NAME_BYTES};
use crate::host::{FileKind, Host};

/// Where programs lie, in the order in which shells look for them.
const FOLDERS: [&str; 8] =
    ["usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin", "usr/games", "usr/local/games"];
/// Folders of trees, each with programs in itself or in its `bin`; and whether trees stand a level deeper too.
const TREES: [(&str, bool); 4] =
    [("opt", true), ("usr/lib/jvm", false), ("usr/java", false), ("usr/local", false)];
/// What the file system standard puts into /usr/local is no tree.
const NO_TREES: [&str; 11] =
    ["bin", "etc", "games", "include", "lib", "lib64", "libexec", "man", "sbin", "share", "src"];

const NAMES_LIMIT: usize = 20_000;
const TREES_LIMIT: usize = 500;
/// Links that lead to links.
const HOPS: usize = 8;

/// Where one program lies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Places {
    /// Its paths and what those lead to, the best one first.
    pub(super) paths: Vec<String>,
    /// The name stands for different programs, and nobody can tell which one is meant.
    pub(super) is_ambiguous: bool,
}

/// The folders as far as they were looked at.
#[derive(Debug, Default)]
pub(super) struct Shelves {
    listed: HashMap<&'static str, Vec<String>>,
    trees: Option<Vec<String>>,
}

impl Shelves {
    /// The places of a program; none where there is no such program in the usual folders.
    pub(super) fn places(&mut self, host: &dyn Host, clue: &Clue) -> Places {
        let name = match clue {
            Clue::Path(path) => return Places { paths: along(host, path.clone()), is_ambiguous: false },
            Clue::Name(name) => name.as_str(),
        };
        if name.is_empty() || name.contains('/') || name == "." || name == ".." {
            return Places::default();
        }
        let mut found: Vec<String> = Vec::new();
        for folder in FOLDERS {
            let path = format!("{folder}/{name}");
            if is_file(host, &path) {
                found.push(path);
            } else if name.len() == NAME_BYTES {
                let names = self.listed.entry(folder).or_insert_with(|| names(host, folder));
                let mut longer = names.iter().filter(|listed| listed.starts_with(name));
                // Of several nobody can tell.
                if let (Some(one), None) = (longer.next(), longer.next()) {
                    found.push(format!("{folder}/{one}"));
                }
            }
        }
        let mut places: Vec<String> = Vec::new();
        for path in found {
            let route = along(host, path);
            // With `bin` a link to `usr/bin` everything is found twice.
            if !places.iter().any(|place| route.last().is_some_and(|last| is_same(host, place, last))) {
                places.extend(route);
            }
        }
        self.with_trees(host, name, places)
    }

    /// Adds the program of this name in a tree. What lies in the path and in a tree besides may be either.
    fn with_trees(&mut self, host: &dyn Host, name: &str, mut paths: Vec<String>) -> Places {
        let trees = self.trees.get_or_insert_with(|| trees(host));
        let in_trees = trees.iter().flat_map(|tree| [format!("{tree}/{name}"), format!("{tree}/bin/{name}")]);
        let mut different = usize::from(!paths.is_empty());
        for path in in_trees.filter(|path| is_file(host, path)) {
            if !paths.iter().any(|known| is_same(host, known, &path)) {
                different += 1;
                paths.extend(along(host, path));
            }
        }
        Places { paths, is_ambiguous: different > 1 }
    }
}

/// A path and where it leads, link by link.
fn along(host: &dyn Host, path: String) -> Vec<String> {
    let mut route = vec![path];
    while let Some(last) = route.last().filter(|_| route.len() < HOPS) {
        let Ok(target) = host.link(last) else { break };
        let Some(next) = joined(last, &target) else { break };
        if route.contains(&next) {
            break;
        }
        route.push(next);
    }
    route
}

/// Where a link at `path` leads, without a leading slash; `None` for what leads out of the root.
fn joined(path: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = match target.starts_with('/') {
        true => Vec::new(),
        false => path.rsplit_once('/').map(|(folder, _)| folder.split('/').collect()).unwrap_or_default(),
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn trees(host: &dyn Host) -> Vec<String> {
    let mut trees = Vec::new();
    for (root, is_deep) in TREES {
        for name in names(host, root).into_iter().filter(|name| !NO_TREES.contains(&name.as_str())) {
            let tree = format!("{root}/{name}");
            if is_deep {
                let below = names(host, &tree).into_iter().filter(|name| !NO_TREES.contains(&name.as_str()));
                trees.extend(below.map(|name| format!("{tree}/{name}")));
            }
            trees.push(tree);
        }
    }
    trees.truncate(TREES_LIMIT);
    trees
}

fn names(host: &dyn Host, folder: &str) -> Vec<String> {
    host.list(folder, NAMES_LIMIT).map(|listing| listing.names).unwrap_or_default()
}

fn is_file(host: &dyn Host, path: &str) -> bool {
    host.metadata(path).is_ok_and(|found| found.kind == FileKind::File)
}

fn is_same(host: &dyn Host, left: &str, right: &str) -> bool {
    let identity = |path| host.metadata(path).ok().filter(|found| found.inode != 0);
    left == right || identity(left).zip(identity(right)).is_some_and(|(left, right)| left == right)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::sources::testing::recorded;

    fn check(files: &[&str], links: &[(&str, &str)], name: &str, expected: &[&str]) {
        let files: Vec<(&str, &str)> = files.iter().map(|path| (*path, "")).collect();
        let (folder, host) = recorded(&files);
        for (path, target) in links {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, path).unwrap();
        }
        let found = Shelves::default().places(&host, &Clue::Name(name.to_owned()));
        let paths: Vec<&str> = found.paths.iter().map(String::as_str).collect();
        assert_eq!(if found.is_ambiguous { vec!["?"] } else { paths }, expected, "{name}");
    }

    #[test]
    fn links_are_followed_inside_the_root() {
        check(&["usr/bin/bash"], &[("bin", "usr/bin")], "bash", &["usr/bin/bash"]);
        let alternatives =
            [("usr/bin/vi", "/etc/alternatives/vi"), ("etc/alternatives/vi", "../../usr/bin/vim.basic")];
        let route = ["usr/bin/vi", "etc/alternatives/vi", "usr/bin/vim.basic"];
        check(&["usr/bin/vim.basic"], &alternatives, "vi", &route);
        check(&["usr/bin/x"], &[("usr/bin/a", "b"), ("usr/bin/b", "a")], "a", &[]);
        check(&["usr/bin/x"], &[], "y", &[]);
        check(&["usr/bin/x"], &[], "../bin/x", &[]);
    }

    #[test]
    fn names_that_the_kernel_cut_off_are_found_where_one_fits() {
        check(&["usr/bin/gnome-text-editor"], &[], "gnome-text-edit", &["usr/bin/gnome-text-editor"]);
        check(&["usr/bin/gnome-text-editor", "usr/bin/gnome-text-editx"], &[], "gnome-text-edit", &[]);
        check(&["usr/bin/gnome-text-editor"], &[], "gnome-text", &[]);
    }

    #[test]
    fn trees_have_programs_and_of_several_nobody_can_tell() {
        check(&["opt/pycharm/bin/pycharm.sh"], &[], "pycharm.sh", &["opt/pycharm/bin/pycharm.sh"]);
        check(&["opt/google/chrome/chrome"], &[], "chrome", &["opt/google/chrome/chrome"]);
        check(&["opt/jdk-17/bin/java", "opt/jdk-21/bin/java"], &[], "java", &["?"]);
        check(&["usr/bin/java", "opt/jdk-21/bin/java"], &[], "java", &["?"]);
        let link = [("usr/bin/java", "/opt/jdk-21/bin/java")];
        check(&["opt/jdk-21/bin/java"], &link, "java", &["usr/bin/java", "opt/jdk-21/bin/java"]);
    }
}
