//! Java runtimes, by the `release` file that every one of them carries since Java 7.
//!
//! Knows the usual places and the file's keys; nothing of licences, though it keeps what they hang on: who built it,
//! the exact version, where it lies, and whether it is Oracle's commercial build. A runtime that a distribution's
//! package brought is listed too, beside the package: the package's name (`openjdk-17-jre-headless`) tells neither
//! builder nor path, and an auditor counts runtimes. The two rows differ in purl type and in the path.

use std::{borrow::Cow, collections::BTreeMap};

use muster_common::inventory::{ErrorKind, Installation, Item, ItemKind, Package, SectionName};

use crate::{
    host::{FileKind, Host, Metadata},
    sources::{
        Source, Stamp,
        part::{Problems, SectionPart},
        read, text,
    },
};

/// Folders that have nothing but runtimes in them.
const RUNTIME_FOLDERS: &[&str] = &["usr/lib/jvm", "usr/java", "opt/java", "usr/local/java"];
/// Folders that have runtimes beside other things.
const MIXED_FOLDERS: &[&str] = &["opt", "usr/local"];
/// What the file system standard puts into /usr/local.
const STANDARD_NAMES: &[&str] =
    &["bin", "etc", "games", "include", "lib", "lib64", "libexec", "man", "sbin", "share", "src"];

/// Entries of one folder.
const FOLDER_LIMIT: usize = 1000;
/// The list of modules makes it some kilobytes.
const RELEASE_LIMIT: usize = 64 << 10;

/// Java runtimes.
#[derive(Debug)]
pub(crate) struct JavaSource;

impl Source for JavaSource {
    fn name(&self) -> &'static str {
        "java"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_JAVA)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[
            "usr/lib/jvm/*/release",
            "usr/java/*/release",
            "opt/java/*/release",
            "usr/local/java/*/release",
            "opt/*/release",
            "usr/local/*/release",
        ]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        // One runtime has several names (`default-java`, `java-1.17.0-openjdk-amd64`): the one that is no link stays.
        let mut found: BTreeMap<Identity, (bool, Item)> = BTreeMap::new();
        let folders = RUNTIME_FOLDERS.iter().map(|folder| (*folder, true));
        for (folder, runtimes) in folders.chain(MIXED_FOLDERS.iter().map(|folder| (*folder, false))) {
            for name in read::names(host, folder, FOLDER_LIMIT, &mut problems).unwrap_or_default() {
                if !runtimes && STANDARD_NAMES.contains(&name.as_str()) {
                    continue;
                }
                let place = format!("{folder}/{name}");
                let Some((identity, item)) = runtime(host, &place, runtimes, &mut problems) else { continue };
                let is_link = host.link(&place).is_ok();
                match found.get(&identity) {
                    Some((false, _)) => {}
                    Some((true, _)) if is_link => {}
                    Some(_) | None => {
                        found.insert(identity, (is_link, item));
                    }
                }
            }
        }
        SectionPart { items: found.into_values().map(|(_, item)| item).collect(), problems }
    }
}

/// What tells one `release` file from another, whatever its names: inode, size, time of its last change. Inodes alone
/// repeat across file systems.
type Identity = (u64, u64, i128);

/// The runtime in a folder, if there is one.
fn runtime(
    host: &dyn Host,
    place: &str,
    expected: bool,
    problems: &mut Problems,
) -> Option<(Identity, Item)> {
    let path = format!("{place}/release");
    let bytes = read::guessed(host, &path, RELEASE_LIMIT, problems)?;
    let Some(release) = Release::parse(&bytes) else {
        // Elsewhere a file of that name is anybody's.
        if expected {
            problems.add(&path, ErrorKind::Malformed, "states no JAVA_VERSION");
        }
        return None;
    };
    let has_compiler =
        || host.metadata(&format!("{place}/bin/javac")).is_ok_and(|metadata| metadata.kind == FileKind::File);
    let kind = match release.image_type.as_deref() {
        Some(stated) => {
            if stated.eq_ignore_ascii_case("JRE") {
                "jre"
            } else {
                "jdk"
            }
        }
        None if has_compiler() => "jdk",
        None => "jre",
    };
    let Metadata { inode, size_bytes, modified_ns, .. } = host.metadata(&path).ok()?;
    Some(((inode, size_bytes, modified_ns), release.into_item(kind, place)))
}

