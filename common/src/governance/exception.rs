//! Exceptions: a dated acceptance of a finding, and the policy that bounds them.
//!
//! Knows nothing of how they are kept, nor of which devices a filter finds.

use std::{fmt, str::FromStr, time::Duration};

use super::{DAY, Role};
use crate::{
    flag::FlagCode,
    id::{DeviceId, ExceptionId},
    time::Timestamp,
};

/// What the charter says of exceptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExceptionPolicy {
    /// How long one may last from its approval; nothing is waived for ever.
    pub longest: Duration,
    /// Who may approve or refuse; an admin always may.
    pub approvers: Vec<Role>,
    /// Whether a requester may approve the own request: for a company with one administrator. Such an exception is
    /// marked in every list and report.
    pub self_approval: bool,
}

impl Default for ExceptionPolicy {
    fn default() -> Self {
        Self { longest: 180 * DAY, approvers: vec![Role::Security], self_approval: false }
    }
}

/// What an exception covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One device.
    Device(DeviceId),
    /// Every device that the filter finds, those that it finds later included.
    Filter(String),
}

/// Where an exception stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExceptionState {
    /// Asked for.
    Requested,
    /// Good until its end.
    Approved,
    /// Turned down.
    Refused,
    /// Ended by a person before its end.
    Withdrawn,
}

/// A dated acceptance of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Which.
    pub id: ExceptionId,
    /// The finding that it accepts.
    pub code: FlagCode,
    /// Where.
    pub scope: Scope,
    /// Why; written by the requester, at most [`REASON_BYTES`].
    pub reason: String,
    /// When it ends.
    pub until: Timestamp,
    /// The account that asked.
    pub requester: String,
    /// When it asked.
    pub requested: Timestamp,
    /// Where it stands.
    pub state: ExceptionState,
    /// The account that approved or refused; none yet.
    pub approver: Option<String>,
    /// When it was approved, refused or withdrawn.
    pub decided: Option<Timestamp>,
    /// What the approver said.
    pub remark: String,
}

/// The longest reason or remark in bytes.
pub const REASON_BYTES: usize = 1024;

impl Exception {
    /// Whether it covers its scope at a moment.
    pub fn is_good_at(&self, now: Timestamp) -> bool {
        self.state == ExceptionState::Approved && now < self.until
    }

    /// Whether requester and approver are the same; to be shown wherever it is shown.
    pub fn is_self_approved(&self) -> bool {
        self.state != ExceptionState::Refused && self.approver.as_deref() == Some(self.requester.as_str())
    }
}

impl ExceptionState {
    /// Every state.
    pub const ALL: &[Self] = &[Self::Requested, Self::Approved, Self::Refused, Self::Withdrawn];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl fmt::Display for ExceptionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ExceptionState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|state| state.name() == text).copied();
        found.ok_or_else(|| format!("{text:?} is not one of requested, approved, refused, withdrawn"))
    }
}
