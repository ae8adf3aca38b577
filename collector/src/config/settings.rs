//! The keys of the collector's configuration with their defaults and bounds.
//!
//! To add a setting: a field here, a line in [`from_input`], and the same key with a comment in
//! `deploy/config/collector.toml`; the test at the foot fails until all three agree.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use muster_common::governance::Charter;
use muster_common::source::ImportName;
use muster_common::trust::name::TrustDomain;
use muster_config::{Input, Listing, LogLevel, Period, Problems, Size};
use rustls::pki_types::ServerName;

use crate::{
    audit::{heads::HeadsSettings, syslog::Target},
    import::{self, watch::WatchedFolder},
};

/// How often heads of the audit log go out.
const HEADS_EVERY: Period = Period::from_secs(300);
/// A certificate with more names than this is a mistake.
const MAX_SERVER_NAMES: usize = 32;

/// What the collector does and where, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Folder of authority, journal and view; the collector alone may read it.
    pub data_dir: PathBuf,
    /// The organisation's name in every certificate, chosen at `init` for ever.
    pub trust_domain: TrustDomain,
    /// DNS names and IP addresses that the collector's certificate carries; at least one, in text.
    pub server_names: Vec<String>,
    /// Where it listens.
    pub listen: Listen,
    /// What one peer may use.
    pub limits: Limits,
    /// Where records are kept.
    pub store: Store,
    /// What everything is judged by where no charter was applied.
    pub charter: Charter,
    /// Where heads of the audit log go.
    pub audit: HeadsSettings,
    /// Folders whose files are taken in unattended.
    pub watched: Vec<WatchedFolder>,
    /// How much is logged.
    pub log: LogLevel,
}

/// One address for each listener; port 0 takes a free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// Sessions and renewals of agents, port 7443.
    pub agents: SocketAddr,
    /// Enrolment, port 7444.
    pub enroll: SocketAddr,
    /// Queries and actions of people and tools, port 7445.
    pub api: SocketAddr,
}

/// What a peer may use before it is told to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Live sessions of one agent from one machine; 1 to 16.
    pub sessions_per_agent: u32,
    /// Live connections from one IP address, behind which a whole office may stand; 1 to 1,000,000.
    pub connections_per_address: u32,
    /// Requests open at once on one connection; 1 to 128.
    pub streams_per_connection: u32,
    /// Bytes of reports being decoded at once, over all agents; 4 MiB to 16 GiB.
    pub ingest_bytes: u64,
}

/// Where records are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Store {
    /// Which store.
    pub backend: Backend,
    /// Cache of the embedded store's view; 1 MiB to 64 GiB.
    pub cache_bytes: u64,
}

/// A store by its name in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A journal with sled as its view, in the data folder.
    Embedded,
    /// Lost at exit; for tests and trials.
    Memory,
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "embedded" => Ok(Self::Embedded),
            "memory" => Ok(Self::Memory),
            other => Err(format!("{other:?} is not one of embedded, memory")),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Embedded => "embedded",
            Self::Memory => "memory",
        })
    }
}

