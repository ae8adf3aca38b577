//! What the service manager is told: ready, stopping, how it goes, and that the loop still turns.
//!
//! systemd's protocol, a datagram for each message. Knows nothing of units. A manager that can't be told must never
//! hold the service, so every message may be lost.

use std::{env, ffi::OsStr, io, time::Duration};

use crate::status::{Board, ConnectionState, Status};

/// How often the manager hears how it goes, at most.
const STATUS_EVERY: Duration = Duration::from_secs(10);
/// A manager that asks for beats more often than this is served this often.
const SHORTEST_BEAT: Duration = Duration::from_millis(10);

/// The service manager that started this process; none of it where there is none.
#[derive(Debug, Default)]
pub(super) struct Manager {
    socket: Option<Socket>,
    /// Half of the time after which the manager takes a silent service for dead.
    beat: Option<Duration>,
}

impl Manager {
    /// The manager that the environment names.
    pub(super) fn of_environment() -> Self {
        let text = |name| env::var(name).ok();
        Self::new(
            env::var_os("NOTIFY_SOCKET").as_deref(),
            text("WATCHDOG_USEC").as_deref(),
            text("WATCHDOG_PID").as_deref(),
        )
    }

    fn new(name: Option<&OsStr>, watchdog: Option<&str>, process: Option<&str>) -> Self {
        let socket = name.and_then(|name| match Socket::open(name) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!(error = %error, "the service manager can't be told how the service is doing");
                None
            }
        });
        let is_ours = process.is_none_or(|process| process.parse() == Ok(std::process::id()));
        let microseconds = watchdog.filter(|_| is_ours).and_then(|text| text.parse::<u64>().ok());
        let beat = microseconds
            .filter(|microseconds| *microseconds > 0)
            .map(|microseconds| Duration::from_micros(microseconds / 2).max(SHORTEST_BEAT));
        Self { socket, beat }
    }

    /// The service serves.
    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The service drains.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=Finishing the report under way");
    }

    /// Says how it goes and that the loop turns, for ever. It runs on the service's one thread: when that hangs, the
    /// beats end.
    pub(super) async fn keep_told(&self, board: &Board) {
        if self.socket.is_none() {
            return std::future::pending().await;
        }
        let mut ticks = tokio::time::interval(self.beat.unwrap_or(STATUS_EVERY).min(STATUS_EVERY));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut told = String::new();
        loop {
            ticks.tick().await;
            if self.beat.is_some() {
                self.tell("WATCHDOG=1");
            }
            let words = in_words(&board.status());
            if words != told {
                self.tell(&format!("STATUS={words}"));
                told = words;
            }
        }
    }

    fn tell(&self, message: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(message)
        {
            tracing::debug!(error = %error, "the service manager was not told");
        }
    }
}

/// How it goes, in one line.
fn in_words(status: &Status) -> String {
    let connection = match status.connection.state {
        ConnectionState::Stopped => "Starting".to_owned(),
        ConnectionState::Enrolling => "Not enrolled yet".to_owned(),
        ConnectionState::Connecting => format!("Connecting to {}", status.collector),
        ConnectionState::Connected => format!("Connected to {}", status.collector),
        ConnectionState::Waiting => format!("Not connected to {}", status.collector),
    };
    let line = match &status.problem {
        Some(problem) => format!("{connection}; {}", problem.message),
        None => connection,
    };
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The manager's socket.
#[cfg(unix)]
#[derive(Debug)]
struct Socket(std::os::unix::net::UnixDatagram);

#[cfg(unix)]
impl Socket {
    fn open(name: &OsStr) -> io::Result<Self> {
        let socket = std::os::unix::net::UnixDatagram::unbound()?;
        // A manager that doesn't read must not hold the loop.
        socket.set_nonblocking(true)?;
        match abstract_name(name) {
            Some(address) => socket.connect_addr(&address?)?,
            None => socket.connect(name)?,
        }
        Ok(Self(socket))
    }

    fn send(&self, message: &str) -> io::Result<()> {
        self.0.send(message.as_bytes()).map(drop)
    }
}

/// A name that begins with an @ lies outside the file system.
#[cfg(target_os = "linux")]
fn abstract_name(name: &OsStr) -> Option<io::Result<std::os::unix::net::SocketAddr>> {
    use std::os::{
        linux::net::SocketAddrExt,
        unix::{ffi::OsStrExt, net::SocketAddr},
    };

    name.as_bytes().strip_prefix(b"@").map(SocketAddr::from_abstract_name)
}

/// Only Linux has such names.
#[cfg(all(unix, not(target_os = "linux")))]
fn abstract_name(_name: &OsStr) -> Option<io::Result<std::os::unix::net::SocketAddr>> {
    None
}

/// Elsewhere no manager has such a socket.
#[cfg(not(unix))]
#[derive(Debug)]
struct Socket;

#[cfg(not(unix))]
impl Socket {
    fn open(_name: &OsStr) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn send(&self, _message: &str) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::{
        os::{
            linux::net::SocketAddrExt,
            unix::net::{SocketAddr, UnixDatagram},
        },
        sync::Arc,
    };

    use muster_common::time::SystemClock;

    use super::*;

    fn next(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn both_kinds_of_names_reach_the_manager() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        Manager::new(Some(path.as_os_str()), None, None).ready();
        assert_eq!(next(&by_path), "READY=1");
        let name = format!("muster-agent-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let by_name = UnixDatagram::bind_addr(&address).unwrap();
        Manager::new(Some(OsStr::new(&format!("@{name}"))), None, None).stopping();
        assert!(next(&by_name).starts_with("STOPPING=1\n"));
    }

    #[test]
    fn a_missing_manager_is_none() {
        let manager = Manager::new(Some(OsStr::new("/nonexistent/socket")), None, None);
        assert!(manager.socket.is_none());
        manager.ready();
    }

    #[test]
    fn beats_are_half_of_what_is_asked_and_only_for_this_process() {
        let beat = |watchdog, process: Option<&str>| Manager::new(None, watchdog, process).beat;
        let own = std::process::id().to_string();
        assert_eq!(beat(Some("180000000"), Some(&own)), Some(Duration::from_secs(90)));
        assert_eq!(beat(Some("180000000"), None), Some(Duration::from_secs(90)));
        assert_eq!(beat(Some("1"), None), Some(SHORTEST_BEAT));
        for (watchdog, process) in
            [(None, None), (Some("0"), None), (Some("soon"), None), (Some("5"), Some("1"))]
        {
            assert_eq!(beat(watchdog, process), None, "{watchdog:?} {process:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_manager_hears_beats_while_the_loop_turns_and_a_status_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let manager = Manager::new(Some(path.as_os_str()), Some("4000000"), None);
        let board = Board::open(folder.path(), Arc::new(SystemClock));
        board.problem("no\ncollector");
        let told = tokio::time::timeout(Duration::from_secs(5), manager.keep_told(&board)).await;
        assert!(told.is_err());
        let heard: Vec<String> = (0..4).map(|_| next(&socket)).collect();
        assert_eq!(heard, ["WATCHDOG=1", "STATUS=Starting; no collector", "WATCHDOG=1", "WATCHDOG=1"]);
        socket.set_nonblocking(true).unwrap();
        assert!(socket.recv(&mut [0; 8]).is_err(), "the loop stands still and beats go on");
    }
}