/// The name of the runtime in a folder, as its item has it.
pub(crate) fn name_at(host: &dyn Host, place: &str) -> Option<String> {
    let (_, item) = runtime(host, place, false, &mut Problems::default())?;
    if let ItemKind::Package(package) = item.kind { Some(package.name) } else { None }
}

/// What is kept of a `release` file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Release {
    /// `JAVA_RUNTIME_VERSION`, which names the build, or else `JAVA_VERSION`.
    version: String,
    implementor: Option<String>,
    architecture: Option<String>,
    image_type: Option<String>,
    /// Oracle writes it into the builds that its paid licence covers, and nobody else does.
    commercial: bool,
    graalvm: bool,
}

impl Release {
    /// Reads the lines `KEY="value"`; `None` where no version of Java is stated.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let value = |wanted: &str| {
            bytes.split(|byte| *byte == b'\n').find_map(|line| {
                let value = line.trim_ascii().strip_prefix(wanted.as_bytes())?.strip_prefix(b"=")?;
                text::clean(
                    value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value),
                )
            })
        };
        let java_version = value("JAVA_VERSION")?;
        Some(Self {
            version: value("JAVA_RUNTIME_VERSION").unwrap_or(java_version),
            implementor: value("IMPLEMENTOR"),
            architecture: value("OS_ARCH"),
            image_type: value("IMAGE_TYPE"),
            commercial: value("BUILD_TYPE").is_some_and(|kind| kind == "commercial"),
            graalvm: value("GRAALVM_VERSION").is_some(),
        })
    }

    fn into_item(self, kind: &str, place: &str) -> Item {
        let Self { version, implementor, architecture, image_type: _, commercial, graalvm } = self;
        let vendor = implementor.or_else(|| commercial.then(|| "Oracle Corporation".to_owned()));
        let name = match (commercial, graalvm) {
            (_, true) => Cow::Borrowed("graalvm"),
            (true, false) => Cow::Owned(format!("oracle-{kind}")),
            (false, false) => Cow::Borrowed(kind),
        };
        let package = Package {
            purl_type: "generic".to_owned(),
            namespace: vendor.as_deref().map(slug).unwrap_or_default(),
            name: name.into_owned(),
            version,
            architecture: architecture.unwrap_or_default(),
            vendor,
            ..Package::default()
        };
        let installation = Installation { path: format!("/{place}"), ..Installation::default() };
        Item { kind: ItemKind::Package(package), installation: Some(installation) }
    }
}

