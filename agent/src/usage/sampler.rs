//! Looks which processes there are and whose programs they run.
//!
//! Knows /proc and nothing of packages' files; that is `sources::programs`. A process that was there before costs one
//! small read. What a new one belongs to is asked of the package managers' lists, for all new programs at once and not
//! more often than [`PASS_GAP`]; until then they wait, by name, in memory. The program's path may be read by root alone,
//! and not by an agent that has shut itself in: otherwise the kernel's name for the process and its control group must do.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    time::Duration,
};

use muster_common::time::EndpointTime;

use super::{Ledger, day};
use crate::{
    host::{Host, Metadata},
    sources::{
        programs::{
            self, Clue, NAME_BYTES, Owner,
            group::{Group, group},
            process::{Process, process},
        },
        service::unit,
    },
};

/// Between two passes through the lists of files.
const PASS_GAP: Duration = Duration::from_secs(15 * 60);
/// Processes that are looked at.
const PROCESSES_LIMIT: usize = 32_768;
/// Programs whose owner is known, or known to be nobody; more are asked for anew.
const ANSWERS_LIMIT: usize = 4096;
/// Programs that wait for the next pass.
const WAITING_LIMIT: usize = programs::CLUES_LIMIT;
/// The line has two hundred bytes, the list of groups a few lines.
const STAT_LIMIT: usize = 1024;
const GROUPS_LIMIT: usize = 8192;
/// Where desktop files lie: of packages, and of snaps and flatpaks that are there for everybody.
const DESKTOP: &str = "usr/share/applications";

/// Watches one machine.
#[derive(Debug)]
pub(crate) struct Sampler {
    ledger: Ledger,
    processes: HashMap<u32, Seen>,
    /// Numbers in `owners` by the hash of a clue.
    answers: HashMap<u64, Option<usize>>,
    owners: Vec<Owner>,
    waiting: HashMap<u64, Waiting>,
    stamp: Option<Vec<Option<Metadata>>>,
    last_pass: Option<EndpointTime>,
    hasher: RandomState,
}

/// A process that was there the last time.
#[derive(Debug, Clone, Copy)]
struct Seen {
    started: u64,
    name: u64,
    owners: Sights,
}

/// Application, program by its path, program by its name.
type Sights = [Option<Sight>; 3];

/// Which owner was seen, and how.
#[derive(Debug, Clone, Copy)]
struct Sight {
    owner: usize,
    by_path: bool,
}

#[derive(Debug)]
struct Waiting {
    clue: Clue,
    by_path: bool,
    day: i64,
}

