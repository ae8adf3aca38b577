//! Packages of conda and its relatives (mamba, miniforge), as `conda list` lists them: a record for each in
//! `conda-meta`.
//!
//! Knows nothing of their files. A record's name says name, version and build, so that of the record, which may have
//! megabytes, only the start is read: for the channel, on which depends whether a licence is due. A channel's address
//! may hold a token, which never leaves the machine.

use std::collections::BTreeSet;

use muster_common::inventory::{ErrorKind, Package, SectionName};

use crate::{
    host::Host,
    sources::{
        Stamp,
        part::SectionPart,
        software::language::{Language, LanguageSource, Place, Scope, layout, time},
    },
};

/// Records are sorted by key, and `channel` comes early.
const HEAD_BYTES: usize = 2048;
/// conda's own register of a user's environments.
const REGISTER: &str = ".conda/environments.txt";
const REGISTER_BYTES: usize = 64 << 10;
const REGISTERED_LIMIT: usize = 200;

const LANGUAGE: Language = Language {
    name: "conda",
    people_name: "conda-people",
    section: SectionName::SOFTWARE_CONDA,
    layout: layout! {
        system: [
            "opt/*/conda-meta",
            "opt/*/envs/*/conda-meta",
            "usr/local/miniconda3/conda-meta",
            "usr/local/miniconda3/envs/*/conda-meta",
            "usr/local/anaconda3/conda-meta",
            "usr/local/anaconda3/envs/*/conda-meta",
            "usr/share/miniconda/conda-meta",
        ],
        home: [
            "miniconda3/conda-meta",
            "miniconda3/envs/*/conda-meta",
            "anaconda3/conda-meta",
            "anaconda3/envs/*/conda-meta",
            "miniforge3/conda-meta",
            "miniforge3/envs/*/conda-meta",
            ".conda/envs/*/conda-meta",
            ".local/share/mamba/envs/*/conda-meta",
            "micromamba/envs/*/conda-meta",
        ],
    },
    stamp: Stamp::Folders,
    named_by_home: Some(registered),
    read,
};

/// Packages of the machine.
pub(crate) const SYSTEM: LanguageSource = LanguageSource { language: &LANGUAGE, scope: Scope::System };
/// Packages in people's homes.
pub(crate) const PEOPLE: LanguageSource = LanguageSource { language: &LANGUAGE, scope: Scope::People };

/// The environments that conda's register of a home names: a user's below that home, root's anywhere but in homes.
fn registered(host: &dyn Host, home: &str) -> Vec<String> {
    let Ok(content) = host.read(&format!("{home}/{REGISTER}"), REGISTER_BYTES) else { return Vec::new() };
    environments(&content, home).into_iter().map(|path| format!("{path}/conda-meta")).collect()
}

/// The environments in a register, relative to the machine's root.
pub(crate) fn environments(register: &[u8], home: &str) -> BTreeSet<String> {
    register
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let path = std::str::from_utf8(line).ok()?.trim().strip_prefix('/')?.trim_end_matches('/');
            let is_plain = !path.split('/').any(|part| matches!(part, "" | "." | ".."));
            let is_below = path.strip_prefix(home).is_some_and(|rest| rest.starts_with('/'));
            (is_plain && (is_below || home == "root" && !path.starts_with("home/"))).then(|| path.to_owned())
        })
        .take(REGISTERED_LIMIT)
        .collect()
}

/// Name and version in a record's name without its ending, `name-version-build`; only a name has hyphens.
pub(crate) fn name_and_version(stem: &str) -> Option<(&str, &str)> {
    let mut parts = stem.rsplitn(3, '-');
    let (build, version, name) = (parts.next()?, parts.next()?, parts.next()?);
    let is_good = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    (is_good(build) && is_good(version) && is_good(name)).then_some((name, version))
}

/// Channel and platform in the start of a record, without addresses of the usual hosts and without secrets.
pub(crate) fn channel(head: &[u8]) -> Option<(String, String)> {
    const KEY: &[u8] = b"\"channel\":";
    let after = memchr::memmem::find(head, KEY)? + KEY.len();
    let value = head[after..].trim_ascii_start().strip_prefix(b"\"")?;
    let value = std::str::from_utf8(&value[..memchr::memchr(b'"', value)?]).ok()?;
    let address = value.split_once("://").map_or(value, |(_, address)| address);
    let address = address.split(['?', '#']).next().unwrap_or_default();
    let mut parts: Vec<&str> = address.split('/').filter(|part| !part.is_empty()).collect();
    if value.contains("://") {
        if let Some(machine) = parts.first_mut() {
            *machine = machine.rsplit('@').next().unwrap_or_default();
            if matches!(*machine, "conda.anaconda.org" | "repo.anaconda.com" | "repo.continuum.io") {
                parts.remove(0);
            }
        }
        if let Some(token) = parts.iter().position(|part| *part == "t") {
            parts.drain(token..(token + 2).min(parts.len()));
        }
    }
    let is_platform = |part: &&str| {
        *part == "noarch" || ["linux-", "osx-", "win-"].iter().any(|system| part.starts_with(system))
    };
    let platform = parts.pop_if(|part| is_platform(&&**part)).unwrap_or_default();
    Some((parts.join("/"), platform.to_owned()))
}