/// A name as purl namespaces have it: lower case, one hyphen for whatever is neither letter nor digit.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::sources::testing::recorded;

    const TEMURIN: &str = "IMPLEMENTOR=\"Eclipse Adoptium\"\nIMPLEMENTOR_VERSION=\"Temurin-17.0.9+9\"\n\
        JAVA_RUNTIME_VERSION=\"17.0.9+9\"\nJAVA_VERSION=\"17.0.9\"\nJAVA_VERSION_DATE=\"2023-10-17\"\nLIBC=\"gnu\"\n\
        MODULES=\"java.base java.compiler\"\nOS_ARCH=\"x86_64\"\nOS_NAME=\"Linux\"\nIMAGE_TYPE=\"JRE\"\n";
    const ORACLE_8: &str = "JAVA_VERSION=\"1.8.0_291\"\nOS_NAME=\"Linux\"\nOS_VERSION=\"2.6\"\nOS_ARCH=\"amd64\"\n\
        SOURCE=\" .:06b604e7edd4\"\nBUILD_TYPE=\"commercial\"\n";
    const DEBIAN: &str = "IMPLEMENTOR=\"Debian\"\nJAVA_RUNTIME_VERSION=\"17.0.17+10-Debian-1deb12u1\"\n\
        JAVA_VERSION=\"17.0.17\"\nOS_ARCH=\"x86_64\"\n";

    /// `namespace/name@version architecture vendor path` of each runtime.
    fn shown(part: &SectionPart) -> Vec<String> {
        part.items
            .iter()
            .map(|item| {
                let ItemKind::Package(package) = &item.kind else { panic!("{item:?} is no package") };
                format!(
                    "{}/{}@{} {} {:?} {}",
                    package.namespace,
                    package.name,
                    package.version,
                    package.architecture,
                    package.vendor.as_deref().unwrap_or_default(),
                    item.installation.as_ref().unwrap().path
                )
            })
            .collect()
    }

    fn check(files: &[(&str, &str)], expected: &[&str], expected_problems: &[&str]) {
        let (_folder, host) = recorded(files);
        let part = JavaSource.collect(&host);
        let mut found = shown(&part);
        found.sort();
        assert_eq!(found, expected);
        let problems: Vec<_> = part.problems.into_entries().into_iter().map(|entry| entry.subject).collect();
        assert_eq!(problems, expected_problems);
    }

    #[test]
    fn builders_and_kinds_are_told_apart() {
        check(
            &[
                ("usr/lib/jvm/temurin-17-jre-amd64/release", TEMURIN),
                ("usr/java/jdk1.8.0_291-amd64/release", ORACLE_8),
                ("usr/java/jdk1.8.0_291-amd64/bin/javac", ""),
                (
                    "opt/graalvm-21/release",
                    "GRAALVM_VERSION=\"23.1.0\"\nJAVA_VERSION=21\nIMPLEMENTOR=\"GraalVM Community\"\n",
                ),
                (
                    "opt/java/openjdk/release",
                    "JAVA_VERSION=\"11.0.2\"\nIMPLEMENTOR=\"Oracle Corporation\"\r\n",
                ),
            ],
            &[
                "eclipse-adoptium/jre@17.0.9+9 x86_64 \"Eclipse Adoptium\" /usr/lib/jvm/temurin-17-jre-amd64",
                "graalvm-community/graalvm@21  \"GraalVM Community\" /opt/graalvm-21",
                "oracle-corporation/jre@11.0.2  \"Oracle Corporation\" /opt/java/openjdk",
                "oracle-corporation/oracle-jdk@1.8.0_291 amd64 \"Oracle Corporation\" /usr/java/jdk1.8.0_291-amd64",
            ],
            &[],
        );
    }

    #[test]
    fn what_is_no_runtime_is_passed_over_and_what_should_be_one_is_named() {
        let huge = format!("JAVA_VERSION=\"1\"\n{}", "x".repeat(RELEASE_LIMIT));
        check(
            &[
                ("opt/tool/release", "v1.2.3"),
                ("opt/other/release/notes", "a folder"),
                ("usr/local/bin/release", "JAVA_VERSION=\"0\""),
                ("usr/lib/jvm/.java-17.jinfo", "a file"),
                ("usr/lib/jvm/broken/release", "\u{0}\u{1}JAVA_VERSION\n=\n"),
                ("usr/lib/jvm/empty/release", "JAVA_VERSION=\"\"\n"),
                ("usr/lib/jvm/huge/release", &huge),
                ("usr/lib/jvm/java-17-openjdk-amd64/release", DEBIAN),
            ],
            &["debian/jre@17.0.17+10-Debian-1deb12u1 x86_64 \"Debian\" /usr/lib/jvm/java-17-openjdk-amd64"],
            &["usr/lib/jvm/broken/release", "usr/lib/jvm/empty/release", "usr/lib/jvm/huge/release"],
        );
    }

    #[test]
    fn a_runtime_with_several_names_is_one() {
        let (folder, host) = recorded(&[("usr/lib/jvm/java-17-openjdk-amd64/release", DEBIAN)]);
        for (link, target) in [
            ("usr/lib/jvm/default-java", "java-1.17.0-openjdk-amd64"),
            ("usr/lib/jvm/java-1.17.0-openjdk-amd64", "java-17-openjdk-amd64"),
            ("usr/lib/jvm/zz-last", "/usr/lib/jvm/java-17-openjdk-amd64"),
        ] {
            symlink(target, folder.path().join(link)).unwrap();
        }
        let part = JavaSource.collect(&host);
        assert_eq!(shown(&part).len(), 1);
        assert!(shown(&part)[0].ends_with("/usr/lib/jvm/java-17-openjdk-amd64"));
    }

    #[test]
    fn nothing_is_there() {
        check(&[], &[], &[]);
    }
}
