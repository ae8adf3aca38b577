//! Which packages there are, and what each holds.
//!
//! Knows nothing of formats: the same tables make `.deb` and `.rpm`. A package's maintainer scripts and description lie
//! under deploy/package by its short name.
//!
//! To add a package, add one line to [`CONTENTS`] and its description as deploy/package/SHORT.description.

/// One file of a package.
#[derive(Debug)]
pub(super) struct File {
    /// Under the repository.
    pub(super) from: &'static str,
    /// On the machine, without the first slash.
    pub(super) to: &'static str,
    pub(super) mode: u32,
    /// An operator may change it, and keeps the change at an upgrade.
    pub(super) is_configuration: bool,
}

/// One package.
#[derive(Debug)]
pub(crate) struct Content {
    /// Of the package, of the crate and of its program, which lies in /usr/bin.
    pub(crate) name: &'static str,
    /// Of its scripts and its description.
    pub(super) short: &'static str,
    /// All but the program itself.
    pub(super) files: &'static [File],
    /// The profile of Cargo.toml for its program, which is the folder under target too.
    pub(super) profile: &'static str,
    /// Its setup makes a user, so a program that can do that has to be there.
    pub(super) makes_user: bool,
}

impl Content {
    /// Options of cargo that build its program, for use or for development, and the folder under target where it lands.
    pub(super) fn build(&self, debug: bool) -> (Vec<&'static str>, &'static str) {
        let (profile, folder) = if debug { ("dev", "debug") } else { (self.profile, self.profile) };
        (vec!["--package", self.name, "--profile", profile], folder)
    }

    /// Where its program lies on the machine, without the first slash.
    pub(super) fn program(&self) -> String {
        format!("usr/bin/{}", self.name)
    }
}

/// The agent.
pub(crate) const AGENT: &Content = &Content {
    name: "muster-agent",
    short: "agent",
    files: &[
        plain("deploy/package/agent-setup", "usr/lib/muster/agent-setup", 0o755),
        plain("deploy/systemd/muster-agent.service", "usr/lib/systemd/system/muster-agent.service", 0o644),
        plain("deploy/sysusers.d/muster-agent.conf", "usr/lib/sysusers.d/muster-agent.conf", 0o644),
        plain("deploy/tmpfiles.d/muster-agent.conf", "usr/lib/tmpfiles.d/muster-agent.conf", 0o644),
        plain(
            "deploy/systemd/muster-agent.service.d/per-user.conf.example",
            "usr/share/doc/muster-agent/per-user.conf.example",
            0o644,
        ),
        plain("LICENSE", "usr/share/doc/muster-agent/copyright", 0o644),
        File {
            from: "deploy/config/agent.toml",
            to: "etc/muster/agent.toml",
            mode: 0o644,
            is_configuration: true,
        },
    ],
    profile: "small",
    makes_user: true,
};

/// The collector. Its configuration is written by its own `init`, so the commented one is an example.
const COLLECTOR: &Content = &Content {
    name: "muster-collector",
    short: "collector",
    files: &[
        plain("deploy/package/collector-setup", "usr/lib/muster/collector-setup", 0o755),
        plain(
            "deploy/systemd/muster-collector.service",
            "usr/lib/systemd/system/muster-collector.service",
            0o644,
        ),
        plain("deploy/sysusers.d/muster-collector.conf", "usr/lib/sysusers.d/muster-collector.conf", 0o644),
        plain("deploy/tmpfiles.d/muster-collector.conf", "usr/lib/tmpfiles.d/muster-collector.conf", 0o644),
        plain("deploy/config/collector.toml", "usr/share/doc/muster-collector/collector.toml.example", 0o644),
        plain("LICENSE", "usr/share/doc/muster-collector/copyright", 0o644),
    ],
    profile: "release",
    makes_user: true,
};

/// The command line.
const CLI: &Content = &Content {
    name: "muster",
    short: "cli",
    files: &[
        plain("deploy/audit/verify.py", "usr/share/muster/verify.py", 0o755),
        plain("LICENSE", "usr/share/doc/muster/copyright", 0o644),
    ],
    profile: "release",
    makes_user: false,
};

/// All packages.
pub(crate) const CONTENTS: &[&Content] = &[AGENT, COLLECTOR, CLI];

const fn plain(from: &'static str, to: &'static str, mode: u32) -> File {
    File { from, to, mode, is_configuration: false }
}
