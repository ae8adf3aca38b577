//! What Nix profiles hold: the system's, the default one, and people's own.
//!
//! Knows both kinds of manifest that a profile may have and, for a NixOS system, which has none, the links of its
//! programs. Knows nothing of the store's database and of what merely lies in the store: only what a profile makes
//! available is installed. The namespace `nixpkgs` is a guess that the store's paths can't confirm.

mod manifest;

use std::collections::BTreeSet;

use muster_common::inventory::{ErrorKind, Installation, Item, ItemKind, Package, SectionName};

use crate::{
    host::Host,
    sources::{
        Personal, Source, Stamp, homes,
        part::{ITEMS_LIMIT, SectionPart},
        read,
        software::nix::manifest::{Found, Listed},
        text,
    },
};

const PROFILES: &str = "nix/var/nix/profiles";
const STORE: &str = "nix/store";
/// The programs of a NixOS system.
const SYSTEM_PROGRAMS: &str = "run/current-system/sw/bin";
/// The same when it is not running: a recording has no `/run`.
const INSTALLED_PROGRAMS: &str = "nix/var/nix/profiles/system/sw/bin";
/// What an administrator gave to single users of NixOS.
const USERS_PROGRAMS: &str = "etc/profiles/per-user";

const PROGRAMS_LIMIT: usize = 20_000;
const PROFILES_LIMIT: usize = 2000;
const MANIFEST_LIMIT: usize = 1 << 20;

/// Packages in profiles for everybody.
#[derive(Debug)]
pub(crate) struct NixSource;

impl Source for NixSource {
    fn name(&self) -> &'static str {
        "nix"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_NIX)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            "nix/var/nix/profiles/default/manifest.json",
            "nix/var/nix/profiles/default/manifest.nix",
            SYSTEM_PROGRAMS,
            INSTALLED_PROGRAMS,
        ]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Folders
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        let Some(profiles) = read::names(host, PROFILES, PROFILES_LIMIT, &mut part.problems) else {
            if part.problems.is_empty() {
                part.problems.absent(PROFILES, "Nix profiles");
            }
            return part;
        };
        if profiles.iter().any(|name| name == "default") {
            read_profile(host, &format!("{PROFILES}/default"), "", &mut part);
        }
        if profiles.iter().any(|name| name == "system") {
            let running = read_programs(host, SYSTEM_PROGRAMS, "", &mut part);
            if !running {
                read_programs(host, INSTALLED_PROGRAMS, "", &mut part);
            }
        }
        part
    }
}

/// Packages in profiles of single users.
#[derive(Debug)]
pub(crate) struct UserNixSource;

impl Source for UserNixSource {
    fn name(&self) -> &'static str {
        "nix-user"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_NIX)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            "nix/var/nix/profiles/per-user/*/profile",
            "home/*/.local/state/nix/profiles/profile",
            "etc/profiles/per-user/*/bin",
        ]
    }

    fn personal(&self) -> Option<Personal> {
        Some(Personal::PerUser)
    }

    fn stamp(&self) -> Stamp {
        Stamp::Folders
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        // Without a store no user has a profile in it.
        if host.metadata(STORE).is_err() {
            return part;
        }
        let folder = format!("{PROFILES}/per-user");
        let mut seen = BTreeSet::new();
        for user in read::names(host, &folder, PROFILES_LIMIT, &mut part.problems).unwrap_or_default() {
            if read_profile(host, &format!("{folder}/{user}/profile"), &user, &mut part) {
                seen.insert(user);
            }
        }
        for home in homes::homes(host, &mut part.problems) {
            if !seen.contains(&home.user) {
                let profile = format!("{}/.local/state/nix/profiles/profile", home.path);
                read_profile(host, &profile, &home.user, &mut part);
            }
        }
        for user in read::names(host, USERS_PROGRAMS, PROFILES_LIMIT, &mut part.problems).unwrap_or_default()
        {
            read_programs(host, &format!("{USERS_PROGRAMS}/{user}/bin"), &user, &mut part);
        }
        part
    }
}