/// A DNS name or IP address that a certificate can carry.
#[derive(PartialEq)]
struct Name(String);

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match ServerName::try_from(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(format!("{text:?} is neither a DNS name nor an IP address")),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// An IP address and port; the standard library's own error doesn't say how to write one.
struct ListenAddress(SocketAddr);

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = text.parse().map(Self);
        address.map_err(|_| {
            format!("{text:?} is not an address to listen on (write IP:PORT, such as 0.0.0.0:7443)")
        })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Reads every key that there is.
pub(super) fn from_input(mut input: Input) -> Result<(Settings, Listing), Problems> {
    let data_dir = input.path("data_dir", "/var/lib/muster-collector");
    let trust_domain = input.required::<TrustDomain>("trust_domain", "muster.example.org");
    let server_names = input.list::<Name>("server_names", Vec::new(), MAX_SERVER_NAMES);
    if server_names.is_empty() {
        input.refuse(
            "server_names",
            "needs at least one name, for example server_names = [\"collector.example.org\"]",
        );
    }
    let log = input.parsed("log", LogLevel::Info);
    let listen = Listen {
        agents: input.parsed("listen.agents", everywhere(7443)).0,
        enroll: input.parsed("listen.enroll", everywhere(7444)).0,
        api: input.parsed("listen.api", everywhere(7445)).0,
    };
    for (key, address, others) in [
        ("listen.enroll", listen.enroll, &[listen.agents][..]),
        ("listen.api", listen.api, &[listen.agents, listen.enroll]),
    ] {
        if address.port() != 0 && others.contains(&address) {
            input.refuse(
                key,
                format!("{address} is already another listener's; each trusts other certificates"),
            );
        }
    }
    let limits = Limits {
        sessions_per_agent: small(&mut input, "limits.sessions_per_agent", 2, 16),
        connections_per_address: small(&mut input, "limits.connections_per_address", 4096, 1_000_000),
        streams_per_connection: small(&mut input, "limits.streams_per_connection", 8, 128),
        ingest_bytes: size(&mut input, "limits.ingest_bytes", 256, 4..=16 * 1024),
    };
    let store = Store {
        backend: input.parsed("store.backend", Backend::Embedded),
        cache_bytes: size(&mut input, "store.cache", 64, 1..=64 * 1024),
    };
    let audit = audit(&mut input, &data_dir);
    let charter = muster_charter::thresholds(&mut input, "charter.");
    let watched = watched(&mut input);
    let listing = input.finish()?;

    let settings = Settings {
        data_dir,
        trust_domain: trust_domain.expect("a required key that is missing is a problem, and there was none"),
        server_names: server_names.into_iter().map(|name| name.0).collect(),
        listen,
        limits,
        store,
        charter,
        audit,
        watched,
        log,
    };
    Ok((settings, listing))
}

/// The folders whose files are taken in, a table each.
fn watched(input: &mut Input) -> Vec<WatchedFolder> {
    let mut watched = Vec::new();
    for Watched(name) in input.tables::<Watched>("import.watch") {
        let table = format!("import.watch.{}", name.as_str());
        let bounds = Period::from_secs(10)..=Period::from_days(7);
        let every = input.bounded(&format!("{table}.every"), Period::from_secs(60), bounds).duration();
        let folder = input.required::<AbsolutePath>(&format!("{table}.folder"), "/srv/imports/purchases");
        let format = input.required::<Format>(&format!("{table}.format"), "purchase-csv");
        if let (Some(folder), Some(format)) = (folder, format) {
            watched.push(WatchedFolder { name, folder: folder.0, format: format.0, every });
        }
    }
    watched
}

/// The name of an import.
#[derive(PartialEq)]
struct Watched(ImportName);

impl FromStr for Watched {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |_| format!("{text:?} is not an import's name (lower-case letters, digits, hyphens)");
        ImportName::new(text).map(Self).map_err(wrong)
    }
}

/// A format that can be read.
#[derive(PartialEq)]
struct Format(String);

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if import::formats().any(|known| known.name == text) {
            return Ok(Self(text.to_owned()));
        }
        let known: Vec<&str> = import::formats().map(|format| format.name).collect();
        Err(format!("there is no format {text:?} (use one of: {})", known.join(", ")))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Where heads of the audit log go; an empty text stands for nowhere.
fn audit(input: &mut Input, data_dir: &Path) -> HeadsSettings {
    let file = input.parsed("audit.heads_file", Nowhere::<AbsolutePath>(None)).0.map(|file| file.0);
    if file.as_ref().is_some_and(|file| file.starts_with(data_dir)) {
        input.refuse(
            "audit.heads_file",
            "lies in data_dir: whoever can change the log there can change the heads too (name another folder, best of another machine)",
        );
    }
    let syslog = input.parsed("audit.syslog", Nowhere::<Target>(None)).0;
    let roots = input.parsed("audit.syslog_roots", Nowhere::<AbsolutePath>(None)).0.map(|file| file.0);
    if matches!(syslog, Some(Target::Tls(_))) && roots.is_none() {
        input.refuse(
            "audit.syslog_roots",
            "is needed for tls://: the certificates that the server's is signed with",
        );
    }
    let bounds = Period::from_secs(10)..=Period::from_days(1);
    let every = input.bounded("audit.heads_every", HEADS_EVERY, bounds).duration();
    HeadsSettings { file, syslog, syslog_roots: roots, every }
}

