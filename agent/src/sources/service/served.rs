//! Which program a unit runs and which package that is from.
//!
//! The unit's file names what is started, the control group what runs: where the two differ, as with a script that starts
//! a server, what runs counts, if it is one program. Knows processes by the kernel's name for them alone.

use std::collections::BTreeSet;

use crate::{
    host::Host,
    sources::{
        programs::{self, Clue, NAME_BYTES, Owner, process::process},
        service::unit,
        text,
    },
};

/// Processes of a unit that are looked at.
const PROCESSES_LIMIT: usize = 64;
const NUMBERS_LIMIT: usize = 4096;
const STAT_LIMIT: usize = 1024;

/// What a unit runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Served {
    /// The program's name.
    pub(super) program: Option<String>,
    /// The package that has it.
    pub(super) package: Option<String>,
}

/// What each of these runs: units with the folders of their control groups.
pub(super) fn served(host: &dyn Host, units: &[(&str, &str)]) -> Vec<Served> {
    let clues: Vec<Option<Clue>> = units.iter().map(|(name, folder)| clue(host, name, folder)).collect();
    let asked: Vec<Clue> = clues.iter().flatten().cloned().collect();
    let mut owners = programs::owners(host, &asked).into_iter();
    let served = |clue: Option<Clue>| {
        let Some(clue) = clue else { return Served::default() };
        let owner = owners.next().flatten();
        let program = match &clue {
            Clue::Path(path) => path.rsplit('/').next().map(str::to_owned),
            // The name of a process may be anything; what is installed is called so.
            Clue::Name(name) => owner.as_ref().map(|_| name.clone()),
        };
        let package = owner.filter(|Owner { purl_type, .. }| !purl_type.is_empty()).map(|owner| owner.name);
        Served { program: program.and_then(|name| text::clean(name.as_bytes())), package }
    };
    clues.into_iter().map(served).collect()
}

fn clue(host: &dyn Host, name: &str, folder: &str) -> Option<Clue> {
    // A socket's unit holds it for the service of its name until that is started.
    let service = name.strip_suffix(".socket").map(|stem| format!("{stem}.service"));
    let program = unit::program_of(host, service.as_deref().unwrap_or(name));
    let program = program.and_then(|path| Some(path.strip_prefix('/')?.to_owned()));
    let names = names(host, folder);
    let runs = |path: &String| {
        let name = path.rsplit('/').next().unwrap_or(path).as_bytes();
        names.contains(name.get(..NAME_BYTES).unwrap_or(name))
    };
    match (program, names.len()) {
        (Some(path), 0) => Some(Clue::Path(path)),
        (Some(path), _) if runs(&path) => Some(Clue::Path(path)),
        (_, 1) => Some(Clue::Name(String::from_utf8(names.into_iter().next()?).ok()?)),
        (program, _) => program.map(Clue::Path),
    }
}

/// The names of what runs in a control group.
fn names(host: &dyn Host, folder: &str) -> BTreeSet<Vec<u8>> {
    let numbers = host.prefix(&format!("{folder}/cgroup.procs"), NUMBERS_LIMIT).map(|numbers| numbers.bytes);
    let numbers = numbers.unwrap_or_default();
    let numbers = String::from_utf8_lossy(&numbers);
    let numbers = numbers.lines().filter_map(|line| line.parse::<u32>().ok()).take(PROCESSES_LIMIT);
    let name = |number: u32| {
        let stat = host.prefix(&format!("proc/{number}/stat"), STAT_LIMIT).ok()?;
        Some(process(&stat.bytes)?.name.to_vec())
    };
    numbers.filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::MemoryHost;

    fn check(unit: &str, running: &[&str], program: Option<&str>, package: Option<&str>) {
        let mut host = MemoryHost::default();
        for (path, content) in [
            ("lib/systemd/system/ssh.service", "ExecStart=/usr/sbin/sshd -D"),
            ("lib/systemd/system/cluster.service", "ExecStart=/usr/bin/start-cluster"),
            ("usr/sbin/sshd", ""),
            ("usr/bin/start-cluster", ""),
            ("usr/lib/postgresql/15/bin/postgres", ""),
            ("var/lib/dpkg/info/openssh-server.list", "/usr/sbin/sshd"),
            ("var/lib/dpkg/info/cluster.list", "/usr/bin/start-cluster"),
            ("var/lib/dpkg/info/postgresql-15.list", "/usr/lib/postgresql/15/bin/postgres"),
        ] {
            host.files.insert(path.to_owned(), content.as_bytes().to_vec());
        }
        let mut numbers = String::new();
        for (number, name) in (7..).zip(running) {
            let rest = "S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 8231 225280 100";
            host.files
                .insert(format!("proc/{number}/stat"), format!("{number} ({name}) {rest}").into_bytes());
            numbers.push_str(&format!("{number}\n"));
        }
        host.files.insert("group/cgroup.procs".to_owned(), numbers.into_bytes());
        let found = served(&host, &[("none.service", "nowhere"), (unit, "group")]).remove(1);
        let expected = Served { program: program.map(str::to_owned), package: package.map(str::to_owned) };
        assert_eq!(found, expected, "{unit} {running:?}");
    }

    #[test]
    fn what_runs_counts_where_it_is_one_program() {
        check("ssh.service", &["sshd", "sshd"], Some("sshd"), Some("openssh-server"));
        check("ssh.service", &["sshd", "bash"], Some("sshd"), Some("openssh-server"));
        check("ssh.socket", &[], Some("sshd"), Some("openssh-server"));
        check("cluster.service", &["postgres", "postgres"], Some("postgres"), Some("postgresql-15"));
        check("cluster.service", &["postgres", "bash"], Some("start-cluster"), Some("cluster"));
        check("none.service", &["postgres"], Some("postgres"), Some("postgresql-15"));
        check("none.service", &["anna's secret"], None, None);
        check("none.service", &["a", "b"], None, None);
    }
}
