//! Python packages, as pip lists them: the metadata beside each package in a folder of packages.
//!
//! Knows nothing of what a package requires or contains, and follows no link file of a project in development.
//!
//! A package that the distribution's own package manager installed is in that manager's section already and is left
//! out here. Asking the package manager's lists for every file would cost more than everything else, so the place and
//! the installer's own word decide: below `/usr/lib` and `/usr/lib64`, where distributions install and where pip is
//! made to install elsewhere (Debian, Fedora) or not (Arch, Alpine), only a package whose `INSTALLER` names a tool of
//! people (pip, uv, …) counts; Fedora writes `rpm` there, Debian and Arch nothing or their own tool. The same holds in
//! an environment of conda, which writes `conda`. Everywhere else everything counts. A distribution that ships
//! packages which say that pip installed them is counted twice, since missing what people install is worse.

use muster_common::inventory::{ErrorKind, Package, SectionName};

use crate::{
    host::{FileKind, Host, HostError},
    sources::{
        Stamp,
        part::{Problems, SectionPart},
        read,
        software::language::{Language, LanguageSource, Place, Scope, kind_and_time, layout, person},
    },
};

/// Nearly always enough for name, version and author.
const HEAD_BYTES: usize = 1024;
/// Where the head is not enough.
const METADATA_BYTES: usize = 64 << 10;
const INSTALLER_BYTES: usize = 64;

/// What people install packages with.
const TOOLS: [&[u8]; 7] = [b"pip", b"uv", b"poetry", b"pdm", b"hatch", b"pipenv", b"easy_install"];

const LANGUAGE: Language = Language {
    name: "python",
    people_name: "python-people",
    section: SectionName::SOFTWARE_PYTHON,
    layout: layout! {
        system: [
            "usr/lib/python*/dist-packages",
            "usr/lib/python*/site-packages",
            "usr/lib64/python*/site-packages",
            "usr/local/lib/python*/dist-packages",
            "usr/local/lib/python*/site-packages",
            "usr/local/lib64/python*/site-packages",
            "opt/*/lib/python*/site-packages",
            "opt/*/venv/lib/python*/site-packages",
            "opt/*/.venv/lib/python*/site-packages",
            "opt/*/envs/*/lib/python*/site-packages",
            "opt/pipx/venvs/*/lib/python*/site-packages",
            "opt/pyenv/versions/*/lib/python*/site-packages",
        ],
        home: [
            ".local/lib/python*/site-packages",
            ".local/share/pipx/venvs/*/lib/python*/site-packages",
            ".local/share/uv/tools/*/lib/python*/site-packages",
            ".local/share/virtualenvs/*/lib/python*/site-packages",
            ".local/pipx/venvs/*/lib/python*/site-packages",
            ".pyenv/versions/*/lib/python*/site-packages",
            ".pyenv/versions/*/envs/*/lib/python*/site-packages",
            ".virtualenvs/*/lib/python*/site-packages",
            ".cache/pypoetry/virtualenvs/*/lib/python*/site-packages",
            ".venv/lib/python*/site-packages",
            "venv/lib/python*/site-packages",
            "miniconda3/lib/python*/site-packages",
            "miniconda3/envs/*/lib/python*/site-packages",
            "anaconda3/lib/python*/site-packages",
            "anaconda3/envs/*/lib/python*/site-packages",
            "miniforge3/lib/python*/site-packages",
            "miniforge3/envs/*/lib/python*/site-packages",
        ],
    },
    stamp: Stamp::Folders,
    named_by_home: None,
    read,
};

/// Python packages of the machine.
pub(crate) const SYSTEM: LanguageSource = LanguageSource { language: &LANGUAGE, scope: Scope::System };
/// Python packages in people's homes.
pub(crate) const PEOPLE: LanguageSource = LanguageSource { language: &LANGUAGE, scope: Scope::People };

/// What the first fields of a package's metadata say, as they stand there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata<'a> {
    /// Its name.
    pub(crate) name: Option<&'a [u8]>,
    /// Its version.
    pub(crate) version: Option<&'a [u8]>,
    /// Its author, or the author's address.
    pub(crate) author: Option<&'a [u8]>,
}