/// A setting whose empty text says that there is none.
#[derive(PartialEq)]
struct Nowhere<T>(Option<T>);

impl<T: FromStr> FromStr for Nowhere<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text.is_empty() { Ok(Self(None)) } else { text.parse().map(Some).map(Self) }
    }
}

impl<T: fmt::Display> fmt::Display for Nowhere<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |value| value.fmt(out))
    }
}

/// A path that doesn't depend on where the collector was started.
#[derive(PartialEq)]
struct AbsolutePath(PathBuf);

impl FromStr for AbsolutePath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        if path.is_absolute() { Ok(Self(path)) } else { Err(format!("{text:?} is not an absolute path")) }
    }
}

impl fmt::Display for AbsolutePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(out)
    }
}

fn small(input: &mut Input, key: &str, default: u32, most: u32) -> u32 {
    let found = input.number(key, u64::from(default), 1..=u64::from(most));
    u32::try_from(found).unwrap_or(most)
}

fn size(input: &mut Input, key: &str, default_mebibytes: u64, bounds: RangeInclusive<u64>) -> u64 {
    let bounds = Size::from_mebibytes(*bounds.start())..=Size::from_mebibytes(*bounds.end());
    input.bounded(key, Size::from_mebibytes(default_mebibytes), bounds).bytes()
}

