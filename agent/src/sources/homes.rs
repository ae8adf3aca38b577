//! The home folders of a machine's people, for the sources that read what is installed for one user.
//!
//! Knows nothing of what lies in a home. Asks no directory service and never touches a home that is on a network or
//! waits to be mounted: a thousand of those would be mounted by the question. People whom only a directory service
//! knows are found by their folder under `home`.

use std::collections::{BTreeMap, HashMap, HashSet};

use muster_common::inventory::ErrorKind;

use crate::{
    host::{FileKind, Host},
    sources::{part::Problems, read, text},
};

const PASSWD: &str = "etc/passwd";
const MOUNTS: &str = "proc/mounts";
/// Where most homes are.
const HOME: &str = "home";

/// More homes are cut with a problem.
const HOMES_LIMIT: usize = 1000;
const PASSWD_LIMIT: usize = 1 << 20;
const MOUNTS_LIMIT: usize = 1 << 20;

/// Where distributions begin to number people; below are services. `nobody` is none of either.
const FIRST_PERSON: u32 = 1000;
const NOBODY: u32 = 65_534;

/// File systems whose folders may be on another machine, or make one be mounted.
const NETWORK_TYPES: [&str; 16] = [
    "9p", "afs", "autofs", "beegfs", "ceph", "cifs", "davfs", "gfs2", "gpfs", "lustre", "ncpfs", "nfs",
    "nfs4", "smb3", "smbfs", "sshfs",
];

/// What kind of file system is mounted at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mount {
    /// This machine's own.
    Local,
    /// On a network, or waiting to be mounted from one.
    Network,
    /// Empty and not to be written: what a service manager lays over homes to hide them.
    Hiding,
}

/// One person's home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Home {
    /// The account.
    pub(crate) user: String,
    /// The folder, relative to the machine's root, without a slash at either end.
    pub(crate) path: String,
}

/// The homes of root and of people, at most 1000, each folder once.
///
/// A home need not exist. One that is on a network is left out; how many were is a problem of the kind
/// [`ErrorKind::NotAvailable`]. Homes that a sandbox hides from this process are [`ErrorKind::NotPermitted`]: they look
/// empty, and saying nothing would tell that nobody has anything.
pub(crate) fn homes(host: &dyn Host, problems: &mut Problems) -> Vec<Home> {
    let passwd = read::bytes(host, PASSWD, PASSWD_LIMIT, problems).unwrap_or_default();
    let mounts = read::bytes(host, MOUNTS, MOUNTS_LIMIT, &mut Problems::default()).unwrap_or_default();
    let mounts = mounts_by_place(&mounts);
    let mut seen = HashSet::new();
    let mut homes = Vec::new();
    let mut remote = 0_usize;
    let mut hidden: BTreeMap<String, usize> = BTreeMap::new();
    let mut take = |home: Home, is_folder: &dyn Fn(&str) -> bool| {
        if !seen.insert(home.path.clone()) {
            return;
        }
        let (place, mount) = deepest(&home.path, &mounts);
        if mount == Mount::Network {
            remote += 1;
        } else if mount == Mount::Hiding {
            *hidden.entry(place.to_owned()).or_default() += 1;
        } else if homes.len() <= HOMES_LIMIT && is_folder(&home.path) {
            homes.push(home);
        }
    };
    accounts(&passwd).into_iter().for_each(|home| take(home, &|_| true));
    // Listing is what an automounter waits for.
    if deepest(HOME, &mounts).1 == Mount::Local {
        let is_folder = |path: &str| host.metadata(path).is_ok_and(|found| found.kind == FileKind::Folder);
        let names = read::names(host, HOME, HOMES_LIMIT, problems).unwrap_or_default();
        for name in names.iter().filter(|name| *name != "lost+found" && !name.starts_with('.')) {
            if let Some(user) = text::clean(name.as_bytes()) {
                take(Home { user, path: format!("{HOME}/{name}") }, &is_folder);
            }
        }
    }

    if remote > 0 {
        let message = format!("{remote} home folders are on a network and are not read");
        problems.add(HOME, ErrorKind::NotAvailable, message);
    }
    for (place, count) in hidden {
        let message =
            format!("homes are hidden by this service's sandbox ({count} of them); per-user.conf shows them");
        problems.add(&place, ErrorKind::NotPermitted, message);
    }
    if homes.len() > HOMES_LIMIT {
        problems.add(HOME, ErrorKind::TooLarge, format!("more than {HOMES_LIMIT} home folders"));
        homes.truncate(HOMES_LIMIT);
    }
    homes
}

/// Whether a path is on a network, or waits to be mounted from one.
pub(crate) fn is_on_network(host: &dyn Host, path: &str) -> bool {
    let mounts = read::bytes(host, MOUNTS, MOUNTS_LIMIT, &mut Problems::default()).unwrap_or_default();
    deepest(path, &mounts_by_place(&mounts)).1 == Mount::Network
}

/// The homes that a passwd file gives to root and to people.
pub(crate) fn accounts(passwd: &[u8]) -> Vec<Home> {
    passwd.split(|byte| *byte == b'\n').filter_map(account).collect()
}

/// One line: name, password, uid, gid, comment, home, shell.
fn account(line: &[u8]) -> Option<Home> {
    let line = std::str::from_utf8(line).ok()?;
    let mut fields = line.split(':');
    let (name, uid, home) = (fields.next()?, fields.nth(1)?, fields.nth(2)?);
    let uid: u32 = uid.parse().ok()?;
    if uid != 0 && (uid < FIRST_PERSON || uid == NOBODY) {
        return None;
    }
    let path = home.strip_prefix('/')?.trim_end_matches('/');
    // Root's home is `/` on some small systems; that is no folder of one user's things.
    if path.is_empty() || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return None;
    }
    Some(Home { user: text::clean(name.as_bytes())?, path: path.to_owned() })
}

