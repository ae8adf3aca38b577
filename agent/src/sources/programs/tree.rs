//! The owner of a program that no package manager has in its lists: what its place tells.
//!
//! Knows the trees whose own sources name them (/opt, Java runtimes, AppImages, snaps, Nix's store), so that both have the
//! same name. Whatever else stands in a folder of the system's is a program of its own name; what stands elsewhere, such
//! as in a home, is its owner's business and is nothing.

use super::{Clue, Owner, place::Places};
use crate::{
    host::Host,
    sources::{
        software::{appimage, java, nix, opt},
        text,
    },
};

/// Where only administrators put programs.
const SYSTEM: [&str; 4] = ["usr/", "opt/", "bin/", "sbin/"];

/// The owner by the program's places, the best one first.
pub(super) fn owner(host: &dyn Host, clue: &Clue, places: &Places) -> Option<Owner> {
    let first = places.paths.first().filter(|path| host.metadata(path).is_ok())?;
    if places.is_ambiguous {
        let name = match clue {
            Clue::Path(path) => path.rsplit('/').next()?,
            Clue::Name(name) => name,
        };
        return Some(Owner::new("", text::clean(name.as_bytes())?));
    }
    let known = places.paths.iter().rev().find_map(|path| of_place(host, path));
    known.or_else(|| {
        let is_program =
            SYSTEM.iter().any(|folder| first.starts_with(folder)) && !first.ends_with(".desktop");
        let name = is_program.then(|| first.rsplit('/').next())??;
        Some(Owner::new("", text::clean(name.as_bytes())?))
    })
}

fn of_place(host: &dyn Host, path: &str) -> Option<Owner> {
    for (folder, purl_type) in [("snap/", "snap"), ("var/lib/flatpak/app/", "flatpak")] {
        if let Some(rest) = path.strip_prefix(folder) {
            return Some(Owner::new(purl_type, text::clean(rest.split('/').next()?.as_bytes())?));
        }
    }
    if path.starts_with("nix/store/") {
        let (name, _) = nix::name_and_version(path.split('/').nth(2)?)?;
        return Some(Owner::new("nix", text::clean(name.as_bytes())?));
    }
    let generic = |name| Owner::new("generic", name);
    if let Some(name) = opt::name_at(host, path) {
        return Some(generic(name));
    }
    // `bin/java`, and before Java 9 `jre/bin/java` inside a development kit.
    if let Some((home, _)) = path.rsplit_once("/bin/") {
        let home =
            home.strip_suffix("/jre").filter(|above| java::name_at(host, above).is_some()).unwrap_or(home);
        if let Some(name) = java::name_at(host, home) {
            return Some(generic(name));
        }
    }
    appimage::name_at(host, path).map(|name| Owner::new("appimage", name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    const FILES: [(&str, &str); 11] = [
        ("usr/share/applications/own.desktop", ""),
        ("var/lib/flatpak/app/org.gimp.GIMP/current/x", ""),
        ("opt/pycharm/product-info.json", r#"{"name":"PyCharm","version":"2024.1","productCode":"PC"}"#),
        ("opt/pycharm/bin/pycharm.sh", ""),
        ("opt/java/jdk-17/release", "JAVA_VERSION=\"17\"\nBUILD_TYPE=\"commercial\"\nIMAGE_TYPE=\"JDK\"\n"),
        ("opt/java/jdk-17/bin/java", ""),
        ("usr/local/bin/deploy", "#!/bin/sh"),
        (
            "opt/tools-1.AppImage",
            "\u{7f}ELF\u{2}\u{1}\u{1}\u{0}AI\u{2}\u{0}\u{0}\u{0}\u{0}\u{0}\u{2}\u{0}\u{3e}\u{0}",
        ),
        ("home/anna/bin/secret-plan", ""),
        ("snap/firefox/12/usr/lib/firefox/firefox", ""),
        ("nix/store/00000000000000000000000000000000-hello-2.12/bin/hello", ""),
    ];

    #[test]
    fn places_tell_what_a_program_is() {
        let (_folder, host) = recorded(&FILES);
        for (path, expected) in [
            ("opt/pycharm/bin/pycharm.sh", Some(("generic", "PC"))),
            ("opt/java/jdk-17/bin/java", Some(("generic", "oracle-jdk"))),
            ("usr/local/bin/deploy", Some(("", "deploy"))),
            ("opt/tools-1.AppImage", Some(("appimage", "tools"))),
            ("home/anna/bin/secret-plan", None),
            ("usr/bin/gone", None),
            ("usr/share/applications/own.desktop", None),
            ("var/lib/flatpak/app/org.gimp.GIMP/current", Some(("flatpak", "org.gimp.GIMP"))),
            ("snap/firefox/12/usr/lib/firefox/firefox", Some(("snap", "firefox"))),
            ("nix/store/00000000000000000000000000000000-hello-2.12/bin/hello", Some(("nix", "hello"))),
        ] {
            let places = Places { paths: vec![path.to_owned()], is_ambiguous: false };
            let found = owner(&host, &Clue::Path(path.to_owned()), &places);
            assert_eq!(found, expected.map(|(kind, name)| Owner::new(kind, name)), "{path}");
        }
    }
}
