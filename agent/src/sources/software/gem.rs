//! Ruby gems, as `gem list` lists them: each has a specification in the folder `specifications` of its home of gems.
//!
//! Knows nothing of Ruby: a specification is a program, of which only the first comment, the line of authors and the
//! file's name are read. What distributions package lies under `/usr/share` and is not read. Below `/usr/lib/ruby`
//! distributions and `gem install` share one folder on Alpine and Arch; there the gem file that `gem install` keeps,
//! and that packages leave out, tells which is whose.

use std::collections::HashSet;

use muster_common::inventory::{ErrorKind, Package, SectionName};

use crate::{
    host::{Host, HostError},
    sources::{
        Stamp,
        part::{Problems, SectionPart},
        software::language::{Language, LanguageSource, Place, Scope, layout, time},
    },
};

/// The comment and the authors stand in the first lines.
const HEAD_BYTES: usize = 2048;

const LANGUAGE: Language = Language {
    name: "gem",
    people_name: "gem-people",
    section: SectionName::SOFTWARE_GEM,
    layout: layout! {
        system: [
            "var/lib/gems/*/specifications",
            "usr/lib/ruby/gems/*/specifications",
            "usr/local/lib/ruby/gems/*/specifications",
            "usr/local/share/gems/specifications",
            "usr/local/share/ruby/gems/*/specifications",
            "usr/local/bundle/specifications",
            "usr/local/rvm/gems/*/specifications",
            "opt/rubies/*/lib/ruby/gems/*/specifications",
        ],
        home: [
            ".local/share/gem/ruby/*/specifications",
            ".gem/ruby/*/specifications",
            ".gem/specifications",
            ".rbenv/versions/*/lib/ruby/gems/*/specifications",
            ".asdf/installs/ruby/*/lib/ruby/gems/*/specifications",
            ".local/share/mise/installs/ruby/*/lib/ruby/gems/*/specifications",
            ".rvm/gems/*/specifications",
            ".rubies/*/lib/ruby/gems/*/specifications",
        ],
    },
    stamp: Stamp::Folders,
    named_by_home: None,
    read,
};

/// Gems of the machine.
pub(crate) const SYSTEM: LanguageSource = LanguageSource { language: &LANGUAGE, scope: Scope::System };
/// Gems in people's homes.
pub(crate) const PEOPLE: LanguageSource = LanguageSource { language: &LANGUAGE, scope: Scope::People };

/// What tells a gem from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gem<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Its version.
    pub(crate) version: &'a str,
    /// What it is built for; empty for plain Ruby.
    pub(crate) platform: &'a str,
}

/// A gem by the comment that begins its specification: `# stub: name version platform folders`.
pub(crate) fn from_stub(head: &[u8]) -> Option<Gem<'_>> {
    let line = head.split(|byte| *byte == b'\n').take(4).find_map(|line| line.strip_prefix(b"# stub: "))?;
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    gem(words.next()?, words.next()?, words.next()?)
}

/// A gem by its file's name without the ending: `name-version` or `name-version-platform`.
pub(crate) fn from_file_name(stem: &str) -> Option<Gem<'_>> {
    // A name may have hyphens and digits, and so may a platform: the first part that looks like a version is it.
    stem.match_indices('-').find_map(|(hyphen, _)| {
        let (name, rest) = (&stem[..hyphen], &stem[hyphen + 1..]);
        let (version, platform) = rest.split_once('-').unwrap_or((rest, ""));
        gem(name, version, platform).filter(|gem| gem.version.contains('.'))
    })
}

fn gem<'a>(name: &'a str, version: &'a str, platform: &'a str) -> Option<Gem<'a>> {
    let is_good = |text: &str, marks: &[u8]| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.contains(&byte))
    };
    let platform = if platform == "ruby" { "" } else { platform };
    (is_good(name, b"-_.")
        && is_good(version, b".")
        && version.starts_with(|first: char| first.is_ascii_digit())
        && (platform.is_empty() || is_good(platform, b"-_.")))
    .then_some(Gem { name, version, platform })
}

/// The first author in the line `s.authors = ["Name".freeze, …]`.
pub(crate) fn author(head: &[u8]) -> Option<String> {
    let line = head
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.trim_ascii().strip_prefix(b"s.authors = ["))?;
    let text = line.strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', text)?;
    let name = std::str::from_utf8(&text[..end]).ok()?.trim();
    (!name.is_empty() && !name.contains(['@', '\\'])).then(|| name.to_owned())
}

fn read(host: &dyn Host, place: &Place, part: &mut SectionPart) {
    let home = place.path.rsplit_once('/').map_or("", |(home, _)| home);
    let home = Place { path: home.to_owned(), user: place.user.clone() };
    // `None` where every gem is counted.
    let kept: Option<HashSet<String>> = home.path.starts_with("usr/lib/").then(|| {
        home.names(host, "cache", &mut part.problems)
            .into_iter()
            .filter_map(|name| Some(name.strip_suffix(".gem")?.to_owned()))
            .collect()
    });
    let is_counted = |stem: &str| kept.as_ref().is_none_or(|kept| kept.contains(stem));
    for name in place.names(host, "", &mut part.problems) {
        match name.strip_suffix(".gemspec") {
            Some(stem) if is_counted(stem) => {
                specification(host, &home, &place.at(&name), stem, part);
            }
            Some(_) => {}
            // Those that come with Ruby itself.
            None if name == "default" && kept.is_none() => {
                for name in place.names(host, "default", &mut part.problems) {
                    if let Some(stem) = name.strip_suffix(".gemspec") {
                        specification(host, &home, &format!("{}/default/{name}", place.path), stem, part);
                    }
                }
            }
            None => {}
        }
    }
}

