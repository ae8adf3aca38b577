//! The keys of the agent's configuration with their defaults and bounds.
//!
//! To add a setting: a field here, a line in [`from_input`], and the same key with a comment in
//! `deploy/config/agent.toml`; the test at the foot fails until all three agree.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use muster_common::governance::Privacy;
use muster_config::{Input, Listing, LogLevel, Period, Problems, Size};
use muster_proto::client::address::Address;

use super::proxy::{self, Proxying};
use crate::host::METADATA_ADDRESS;
use crate::sources::{SOURCES, USUAL_CERTIFICATE_FOLDERS};

const MINUTE: Period = Period::from_secs(60);
const HOUR: Period = Period::from_secs(3600);
/// Where collectors listen for enrolment unless told otherwise.
const ENROLL_PORT: u16 = 7444;
/// Sources are few; a longer list is a mistake.
const MAX_DISABLED_SOURCES: usize = 64;
/// Folders of certificates that are named by hand.
const MAX_CERTIFICATE_FOLDERS: usize = 64;

/// What the agent does and where, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whom it reports to.
    pub collector: Collector,
    /// By which way collectors are reached.
    pub proxying: Proxying,
    /// Folder of identity, baseline and spool; the agent alone may read it.
    pub state_dir: PathBuf,
    /// File that holds the enrolment string until the agent is enrolled; none when `enroll` is given it otherwise.
    pub token_file: Option<PathBuf>,
    /// When it collects.
    pub schedule: Schedule,
    /// Between two looks at which applications run, where that may be told; 1 minute to 1 hour.
    pub usage_interval: Duration,
    /// Most bytes of reports kept while the collector can't be reached; 1 MiB to 1 GiB.
    pub spool_limit_bytes: u64,
    /// Names of sources that are never run, as `muster-agent sources` lists them.
    pub disabled_sources: Vec<String>,
    /// What may be told of people at most, whatever a collector asks for.
    pub privacy: Privacy,
    /// Folders whose certificates are told, relative to the root and without a slash at either end; none unless
    /// somebody asks for it.
    pub certificate_folders: Vec<String>,
    /// Where the cloud's metadata service is asked, on machines that SMBIOS says are in a cloud.
    pub metadata_address: SocketAddr,
    /// How much is logged.
    pub log: LogLevel,
}

/// The collector's addresses; its certificate must carry the name or address that stands there.
#[derive(Debug, Clone, PartialEq)]
pub struct Collector {
    /// Where sessions and renewals go.
    pub session: Address,
    /// Where enrolment goes: the same host's port 7444 unless set.
    pub enroll: Address,
}

/// When the agent collects by itself; the collector may ask for a collection in between.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Between the starts of two collections; 1 minute to 7 days.
    pub interval: Duration,
    /// By how much of the interval each wait may differ, so that a fleet doesn't report at once; 0 to 50 percent.
    pub jitter_percent: u8,
}

/// The name of a source that there is.
struct SourceName(&'static str);

impl FromStr for SourceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = SOURCES.iter().map(|source| source.name()).find(|name| *name == text);
        found
            .map(Self)
            .ok_or_else(|| format!("there is no source {text:?}; `muster-agent sources` lists them"))
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

impl PartialEq for SourceName {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

/// A folder by its absolute path.
#[derive(PartialEq)]
struct Folder(String);

impl FromStr for Folder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let inside = text.trim_matches('/');
        let is_plain = |part: &str| !matches!(part, "" | "." | "..");
        if text.starts_with('/') && inside.split('/').all(is_plain) {
            Ok(Self(inside.to_owned()))
        } else {
            Err(format!("{text:?} is no absolute path of a folder below /"))
        }
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "/{}", self.0)
    }
}

fn certificate_folders(usual: bool, further: Vec<Folder>) -> Vec<String> {
    let usual = USUAL_CERTIFICATE_FOLDERS.iter().filter(|_| usual).map(|folder| (*folder).to_owned());
    let mut folders: Vec<String> = usual.chain(further.into_iter().map(|folder| folder.0)).collect();
    folders.sort();
    folders.dedup();
    folders
}

fn with_port(address: &Address, port: u16) -> Address {
    let host = match address.host().contains(':') {
        true => format!("[{}]", address.host()),
        false => address.host().to_owned(),
    };
    format!("{host}:{port}").parse().expect("the host of an address with another port is an address")
}