/// Takes what a profile's manifest lists; false when it has none.
fn read_profile(host: &dyn Host, profile: &str, user: &str, part: &mut SectionPart) -> bool {
    for (file, parse) in MANIFESTS {
        let path = format!("{profile}/{file}");
        let Some(bytes) = read::bytes(host, &path, MANIFEST_LIMIT, &mut part.problems) else { continue };
        match parse(&bytes) {
            Ok(Listed { found, bad }) => {
                part.items.extend(found.iter().filter_map(|found| item(found, profile, user)));
                if bad > 0 {
                    let message = format!("{bad} elements are not understood");
                    part.problems.add(&path, ErrorKind::Malformed, message);
                }
            }
            Err(reason) => part.problems.add(&path, ErrorKind::Malformed, reason),
        }
        return true;
    }
    false
}

type Parse = fn(&[u8]) -> Result<Listed, String>;

/// `nix profile` writes the first, `nix-env` the second.
const MANIFESTS: [(&str, Parse); 2] =
    [("manifest.json", manifest::json), ("manifest.nix", manifest::expression)];

/// Takes the packages that the links in a folder of programs point to; false when there is no such folder.
fn read_programs(host: &dyn Host, folder: &str, user: &str, part: &mut SectionPart) -> bool {
    let SectionPart { items, problems } = part;
    let Some(programs) = read::names(host, folder, PROGRAMS_LIMIT, problems) else { return false };
    let mut paths = BTreeSet::new();
    for program in programs {
        let Ok(target) = host.link(&format!("{folder}/{program}")) else { continue };
        paths.extend(store_path(&target).map(str::to_owned));
    }
    let found =
        paths.into_iter().take(ITEMS_LIMIT).map(|store_path| Found { store_path, ..Found::default() });
    items.extend(found.filter_map(|found| item(&found, folder, user)));
    true
}

/// `/nix/store/HASH-name` of a path at or below that.
fn store_path(path: &str) -> Option<&str> {
    let below = path.strip_prefix('/')?.strip_prefix(STORE)?.strip_prefix('/')?;
    let length = below.find('/').unwrap_or(below.len());
    path.get(..path.len() - below.len() + length)
}

fn item(found: &Found, profile: &str, user: &str) -> Option<Item> {
    let profile = format!("/{profile}");
    let Found { store_path: path, system } = found;
    let (name, version) = name_and_version(store_path(path)?)?;
    let package = Package {
        purl_type: "nix".to_owned(),
        namespace: "nixpkgs".to_owned(),
        name: text::clean(name.as_bytes())?,
        version: text::clean(version.as_bytes()).unwrap_or_default(),
        architecture: text::clean(system.as_bytes()).unwrap_or_default(),
        ..Package::default()
    };
    // A path of the store is the same for all users; their profiles tell their items apart.
    let path = text::clean(if user.is_empty() { path.as_bytes() } else { profile.as_bytes() })?;
    let installation = Installation { path, user: user.to_owned(), ..Installation::default() };
    Some(Item { kind: ItemKind::Package(package), installation: Some(installation) })
}

/// Outputs of a package that have a path of their own, named behind the version.
const OUTPUTS: [&str; 10] = ["bin", "dev", "doc", "info", "lib", "man", "out", "dist", "debug", "static"];

