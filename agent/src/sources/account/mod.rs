//! Who may use the machine, by its own files; no directory service is asked.

pub(super) mod local;
pub(super) mod login;
mod login_database;
mod login_log;