fn specification(host: &dyn Host, home: &Place, file: &str, stem: &str, part: &mut SectionPart) {
    let head = match host.prefix(file, HEAD_BYTES) {
        Ok(content) => content.bytes,
        Err(error) => return add(error, &mut part.problems),
    };
    let Some(Gem { name, version, platform }) = from_stub(&head).or_else(|| from_file_name(stem)) else {
        return part.problems.add(
            file,
            ErrorKind::Malformed,
            "neither its name nor its first lines name a gem",
        );
    };
    let package = Package {
        purl_type: "gem".to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: platform.to_owned(),
        vendor: author(&head),
        ..Package::default()
    };
    part.items.extend(home.item(package, time(host, file)));
}

/// A gem that was removed since its folder was listed is no problem.
fn add(error: HostError, problems: &mut Problems) {
    if !error.is_missing() {
        problems.add_error(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::software::testing::found;

    #[test]
    fn names_of_files() {
        for (stem, expected) in [
            ("rake-13.0.6", Some(("rake", "13.0.6", ""))),
            ("nokogiri-1.15.4-x86_64-linux", Some(("nokogiri", "1.15.4", "x86_64-linux"))),
            ("net-http-2-1.0.rc1-java", Some(("net-http-2", "1.0.rc1", "java"))),
            ("aws-sdk-s3-1.0.0", Some(("aws-sdk-s3", "1.0.0", ""))),
            ("rake", None),
            ("-1.0", None),
            ("a-", None),
            ("a-1.0 \u{1b}", None),
        ] {
            let found = from_file_name(stem).map(|gem| (gem.name, gem.version, gem.platform));
            assert_eq!(found, expected, "{stem}");
        }
    }

    #[test]
    fn the_first_lines_are_exact() {
        let head = b"# -*- encoding: utf-8 -*-\n# stub: http-2 1 x86-mingw32 lib\0ext\n\nGem::Specification.new do |s|\n  \
            s.name = \"http-2\".freeze\n  s.authors = [\"Ann\".freeze, \"Bob\".freeze]\n";
        let expected = Gem { name: "http-2", version: "1", platform: "x86-mingw32" };
        assert_eq!(from_stub(head), Some(expected));
        assert_eq!(author(head).as_deref(), Some("Ann"));
        for bad in
            [&b""[..], b"# stub: a", b"# stub: ../a 1 ruby lib", b"# stub: a x ruby", b"# stub: a 1 \xff lib"]
        {
            assert_eq!(from_stub(bad), None, "{bad:?}");
        }
        for bad in
            [&b"s.authors = [\"a@b\"]"[..], b"s.authors = [\"a", b"s.authors = [%q(a)]", b"  s.authors = []"]
        {
            assert_eq!(author(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn gems_by_place() {
        let files = [
            (
                "var/lib/gems/3.1.0/specifications/a-1.0.gemspec",
                "# stub: a 1.0 ruby lib\n s.authors = [\"Ann\"]\n",
            ),
            ("var/lib/gems/3.1.0/specifications/readme.txt", ""),
            ("var/lib/gems/3.1.0/specifications/bad.gemspec", "\0\0"),
            ("var/lib/gems/3.1.0/specifications/b-2.0-x86_64-linux.gemspec", ""),
            ("usr/local/lib/ruby/gems/3.3.0/specifications/default/json-2.7.1.gemspec", ""),
            ("usr/lib/ruby/gems/3.3.0/specifications/mine-1.0.gemspec", ""),
            ("usr/lib/ruby/gems/3.3.0/specifications/packaged-1.0.gemspec", ""),
            ("usr/lib/ruby/gems/3.3.0/specifications/default/json-2.7.1.gemspec", ""),
            ("usr/lib/ruby/gems/3.3.0/cache/mine-1.0.gem", ""),
            ("usr/share/rubygems-integration/all/specifications/debian-1.0.gemspec", ""),
            ("root/.gem/ruby/3.1.0/specifications/c-1.0.gemspec", ""),
        ];
        let (items, problems) = found(&SYSTEM, &files);
        assert_eq!(
            items,
            [
                "gem - a 1.0 - Ann /var/lib/gems/3.1.0 -",
                "gem - b 2.0 x86_64-linux - /var/lib/gems/3.1.0 -",
                "gem - mine 1.0 - - /usr/lib/ruby/gems/3.3.0 -",
                "gem - json 2.7.1 - - /usr/local/lib/ruby/gems/3.3.0 -",
                "gem - c 1.0 - - /root/.gem/ruby/3.1.0 root",
            ]
        );
        let bad = "var/lib/gems/3.1.0/specifications/bad.gemspec";
        assert_eq!(problems, [format!("{bad}: neither its name nor its first lines name a gem")]);
    }
}
