//! AppImages: programs in one file, in the places where people put them.
//!
//! Knows the mark in the ELF header and reads nothing else of a file; name and version are what the file is called,
//! since the image inside is compressed. Knows nothing of AppImages elsewhere: finding them would mean looking at
//! every file. purl has no type for them, so they have their own, `appimage`.

use muster_common::{
    inventory::{Installation, Item, ItemKind, Package, SectionName},
    time::EndpointTime,
};

use crate::{
    host::{FileKind, Host},
    sources::{Personal, Source, Stamp, homes, part::SectionPart, read, text},
};

/// Where they are put for everybody.
const SYSTEM_FOLDERS: [&str; 3] = ["opt", "usr/local/bin", "Applications"];
/// Where they are put in a home.
const HOME_FOLDERS: [&str; 2] = ["Applications", ".local/bin"];

/// Files that are looked at in one folder.
const FILES_LIMIT: usize = 2000;
/// An ELF header up to the mark and the machine that it is for.
const HEADER_BYTES: usize = 20;

/// AppImages for everybody.
#[derive(Debug)]
pub(crate) struct AppImageSource;

impl Source for AppImageSource {
    fn name(&self) -> &'static str {
        "appimage"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_APPIMAGE)
    }

    fn reads(&self) -> &'static [&'static str] {
        &SYSTEM_FOLDERS
    }

    fn stamp(&self) -> Stamp {
        Stamp::Folders
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        let mut any = false;
        for folder in SYSTEM_FOLDERS {
            any |= read_folder(host, folder, "", &mut part);
        }
        if !any && part.problems.is_empty() {
            part.problems.absent(SYSTEM_FOLDERS[0], "folder where AppImages are put");
        }
        part
    }
}

/// AppImages in homes.
#[derive(Debug)]
pub(crate) struct UserAppImageSource;

impl Source for UserAppImageSource {
    fn name(&self) -> &'static str {
        "appimage-user"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_APPIMAGE)
    }

    fn reads(&self) -> &'static [&'static str] {
        &["home/*/Applications", "home/*/.local/bin"]
    }

    fn personal(&self) -> Option<Personal> {
        Some(Personal::PerUser)
    }

    fn stamp(&self) -> Stamp {
        Stamp::Folders
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut part = SectionPart::default();
        for home in homes::homes(host, &mut part.problems) {
            for folder in HOME_FOLDERS {
                read_folder(host, &format!("{}/{folder}", home.path), &home.user, &mut part);
            }
        }
        part
    }
}

/// Takes the AppImages of one folder; false when there is no such folder.
fn read_folder(host: &dyn Host, folder: &str, user: &str, part: &mut SectionPart) -> bool {
    let Some(names) = read::names(host, folder, FILES_LIMIT, &mut part.problems) else { return false };
    for name in names {
        let path = format!("{folder}/{name}");
        // Other people's programs may be unreadable, and most of what is here is something else.
        let Ok(header) = host.prefix(&path, HEADER_BYTES) else { continue };
        let Some(architecture) = architecture(&header.bytes) else { continue };
        let Some(found) = named(&name) else { continue };
        let file = host.metadata(&path).ok().filter(|file| file.kind == FileKind::File);
        let installed = file.and_then(|file| i64::try_from(file.modified_ns / 1_000_000).ok());
        let package = Package {
            purl_type: "appimage".to_owned(),
            name: found.name,
            version: found.version,
            architecture: architecture.to_owned(),
            size_bytes: file.map(|file| file.size_bytes),
            ..Package::default()
        };
        let installation = Installation {
            path: format!("/{path}"),
            user: user.to_owned(),
            installed: installed.map(EndpointTime::from_millis),
            ..Installation::default()
        };
        part.items.push(Item { kind: ItemKind::Package(package), installation: Some(installation) });
    }
    true
}

/// The name of the AppImage at a path, if it is one.
pub(crate) fn name_at(host: &dyn Host, path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    architecture(&host.prefix(path, HEADER_BYTES).ok()?.bytes)?;
    Some(named(file)?.name)
}

/// The machine that an AppImage of either type is for; `None` when it is none.
fn architecture(header: &[u8]) -> Option<&'static str> {
    let is_marked = header.starts_with(b"\x7fELF") && matches!(header.get(8..11)?, b"AI\x01" | b"AI\x02");
    let machine = [*header.get(18)?, *header.get(19)?];
    // The fifth byte says how numbers are written; AppImages exist for little-endian machines alone.
    is_marked.then_some(match u16::from_le_bytes(machine) {
        3 => "i686",
        40 => "armhf",
        62 => "x86_64",
        183 => "aarch64",
        _ => "",
    })
}

/// What a file's name tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    name: String,
    /// Empty where the name has none.
    version: String,
}

/// Words of names that say for which machine it is.
const MACHINES: [&str; 18] = [
    "x86_64", "x86-64", "x86", "amd64", "x64", "64bit", "i386", "i686", "ia32", "32bit", "aarch64", "arm64",
    "armhf", "armv7l", "arm", "linux", "linux64", "glibc2",
];

