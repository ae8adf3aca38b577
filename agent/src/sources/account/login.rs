//! When each account of the machine last logged in: lastlog(8)'s file, one record for each numeric id, the log
//! of sessions beside it, and the databases that take their place.
//!
//! Read only where charter and machine both allow it. The file has holes and may seem as large as the largest id, so
//! records are picked out and the file is never read as a whole.

use std::collections::BTreeMap;

use muster_common::{
    inventory::{ErrorKind, Item, ItemKind, Login, SectionName},
    time::EndpointTime,
};

use crate::{
    host::{Host, RandomRead},
    sources::{
        Personal, Source, Stamp,
        account::{local, login_database::DATABASES, login_log},
        part::{ITEMS_LIMIT, Problems, SectionPart},
        text,
    },
};

const LASTLOG: &str = "var/log/lastlog";
/// `struct lastlog` of the C library: four bytes of time, 32 of terminal, 256 of host.
const RECORD_BYTES: usize = 292;
const TERMINAL: std::ops::Range<usize> = 4..36;
const FROM: std::ops::Range<usize> = 36..RECORD_BYTES;

/// Last logins.
#[derive(Debug)]
pub(crate) struct LoginSource;

impl Source for LoginSource {
    fn name(&self) -> &'static str {
        "logins"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::LOGINS)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[local::PASSWD, LASTLOG, login_log::WTMP, DATABASES[0].path, DATABASES[1].path]
    }

    fn personal(&self) -> Option<Personal> {
        Some(Personal::Logins)
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let mut latest = Latest::default();
        let mut is_there = lastlog(host, &mut latest, &mut problems);
        is_there |= login_log::read(host, &mut latest, &mut problems);
        for database in &DATABASES {
            is_there |= database.read(host, &mut latest, &mut problems);
        }
        if !is_there {
            problems.add(
                LASTLOG,
                ErrorKind::NotAvailable,
                "this system keeps neither this file nor a database",
            );
        }
        let items = latest.logins.into_values().map(|login| Item::new(ItemKind::Login(login)));
        SectionPart { items: items.collect(), problems }
    }
}

/// The newest login of each account; where a system changed from one file to another, the old one is never taken away.
#[derive(Debug, Default)]
pub(super) struct Latest {
    logins: BTreeMap<String, Login>,
}

impl Latest {
    /// Notes a login; whether there was room for it.
    pub(super) fn note(&mut self, login: Login) -> bool {
        let is_full = self.logins.len() >= ITEMS_LIMIT;
        match self.logins.get_mut(&login.user) {
            Some(known) if known.last < login.last => *known = login,
            Some(_) => {}
            None if is_full => return false,
            None => drop(self.logins.insert(login.user.clone(), login)),
        }
        true
    }

    /// Notes what another one has.
    pub(super) fn append(&mut self, other: Self) {
        for login in other.logins.into_values() {
            if !self.note(login) {
                return;
            }
        }
    }
}

/// Notes what lastlog(8)'s file has of the local accounts; whether it is there.
fn lastlog(host: &dyn Host, latest: &mut Latest, problems: &mut Problems) -> bool {
    let file = match host.random(LASTLOG) {
        Ok(file) => file,
        Err(error) if error.is_missing() => return false,
        Err(error) => {
            problems.add_error(error);
            return true;
        }
    };
    for (user, uid) in local::ids(host, problems) {
        match login(file.as_ref(), user, uid) {
            Ok(found) => {
                if !found.is_none_or(|login| latest.note(login)) {
                    break;
                }
            }
            Err(error) => {
                problems.add_error(error);
                break;
            }
        }
    }
    true
}