impl Sampler {
    /// Goes on from what was found before.
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self {
            ledger,
            processes: HashMap::new(),
            answers: HashMap::new(),
            owners: Vec::new(),
            waiting: HashMap::new(),
            stamp: None,
            last_pass: None,
            hasher: RandomState::new(),
        }
    }

    /// What was found so far.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Looks once; whether there is anything new to be kept.
    pub(crate) fn sample(&mut self, host: &dyn Host, now: EndpointTime) -> bool {
        self.forget_when_packages_changed(host);
        let today = day(now);
        let mut is_new = self.ledger.look(today);
        let listing = host.list("proc", PROCESSES_LIMIT * 2).map(|listing| listing.names).unwrap_or_default();
        let numbers = listing.iter().filter_map(|name| name.parse::<u32>().ok());
        let mut before = std::mem::take(&mut self.processes);
        for number in numbers.take(PROCESSES_LIMIT) {
            let Ok(stat) = host.prefix(&format!("proc/{number}/stat"), STAT_LIMIT) else { continue };
            let Some(process) = process(&stat.bytes) else { continue };
            let name = self.hasher.hash_one(process.name);
            let known =
                before.remove(&number).filter(|seen| (seen.started, seen.name) == (process.started, name));
            let owners =
                known.map(|seen| seen.owners).or_else(|| self.identify(host, number, &process, today));
            // One that waits for an answer is looked at again.
            let Some(owners) = owners else { continue };
            for Sight { owner, by_path } in owners.into_iter().flatten() {
                if let Some(owner) = self.owners.get(owner) {
                    is_new |= self.ledger.note(owner, by_path, today);
                }
            }
            self.processes.insert(number, Seen { started: process.started, name, owners });
        }
        let is_due = self.last_pass.is_none_or(|last| {
            now < last || u128::from(now.as_millis().abs_diff(last.as_millis())) >= PASS_GAP.as_millis()
        });
        if is_due && !self.waiting.is_empty() {
            self.last_pass = Some(now);
            is_new |= self.settle(host);
        }
        is_new
    }

    /// Asks for the owners of all programs that wait, now; whether anything new was found.
    pub(crate) fn settle(&mut self, host: &dyn Host) -> bool {
        let waiting: Vec<(u64, Waiting)> = self.waiting.drain().collect();
        if waiting.is_empty() {
            return false;
        }
        let clues: Vec<Clue> = waiting.iter().map(|(_, waiting)| waiting.clue.clone()).collect();
        let mut is_new = false;
        for ((hash, waiting), owner) in waiting.into_iter().zip(programs::owners(host, &clues)) {
            if let Some(owner) = &owner {
                is_new |= self.ledger.note(owner, waiting.by_path, waiting.day);
            }
            self.answer(hash, owner);
        }
        is_new
    }

    fn answer(&mut self, hash: u64, owner: Option<Owner>) {
        if self.answers.len() >= ANSWERS_LIMIT {
            self.forget();
        }
        let number = owner.map(|owner| {
            self.owners.iter().position(|known| *known == owner).unwrap_or_else(|| {
                self.owners.push(owner);
                self.owners.len() - 1
            })
        });
        self.answers.insert(hash, number);
    }

    fn forget(&mut self) {
        self.answers = HashMap::new();
        self.owners = Vec::new();
        self.processes = HashMap::new();
    }

    /// What was found holds for the packages that there were.
    fn forget_when_packages_changed(&mut self, host: &dyn Host) {
        let stamp = programs::stamp(host).to_vec();
        if self.stamp.as_ref() != Some(&stamp) {
            self.forget();
            self.stamp = Some(stamp);
        }
    }

    /// Whose programs a new process runs; `None` while an answer is waited for.
    fn identify(
        &mut self,
        host: &dyn Host,
        number: u32,
        process: &Process<'_>,
        today: i64,
    ) -> Option<Sights> {
        let mut owners = Sights::default();
        let mut is_waiting = false;
        for ((clue, by_path), place) in clues(host, number, process).into_iter().zip(&mut owners) {
            let hash = self.hasher.hash_one(&clue);
            match self.answers.get(&hash) {
                Some(answer) => *place = answer.map(|owner| Sight { owner, by_path }),
                None => {
                    is_waiting = true;
                    if self.waiting.len() < WAITING_LIMIT || self.waiting.contains_key(&hash) {
                        self.waiting.insert(hash, Waiting { clue, by_path, day: today });
                    }
                }
            }
        }
        (!is_waiting).then_some(owners)
    }
}

/// What is known of the program that a process runs, and of the application that it is part of: at most three clues,
/// each with whether it is the program's own path.
fn clues(host: &dyn Host, number: u32, process: &Process<'_>) -> Vec<(Clue, bool)> {
    let groups = host.prefix(&format!("proc/{number}/cgroup"), GROUPS_LIMIT).map(|groups| groups.bytes);
    let group = group(&groups.unwrap_or_default());
    let application = match &group {
        Group::Container => return Vec::new(),
        Group::Snap(name) => Some(format!("snap/{name}/current")),
        Group::Flatpak(id) => Some(format!("var/lib/flatpak/app/{id}/current")),
        Group::Desktop(id) => Some(format!("{DESKTOP}/{id}.desktop")),
        Group::Service(_) | Group::Unknown => None,
    };
    let application =
        application.filter(|path| host.metadata(path).is_ok()).map(|path| (Clue::Path(path), false));
    // Inside a snap or flatpak programs have other roots than ours.
    let is_own_root = !matches!(group, Group::Snap(_) | Group::Flatpak(_));
    let programs = is_own_root.then(|| programs(host, number, process, &group));
    application.into_iter().chain(programs.into_iter().flatten()).collect()
}

