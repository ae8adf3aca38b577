//! Last logins in the log of sessions, wtmp: a record of utmp(5) for each login, logout and boot, the newest at the end.
//!
//! Knows nothing of accounts. Systems rotate the log away, so it adds to what else there is: where lastlog's file or a
//! database knows a later login, that one counts.

use muster_common::{inventory::Login, time::EndpointTime};

use crate::{
    host::{Host, HostError},
    sources::{account::login::Latest, part::Problems, text},
};

pub(super) const WTMP: &str = "var/log/wtmp";
/// The newest part of a longer log is read: 40,000 records.
const READ_LIMIT: u64 = 16 << 20;
/// What a record is that says who logged in.
const USER_PROCESS: i16 = 7;
/// The last kind of record there is.
const LAST_KIND: i16 = 9;

/// How the C library lays records out: where the session's number is 64 bits wide, so is the time.
struct Layout {
    record: usize,
    /// Seconds since 1970, and how many bytes wide.
    time: usize,
    time_bytes: usize,
}

const LAYOUTS: [Layout; 2] = [
    Layout { record: 384, time: 340, time_bytes: 4 },
    // 64-bit ARM, RISC-V and others that have no 32-bit programs of old to share the log with.
    Layout { record: 400, time: 344, time_bytes: 8 },
];

/// Notes the logins of the newest part of the log; whether it is there.
pub(super) fn read(host: &dyn Host, latest: &mut Latest, problems: &mut Problems) -> bool {
    match newest(host) {
        Ok(bytes) => {
            for login in logins(&bytes) {
                if !latest.note(login) {
                    break;
                }
            }
            true
        }
        Err(error) if error.is_missing() => false,
        Err(error) => {
            problems.add_error(error);
            true
        }
    }
}

/// The end of the file, from where a record begins in either layout.
fn newest(host: &dyn Host) -> Result<Vec<u8>, HostError> {
    let file = host.random(WTMP)?;
    let size = file.size_bytes();
    // Both lengths divide this.
    const STEP: u64 = 9600;
    let start = size.saturating_sub(READ_LIMIT).next_multiple_of(STEP);
    let length = usize::try_from(size.saturating_sub(start)).unwrap_or(0);
    let mut bytes = vec![0; length];
    let read = file.read_at(start, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// The logins of a piece of the log, in its order. The layout is the one in which more records are of a kind that there
/// is; what is left of a record at the end is none.
fn logins(bytes: &[u8]) -> impl Iterator<Item = Login> {
    let known = |layout: &&Layout| {
        let kinds = bytes.chunks_exact(layout.record).filter_map(kind);
        // More records fit where they are shorter, so unknown ones count against a layout.
        kinds.map(|kind| if (1..=LAST_KIND).contains(&kind) { 1_i64 } else { -1 }).sum::<i64>()
    };
    let [short, long] = &LAYOUTS;
    let layout = if known(&short) >= known(&long) { short } else { long };
    bytes.chunks_exact(layout.record).filter_map(|record| login(record, layout))
}

fn kind(record: &[u8]) -> Option<i16> {
    record.first_chunk().map(|bytes| i16::from_ne_bytes(*bytes))
}

/// Who logged in; `None` for every other kind of record.
fn login(record: &[u8], layout: &Layout) -> Option<Login> {
    if kind(record)? != USER_PROCESS {
        return None;
    }
    let time = record.get(layout.time..)?;
    let seconds = match layout.time_bytes {
        8 => i64::from_ne_bytes(*time.first_chunk()?),
        // Counted without a sign by those who mean to use it after 2038.
        _ => i64::from(u32::from_ne_bytes(*time.first_chunk()?)),
    };
    let word = |start: usize, length: usize| {
        let bytes = record.get(start..start.checked_add(length)?)?;
        text::clean(bytes.split(|byte| *byte == 0).next()?)
    };
    Some(Login {
        user: word(44, 32)?,
        last: seconds.checked_mul(1000).filter(|millis| *millis > 0).map(EndpointTime::from_millis),
        terminal: word(8, 32),
        from: word(76, 256),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(layout: &Layout, kind: i16, user: &str, seconds: i64) -> Vec<u8> {
        let mut record = vec![0; layout.record];
        let mut put = |start: usize, bytes: &[u8]| record[start..start + bytes.len()].copy_from_slice(bytes);
        put(0, &kind.to_ne_bytes());
        put(8, b"pts/0");
        put(44, user.as_bytes());
        put(76, b"192.0.2.7");
        put(layout.time, &seconds.to_le_bytes()[..layout.time_bytes]);
        record
    }

    #[test]
    fn who_logged_in_in_both_layouts() {
        for layout in &LAYOUTS {
            let boot = record(layout, 2, "reboot", 1_600_000_000);
            let ada = record(layout, USER_PROCESS, "ada", 1_700_000_000);
            let ended = record(layout, 8, "ada", 1_700_000_100);
            let nobody = record(layout, USER_PROCESS, "", 5);
            let log = [boot.clone(), ada, ended, nobody, boot[..9].to_vec()].concat();
            let expected = Login {
                user: "ada".to_owned(),
                last: Some(EndpointTime::from_millis(1_700_000_000_000)),
                terminal: Some("pts/0".to_owned()),
                from: Some("192.0.2.7".to_owned()),
            };
            assert_eq!(logins(&log).collect::<Vec<_>>(), [expected], "{}", layout.record);
        }
    }

    #[test]
    fn times_that_are_none_and_words_without_an_end() {
        let [short, long] = &LAYOUTS;
        for (layout, seconds) in [(short, 0), (long, -1), (long, i64::MAX), (long, 0)] {
            let log = record(layout, USER_PROCESS, &"x".repeat(32), seconds);
            let found: Vec<Login> = logins(&log).collect();
            let told = found.iter().map(|login| (login.user.len(), login.last)).collect::<Vec<_>>();
            assert_eq!(told, [(32, None)], "{seconds}");
        }
        assert_eq!(logins(b"\x07\x00").count(), 0);
        assert_eq!(logins(&[0xff; 4000]).count(), 0);
    }
}