fn everywhere(port: u16) -> ListenAddress {
    ListenAddress(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port))
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use muster_common::governance::{AgentSettings, Privacy};

    use super::*;

    const SAMPLE: &str = include_str!("../../../deploy/config/collector.toml");
    const HOUR: Duration = Duration::from_secs(3600);
    const LEAST: &str =
        "trust_domain = \"muster.example.org\"\nserver_names = [\"localhost\", \"127.0.0.1\"]\n";

    fn parse(text: &str) -> Result<(Settings, Listing), Problems> {
        from_input(Input::from_text(Path::new("collector.toml"), text))
    }

    fn check(lines: &str, expected: &[&str]) {
        let problems = parse(&format!("{LEAST}{lines}\n")).unwrap_err().to_string();
        assert_eq!(problems.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_sample_is_a_configuration_and_its_comments_state_the_defaults() {
        let (as_shipped, _) = parse(SAMPLE).unwrap();
        let (mut with_comments_on, listing) = parse(&muster_config::uncommented(SAMPLE)).unwrap();
        assert_eq!(listing.defaulted(), [""; 0], "these keys are missing in deploy/config/collector.toml");
        // Unset, these two are left to each agent's own configuration; the sample shows what that says by default.
        let asked = &mut with_comments_on.charter.agents;
        assert_eq!((asked.interval.take(), asked.jitter_percent.take()), (Some(HOUR), Some(10)));
        assert_eq!(with_comments_on, as_shipped);
    }

    #[test]
    fn the_least_configuration_has_the_charter_of_the_flags_table() {
        let (settings, _) = parse(LEAST).unwrap();
        assert_eq!(settings.charter, Charter::default());
        assert_eq!(settings.listen.api.to_string(), "0.0.0.0:7445");
    }

    #[test]
    fn an_empty_file_says_what_it_needs() {
        let problems = parse("").unwrap_err().to_string();
        assert_eq!(problems.lines().count(), 2, "{problems}");
        assert!(problems.contains("trust_domain: is required"), "{problems}");
        assert!(problems.contains("server_names: needs at least one name"), "{problems}");
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        check(
            "listen.api = \"0.0.0.0:7443\"",
            &[
                "collector.toml:3: listen.api: 0.0.0.0:7443 is already another listener's; each trusts other certificates",
            ],
        );
        check(
            "charter.silence.server.missing = \"1h\"",
            &[
                "collector.toml:3: charter.silence.server.missing: is shorter than `stale`: a device is stale first and \
             missing later",
            ],
        );
    }

    #[test]
    fn the_charter_says_what_agents_are_asked_for() {
        let text = "[charter.agents]\ninterval = \"30m\"\n[charter.privacy]\nusage = true\nneighbours = true\n\
                    neighbour_networks = [\"192.0.2.0/24 via 00:11:22:33:44:55\"]";
        let (settings, _) = parse(&format!("{LEAST}{text}\n")).unwrap();
        let AgentSettings { interval, jitter_percent, privacy, neighbour_networks } = settings.charter.agents;
        assert_eq!((interval, jitter_percent), (Some(HOUR / 2), None));
        assert_eq!(privacy, Privacy { usage: true, neighbours: true, ..Privacy::NONE });
        assert_eq!(neighbour_networks.len(), 1);
        check(
            "charter.agents.interval = \"1m\"",
            &["collector.toml:3: charter.agents.interval: 1m is out of bounds: from 5m to 7d"],
        );
        check(
            "charter.privacy.neighbours = true",
            &[
                "collector.toml:3: charter.privacy.neighbours: needs the networks on which neighbours may be listed in charter.privacy.neighbour_networks",
            ],
        );
        check(
            "charter.privacy.neighbour_networks = [\"192.0.2.0/24\"]",
            &[
                "collector.toml:3: charter.privacy.neighbour_networks: \"192.0.2.0/24\" is not a network (write its prefix and its gateway's MAC address, such as \"192.0.2.0/24 via 00:11:22:33:44:55\")",
            ],
        );
    }

    #[test]
    fn heads_of_the_audit_log_go_elsewhere() {
        let text = "[audit]\nheads_file = \"/mnt/worm/heads\"\nsyslog = \"udp://192.0.2.1:514\"\nheads_every = \"1m\"";
        let (settings, _) = parse(&format!("{LEAST}{text}\n")).unwrap();
        assert_eq!(settings.audit.file.as_deref(), Some(Path::new("/mnt/worm/heads")));
        assert_eq!(settings.audit.syslog, Some(Target::Udp("192.0.2.1:514".to_owned())));
        assert_eq!(settings.audit.every.as_secs(), 60);
        for (lines, expected) in [
            ("audit.heads_file = \"/var/lib/muster-collector/heads\"", "lies in data_dir"),
            ("audit.heads_file = \"heads\"", "not an absolute path"),
            ("audit.syslog = \"syslog.example.org\"", "is no syslog server"),
            ("audit.syslog = \"tls://192.0.2.1:6514\"", "is needed for tls://"),
        ] {
            let problems = parse(&format!("{LEAST}{lines}\n")).unwrap_err().to_string();
            assert!(problems.lines().count() == 1 && problems.contains(expected), "{problems}");
        }
    }

    #[test]
    fn watched_folders_are_tables_with_the_imports_name() {
        let text =
            "[import.watch.purchases]\nfolder = \"/srv/in\"\nformat = \"purchase-csv\"\nevery = \"5m\"";
        let (settings, _) = parse(&format!("{LEAST}{text}\n")).unwrap();
        let [watched] = settings.watched.as_slice() else { panic!("{:?}", settings.watched) };
        assert_eq!((watched.name.as_str(), watched.every), ("purchases", Duration::from_secs(300)));
        let wrong = "[import.watch.purchases]\nfolder = \"in\"\nformat = \"excel\"";
        let problems = parse(&format!("{LEAST}{wrong}\n")).unwrap_err().to_string();
        assert!(problems.contains("\"in\" is not an absolute path"), "{problems}");
        assert!(problems.contains("there is no format \"excel\" (use one of: "), "{problems}");
    }

    #[test]
    fn names_that_do_not_exist_are_refused() {
        check(
            "store.backend = \"mysql\"",
            &["collector.toml:3: store.backend: \"mysql\" is not one of embedded, memory"],
        );
        check(
            "charter.required_fields = [\"ownr\"]",
            &["collector.toml:3: charter.required_fields: there is no field \"ownr\"; did you mean owner?"],
        );
        check(
            "store.cash = \"1MiB\"",
            &["collector.toml:3: store.cash: unknown key; did you mean store.cache?"],
        );
    }
}