/// The name and version in a path of the store, by Nix's own rule: a version begins at the first hyphen that no letter
/// follows.
pub(crate) fn name_and_version(store_path: &str) -> Option<(&str, &str)> {
    let (hash, full) = store_path.rsplit('/').next()?.split_once('-')?;
    if hash.len() != 32 || !hash.bytes().all(|byte| byte.is_ascii_alphanumeric()) || full.is_empty() {
        return None;
    }
    let is_start = |at: usize| full.as_bytes().get(at + 1).is_some_and(|next| !next.is_ascii_alphabetic());
    let Some(at) = full.match_indices('-').map(|(at, _)| at).find(|at| *at > 0 && is_start(*at)) else {
        return Some((full, ""));
    };
    let version = full.get(at + 1..)?;
    let version = match version.rsplit_once('-') {
        Some((before, output)) if OUTPUTS.contains(&output) => before,
        _ => version,
    };
    Some((full.get(..at)?, version))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;
    use crate::sources::testing::recorded;

    const HASH: &str = "4k9rzv8xq2mvxqkd2cq4wfj6qhb9c1xy";

    #[test]
    fn store_paths_are_taken_apart() {
        for (full, name, version) in [
            ("hello-2.12.1", "hello", "2.12.1"),
            ("openssl-3.0.13-bin", "openssl", "3.0.13"),
            ("python3.11-requests-2.31.0", "python3.11-requests", "2.31.0"),
            ("git-with-svn-2.43.1", "git-with-svn", "2.43.1"),
            ("dconf-0.40.0-lib", "dconf", "0.40.0"),
            ("firefox", "firefox", ""),
            ("a-unstable-2024-01-01", "a-unstable", "2024-01-01"),
            ("-1", "-1", ""),
        ] {
            let path = format!("/nix/store/{HASH}-{full}");
            assert_eq!(name_and_version(&path), Some((name, version)), "{full}");
        }
        for path in
            ["", "/nix/store/", "/nix/store/short-a-1", "/nix/store/x", &format!("/nix/store/{HASH}-")]
        {
            assert_eq!(name_and_version(path), None, "{path}");
        }
        assert_eq!(store_path("/nix/store/a-b/bin/c"), Some("/nix/store/a-b"));
        assert_eq!(store_path("/usr/bin/c"), None);
        assert_eq!(store_path("nix/store/a"), None);
    }

    fn keys(part: &SectionPart) -> Vec<String> {
        part.items.iter().map(Item::key).collect()
    }

    #[test]
    fn profiles_of_all_and_of_one_are_kept_apart() {
        let json = format!(
            r#"{{"version": 3, "elements": {{"hello": {{"active": true, "attrPath": "legacyPackages.x86_64-linux.hello",
            "storePaths": ["/nix/store/{HASH}-hello-2.12.1"]}}}}}}"#
        );
        let expression =
            format!("[ {{ outPath = \"/nix/store/{HASH}-jq-1.7.1-bin\"; system = \"x86_64-linux\"; }} ]");
        let (folder, host) = recorded(&[
            ("etc/passwd", "ann:x:1000:1::/home/ann:/x\nbob:x:1001:1::/home/bob:/x\n"),
            ("nix/var/nix/profiles/default/manifest.nix", &expression),
            ("nix/var/nix/profiles/per-user/ann/profile/manifest.json", &json),
            ("home/ann/.local/state/nix/profiles/profile/manifest.json", "not read: the other one counts"),
            ("home/bob/.local/state/nix/profiles/profile/manifest.json", &json),
            ("nix/store/x/y", ""),
        ]);
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("nix/var/nix/profiles/system/sw/bin")).unwrap();
        for (program, target) in [
            ("vi", format!("/nix/store/{HASH}-vim-9.1.0/bin/vi")),
            ("vim", format!("/nix/store/{HASH}-vim-9.1.0/bin/vim")),
            ("sh", "/bin/sh".to_owned()),
        ] {
            symlink(target, at("nix/var/nix/profiles/system/sw/bin").join(program)).unwrap();
        }
        let part = NixSource.collect(&host);
        let jq = format!("package\0nix\0nixpkgs\0jq\x001.7.1\0x86_64-linux\0/nix/store/{HASH}-jq-1.7.1-bin");
        let vim = format!("package\0nix\0nixpkgs\0vim\x009.1.0\0\0/nix/store/{HASH}-vim-9.1.0");
        assert_eq!(keys(&part), [jq, vim]);
        assert!(part.problems.is_empty());

        let part = UserNixSource.collect(&host);
        let hello = |path: &str| format!("package\0nix\0nixpkgs\0hello\x002.12.1\0x86_64-linux\0{path}");
        let ann = hello("/nix/var/nix/profiles/per-user/ann/profile");
        assert_eq!(keys(&part), [ann, hello("/home/bob/.local/state/nix/profiles/profile")]);
        assert!(part.problems.is_empty());
    }

    #[test]
    fn no_profiles_and_bad_manifests_are_told() {
        let messages = |files: &[(&str, &str)]| {
            let (_folder, host) = recorded(files);
            let problems = NixSource.collect(&host).problems.into_entries();
            problems.into_iter().map(|entry| entry.message).collect::<Vec<_>>()
        };
        assert_eq!(messages(&[]), ["this system has no Nix profiles"]);
        let bad = messages(&[("nix/var/nix/profiles/default/manifest.json", "{\"elements\": 7}")]);
        assert_eq!(bad.len(), 1);
        assert!(bad[0].starts_with("not a manifest of nix profile"), "{bad:?}");
    }
}
