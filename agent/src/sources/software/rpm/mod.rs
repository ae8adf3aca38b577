//! Packages of rpm, read from its database; neither rpm nor a database library is used.
//!
//! Knows where the database may lie and what becomes of a header. The three formats that rpm had over the years are
//! in `sqlite`, `ndb` and `bdb`; all hold the same headers, which `header` reads. Knows nothing of versions' order.

mod bdb;
mod chain;
mod files;
pub(crate) mod header;
#[cfg(test)]
mod hostile;
mod ndb;
pub(crate) mod record;
pub(crate) mod sqlite;
#[cfg(test)]
mod testing;

use muster_common::{
    inventory::{ErrorKind, Installation, Item, ItemKind, Package, SectionName},
    time::EndpointTime,
};

use crate::{
    host::{Host, HostError, Metadata, RandomRead},
    sources::{
        Source, Stamp,
        os::release,
        part::{Problems, SectionPart},
        software::rpm::{
            header::Header,
            record::{Each, Fault, Found, Storage},
        },
    },
};

/// Where databases lie, in the order in which rpm would take them where there are several.
///
/// Fedora, SUSE and their kin moved it below `/usr`; images that are updated as a whole have it in `/usr/share`.
const DATABASES: [(&str, Format); 6] = [
    ("usr/lib/sysimage/rpm/rpmdb.sqlite", Format::Sqlite),
    ("usr/lib/sysimage/rpm/Packages.db", Format::Ndb),
    ("var/lib/rpm/rpmdb.sqlite", Format::Sqlite),
    ("var/lib/rpm/Packages.db", Format::Ndb),
    ("var/lib/rpm/Packages", Format::BerkeleyDb),
    ("usr/share/rpm/rpmdb.sqlite", Format::Sqlite),
];
/// What SQLite appends to the name of a database for its write-ahead log.
const LOG_SUFFIX: &str = "-wal";

/// Several times what the largest real machines have.
const DATABASE_LIMIT: u64 = 1 << 30;
/// How often a database is read that changes meanwhile.
const ATTEMPTS: u32 = 3;

/// Packages of rpm.
#[derive(Debug)]
pub(crate) struct RpmSource;

impl Source for RpmSource {
    fn name(&self) -> &'static str {
        "rpm"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SOFTWARE_RPM)
    }

    fn reads(&self) -> &'static [&'static str] {
        &["usr/lib/sysimage/rpm", "var/lib/rpm", "usr/share/rpm"]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let Some((path, format, file)) = open(host, &mut problems) else {
            if problems.is_empty() {
                let (path, _) = DATABASES[0];
                problems.absent(path, "rpm database");
            }
            return SectionPart { items: Vec::new(), problems };
        };
        let headers = read(host, path, format, file, &mut problems);
        let namespace = release::distribution(host).unwrap_or_default();
        let items = headers.into_iter().map(|header| item(header, &namespace)).collect();
        SectionPart { items, problems }
    }
}

/// Hands over the files of all packages, as far as they can be read.
pub(crate) fn each_file(host: &dyn Host, each: &mut Each<'_>) {
    let mut problems = Problems::default();
    let Some((path, format, file)) = open(host, &mut problems) else { return };
    let log_path = matches!(format, Format::Sqlite).then(|| format!("{path}{LOG_SUFFIX}"));
    let log = log_path.and_then(|path| host.random(&path).ok()).map(File);
    let file = File(file);
    let log = log.as_ref().map(|log| log as &dyn Storage);
    let bytes = file.length().saturating_add(log.map_or(0, Storage::length));
    if bytes <= DATABASE_LIMIT {
        read_into(format, &file, log, &mut Found::new(path, bytes, &mut problems).with_files(each));
    }
}

/// The database of this machine.
fn open(host: &dyn Host, problems: &mut Problems) -> Option<(&'static str, Format, Box<dyn RandomRead>)> {
    for (path, format) in DATABASES {
        match host.random(path) {
            Ok(file) => return Some((path, format, file)),
            Err(error) if error.is_missing() => {}
            Err(error) => {
                // It is there, so no other is the one that rpm would take.
                problems.add_error(error);
                return None;
            }
        }
    }
    None
}

