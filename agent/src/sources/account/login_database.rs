//! Last logins in SQLite databases: of lastlog2, which keeps one row for each account, and of wtmpdb, which keeps one
//! for each session. Both stand on systems whose older files end in 2038.
//!
//! Knows nothing of accounts: names that no local file has, of a directory service, are in these databases too.

use muster_common::{
    inventory::{ErrorKind, Login},
    time::EndpointTime,
};

use crate::{
    host::{Host, HostError},
    sources::{
        account::login::Latest,
        part::Problems,
        software::rpm::{
            File,
            record::{Fault, Found, Next, Storage},
            sqlite::{self, Row},
        },
        text,
    },
};

/// Databases in the order in which they are read.
pub(super) const DATABASES: [Database; 2] = [
    Database {
        path: "var/lib/lastlog/lastlog2.db",
        log: "var/lib/lastlog/lastlog2.db-wal",
        table: b"Lastlog2",
        columns: Columns { user: 0, time: 1, terminal: 2, from: 3, is_session: None },
        per_second: 1,
    },
    Database {
        path: "var/lib/wtmpdb/wtmp.db",
        log: "var/lib/wtmpdb/wtmp.db-wal",
        table: b"wtmp",
        columns: Columns { user: 2, time: 3, terminal: 5, from: 6, is_session: Some(1) },
        per_second: 1_000_000,
    },
];

/// A million sessions need less.
const DATABASE_LIMIT: u64 = 64 << 20;
/// Rows of one database.
const ROWS_LIMIT: u64 = 1_000_000;
/// Longest name, terminal or host in bytes.
const WORD_LIMIT: usize = 256;
/// How often a database is read that changes meanwhile.
const ATTEMPTS: u32 = 3;
/// What wtmpdb writes as the type of a person's session.
const SESSION: i64 = 3;

/// Where a database lies and what is where in its table.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) path: &'static str,
    /// The write-ahead log beside it, where SQLite keeps one.
    log: &'static str,
    table: &'static [u8],
    columns: Columns,
    /// In what its times are counted.
    per_second: i64,
}

/// Places in a row, from 0.
#[derive(Debug)]
struct Columns {
    user: usize,
    time: usize,
    terminal: usize,
    from: usize,
    /// The type of the row, where there are others than logins.
    is_session: Option<usize>,
}

impl Database {
    /// Notes all logins; whether the database is there.
    pub(super) fn read(&self, host: &dyn Host, latest: &mut Latest, problems: &mut Problems) -> bool {
        let state = || [self.path, self.log].map(|path| host.metadata(path).ok());
        for attempt in 1.. {
            let before = state();
            let file = match host.random(self.path) {
                Ok(file) => File(file),
                Err(error) if error.is_missing() => return false,
                Err(error) => {
                    problems.add_error(error);
                    return true;
                }
            };
            let log = host.random(self.log).ok().map(File);
            let mut found = Problems::default();
            let mut logins = Latest::default();
            self.rows(&file, log.as_ref().map(|log| log as &dyn Storage), &mut logins, &mut found);
            let is_same = state() == before;
            if is_same || attempt == ATTEMPTS {
                latest.append(logins);
                problems.append(found);
                if !is_same {
                    problems.add(self.path, ErrorKind::Io, "it changed each time while it was read");
                }
                break;
            }
        }
        true
    }

    fn rows(
        &self,
        file: &dyn Storage,
        log: Option<&dyn Storage>,
        latest: &mut Latest,
        problems: &mut Problems,
    ) {
        let bytes = file.length().saturating_add(log.map_or(0, Storage::length));
        if bytes > DATABASE_LIMIT {
            let limit = usize::try_from(DATABASE_LIMIT).unwrap_or(usize::MAX);
            return problems.add_error(HostError::TooLarge { path: self.path.to_owned(), limit });
        }
        // SQLite leaves the file empty until the first row comes.
        if bytes == 0 {
            return;
        }
        let mut found = Found::new(self.path, bytes, problems);
        let mut rows = 0;
        let read = sqlite::rows(file, log, self.table, &mut found, &mut |row, found| {
            let number = row.number;
            let place = || format!("row {number}");
            rows += 1;
            if rows > ROWS_LIMIT {
                found.fault(Fault::TooLarge("more rows than the agent reads"), place);
                return Next::Stop;
            }
            match self.login(row) {
                Ok(login) => {
                    if !login.is_none_or(|login| latest.note(login)) {
                        found.fault(Fault::TooLarge("more accounts than the agent lists"), place);
                        return Next::Stop;
                    }
                }
                Err(fault) => found.fault(fault, place),
            }
            Next::GoOn
        });
        if let Err(fault) = read {
            found.fault_of_file(fault);
        }
    }

    /// The login of a row; `None` when it tells of something else.
    fn login(&self, row: &mut Row<'_>) -> Result<Option<Login>, Fault> {
        let Columns { user, time, terminal, from, is_session } = self.columns;
        if let Some(column) = is_session
            && row.integer(column)? != SESSION
        {
            return Ok(None);
        }
        let time = row.integer(time)?;
        let mut word = |column| row.text(column, WORD_LIMIT).map(|bytes| text::clean(&bytes));
        let Some(user) = word(user)? else { return Err(Fault::Malformed("a login is nobody's")) };
        let (terminal, from) = (word(terminal)?, word(from)?);
        // In thousandths of a second, whatever it is counted in.
        let millis = i128::from(time) * 1000 / i128::from(self.per_second);
        let last = i64::try_from(millis).ok().filter(|millis| *millis > 0);
        Ok(last.map(|millis| Login { user, last: Some(EndpointTime::from_millis(millis)), terminal, from }))
    }
}