/// Reads every key that there is.
pub(super) fn from_input(
    mut input: Input,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(Settings, Listing), Problems> {
    let session = input.required::<Address>("collector.session", "collector.example.org:7443");
    let enroll = input.optional::<Address>("collector.enroll");
    let proxying = proxy::from_input(&mut input, environment);
    let state_dir = input.path("state_dir", super::DEFAULT_STATE);
    let token_file = input.optional_path("token_file");
    let log = input.parsed("log", LogLevel::Info);
    let interval = input.bounded("schedule.interval", HOUR, MINUTE..=Period::from_days(7));
    let jitter_percent = input.number("schedule.jitter_percent", 10, 0..=50);
    let usage_interval = input.bounded("schedule.usage_interval", Period::from_secs(300), MINUTE..=HOUR);
    let spool_bounds = Size::from_mebibytes(1)..=Size::from_mebibytes(1024);
    let spool_limit = input.bounded("spool.limit", Size::from_mebibytes(16), spool_bounds);
    let disabled = input.list::<SourceName>("sources.disabled", Vec::new(), MAX_DISABLED_SOURCES);
    let privacy = Privacy {
        usage: input.flag("privacy.usage", false),
        logins: input.flag("privacy.logins", false),
        per_user: input.flag("privacy.per_user", false),
        neighbours: input.flag("privacy.neighbours", false),
    };
    let usual = input.flag("certificates.usual_folders", false);
    let further = input.list::<Folder>("certificates.folders", Vec::new(), MAX_CERTIFICATE_FOLDERS);
    let metadata_address = input.parsed("cloud.metadata_address", METADATA_ADDRESS);
    let listing = input.finish()?;

    let session = session.expect("a required key that is missing is a problem, and there was none");
    let enroll = enroll.unwrap_or_else(|| with_port(&session, ENROLL_PORT));
    let settings = Settings {
        collector: Collector { session, enroll },
        proxying,
        state_dir,
        token_file,
        schedule: Schedule {
            interval: interval.duration(),
            jitter_percent: u8::try_from(jitter_percent).expect("bounded by 50"),
        },
        usage_interval: usage_interval.duration(),
        spool_limit_bytes: spool_limit.bytes(),
        disabled_sources: disabled.into_iter().map(|name| name.0.to_owned()).collect(),
        privacy,
        certificate_folders: certificate_folders(usual, further),
        metadata_address,
        log,
    };
    Ok((settings, listing))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const SAMPLE: &str = include_str!("../../../deploy/config/agent.toml");

    fn parse(text: &str) -> Result<(Settings, Listing), Problems> {
        from_input(Input::from_text(Path::new("/etc/muster/agent.toml"), text), &|_| None)
    }

    #[test]
    fn the_sample_is_a_configuration_and_its_comments_state_the_defaults() {
        let (as_shipped, _) = parse(SAMPLE).unwrap();
        let (mut with_comments_on, listing) = parse(&muster_config::uncommented(SAMPLE)).unwrap();
        assert_eq!(listing.defaulted(), [""; 0], "these keys are missing in deploy/config/agent.toml");
        // What has no default.
        with_comments_on.token_file = None;
        assert_ne!(with_comments_on.proxying, Proxying::default());
        with_comments_on.proxying = Proxying::default();
        assert_eq!(with_comments_on, as_shipped);
    }

    #[test]
    fn what_is_left_out_follows_from_the_session_address() {
        let (settings, _) = parse("collector.session = \"[::1]:9000\"\n").unwrap();
        assert_eq!(settings.collector.enroll.to_string(), "[::1]:7444");
        assert_eq!(settings.schedule.interval, Duration::from_secs(3600));
        assert_eq!(settings.privacy, Privacy::NONE, "nothing personal unless somebody writes it");
    }

    #[test]
    fn certificates_are_told_from_folders_that_somebody_asked_for() {
        let folders = |text: &str| {
            parse(&format!("collector.session = \"a:1\"\n[certificates]\n{text}"))
                .map(|(it, _)| it.certificate_folders)
        };
        assert_eq!(folders("").unwrap(), [""; 0]);
        assert_eq!(folders("folders = [\"/srv/b/tls/\", \"/etc/a\"]").unwrap(), ["etc/a", "srv/b/tls"]);
        let both = folders("usual_folders = true\nfolders = [\"/srv/tls\"]").unwrap();
        assert!(both.len() == USUAL_CERTIFICATE_FOLDERS.len() + 1 && both.contains(&"srv/tls".to_owned()));
        for bad in ["etc/ssl", "/", "/etc/../home", "/a//b"] {
            let problems = folders(&format!("folders = [{bad:?}]")).unwrap_err().to_string();
            assert!(problems.contains("is no absolute path"), "{problems}");
        }
    }

    #[test]
    fn bounds_are_compiled_in() {
        let text = "collector.session = \"a:1\"\nschedule.interval = \"0s\"\nspool.limit = \"10GiB\"\nlog = \"loud\"\n\
                    sources.disabled = [\"dpkg\", \"registry\"]\n";
        let problems = parse(text).unwrap_err().to_string();
        let expected = [
            "/etc/muster/agent.toml:2: schedule.interval: 0s is out of bounds: from 1m to 7d",
            "/etc/muster/agent.toml:3: spool.limit: 10GiB is out of bounds: from 1MiB to 1GiB",
            "/etc/muster/agent.toml:4: log: \"loud\" is not one of error, warn, info, debug, trace",
            "/etc/muster/agent.toml:5: sources.disabled: there is no source \"registry\"; `muster-agent sources` \
             lists them",
        ];
        assert_eq!(problems.lines().collect::<Vec<_>>(), expected);
    }
}