/// Reads a database until it stays the same meanwhile.
fn read(
    host: &dyn Host,
    path: &str,
    format: Format,
    file: Box<dyn RandomRead>,
    problems: &mut Problems,
) -> Vec<Header> {
    let log_path = matches!(format, Format::Sqlite).then(|| format!("{path}{LOG_SUFFIX}"));
    let state = || [Some(path), log_path.as_deref()].map(|path| path.and_then(|path| state(host, path)));
    let mut before = state();
    let mut file = Some(file);
    for attempt in 1.. {
        let mut found = Problems::default();
        let headers = match file.take().map_or_else(|| host.random(path), Ok) {
            Ok(file) => packages_with_log(host, path, format, &File(file), log_path.as_deref(), &mut found),
            Err(error) => {
                found.add_error(error);
                Vec::new()
            }
        };
        let after = state();
        if after != before && attempt < ATTEMPTS {
            before = after;
            continue;
        }
        problems.append(found);
        if after != before {
            problems.add(path, ErrorKind::Io, "it changed each time while it was read: rpm is at work");
        }
        return headers;
    }
    Vec::new()
}

/// What changes when a file does.
fn state(host: &dyn Host, path: &str) -> Option<Metadata> {
    host.metadata(path).ok()
}

fn packages_with_log(
    host: &dyn Host,
    path: &str,
    format: Format,
    file: &File,
    log_path: Option<&str>,
    problems: &mut Problems,
) -> Vec<Header> {
    let log = match log_path.map(|path| host.random(path)) {
        Some(Ok(log)) => Some(File(log)),
        Some(Err(error)) if !error.is_missing() => {
            problems.add_error(error);
            None
        }
        Some(Err(_)) | None => None,
    };
    for (path, file) in [(Some(path), Some(file)), (log_path, log.as_ref())] {
        if let (Some(path), Some(file)) = (path, file)
            && file.length() > DATABASE_LIMIT
        {
            let limit = usize::try_from(DATABASE_LIMIT).unwrap_or(usize::MAX);
            problems.add_error(HostError::TooLarge { path: path.to_owned(), limit });
            return Vec::new();
        }
    }
    packages(format, path, file, log.as_ref().map(|log| log as &dyn Storage), problems)
}

/// A file of the machine as the formats read it.
pub(crate) struct File(pub(crate) Box<dyn RandomRead>);

impl Storage for File {
    fn length(&self) -> u64 {
        self.0.size_bytes()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        if self.0.read_at(offset, buffer)? == buffer.len() {
            Ok(())
        } else {
            Err(Fault::Short { offset, length: self.length() })
        }
    }
}

/// How a database is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One file and a write-ahead log.
    Sqlite,
    /// rpm's own.
    Ndb,
    /// A hash of Berkeley DB.
    BerkeleyDb,
}

/// All packages of the database at `path`; `log` is the write-ahead log beside it, where the format has one.
pub(crate) fn packages(
    format: Format,
    path: &str,
    file: &dyn Storage,
    log: Option<&dyn Storage>,
    problems: &mut Problems,
) -> Vec<Header> {
    let bytes = file.length().saturating_add(log.map_or(0, Storage::length));
    let mut found = Found::new(path, bytes, problems);
    read_into(format, file, log, &mut found);
    found.packages
}

fn read_into(format: Format, file: &dyn Storage, log: Option<&dyn Storage>, found: &mut Found<'_>) {
    let read = match format {
        Format::Sqlite => sqlite::read(file, log, found),
        Format::Ndb => ndb::read(file, found),
        Format::BerkeleyDb => bdb::read(file, found),
    };
    if let Err(fault) = read {
        found.fault_of_file(fault);
    }
}

fn item(header: Header, namespace: &str) -> Item {
    let Header { name, epoch, version, release, architecture, vendor, source_file, installed, size_bytes } =
        header;
    let (source_name, source_version) = source_file.as_deref().and_then(source_parts).unzip();
    let without_epoch = format!("{version}-{release}");
    let package = Package {
        purl_type: "rpm".to_owned(),
        namespace: namespace.to_owned(),
        source_name: source_name.filter(|source| *source != name).map(str::to_owned),
        // A source package's file name never has the epoch.
        source_version: source_version.filter(|source| *source != without_epoch).map(str::to_owned),
        version: match epoch {
            Some(epoch) => format!("{epoch}:{without_epoch}"),
            None => without_epoch,
        },
        architecture: architecture.unwrap_or_default(),
        vendor,
        size_bytes,
        name,
        ..Package::default()
    };
    let installed = installed
        .and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1000))
        .map(EndpointTime::from_millis);
    let installation = Installation { installed, ..Installation::default() };
    Item { kind: ItemKind::Package(package), installation: Some(installation) }
}