fn read(host: &dyn Host, place: &Place, part: &mut SectionPart) {
    let prefix = place.path.strip_suffix("/conda-meta").unwrap_or(&place.path);
    let environment = Place { path: prefix.to_owned(), user: place.user.clone() };
    for name in place.names(host, "", &mut part.problems) {
        let Some(stem) = name.strip_suffix(".json").filter(|stem| !stem.starts_with('.')) else { continue };
        let file = place.at(&name);
        let Some((name, version)) = name_and_version(stem) else {
            part.problems.add(&file, ErrorKind::Malformed, "its name is not name, version and build");
            continue;
        };
        let head = match host.prefix(&file, HEAD_BYTES) {
            Ok(content) => content.bytes,
            // Removed since its folder was listed.
            Err(error) if error.is_missing() => continue,
            Err(error) => {
                part.problems.add_error(error);
                continue;
            }
        };
        // An empty or overwritten record is what an interrupted installation leaves.
        if !head.trim_ascii_start().starts_with(b"{") {
            part.problems.add(&file, ErrorKind::Malformed, "it is no record of a package");
            continue;
        }
        let (channel, platform) = channel(&head).unzip();
        let package = Package {
            purl_type: "conda".to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            architecture: platform.unwrap_or_default(),
            vendor: channel,
            ..Package::default()
        };
        part.items.extend(environment.item(package, time(host, &file)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::software::testing::found;

    #[test]
    fn channels_without_secrets() {
        for (value, expected) in [
            ("https://conda.anaconda.org/conda-forge/linux-64", Some(("conda-forge", "linux-64"))),
            ("https://repo.anaconda.com/pkgs/main/noarch", Some(("pkgs/main", "noarch"))),
            ("pkgs/main", Some(("pkgs/main", ""))),
            (
                "https://user:secret@host.example/t/secret/team/linux-64",
                Some(("host.example/team", "linux-64")),
            ),
            ("https://conda.anaconda.org/t/secret/team/osx-arm64?secret", Some(("team", "osx-arm64"))),
            ("https://host.example/t/", Some(("host.example", ""))),
            ("", Some(("", ""))),
            ("://@", Some(("", ""))),
        ] {
            let head = format!("{{\n  \"build\": \"0\",\n  \"channel\": \"{value}\",\n");
            let found = channel(head.as_bytes());
            let expected = expected.map(|(channel, platform)| (channel.to_owned(), platform.to_owned()));
            assert_eq!(found, expected, "{value}");
        }
        for head in ["{}", "{\"channel\":", "{\"channel\": \"cut", "{\"channel\": 1}"] {
            assert_eq!(channel(head.as_bytes()), None, "{head}");
        }
    }

    #[test]
    fn registers_stay_in_their_home() {
        let register = b"/home/ann/miniconda3\n/home/ann/work/env/\n/home/bob/env\n/srv/env\n/home/ann/../bob/x\nx\n\xff\n/\n";
        let found = |home: &str| environments(register, home).into_iter().collect::<Vec<_>>();
        assert_eq!(found("home/ann"), ["home/ann/miniconda3", "home/ann/work/env"]);
        assert_eq!(found("root"), ["srv/env"]);
    }

    #[test]
    fn environments_are_apart() {
        let record = "{\"arch\": null, \"build\": \"0\", \"channel\": \"https://conda.anaconda.org/conda-forge/noarch\"";
        let files = [
            ("opt/miniforge3/conda-meta/absl-py-2.1.0-pyhd8ed1ab_0.json", record),
            ("opt/miniforge3/conda-meta/history", ""),
            ("opt/miniforge3/conda-meta/empty-1.0-0.json", ""),
            ("opt/miniforge3/conda-meta/no_version.json", "{}"),
            ("opt/miniforge3/conda-meta/_libgcc_mutex-0.1-conda_forge.json", "{}"),
            ("opt/miniforge3/envs/x/conda-meta/absl-py-2.1.0-pyhd8ed1ab_0.json", record),
            ("opt/file", ""),
            ("etc/passwd", "root:x:0:0::/root:/x\nann:x:1000:1::/home/ann:/x\n"),
            (
                "home/ann/.conda/environments.txt",
                "/home/ann/miniconda3\n/home/ann/work/env\n/opt/miniforge3\n",
            ),
            ("home/ann/miniconda3/conda-meta/a-1-0.json", "{}"),
            ("home/ann/work/env/conda-meta/b-1-0.json", "{}"),
            ("root/.conda/environments.txt", "/opt/miniforge3\n/srv/env\n"),
            ("srv/env/conda-meta/c-1-0.json", "{}"),
        ];
        let (items, problems) = found(&SYSTEM, &files);
        assert_eq!(
            items,
            [
                "conda - _libgcc_mutex 0.1 - - /opt/miniforge3 -",
                "conda - absl-py 2.1.0 noarch conda-forge /opt/miniforge3 -",
                "conda - absl-py 2.1.0 noarch conda-forge /opt/miniforge3/envs/x -",
                "conda - c 1 - - /srv/env root",
            ]
        );
        assert_eq!(
            problems,
            [
                "opt/miniforge3/conda-meta/empty-1.0-0.json: it is no record of a package",
                "opt/miniforge3/conda-meta/no_version.json: its name is not name, version and build",
            ]
        );
        let (items, problems) = found(&PEOPLE, &files);
        assert_eq!(
            items,
            ["conda - a 1 - - /home/ann/miniconda3 ann", "conda - b 1 - - /home/ann/work/env ann"]
        );
        assert_eq!(problems, [] as [&str; 0]);
    }
}
