//! Accounts of the machine itself, and who of them may do everything.

use crate::time::EndpointTime;

/// One local account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// Numeric id.
    pub uid: u32,
    /// Numeric id of its first group.
    pub gid: Option<u32>,
    /// Name of the person or purpose.
    pub full_name: Option<String>,
    /// Home folder.
    pub home: Option<String>,
    /// Shell.
    pub shell: Option<String>,
    /// Whether its shell and password let somebody in.
    pub may_log_in: Option<bool>,
    /// Whether it is root or in a privileged group.
    pub privileged: Option<bool>,
}

/// One local group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Numeric id.
    pub gid: u32,
    /// Login names, sorted, at most 1,000.
    pub members: Vec<String>,
    /// Whether its members may do more than others.
    pub privileged: Option<bool>,
}

/// When somebody last logged in. Told only where charter and machine allow it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Login {
    /// Login name.
    pub user: String,
    /// Last login, by the endpoint's clock.
    pub last: Option<EndpointTime>,
    /// Terminal.
    pub terminal: Option<String>,
    /// Host that it came from.
    pub from: Option<String>,
}
