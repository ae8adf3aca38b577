//! When each account of the machine last logged in: lastlog(8)'s file, one record for each numeric id.
//!
//! Read only where charter and machine both allow it. The file has holes and may seem as large as the largest id, so
//! records are picked out and the file is never read as a whole. Systems whose login program keeps a database instead
//! of this file (lastlog2) are not known here.

use muster_common::{
    inventory::{ErrorKind, Item, ItemKind, Login, SectionName},
    time::EndpointTime,
};

use crate::{
    host::{Host, RandomRead},
    sources::{
        Personal, Source, Stamp,
        account::local,
        part::{Problems, SectionPart},
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
        &[local::PASSWD, LASTLOG]
    }

    fn personal(&self) -> Option<Personal> {
        Some(Personal::Logins)
    }

    fn stamp(&self) -> Stamp {
        Stamp::Touched
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let file = match host.random(LASTLOG) {
            Ok(file) => file,
            Err(error) if error.is_missing() => {
                problems.add(LASTLOG, ErrorKind::NotAvailable, "this system keeps no such file");
                return SectionPart { items: Vec::new(), problems };
            }
            Err(error) => {
                problems.add_error(error);
                return SectionPart { items: Vec::new(), problems };
            }
        };
        let mut items = Vec::new();
        for (user, uid) in local::ids(host, &mut problems) {
            match login(file.as_ref(), user, uid) {
                Ok(found) => items.extend(found.map(|login| Item::new(ItemKind::Login(login)))),
                Err(error) => {
                    problems.add_error(error);
                    break;
                }
            }
        }
        SectionPart { items, problems }
    }
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
    use std::fs;

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

    #[test]
    fn no_file_is_not_nobody() {
        let (_folder, host) = recorded(&[(local::PASSWD, PEOPLE)]);
        let entries = LoginSource.collect(&host).problems.into_entries();
        assert_eq!(entries[0].kind, ErrorKind::NotAvailable);
    }
}