/// Takes `Krita-5.2.2-x86_64.appimage` apart: name, then version, then machine, with hyphens or underscores between.
pub(crate) fn named(file: &str) -> Option<Named> {
    let stem = match file.char_indices().rev().nth(8) {
        Some((at, '.')) if file[at + 1..].eq_ignore_ascii_case("appimage") => &file[..at],
        _ => file,
    };
    // Two spellings of one machine hold the characters that separate words.
    let stem = stem.replace("x86_64", "amd64").replace("x86-64", "amd64");
    let mut words: Vec<&str> = stem.split(['-', '_', ' ']).filter(|word| !word.is_empty()).collect();
    // AppImageLauncher writes a check sum behind the name.
    if words.last().is_some_and(|word| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        words.pop();
    }
    let is_machine = |word: &str| MACHINES.iter().any(|machine| word.eq_ignore_ascii_case(machine));
    let at = words.iter().skip(1).position(|word| is_version(word)).map(|at| at + 1);
    let end = words.iter().skip(1).position(|word| is_machine(word)).map_or(words.len(), |at| at + 1);
    let version = at.and_then(|at| words.get(at)).map(|word| word.strip_prefix('v').unwrap_or(word));
    let name = words.get(..at.unwrap_or(end).min(end))?.join("-");
    Some(Named {
        name: text::clean(name.as_bytes())?,
        version: version.and_then(|version| text::clean(version.as_bytes())).unwrap_or_default(),
    })
}

/// A digit first, perhaps behind a `v`, and either a dot or digits alone.
fn is_version(word: &str) -> bool {
    let number = word.strip_prefix('v').unwrap_or(word);
    number.starts_with(|first: char| first.is_ascii_digit())
        && (number.contains('.') || number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use muster_common::inventory::ErrorKind;

    use super::*;
    use crate::sources::testing::recorded;

    const IMAGE: &[u8] = b"\x7fELF\x02\x01\x01\0AI\x02\0\0\0\0\0\x02\0\x3e\0 and then the image";

    #[test]
    fn names_are_taken_apart() {
        for (file, name, version) in [
            ("krita-5.2.2-x86_64.appimage", "krita", "5.2.2"),
            ("nvim-v0.10.0-linux-arm64.AppImage", "nvim", "0.10.0"),
            ("FreeCAD_0.21.2-Linux-x86_64.AppImage", "FreeCAD", "0.21.2"),
            ("balenaEtcher-1.18.11-x64.AppImage", "balenaEtcher", "1.18.11"),
            ("Beekeeper-Studio-4.1.13.AppImage", "Beekeeper-Studio", "4.1.13"),
            ("Joplin_0f2ab2c1f3e5b7a9c4d6e8f0a1b2c3d4.AppImage", "Joplin", ""),
            ("GIMP_AppImage-git-2.10.25-20210610-x86_64.AppImage", "GIMP-AppImage-git", "2.10.25"),
            ("cursor-x86_64.AppImage", "cursor", ""),
            ("nvim", "nvim", ""),
            ("7zip.AppImage", "7zip", ""),
            ("app-20240101.AppImage", "app", "20240101"),
            ("\u{e9}.appimage", "\u{e9}", ""),
        ] {
            let expected = Named { name: name.to_owned(), version: version.to_owned() };
            assert_eq!(named(file), Some(expected), "{file}");
        }
        for file in [".AppImage", "", "---", "\u{1}"] {
            assert_eq!(named(file), None, "{file:?}");
        }
    }

    #[test]
    fn only_marked_files_are_found() {
        let script = [
            ("usr/local/bin/script", "#!/bin/sh\n"),
            ("opt/folder/file", "x"),
            ("usr/local/bin/short", "\x7fELF"),
        ];
        let (folder, host) = recorded(&script);
        let at = |path: &str| folder.path().join(path);
        fs::write(at("opt/Krita-5.2.2-x86_64.AppImage"), IMAGE).unwrap();
        fs::write(at("usr/local/bin/nvim"), IMAGE).unwrap();
        let mut program = IMAGE.to_vec();
        program[8] = 0;
        fs::write(at("usr/local/bin/program"), program).unwrap();
        fs::create_dir_all(at("home/ann/Applications")).unwrap();
        fs::create_dir_all(at("home/ann/Downloads")).unwrap();
        fs::write(at("home/ann/Applications/a-1.AppImage"), IMAGE).unwrap();
        fs::write(at("home/ann/Downloads/b-1.AppImage"), IMAGE).unwrap();

        let SectionPart { items, problems } = AppImageSource.collect(&host);
        assert_eq!(problems.into_entries(), []);
        let keys: Vec<_> = items.iter().map(Item::key).collect();
        let opt = "package\0appimage\0\0Krita\x005.2.2\0x86_64\0/opt/Krita-5.2.2-x86_64.AppImage";
        assert_eq!(keys, [opt, "package\0appimage\0\0nvim\0\0x86_64\0/usr/local/bin/nvim"]);
        let ItemKind::Package(package) = &items[0].kind else { panic!("no package") };
        assert_eq!(package.size_bytes, Some(IMAGE.len() as u64));

        let SectionPart { items, problems } = UserAppImageSource.collect(&host);
        assert_eq!(problems.into_entries(), []);
        let installation = items[0].installation.as_ref().unwrap();
        assert_eq!((items.len(), installation.user.as_str()), (1, "ann"));
        assert_eq!(installation.path, "/home/ann/Applications/a-1.AppImage");
        assert!(installation.installed.is_some());
    }

    #[test]
    fn no_folders_is_an_absence() {
        let (_folder, host) = recorded(&[]);
        let problems = AppImageSource.collect(&host).problems.into_entries();
        assert_eq!(problems[0].kind, ErrorKind::Absent);
        assert_eq!(UserAppImageSource.collect(&host).problems.into_entries(), []);
    }
}