/// What is mounted at each place, named as a home is; of two at one place the later counts.
fn mounts_by_place(mounts: &[u8]) -> HashMap<String, Mount> {
    mounts
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let mut words = std::str::from_utf8(line).ok()?.split(' ');
            let (place, kind) = (words.nth(1)?, words.next()?);
            let is_read_only = words.next().is_some_and(|options| options.split(',').any(|it| it == "ro"));
            let place = place.trim_matches('/').replace("\\040", " ");
            let mount = match kind.strip_prefix("fuse.").unwrap_or(kind) {
                kind if NETWORK_TYPES.contains(&kind) => Mount::Network,
                "tmpfs" if is_read_only => Mount::Hiding,
                _ => Mount::Local,
            };
            Some((place, mount))
        })
        .collect()
}

/// The deepest mount that holds a folder, and its place; without any it is this machine's own.
fn deepest<'a>(path: &'a str, mounts: &HashMap<String, Mount>) -> (&'a str, Mount) {
    let mut place = path;
    loop {
        if let Some(mount) = mounts.get(place) {
            return (place, *mount);
        }
        match place.rsplit_once('/') {
            Some((above, _)) => place = above,
            None => return ("", Mount::Local),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sources::testing::recorded;

    fn found(files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let (folder, host) = recorded(files);
        fs::create_dir_all(folder.path().join("home/domain-user")).unwrap();
        let mut problems = Problems::default();
        let homes = homes(&host, &mut problems);
        (
            homes.into_iter().map(|home| format!("{} {}", home.user, home.path)).collect(),
            problems.into_entries().into_iter().map(|entry| entry.message).collect(),
        )
    }

    #[test]
    fn people_and_root_have_homes_and_services_have_none() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/usr/sbin:/x\nann:x:1000:1000:Ann,,,:/home/ann/:/x\n\
            nobody:x:65534:65534::/nonexistent:/x\nbob:x:1001:1001::/srv/people/bob:/x\ntwin:x:1002:1002::/home/ann:/x\n\
            toor:x:0:0::/:/x\nup:x:1003:1:::/x\nup:x:1004:1::/home/../etc:/x\nrelative:x:1005:1::home:/x\nshort:x:1006\n\n";
        let (homes, problems) = found(&[("etc/passwd", passwd), ("home/file", "")]);
        assert_eq!(
            homes,
            ["root root", "ann home/ann", "bob srv/people/bob", "domain-user home/domain-user"]
        );
        assert_eq!(problems, [] as [&str; 0]);
    }

    #[test]
    fn homes_on_a_network_are_left_alone() {
        let passwd = "ann:x:1000:1::/home/ann:/x\nbob:x:1001:1::/home/bob:/x\ncy:x:1002:1::/net/cy:/x\n";
        let mounts = "/dev/sda1 / ext4 rw 0 0\nfiler:/home /home nfs4 rw 0 0\n/dev/sda2 /home/ann ext4 rw 0 0\n\
            map /net autofs rw 0 0\nx:/y /srv fuse.sshfs rw 0 0\n";
        let (homes, problems) = found(&[("etc/passwd", passwd), ("proc/mounts", mounts)]);
        assert_eq!(homes, ["ann home/ann"]);
        assert_eq!(problems, ["2 home folders are on a network and are not read"]);

        let automounted = "systemd-1 /home autofs rw 0 0\n/dev/sda2 /home ext4 rw 0 0\n";
        let (homes, _) = found(&[("etc/passwd", passwd), ("proc/mounts", automounted)]);
        assert_eq!(homes, ["ann home/ann", "bob home/bob", "cy net/cy", "domain-user home/domain-user"]);
    }

    #[test]
    fn homes_that_a_sandbox_hides_are_told() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1::/home/ann:/x\nbob:x:1001:1::/home/bob:/x\n\
            cy:x:1002:1::/srv/cy:/x\n";
        let hiding = "tmpfs /home tmpfs ro,nosuid,nodev,noexec,mode=755 0 0\ntmpfs /root tmpfs ro 0 0\n";
        let (homes, problems) = found(&[("etc/passwd", passwd), ("proc/mounts", hiding)]);
        assert_eq!(homes, ["cy srv/cy"]);
        let says = |count| {
            format!("homes are hidden by this service's sandbox ({count} of them); per-user.conf shows them")
        };
        assert_eq!(problems, [says(2), says(1)]);

        let shown = format!("{hiding}/dev/sda1 /home ext4 ro 0 0\n/dev/sda1 /root ext4 ro 0 0\n");
        let (homes, problems) = found(&[("etc/passwd", passwd), ("proc/mounts", &shown)]);
        assert_eq!(
            homes,
            ["root root", "ann home/ann", "bob home/bob", "cy srv/cy", "domain-user home/domain-user"]
        );
        assert_eq!(problems, [] as [&str; 0]);
    }

    #[test]
    fn a_crowd_is_cut() {
        let passwd: String = (0..2000).map(|n| format!("u{n}:x:{}:1::/home/u{n}:/x\n", 1000 + n)).collect();
        let (homes, problems) = found(&[("etc/passwd", &passwd)]);
        assert_eq!(homes.len(), HOMES_LIMIT);
        assert_eq!(problems, ["more than 1000 home folders"]);
        assert_eq!(found(&[]).0, ["domain-user home/domain-user"]);
    }
}
