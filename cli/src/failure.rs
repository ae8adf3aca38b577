//! Why a command failed, in two lines: what happened, and what to do about it; and the exit code for scripts.
//!
//! Knows nothing of the commands. The mapping from a collector's status stands here once, exhaustively.

use std::{error::Error, fmt};

use rustls::{AlertDescription, CertificateError, Error as TlsError};
use tonic::{Code, Status};

use crate::output::visible;

/// The longest text of a collector that is shown, in characters.
const MAX_SHOWN: usize = 2000;

/// What kind of failure it is; each has its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It didn't work.
    Failed,
    /// The command line, the configuration or a filter is wrong.
    Usage,
    /// There is no such thing.
    NotFound,
    /// The collector can't be reached, or has no time.
    Unavailable,
    /// The collector doesn't let us.
    Denied,
}

/// A command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    what: String,
    todo: String,
}

impl Failure {
    /// A failure with what happened and what to do.
    pub(crate) fn new(kind: Kind, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { kind, what: what.into(), todo: todo.into() }
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::NotFound => 3,
            Kind::Unavailable => 4,
            Kind::Denied => 5,
        }
    }

    /// What happened.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// What kind it is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// What a collector's answer means, or its silence: `refusal` is what TLS said, `address` where we asked.
    pub(crate) fn of_status(status: &Status, refusal: Option<&TlsError>, address: &str) -> Self {
        if let Some(tls) = refusal {
            return Self::of_tls(tls, address);
        }
        let message = || visible_lines(status.message());
        match status.code() {
            Code::InvalidArgument | Code::OutOfRange => {
                Self::new(Kind::Usage, message(), "correct it and try again; --help shows examples")
            }
            Code::NotFound => Self::new(Kind::NotFound, message(), "see what there is: muster devices"),
            Code::Unavailable if status.source().is_some() => Self::new(
                Kind::Unavailable,
                format!("no collector answers at {address}: {}", innermost(status)),
                "check `address` in the configuration, and that muster-collector runs and its api port is open",
            ),
            Code::Unavailable | Code::ResourceExhausted => {
                Self::new(Kind::Unavailable, message(), "the collector is busy; try again in a moment")
            }
            Code::DeadlineExceeded | Code::Cancelled => Self::new(
                Kind::Unavailable,
                format!("the collector at {address} did not answer in time"),
                "try again, or ask for less with --filter and --page-size",
            ),
            Code::PermissionDenied => {
                Self::new(Kind::Denied, message(), "ask an administrator for a role that may do this")
            }
            Code::Unauthenticated => Self::new(Kind::Denied, message(), RENEW),
            Code::Unimplemented => Self::new(
                Kind::Failed,
                "the collector doesn't know this request",
                "use a muster of the collector's version, or upgrade the collector",
            ),
            Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted => {
                Self::new(Kind::Failed, message(), "see to what is said there, then try again")
            }
            Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss => {
                Self::new(Kind::Failed, message(), "look at the collector's log for the same moment")
            }
        }
    }

    /// What a refused TLS connection means.
    fn of_tls(error: &TlsError, address: &str) -> Self {
        match error {
            TlsError::AlertReceived(AlertDescription::CertificateExpired) => {
                Self::new(Kind::Denied, "your certificate has expired", RENEW)
            }
            TlsError::AlertReceived(AlertDescription::CertificateRevoked) => Self::new(
                Kind::Denied,
                "your certificate was revoked",
                "ask an administrator why, and for a new one",
            ),
            TlsError::AlertReceived(
                AlertDescription::UnknownCA
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateRequired
                | AlertDescription::AccessDenied
                | AlertDescription::DecryptError,
            ) => Self::new(
                Kind::Denied,
                format!("the collector at {address} doesn't accept your certificate"),
                "use one that this collector issued to a person or a tool; on its machine run: muster-collector operator NAME",
            ),
            // A collector that was set up anew has a root of the same name and another key: a bad signature.
            TlsError::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ) => Self::new(
                Kind::Denied,
                format!("{address} is not the collector that your configuration trusts"),
                "check `address`; if the collector was set up anew, fetch its roots.pem again over a way that you trust",
            ),
            TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Self::new(
                Kind::Denied,
                format!("the collector's certificate does not name {address}"),
                "use one of the names given to muster-collector init, or set `server_name` in the configuration",
            ),
            TlsError::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            ) => Self::new(
                Kind::Unavailable,
                "the collector's certificate has expired",
                "check this machine's clock; if it is right, restart muster-collector so that it renews",
            ),
            TlsError::InvalidCertificate(
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
            ) => Self::new(
                Kind::Unavailable,
                "the collector's certificate is not valid yet",
                "set this machine's clock",
            ),
            other => Self::new(
                Kind::Unavailable,
                format!("no secure connection to {address}: {other}"),
                "check that `address` is the collector's api port, not the port of agents or of the dashboard",
            ),
        }
    }
}

const RENEW: &str = "renew it on the collector's machine: muster-collector operator NAME";

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\n   do: {}", self.what, self.todo)
    }
}

/// A collector's text with its line ends, for it shows where a filter is wrong; nothing else that moves a cursor.
fn visible_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().take(20).map(|line| visible(line, MAX_SHOWN)).collect();
    if lines.is_empty() { "the collector gave no reason".to_owned() } else { lines.join("\n  ") }
}

/// The cause of causes, for a person: what the system said.
fn innermost(status: &Status) -> String {
    let mut cause: &dyn Error = status;
    while let Some(next) = cause.source() {
        cause = next;
    }
    visible(&cause.to_string(), MAX_SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: &Status, refusal: Option<&TlsError>, code: u8, words: &[&str]) {
        let failure = Failure::of_status(status, refusal, "collector.example.org:7445");
        let text = failure.to_string();
        assert_eq!(failure.exit_code(), code, "{text}");
        for word in words {
            assert!(text.contains(word), "{word:?} is not in {text}");
        }
        assert!(text.contains("\n   do: "), "{text}");
    }

    #[test]
    fn every_answer_has_an_exit_code_and_says_what_to_do() {
        let status = |code| Status::new(code, "because");
        check(&status(Code::NotFound), None, 3, &["because", "muster devices"]);
        check(&status(Code::PermissionDenied), None, 5, &["because", "role"]);
        check(&status(Code::Unauthenticated), None, 5, &["muster-collector operator NAME"]);
        check(&status(Code::ResourceExhausted), None, 4, &["because", "try again"]);
        check(&status(Code::Internal), None, 1, &["log"]);
    }

    #[test]
    fn a_wrong_filter_keeps_its_caret_in_place() {
        let status = Status::invalid_argument("the filter is wrong at column 8\nname = )\n       ^\u{1b}[2J");
        check(&status, None, 2, &["column 8\n  name = )\n         ^\\u{1b}[2J"]);
    }

    #[test]
    fn what_tls_said_comes_first() {
        let status = Status::unavailable("transport error");
        let alert = TlsError::AlertReceived(AlertDescription::CertificateExpired);
        check(&status, Some(&alert), 5, &["your certificate has expired", "muster-collector operator NAME"]);
        let issuer = TlsError::InvalidCertificate(CertificateError::UnknownIssuer);
        check(&status, Some(&issuer), 5, &["not the collector"]);
        let old = TlsError::InvalidCertificate(CertificateError::Expired);
        check(&status, Some(&old), 4, &["clock"]);
    }
}
