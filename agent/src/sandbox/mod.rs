//! What the service forbids itself for the rest of its life: writing outside its state folder, listening, starting
//! programs, changing the machine.
//!
//! The service manager's sandbox is the outer wall and may be missing or loosened; this one needs nobody. It is best
//! effort: a kernel without the means runs the agent as before, and the status says so. Knows nothing of what the
//! service does inside.

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod files;

use std::path::Path;

use serde::{Deserialize, Serialize};

/// What is in force, in words for people.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sandbox {
    /// What keeps it from writing and listening.
    pub files: String,
    /// What keeps it from starting programs and changing the machine.
    pub calls: String,
}

/// Shuts this process in, for good. `state` stays writable; files may be removed from the folder of `token`, where one
/// is given, since a used enrolment string is deleted.
///
/// Call it before any thread is started: the rules about files hold for the calling thread and those that it starts.
#[cfg(target_os = "linux")]
pub fn enter(state: &Path, token: Option<&Path>) -> Sandbox {
    let files = match files::restrict(state, token) {
        Ok(words) => words.to_owned(),
        Err(error) => failed(&error),
    };
    let calls = match calls::restrict() {
        Ok(()) => "starts no program, changes nothing of the system (seccomp)".to_owned(),
        Err(error) => failed(&error),
    };
    Sandbox { files, calls }
}

/// Elsewhere the agent has no means to shut itself in.
#[cfg(not(target_os = "linux"))]
pub fn enter(_state: &Path, _token: Option<&Path>) -> Sandbox {
    let none = || "not in force: this system has no means for it".to_owned();
    Sandbox { files: none(), calls: none() }
}

#[cfg(target_os = "linux")]
fn failed(error: &(dyn std::error::Error + 'static)) -> String {
    let text = crate::supervisor::chain(error);
    tracing::warn!(error = text, "a part of the agent's own sandbox is not in force");
    format!("not in force: {text}")
}