/// Reads the fields of `METADATA` or `PKG-INFO` up to the first empty line.
pub(crate) fn metadata(bytes: &[u8]) -> Metadata<'_> {
    let mut found = Metadata::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.trim_ascii_end().is_empty() {
            break;
        }
        // A line that begins with a blank continues the one before it.
        let Some(colon) = memchr::memchr(b':', line).filter(|_| !line[0].is_ascii_whitespace()) else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let field = if name.eq_ignore_ascii_case(b"Name") {
            &mut found.name
        } else if name.eq_ignore_ascii_case(b"Version") {
            &mut found.version
        } else if name.eq_ignore_ascii_case(b"Author") || name.eq_ignore_ascii_case(b"Author-email") {
            &mut found.author
        } else {
            continue;
        };
        if field.is_none() && !value.is_empty() {
            *field = Some(value);
        }
    }
    found
}

/// A project's name as indexes compare it: lower case, one hyphen for each run of separators. `None` when it is none.
pub(crate) fn normalized(name: &[u8]) -> Option<String> {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    if !is_end(name.first()) || !is_end(name.last()) {
        return None;
    }
    let mut normalized = String::with_capacity(name.len());
    for byte in name {
        match byte {
            b'-' | b'_' | b'.' if normalized.ends_with('-') => {}
            b'-' | b'_' | b'.' => normalized.push('-'),
            byte if byte.is_ascii_alphanumeric() => normalized.push(char::from(byte.to_ascii_lowercase())),
            _ => return None,
        }
    }
    Some(normalized)
}

fn read(host: &dyn Host, place: &Place, part: &mut SectionPart) {
    let only_tools = belongs_to_another_manager(host, place);
    for name in place.names(host, "", &mut part.problems) {
        // What pip renamed to replace it begins with a tilde.
        if name.starts_with('~') {
            continue;
        }
        let Some((_, ending)) = name.rsplit_once('.') else { continue };
        if !matches!(ending, "dist-info" | "egg-info" | "egg") {
            continue;
        }
        let path = place.at(&name);
        if only_tools && !(ending == "dist-info" && was_installed_by_a_tool(host, &path, &mut part.problems))
        {
            continue;
        }
        let Some((kind, installed)) = kind_and_time(host, &path) else { continue };
        let file = match (ending, kind) {
            ("dist-info", FileKind::Folder) => format!("{path}/METADATA"),
            ("egg-info", FileKind::Folder) => format!("{path}/PKG-INFO"),
            ("egg", FileKind::Folder) => format!("{path}/EGG-INFO/PKG-INFO"),
            ("egg-info", FileKind::File) => path,
            // A packed egg cannot be looked into cheaply; a new one has not been made for years.
            (_, FileKind::Folder | FileKind::File | FileKind::Special) => continue,
        };
        match package(host, &file) {
            Ok(package) => part.items.extend(place.item(package, Some(installed))),
            Err(Failure::Host(error)) => part.problems.add_error(error),
            Err(Failure::Content(what)) => part.problems.add(&file, ErrorKind::Malformed, what),
        }
    }
}

