//! The last events as JSON lines: a small journal that works where no system journal does.
//!
//! The file is rewritten whole, so that it is bounded without rotation and never torn.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde::{Deserialize, Serialize};

/// How many events are kept.
pub const EVENTS: usize = 200;

/// The name of the file in the state folder.
pub(super) const FILE: &str = "events.jsonl";
/// A message's length, in characters; 200 lines stay well within [`FILE_BYTES`].
const MESSAGE_CHARACTERS: usize = 500;
const FILE_BYTES: u64 = 1024 * 1024;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, by the machine's clock.
    pub time: String,
    /// Of which kind.
    pub kind: Kind,
    /// What happened.
    pub message: String,
}

/// The kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The service's life: start, stop, enrolment.
    Service,
    /// A collection.
    Collection,
    /// A connection made or lost.
    Connection,
    /// A report sent, confirmed or refused.
    Report,
    /// Something that the collector asked for.
    Directive,
    /// Something that went wrong.
    Problem,
}

impl Event {
    /// An event; its message is shortened and freed of control characters.
    pub fn new(time: String, kind: Kind, message: &str) -> Self {
        let message =
            message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_CHARACTERS).collect();
        Self { time, kind, message }
    }
}

/// Reads the events of a state folder, oldest first; lines that can't be read are passed over.
pub fn read_events(folder: &Path) -> io::Result<VecDeque<Event>> {
    let file = match File::open(folder.join(FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(VecDeque::new()),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES).read_to_end(&mut bytes)?;
    let lines = bytes.split(|byte| *byte == b'\n');
    let mut events: VecDeque<Event> = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    events.drain(..events.len().saturating_sub(EVENTS));
    Ok(events)
}

/// The file's content.
pub(super) fn to_lines(events: &VecDeque<Event>) -> serde_json::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for event in events {
        serde_json::to_writer(&mut lines, event)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_events_come_back_and_damage_costs_a_line() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read_events(folder.path()).unwrap().is_empty());
        let event = |n: usize| Event::new(n.to_string(), Kind::Report, "a\nb");
        let events: VecDeque<Event> = (0..EVENTS + 10).map(event).collect();
        let mut lines = to_lines(&events).unwrap();
        lines.extend_from_slice(b"{\"time\":\"torn");
        std::fs::write(folder.path().join(FILE), lines).unwrap();
        let read = read_events(folder.path()).unwrap();
        assert_eq!(read.len(), EVENTS);
        assert_eq!(read.back(), Some(&event(EVENTS + 9)));
        assert_eq!(read[0].message, "a b");
    }

    #[test]
    fn messages_are_bounded() {
        let event = Event::new(String::new(), Kind::Problem, &"x".repeat(10_000));
        assert_eq!(event.message.len(), MESSAGE_CHARACTERS);
    }
}
