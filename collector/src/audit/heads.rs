//! Sends signed heads to where the collector's keepers can't take them back: a file of another folder or mount, a syslog
//! server. And at the start holds the log against the last head in that file.
//!
//! The chain finds what was changed within it; only a head outside finds that its end was cut off or that all of it was
//! made anew. So the more often a head goes out, the less there is that can be lost unseen.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use muster_common::audit::SignedHead;

use super::{
    AuditFailed, AuditLog,
    syslog::{self, Target},
};

/// How much of the file's end is searched for the last head, in bytes; a head has some 350.
const SEARCHED: u64 = 64 * 1024;

/// Where heads go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadsSettings {
    /// A file to append to.
    pub file: Option<PathBuf>,
    /// A syslog server.
    pub syslog: Option<Target>,
    /// Certificates that a TLS server's may be signed with.
    pub syslog_roots: Option<PathBuf>,
    /// How often, when something was changed.
    pub every: Duration,
}

/// Sends heads.
#[derive(Debug)]
pub struct Heads {
    log: Arc<AuditLog>,
    settings: HeadsSettings,
    file: Option<Arc<File>>,
    /// The position up to which a head was sent.
    sent: Mutex<u64>,
}

/// Why heads can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum HeadsFailed {
    /// The log can't be read or signed.
    #[error(transparent)]
    Log(#[from] AuditFailed),
    /// A head did not get where it should.
    #[error("the audit log's head can't be written to {target}")]
    Send {
        /// Where to.
        target: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// What the last head of the file says of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// There is none.
    Nothing,
    /// The log goes on from it.
    Agrees,
    /// The log is another one; in words.
    Contradicts(String),
}

impl Heads {
    /// Opens the file.
    ///
    /// # Errors
    /// When it can't be appended to.
    pub fn open(log: Arc<AuditLog>, settings: HeadsSettings) -> Result<Self, HeadsFailed> {
        let file = settings.file.as_deref().map(|path| {
            let opened = OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path);
            opened.map(Arc::new).map_err(|source| failed(path, source))
        });
        Ok(Self { log, file: file.transpose()?, settings, sent: Mutex::new(0) })
    }

    /// How often heads go out.
    pub fn every(&self) -> Duration {
        self.settings.every
    }

    /// Holds the log against the last head of the file that this collector's key signed.
    ///
    /// # Errors
    /// When file or log can't be read.
    pub async fn check(&self) -> Result<Found, HeadsFailed> {
        let (Some(file), Some(path)) = (&self.file, &self.settings.file) else { return Ok(Found::Nothing) };
        let last = last_head(file, &self.log.key_text()).map_err(|source| failed(path, source))?;
        let Some(last) = last else { return Ok(Found::Nothing) };
        let (number, time) = (last.head.number, last.head.time);
        Ok(match self.log.hash_of(number).await? {
            Some(hash) if hash == last.head.hash => Found::Agrees,
            Some(_) => Found::Contradicts(format!(
                "entry {number} is not the one whose head was signed at {time}: the log was made anew"
            )),
            None => Found::Contradicts(format!(
                "entry {number}, whose head was signed at {time}, is not there: the log's end was cut off"
            )),
        })
    }

    /// Signs the head and sends it, if something was changed since the last time; whether it did.
    ///
    /// # Errors
    /// When it did not get everywhere; the next call tries again.
    pub async fn send(&self) -> Result<bool, HeadsFailed> {
        if self.settings.file.is_none() && self.settings.syslog.is_none() {
            return Ok(false);
        }
        let before = *self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if self.log.position().await <= before {
            return Ok(false);
        }
        let (head, position) = match self.log.sign_head_at().await {
            Ok(signed) => signed,
            Err(AuditFailed::Empty) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let (file, settings) = (self.file.clone(), self.settings.clone());
        let sending = tokio::task::spawn_blocking(move || send(file.as_deref(), &settings, &head));
        sending.await.map_err(|error| HeadsFailed::Send {
            target: "anywhere".to_owned(),
            source: io::Error::other(error),
        })??;
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner) = position;
        Ok(true)
    }
}

fn failed(path: &Path, source: io::Error) -> HeadsFailed {
    HeadsFailed::Send { target: path.display().to_string(), source }
}

/// To each place, whatever became of the others.
fn send(file: Option<&File>, settings: &HeadsSettings, head: &SignedHead) -> Result<(), HeadsFailed> {
    let mut outcome = Ok(());
    if let (Some(mut file), Some(path)) = (file, &settings.file) {
        // One write, so that a line is there whole or not at all; whatever an earlier one left behind ends before it.
        let line = format!("{}\n", head.line());
        let written = file.write_all(line.as_bytes()).and_then(|()| file.sync_data());
        outcome = written.map_err(|source| failed(path, source));
    }
    if let Some(target) = &settings.syslog {
        let sent = syslog::send(target, settings.syslog_roots.as_deref(), &head.line(), head.head.time);
        let sent = sent.map_err(|source| HeadsFailed::Send { target: target.to_string(), source });
        outcome = outcome.and(sent);
    }
    outcome
}

/// The last head in a file that this key signed.
fn last_head(mut file: &File, key: &str) -> io::Result<Option<SignedHead>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(SEARCHED)))?;
    let mut end = Vec::new();
    file.take(SEARCHED).read_to_end(&mut end)?;
    let text = String::from_utf8_lossy(&end);
    let heads = text.lines().rev().filter_map(SignedHead::parse);
    Ok(heads.into_iter().find(|head| head.key_text() == key && head.verify().is_ok()))
}