/// The program's path where that may be read, and its name unless that is the path's.
fn programs(host: &dyn Host, number: u32, process: &Process<'_>, group: &Group) -> Vec<(Clue, bool)> {
    let is_of = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path).as_bytes();
        name.get(..NAME_BYTES).unwrap_or(name) == process.name
    };
    let relative = |path: &str| path.strip_prefix('/').map(str::to_owned);
    let mut clues = Vec::new();
    if let Some(path) = host.link(&format!("proc/{number}/exe")).ok().as_deref().and_then(relative) {
        let path = path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned();
        let is_named_so = is_of(&path);
        clues.push((Clue::Path(path), true));
        if is_named_so {
            return clues;
        }
    }
    // What runs by an interpreter has a name of its own.
    let unit = if let Group::Service(unit) = group { unit::program_of(host, unit) } else { None };
    let of_unit = unit.as_deref().and_then(relative).filter(|path| is_of(path)).map(Clue::Path);
    let by_name = || Some(Clue::Name(std::str::from_utf8(process.name).ok()?.to_owned()));
    clues.extend(of_unit.or_else(by_name).map(|clue| (clue, false)));
    clues
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{host::MemoryHost, usage::DAY_MS};

    const DAY: i64 = 20_000;

    fn at(day: i64, minutes: i64) -> EndpointTime {
        EndpointTime::from_millis(day * DAY_MS + minutes * 60_000)
    }

    /// A Debian machine with a few programs and nobody running.
    fn machine() -> MemoryHost {
        let mut host = MemoryHost::default();
        for (path, content) in [
            ("usr/bin/bash", ""),
            ("usr/bin/gimp-2.10", ""),
            ("usr/sbin/nginx", ""),
            ("usr/lib/postgresql/15/bin/postgres", ""),
            ("usr/local/bin/deploy", ""),
            ("usr/share/applications/gimp.desktop", ""),
            ("usr/share/applications/libreoffice-writer.desktop", ""),
            ("snap/firefox/current/x", ""),
            ("var/lib/flatpak/app/org.gnome.Maps/current/x", ""),
            (
                "lib/systemd/system/postgresql@.service",
                "[Service]\nExecStart=/usr/lib/postgresql/15/bin/postgres -D %I\n",
            ),
            ("var/lib/dpkg/status", "one"),
            ("var/lib/dpkg/info/bash.list", "/.\n/bin/bash\n"),
            ("var/lib/dpkg/info/gimp.list", "/usr/bin/gimp-2.10\n/usr/share/applications/gimp.desktop\n"),
            (
                "var/lib/dpkg/info/libreoffice-writer.list",
                "/usr/share/applications/libreoffice-writer.desktop\n",
            ),
            ("var/lib/dpkg/info/nginx-core:amd64.list", "/usr/sbin/nginx\n"),
            ("var/lib/dpkg/info/postgresql-15.list", "/usr/lib/postgresql/15/bin/postgres\n"),
        ] {
            host.files.insert(path.to_owned(), content.as_bytes().to_vec());
        }
        host
    }

    fn run(host: &mut MemoryHost, number: u32, name: &str, started: u64, group: &str) {
        let rest = format!("S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {started} 225280 100");
        host.files.insert(format!("proc/{number}/stat"), format!("{number} ({name}) {rest}").into_bytes());
        host.files.insert(format!("proc/{number}/cgroup"), format!("0::{group}\n").into_bytes());
    }

    fn end(host: &mut MemoryHost, number: u32) {
        host.files.retain(|path, _| !path.starts_with(&format!("proc/{number}/")));
        host.links.remove(&format!("proc/{number}/exe"));
    }

    /// Type, name, days and confidence of each package.
    fn found(sampler: &Sampler) -> Vec<String> {
        let row = |usage: &muster_common::inventory::Usage| {
            let days = usage.days_used.unwrap();
            format!("{}:{} {days} {}", usage.purl_type, usage.name, usage.confidence.as_deref().unwrap())
        };
        sampler.ledger().uses().iter().map(row).collect()
    }

    fn check(name: &str, group: &str, exe: Option<&str>, expected: &[&str]) {
        let mut host = machine();
        run(&mut host, 7, name, 5, group);
        match exe {
            Some(exe) => drop(host.links.insert("proc/7/exe".to_owned(), exe.to_owned())),
            None => drop(host.forbidden.insert("proc/7/exe".to_owned())),
        }
        let mut sampler = Sampler::new(Ledger::default());
        sampler.sample(&host, at(DAY, 0));
        assert_eq!(found(&sampler), expected, "{name} {group} {exe:?}");
    }

    #[test]
    fn processes_are_mapped_to_packages() {
        let session = "/user.slice/user-1000.slice/session-3.scope";
        let app = "/user.slice/user-1000.slice/user@1000.service/app.slice";
        check("bash", session, Some("/usr/bin/bash"), &["deb:bash 1 program"]);
        check("bash", session, Some("/usr/bin/bash (deleted)"), &["deb:bash 1 program"]);
        check("bash", session, None, &["deb:bash 1 name"]);
        check("gimp-2.10", &format!("{app}/app-gnome-gimp-44.scope"), None, &["deb:gimp 1 name"]);
        let writer = format!("{app}/app-gnome-libreoffice\\x2dwriter-44.scope");
        check("soffice.bin", &writer, None, &["deb:libreoffice-writer 1 name"]);
        check("firefox", &format!("{app}/snap.firefox.firefox-1.scope"), None, &["snap:firefox 1 name"]);
        check(
            "gnome-maps",
            &format!("{app}/app-flatpak-org.gnome.Maps-1.scope"),
            None,
            &["flatpak:org.gnome.Maps 1 name"],
        );
        check("nginx", "/system.slice/nginx.service", None, &["deb:nginx-core 1 name"]);
        let postgres = "/system.slice/system-postgresql.slice/postgresql@15-main.service";
        check("postgres", postgres, None, &["deb:postgresql-15 1 name"]);
        check("postgres", session, None, &["deb:postgresql-15 1 name"]);
        check("deploy", session, None, &[":deploy 1 name"]);
    }

    #[test]
    fn what_is_nobody_elses_business_is_nowhere() {
        let session = "/user.slice/user-1000.slice/session-3.scope";
        check("secret-plan", session, Some("/home/anna/bin/secret-plan"), &[]);
        check("secret-plan", session, None, &[]);
        check("../../etc/passwd", session, None, &[]);
        // Not installed, whatever the group says; and a container's programs are not ours.
        check("x", "/app-flatpak-org.own.App-1.scope", None, &[]);
        check("bash", "/system.slice/docker-0123.scope", Some("/usr/bin/bash"), &[]);
    }

    #[test]
    fn a_number_that_comes_again_is_another_process() {
        let mut host = machine();
        let mut sampler = Sampler::new(Ledger::default());
        run(&mut host, 7, "bash", 5, "/");
        assert!(sampler.sample(&host, at(DAY, 0)));
        assert!(!sampler.sample(&host, at(DAY, 5)), "the same on one day is nothing new");
        run(&mut host, 7, "nginx", 90, "/");
        assert!(sampler.sample(&host, at(DAY + 1, 0)));
        assert_eq!(
            found(&sampler),
            ["deb:bash 1 name", "deb:nginx-core 1 name"],
            "bash ran on the first day alone"
        );
        // The same process under another name: it has started another program.
        run(&mut host, 7, "bash", 90, "/");
        sampler.sample(&host, at(DAY + 1, 5));
        assert_eq!(found(&sampler), ["deb:bash 2 name", "deb:nginx-core 1 name"]);
        end(&mut host, 7);
        sampler.sample(&host, at(DAY + 2, 0));
        assert_eq!(found(&sampler), ["deb:bash 2 name", "deb:nginx-core 1 name"]);
        assert_eq!(sampler.ledger().uses()[0].days_watched, Some(3));
    }

    #[test]
    fn new_programs_wait_for_a_pass_and_are_not_lost() {
        let mut host = machine();
        let mut sampler = Sampler::new(Ledger::default());
        run(&mut host, 7, "bash", 5, "/");
        sampler.sample(&host, at(DAY, 0));
        run(&mut host, 8, "nginx", 6, "/");
        sampler.sample(&host, at(DAY, 5));
        assert_eq!(found(&sampler), ["deb:bash 1 name"], "not more often than every quarter of an hour");
        end(&mut host, 8);
        assert!(sampler.sample(&host, at(DAY, 15)));
        assert_eq!(found(&sampler), ["deb:bash 1 name", "deb:nginx-core 1 name"]);
        run(&mut host, 9, "gimp-2.10", 7, "/");
        sampler.sample(&host, at(DAY, 20));
        assert!(sampler.settle(&host), "before a stop nothing waits");
        assert_eq!(found(&sampler).len(), 3);
    }

    #[test]
    fn packages_that_come_later_are_found() {
        let mut host = machine();
        let mut sampler = Sampler::new(Ledger::default());
        run(&mut host, 7, "htop", 5, "/");
        sampler.sample(&host, at(DAY, 0));
        assert!(found(&sampler).is_empty());
        host.files.insert("usr/bin/htop".to_owned(), Vec::new());
        host.files.insert("var/lib/dpkg/info/htop.list".to_owned(), b"/usr/bin/htop\n".to_vec());
        host.files.insert("var/lib/dpkg/status".to_owned(), b"longer".to_vec());
        sampler.sample(&host, at(DAY, 30));
        assert_eq!(found(&sampler), ["deb:htop 1 name"]);
    }

    #[test]
    fn a_look_at_this_machine_is_cheap() {
        let host = crate::host::LiveHost::open().unwrap();
        let mut sampler = Sampler::new(Ledger::default());
        let mut took = Vec::new();
        for minutes in [0, 5, 10] {
            let begun = crate::collect::processor_time();
            sampler.sample(&host, at(DAY, minutes));
            took.push(crate::collect::processor_time().saturating_sub(begun));
        }
        let processes = host
            .list("proc", 65_536)
            .unwrap()
            .names
            .iter()
            .filter(|name| name.parse::<u32>().is_ok())
            .count();
        println!(
            "{processes} processes, {} packages: {took:?}, the first with a pass through the lists of files",
            sampler.ledger().uses().len()
        );
        assert!(sampler.waiting.is_empty(), "everything was asked for at once");
        let bound = Duration::from_micros(500) * u32::try_from(processes + 20).unwrap();
        assert!(took[2] < bound, "{took:?}");
    }

    #[test]
    fn a_machine_with_thousands_of_programs_is_bounded() {
        let mut host = machine();
        let mut sampler = Sampler::new(Ledger::default());
        for number in 1..=6000 {
            run(&mut host, number, &format!("p{number}"), 5, "/");
        }
        for quarter in 0..8 {
            sampler.sample(&host, at(DAY, quarter * 15));
            assert!(sampler.waiting.len() <= WAITING_LIMIT && sampler.answers.len() <= ANSWERS_LIMIT);
        }
    }
}
