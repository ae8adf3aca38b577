//! The status in memory, and the task that writes it down.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use muster_common::time::Clock;
use muster_proto::private_file::{self, PrivateFileError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    FILE, Problem, Status,
    journal::{self, EVENTS, Event, Kind},
};
use crate::transport::disk::off_thread;

/// What happens within this time is written down together.
const TOGETHER: Duration = Duration::from_millis(500);

/// The status and the last events, shared by everything that has something to say.
#[derive(Debug)]
pub struct Board {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    content: Mutex<Content>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Content {
    status: Status,
    events: VecDeque<Event>,
}

impl Board {
    /// A board that goes on with the events of the last process.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Self {
        // Events are for people: without the old ones the service is as good.
        let events = journal::read_events(folder).unwrap_or_default();
        let content = Mutex::new(Content { status: Status::default(), events });
        Self { folder: folder.to_owned(), clock, content, changed: Notify::new() }
    }

    /// The present time as text.
    pub fn time(&self) -> String {
        self.clock.now().to_string()
    }

    /// The time after `wait` as text.
    pub fn time_after(&self, wait: Duration) -> String {
        self.clock.now().after(wait).to_string()
    }

    /// Changes the status.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.lock().status);
        self.changed.notify_one();
    }

    /// Adds an event.
    pub fn event(&self, kind: Kind, message: &str) {
        let event = Event::new(self.time(), kind, message);
        let mut content = self.lock();
        while content.events.len() >= EVENTS {
            content.events.pop_front();
        }
        content.events.push_back(event);
        drop(content);
        self.changed.notify_one();
    }

    /// Something went wrong: an event, and the status says it until [`resolved`](Self::resolved). The same problem
    /// again is no new event.
    pub fn problem(&self, message: &str) {
        let Event { time, message, .. } = Event::new(self.time(), Kind::Problem, message);
        let known = self.lock().status.problem.as_ref().is_some_and(|problem| problem.message == message);
        if !known {
            self.event(Kind::Problem, &message);
        }
        self.update(|status| status.problem = Some(Problem { time, message }));
    }

    /// What went wrong is over.
    pub fn resolved(&self) {
        self.update(|status| status.problem = None);
    }

    /// The present status.
    pub fn status(&self) -> Status {
        self.lock().status.clone()
    }

    /// Writes changes down until `stop`, and what is left then.
    pub async fn keep_written(&self, stop: CancellationToken) {
        loop {
            let stopped = tokio::select! {
                () = self.changed.notified() => {
                    tokio::select! {
                        () = tokio::time::sleep(TOGETHER) => false,
                        () = stop.cancelled() => true,
                    }
                }
                () = stop.cancelled() => true,
            };
            if let Err(error) = self.write().await {
                tracing::warn!(error = %error, "the status can't be written down");
            }
            if stopped {
                return;
            }
        }
    }

    /// Writes status and events down.
    pub async fn write(&self) -> Result<(), PrivateFileError> {
        let (status, events) = {
            let mut content = self.lock();
            content.status.written = self.time();
            (content.status.clone(), content.events.clone())
        };
        let folder = self.folder.clone();
        off_thread(move || {
            let status = serde_json::to_vec_pretty(&status).expect("a status has a JSON form");
            private_file::write(&folder.join(FILE), &status)?;
            let events = journal::to_lines(&events).expect("an event has a JSON form");
            private_file::write(&folder.join(journal::FILE), &events)
        })
        .await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Content> {
        // Each change is whole when the lock is let go.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use muster_common::time::{ManualClock, Timestamp};

    use super::*;

    fn board(folder: &Path) -> Board {
        Board::open(folder, Arc::new(ManualClock::at(Timestamp::from_millis(1_000))))
    }

    #[tokio::test(start_paused = true)]
    async fn what_happens_is_written_and_events_go_on_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let first = board(folder.path());
        first.event(Kind::Service, "started");
        first.problem("no collector");
        first.problem("no collector");
        let stop = CancellationToken::new();
        stop.cancel();
        first.keep_written(stop).await;
        let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        let status: Status = serde_json::from_str(&text).unwrap();
        assert_eq!(status.problem.unwrap().message, "no collector");
        let second = board(folder.path());
        second.event(Kind::Service, "started again");
        second.write().await.unwrap();
        let messages: Vec<String> =
            journal::read_events(folder.path()).unwrap().into_iter().map(|event| event.message).collect();
        assert_eq!(messages, ["started", "no collector", "started again"]);
    }

    #[test]
    fn events_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let board = board(folder.path());
        for n in 0..EVENTS * 2 {
            board.event(Kind::Report, &n.to_string());
        }
        assert_eq!(board.lock().events.len(), EVENTS);
    }
}