/// Name and version-release of `name-version-release.src.rpm`.
fn source_parts(file: &str) -> Option<(&str, &str)> {
    let package = file.strip_suffix(".src.rpm").or_else(|| file.strip_suffix(".nosrc.rpm"))?;
    let (rest, _release) = package.rsplit_once('-')?;
    let (name, _version) = rest.rsplit_once('-')?;
    Some((name, &package[name.len() + 1..]))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        testing::{header, ndb, samples, sqlite},
        *,
    };
    use crate::sources::testing::recorded;

    fn collected(files: &[(&str, &[u8])]) -> (Vec<String>, Vec<String>) {
        let (folder, host) = recorded(&[("etc/os-release", "ID=fedora\n")]);
        for (path, bytes) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let SectionPart { items, problems } = RpmSource.collect(&host);
        let problems = problems.into_entries().into_iter();
        (
            items.iter().map(Item::key).collect(),
            problems.map(|problem| format!("{}: {}", problem.subject, problem.message)).collect(),
        )
    }

    #[test]
    fn the_database_that_rpm_would_take_is_read() {
        let headers: Vec<_> = samples(3).iter().map(header).collect();
        let (one, two) = (ndb(&headers[..1]), sqlite(&headers[..2], 4096, 0));
        for (files, expected) in [
            (&[("var/lib/rpm/Packages.db", one.as_slice()), ("var/lib/rpm/Packages", b"old")][..], 1),
            (&[("var/lib/rpm/Packages.db", &one), ("var/lib/rpm/rpmdb.sqlite", &two)], 2),
            (&[("usr/lib/sysimage/rpm/Packages.db", &one), ("var/lib/rpm/rpmdb.sqlite", &two)], 1),
            (&[("usr/share/rpm/rpmdb.sqlite", &two), ("usr/share/rpm/rpmdb.sqlite-wal", b"")], 2),
        ] {
            let (keys, problems) = collected(files);
            assert_eq!((keys.len(), problems), (expected, Vec::new()));
            assert_eq!(keys[0].replace('\0', " "), "package rpm fedora package-00000 0:1.2-3.fc40 x86_64 ");
        }
    }

    #[test]
    fn files_are_handed_over_from_every_format() {
        let mut builder = testing::Builder::default();
        for (tag, text) in [(1000, "bash"), (1001, "5.2"), (1002, "1.fc40")] {
            builder.text(tag, text);
        }
        builder.add(1116, 4, 2, &[0, 0, 0, 0, 0, 0, 0, 1]);
        builder.add(1117, 8, 2, b"bash\0bashrc\0");
        builder.add(1118, 8, 2, b"/usr/bin/\0/etc/\0");
        let headers = [header(&samples(1)[0]), builder.bytes()];
        for (path, database) in [
            ("var/lib/rpm/Packages.db", ndb(&headers)),
            ("var/lib/rpm/rpmdb.sqlite", sqlite(&headers, 4096, 0)),
            ("var/lib/rpm/Packages", testing::bdb(&headers, 4096, false)),
        ] {
            let host =
                crate::host::MemoryHost { files: [(path.to_owned(), database)].into(), ..Default::default() };
            let mut files = Vec::new();
            each_file(&host, &mut |package, folder, name| {
                files.push(format!("{package} {}", String::from_utf8_lossy(&[folder, name].concat())));
            });
            assert_eq!(files, ["bash /usr/bin/bash", "bash /etc/bashrc"], "{path}");
        }
    }

    #[test]
    fn no_database_is_not_an_empty_one() {
        let missing = "usr/lib/sysimage/rpm/rpmdb.sqlite: this system has no rpm database".to_owned();
        assert_eq!(collected(&[]), (Vec::new(), vec![missing]));
        let empty = sqlite(&[], 4096, 0);
        assert_eq!(collected(&[("var/lib/rpm/rpmdb.sqlite", &empty)]), (Vec::new(), Vec::new()));
    }

    #[test]
    fn items_have_what_a_header_tells() {
        let check = |source: &str, name: Option<&str>, version: Option<&str>| {
            let header = Header {
                name: "rpm-libs".to_owned(),
                epoch: Some(2),
                version: "4.16.0".to_owned(),
                release: "1.fc33".to_owned(),
                source_file: Some(source.to_owned()),
                installed: Some(1_603_150_629),
                ..Header::default()
            };
            let Item { kind: ItemKind::Package(package), installation: Some(installation) } =
                item(header, "fedora")
            else {
                panic!("no package")
            };
            assert_eq!(package.version, "2:4.16.0-1.fc33");
            assert_eq!(package.source_name.as_deref(), name, "{source}");
            assert_eq!(package.source_version.as_deref(), version, "{source}");
            assert_eq!(installation.installed, Some(EndpointTime::from_millis(1_603_150_629_000)));
        };
        check("rpm-4.16.0-1.fc33.src.rpm", Some("rpm"), None);
        check("rpm-libs-4.16.0-1.fc33.nosrc.rpm", None, None);
        check("two-words-5-2.el9.src.rpm", Some("two-words"), Some("5-2.el9"));
        check("nonsense", None, None);
        check("-.src.rpm", None, None);
    }
}
