//! Services, timers and sockets that systemd starts by itself: the links in the folders of wishes.
//!
//! Knows unit files only as far as description, program and account; arguments are cut off, since secrets stand in
//! them. systemd is not asked: what is started by hand is not in here.

use std::collections::BTreeSet;

use muster_common::inventory::{Item, ItemKind, SectionName, Service};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        part::{Problems, SectionPart},
        read, text,
    },
};

/// Where administrators and packages enable units.
const UNITS: [&str; 3] = ["etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];
const WANTS: [&str; 2] = [".wants", ".requires"];
const NAMES_LIMIT: usize = 5000;
const UNITS_LIMIT: usize = 2000;
const UNIT_LIMIT: usize = 64 * 1024;
const KINDS: [&str; 4] = ["service", "timer", "socket", "path"];

/// Units.
#[derive(Debug)]
pub(crate) struct UnitSource;

impl Source for UnitSource {
    fn name(&self) -> &'static str {
        "units"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::SERVICES)
    }

    fn reads(&self) -> &'static [&'static str] {
        &UNITS
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let Some(names) = read::names(host, UNITS[0], NAMES_LIMIT, &mut problems) else {
            if problems.is_empty() {
                problems.absent(UNITS[0], "systemd");
            }
            return SectionPart { items: Vec::new(), problems };
        };
        let folders = names.iter().filter(|name| WANTS.iter().any(|ending| name.ends_with(ending)));
        let mut units = BTreeSet::new();
        for folder in folders {
            let path = format!("{}/{folder}", UNITS[0]);
            units.extend(read::names(host, &path, NAMES_LIMIT, &mut problems).unwrap_or_default());
        }
        let items = units
            .into_iter()
            .filter_map(|name| Some((kind(&name)?, name)))
            .take(UNITS_LIMIT)
            .filter_map(|(kind, name)| service(host, kind, &name, &mut problems))
            .map(|service| Item::new(ItemKind::Service(service)))
            .collect();
        SectionPart { items, problems }
    }
}

fn kind(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    KINDS.into_iter().find(|kind| *kind == ending)
}

/// The program that a unit starts, with a leading slash where it has one.
pub(crate) fn program_of(host: &dyn Host, name: &str) -> Option<String> {
    let unit = content(host, kind(name)?, name, &mut Problems::default())?;
    value(&String::from_utf8_lossy(&unit), "ExecStart").and_then(program)
}

fn service(host: &dyn Host, kind: &'static str, name: &str, problems: &mut Problems) -> Option<Service> {
    let unit = content(host, kind, name, problems).unwrap_or_default();
    let unit = String::from_utf8_lossy(&unit);
    Some(Service {
        name: text::clean(name.as_bytes())?,
        kind: kind.to_owned(),
        description: value(&unit, "Description").and_then(|text| text::clean(text.as_bytes())),
        enabled: Some(true),
        program: value(&unit, "ExecStart").and_then(program),
        user: value(&unit, "User").and_then(|text| text::clean(text.as_bytes())),
    })
}

/// A unit's file.
fn content(host: &dyn Host, kind: &str, name: &str, problems: &mut Problems) -> Option<Vec<u8>> {
    // `getty@tty1.service` is made of `getty@.service`.
    let file = match name.split_once('@') {
        Some((template, rest)) if !rest.starts_with('.') => format!("{template}@.{kind}"),
        _ => name.to_owned(),
    };
    UNITS.into_iter().find_map(|folder| read::bytes(host, &format!("{folder}/{file}"), UNIT_LIMIT, problems))
}

fn value<'a>(unit: &'a str, key: &str) -> Option<&'a str> {
    unit.lines().find_map(|line| {
        let (found, value) = line.trim().split_once('=')?;
        (found.trim_end() == key).then(|| value.trim())
    })
}

/// The program of a command line, without the signs that systemd reads before it and without what comes after.
fn program(command: &str) -> Option<String> {
    let command = command.trim_start_matches(['-', '@', ':', '+', '!', '|']);
    let program = match command.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => command.split_whitespace().next()?,
    };
    text::clean(program.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    #[test]
    fn enabled_units_with_their_programs() {
        let (_folder, host) = recorded(&[
            ("etc/systemd/system/multi-user.target.wants/ssh.service", ""),
            ("etc/systemd/system/getty.target.wants/getty@tty1.service", ""),
            ("etc/systemd/system/timers.target.wants/apt-daily.timer", ""),
            ("etc/systemd/system/sockets.target.requires/x.target", ""),
            (
                "lib/systemd/system/ssh.service",
                "[Unit]\nDescription=OpenBSD Secure Shell server\n[Service]\nExecStart=-/usr/sbin/sshd -D $SECRET\nUser=root\n",
            ),
            ("usr/lib/systemd/system/getty@.service", "Description = Getty on %I\n"),
        ]);
        let part = UnitSource.collect(&host);
        assert!(part.problems.is_empty());
        let found: Vec<_> = part
            .items
            .into_iter()
            .map(|item| match item.kind {
                ItemKind::Service(found) => (found.name, found.description, found.program),
                other => panic!("{other:?}"),
            })
            .collect();
        let row = |name: &str, description: Option<&str>, program: Option<&str>| {
            (name.to_owned(), description.map(str::to_owned), program.map(str::to_owned))
        };
        assert_eq!(
            found,
            [
                row("apt-daily.timer", None, None),
                row("getty@tty1.service", Some("Getty on %I"), None),
                row("ssh.service", Some("OpenBSD Secure Shell server"), Some("/usr/sbin/sshd")),
            ]
        );
    }

    #[test]
    fn arguments_stay_at_home() {
        for (command, expected) in [
            ("/usr/bin/x --password=secret", Some("/usr/bin/x")),
            ("@/usr/bin/x argv0", Some("/usr/bin/x")),
            ("\"/opt/a b/x\" -v", Some("/opt/a b/x")),
            ("!!/bin/y", Some("/bin/y")),
            ("", None),
        ] {
            assert_eq!(program(command).as_deref(), expected, "{command}");
        }
    }
}