enum Failure {
    Host(HostError),
    Content(&'static str),
}

fn package(host: &dyn Host, file: &str) -> Result<Package, Failure> {
    let mut content = host.prefix(file, HEAD_BYTES).map_err(Failure::Host)?;
    let is_whole = |found: &Metadata<'_>| found.name.is_some() && found.version.is_some();
    // A value that the bound cuts must not count as whole.
    if content.more {
        let end = memchr::memrchr(b'\n', &content.bytes).unwrap_or(0);
        if !is_whole(&metadata(&content.bytes[..end])) {
            content = host.prefix(file, METADATA_BYTES).map_err(Failure::Host)?;
        } else {
            content.bytes.truncate(end);
        }
    }
    let found = metadata(&content.bytes);
    let name = found.name.and_then(normalized).ok_or(Failure::Content("the package states no good name"))?;
    let version = found
        .version
        .filter(|version| version.iter().all(u8::is_ascii_graphic))
        .ok_or(Failure::Content("the package states no good version"))?;
    Ok(Package {
        purl_type: "pypi".to_owned(),
        name,
        version: String::from_utf8_lossy(version).into_owned(),
        vendor: found.author.and_then(|author| person(&String::from_utf8_lossy(author))),
        ..Package::default()
    })
}

/// Whether most packages here were installed by a manager that has a section of its own.
fn belongs_to_another_manager(host: &dyn Host, place: &Place) -> bool {
    let path = place.path.as_str();
    if path.starts_with("usr/lib/") || path.starts_with("usr/lib64/") {
        return true;
    }
    let prefix = path.rsplitn(4, '/').nth(3).unwrap_or_default();
    !path.starts_with("usr/") && host.metadata(&format!("{prefix}/conda-meta")).is_ok()
}

fn was_installed_by_a_tool(host: &dyn Host, folder: &str, problems: &mut Problems) -> bool {
    let installer = read::bytes(host, &format!("{folder}/INSTALLER"), INSTALLER_BYTES, problems);
    let installer = installer.unwrap_or_default();
    let word = installer.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    TOOLS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::software::testing::found;

    const LOCAL: &str = "usr/local/lib/python3.11/dist-packages";

    #[test]
    fn metadata_in_every_form() {
        let at = |name: &str| format!("{LOCAL}/{name}");
        let files = [
            (
                at("Flask_Login-0.6.3.dist-info/METADATA"),
                "Metadata-Version: 2.1\nName: Flask-Login\nVersion: 0.6.3\n  Name: no\nAuthor: Max\nHome: x\n",
            ),
            (
                at("a-1.egg-info"),
                "Metadata-Version: 1.0\r\nName: a\r\nVersion: 1!2.0+local.1\r\n\r\nAuthor: no\r\n",
            ),
            (at("b.egg-info/PKG-INFO"), "Version: 2\nname: B..c__D\nAuthor-email: \"Ann\" <a@b>\n"),
            (at("c-3-py3.8.egg/EGG-INFO/PKG-INFO"), "Name: c\nVersion: 3\nAuthor-email: c@c.example\n"),
            (at("~ip-1.dist-info/METADATA"), "Name: pip\nVersion: 1\n"),
            (at("plain.py"), ""),
            (at("d-1-py3.8.egg"), "PK"),
        ];
        let files: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), *content)).collect();
        let (items, problems) = found(&SYSTEM, &files);
        assert_eq!(
            items,
            [
                "pypi - flask-login 0.6.3 - Max /usr/local/lib/python3.11/dist-packages -",
                "pypi - a 1!2.0+local.1 - - /usr/local/lib/python3.11/dist-packages -",
                "pypi - b-c-d 2 - Ann /usr/local/lib/python3.11/dist-packages -",
                "pypi - c 3 - - /usr/local/lib/python3.11/dist-packages -",
            ]
        );
        assert_eq!(problems, [] as [&str; 0]);
    }

    #[test]
    fn what_another_package_manager_installed_is_left_out() {
        let metadata = |name: &str| format!("Name: {name}\nVersion: 1\n");
        for (place, installer, counts) in [
            ("usr/lib/python3/dist-packages", None, false),
            ("usr/lib/python3/dist-packages", Some("debian\n"), false),
            ("usr/lib/python3/dist-packages", Some("pip\n"), true),
            ("usr/lib/python3.13/site-packages", Some("rpm\n"), false),
            ("usr/lib64/python3.13/site-packages", Some("rpm"), false),
            ("usr/lib/python3.13/site-packages", Some("poetry 1.8.2"), true),
            ("usr/lib/python3.13/site-packages", Some("uv"), true),
            ("usr/local/lib/python3.13/site-packages", None, true),
            ("opt/miniforge3/lib/python3.12/site-packages", Some("conda"), false),
            ("opt/miniforge3/lib/python3.12/site-packages", Some("pip"), true),
            ("opt/app/lib/python3.12/site-packages", Some("conda"), true),
        ] {
            let file = |name: &str| format!("{place}/a-1.dist-info/{name}");
            let mut files = vec![
                (file("METADATA"), metadata("a")),
                ("opt/miniforge3/conda-meta/history".to_owned(), String::new()),
            ];
            files.extend(installer.map(|installer| (file("INSTALLER"), installer.to_owned())));
            let files: Vec<_> =
                files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
            let (items, problems) = found(&SYSTEM, &files);
            assert_eq!((items.len() == 1, problems.len()), (counts, 0), "{place} {installer:?}");
        }
        assert!(
            found(&SYSTEM, &[("usr/lib/python3/dist-packages/a.egg-info", "Name: a\nVersion: 1\n")])
                .0
                .is_empty()
        );
    }

    #[test]
    fn a_bad_entry_is_named_and_the_rest_is_read() {
        let long = format!("Name: long\nKeywords: {}\nVersion: 7\n", "x".repeat(5000));
        let files = [
            ("usr/local/lib/python3.9/site-packages/a-1.dist-info/RECORD", ""),
            ("usr/local/lib/python3.9/site-packages/b-1.dist-info/METADATA", "Name: ../b\nVersion: 1\n"),
            ("usr/local/lib/python3.9/site-packages/c-1.dist-info/METADATA", "Name: c\nVersion:\n"),
            (
                "usr/local/lib/python3.9/site-packages/d-1.dist-info/METADATA",
                "Name: d\nVersion: 1 \u{1b}[31m\n",
            ),
            ("usr/local/lib/python3.9/site-packages/e-1.dist-info/METADATA", "\n\nName: e\n"),
            ("usr/local/lib/python3.9/site-packages/good-1.dist-info/METADATA", "Name: good\nVersion: 1"),
            ("usr/local/lib/python3.9/site-packages/long-7.dist-info/METADATA", &long),
        ];
        let (items, problems) = found(&SYSTEM, &files);
        assert_eq!(
            items,
            [
                "pypi - good 1 - - /usr/local/lib/python3.9/site-packages -",
                "pypi - long 7 - - /usr/local/lib/python3.9/site-packages -"
            ]
        );
        let at = |name: &str, what: &str| {
            format!("usr/local/lib/python3.9/site-packages/{name}-1.dist-info/METADATA: {what}")
        };
        let missing = "usr/local/lib/python3.9/site-packages/a-1.dist-info/METADATA does not exist";
        assert_eq!(
            problems,
            [
                at("a", missing),
                at("b", "the package states no good name"),
                at("c", "the package states no good version"),
                at("d", "the package states no good version"),
                at("e", "the package states no good name"),
            ]
        );
    }

    #[test]
    fn people_have_environments_of_their_own() {
        let content = "Name: a\nVersion: 1\n";
        let files = [
            (
                "etc/passwd",
                "root:x:0:0::/root:/x\nann:x:1000:1000::/home/ann:/x\nbob:x:1001:1001::/home/bob:/x\n",
            ),
            ("root/.pyenv/versions/3.11.7/lib/python3.11/site-packages/a-1.dist-info/METADATA", content),
            ("home/ann/.local/lib/python3.12/site-packages/a-1.dist-info/METADATA", content),
            ("home/ann/.virtualenvs/x/lib/python3.12/site-packages/a-1.dist-info/METADATA", content),
            ("home/ann/.virtualenvs/y", "a file"),
        ];
        assert_eq!(
            found(&PEOPLE, &files),
            (
                vec![
                    "pypi - a 1 - - /home/ann/.local/lib/python3.12/site-packages ann".to_owned(),
                    "pypi - a 1 - - /home/ann/.virtualenvs/x/lib/python3.12/site-packages ann".to_owned(),
                ],
                Vec::new()
            )
        );
        let of_root = "pypi - a 1 - - /root/.pyenv/versions/3.11.7/lib/python3.11/site-packages root";
        assert_eq!(found(&SYSTEM, &files), (vec![of_root.to_owned()], Vec::new()));
    }

    #[test]
    fn no_python_is_nothing() {
        assert_eq!(found(&SYSTEM, &[]), (Vec::new(), Vec::new()));
        assert_eq!(found(&PEOPLE, &[]), (Vec::new(), Vec::new()));
    }
}