/// The record of one account; `None` when it never logged in, or when the file ends before it.
fn login(file: &dyn RandomRead, user: String, uid: u32) -> Result<Option<Login>, crate::host::HostError> {
    let mut record = [0; RECORD_BYTES];
    let record_bytes = u64::try_from(RECORD_BYTES).unwrap_or(u64::MAX);
    if file.read_at(u64::from(uid).saturating_mul(record_bytes), &mut record)? < RECORD_BYTES {
        return Ok(None);
    }
    let [a, b, c, d, ..] = record;
    let seconds = u32::from_ne_bytes([a, b, c, d]);
    let words = |range| record.get(range).and_then(|bytes: &[u8]| bytes.split(|byte| *byte == 0).next());
    Ok((seconds > 0).then(|| Login {
        user,
        last: Some(EndpointTime::from_millis(i64::from(seconds) * 1000)),
        terminal: words(TERMINAL).and_then(text::clean),
        from: words(FROM).and_then(text::clean),
    }))
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;
    use crate::sources::testing::recorded;

    const PEOPLE: &str = "root:x:0:0::/root:/bin/sh\nada:x:2:2::/home/ada:/bin/sh\nbob:x:9:9::/home/bob:/bin/sh\n\
        eve:x:4294967295:1::/:/bin/sh\n";

    fn record(seconds: u32, terminal: &str, from: &str) -> Vec<u8> {
        let mut record = vec![0; RECORD_BYTES];
        record[..4].copy_from_slice(&seconds.to_ne_bytes());
        record[TERMINAL.start..][..terminal.len()].copy_from_slice(terminal.as_bytes());
        record[FROM.start..][..from.len()].copy_from_slice(from.as_bytes());
        record
    }

    #[test]
    fn who_logged_in_when_and_who_never_did() {
        let (folder, host) = recorded(&[(local::PASSWD, PEOPLE), (LASTLOG, "")]);
        let never = record(0, "", "");
        let log = [never.clone(), never, record(1_700_000_000, "pts/0", "192.0.2.7")].concat();
        fs::write(folder.path().join(LASTLOG), &log).unwrap();
        let part = LoginSource.collect(&host);
        assert!(part.problems.is_empty());
        let expected = Login {
            user: "ada".to_owned(),
            last: Some(EndpointTime::from_millis(1_700_000_000_000)),
            terminal: Some("pts/0".to_owned()),
            from: Some("192.0.2.7".to_owned()),
        };
        assert_eq!(part.items, [Item::new(ItemKind::Login(expected))]);

        fs::write(folder.path().join(LASTLOG), &log[..log.len() - 1]).unwrap();
        assert_eq!(LoginSource.collect(&host).items, [], "half a record is none");
    }

    fn rows(part: &SectionPart) -> Vec<String> {
        let row = |item: &Item| match &item.kind {
            ItemKind::Login(Login { user, last, terminal, from }) => {
                let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "-".to_owned());
                let last = last.map_or(0, EndpointTime::as_millis);
                format!("{user} {last} {} {}", word(terminal), word(from))
            }
            other => panic!("{other:?}"),
        };
        part.items.iter().map(row).collect()
    }

    /// Makes a database with Python's own SQLite; `None` where there is no Python.
    fn database(folder: &std::path::Path, path: &str, statements: &str) -> Option<()> {
        const MAKE: &str = "import sqlite3, sys\nsqlite3.connect(sys.argv[1]).executescript(sys.argv[2])";
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let Ok(made) = Command::new("python3").args(["-c", MAKE]).arg(&path).arg(statements).output() else {
            eprintln!("skipped: there is no python3 to make a database with");
            return None;
        };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Some(())
    }

    const LASTLOG2: &str = "CREATE TABLE Lastlog2(Name TEXT PRIMARY KEY, Time INTEGER, TTY TEXT, RemoteHost TEXT, \
        Service TEXT);";
    const WTMPDB: &str = "CREATE TABLE wtmp(ID INTEGER PRIMARY KEY, Type INTEGER, User TEXT NOT NULL, Login INTEGER, \
        Logout INTEGER, TTY TEXT, RemoteHost TEXT, Service TEXT);";

    #[test]
    fn databases_tell_of_accounts_that_no_local_file_has() {
        let (folder, host) = recorded(&[(local::PASSWD, PEOPLE)]);
        let rows_of_lastlog2 = format!(
            "{LASTLOG2} INSERT INTO Lastlog2 VALUES ('ada', 1700000000, 'pts/0', '192.0.2.7', 'sshd'), \
             ('carol@example.org', 4102444800, 'tty1', NULL, 'login'), ('never', 0, '', '', '');"
        );
        let Some(()) = database(folder.path(), DATABASES[0].path, &rows_of_lastlog2) else { return };
        let part = LoginSource.collect(&host);
        assert!(part.problems.is_empty(), "{:?}", part.problems);
        assert_eq!(
            rows(&part),
            ["ada 1700000000000 pts/0 192.0.2.7", "carol@example.org 4102444800000 tty1 -"]
        );

        // Beside it a database of sessions and the old file: the newest login counts, a boot is none.
        let sessions = format!(
            "{WTMPDB} INSERT INTO wtmp VALUES (1, 1, 'reboot', 1800000000000000, NULL, '~', '6.1', NULL), \
             (2, 3, 'ada', 1600000000000000, 1, 'pts/1', '192.0.2.8', 'sshd'), \
             (3, 3, 'bob', 1650000000500000, NULL, 'seat0', NULL, 'gdm');"
        );
        database(folder.path(), DATABASES[1].path, &sessions).unwrap();
        let log = [record(0, "", ""), record(0, "", ""), record(1_750_000_000, "tty2", "")].concat();
        fs::create_dir_all(folder.path().join("var/log")).unwrap();
        fs::write(folder.path().join(LASTLOG), log).unwrap();
        let part = LoginSource.collect(&host);
        assert!(part.problems.is_empty(), "{:?}", part.problems);
        assert_eq!(
            rows(&part),
            [
                "ada 1750000000000 tty2 -",
                "bob 1650000000500 seat0 -",
                "carol@example.org 4102444800000 tty1 -"
            ]
        );
    }

    #[test]
    fn a_bad_row_costs_itself_and_a_bad_database_is_told() {
        let (folder, host) = recorded(&[(local::PASSWD, PEOPLE)]);
        let many: String =
            (0..2000).map(|number| format!(", ('user{number}', {}, 'tty', '', '')", number + 1)).collect();
        let statements = format!(
            "{LASTLOG2} INSERT INTO Lastlog2 VALUES ('ada', 'yesterday', '', '', ''), ('', 5, '', '', '') {many};"
        );
        let Some(()) = database(folder.path(), DATABASES[0].path, &statements) else { return };
        let part = LoginSource.collect(&host);
        assert_eq!(part.items.len(), 2000);
        let entries = part.problems.into_entries();
        let messages: Vec<&str> = entries.iter().map(|entry| entry.message.as_str()).collect();
        assert_eq!(messages, ["a column is no number", "a login is nobody's"]);
        assert!(entries[0].subject.ends_with("lastlog2.db row 1"), "{entries:?}");

        // An empty one is what SQLite leaves until the first row comes.
        for (bytes, is_bad) in [(&b"no database"[..], true), (&[], false)] {
            fs::write(folder.path().join(DATABASES[0].path), bytes).unwrap();
            let part = LoginSource.collect(&host);
            assert!(part.items.is_empty());
            assert_eq!(part.problems.anything_missing(), is_bad, "{:?}", part.problems);
        }
    }

    #[test]
    fn no_file_is_not_nobody() {
        let (_folder, host) = recorded(&[(local::PASSWD, PEOPLE)]);
        let entries = LoginSource.collect(&host).problems.into_entries();
        assert_eq!(entries[0].kind, ErrorKind::NotAvailable);
    }
}
