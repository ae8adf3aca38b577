//! What to do when TLS says no: renew, wait or stop. Pure.
//!
//! None of the three ever drops a key; only an authenticated, explicit revocation does, and that is a message, not an
//! alert. What an unauthenticated party on the way could provoke never leads to more than waiting.

use rustls::{AlertDescription, CertificateError, Error};

use super::resigned::resigned;

/// What an agent does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// The certificate is past its end by the collector's clock: renew it.
    Renew,
    /// It may pass: try again, later each time.
    Wait,
    /// Trying soon again changes nothing: spool, ask once an hour, and say in the status what an operator must do.
    Stop,
}

/// What to do about a TLS error of a session.
pub fn advice(error: &Error) -> Advice {
    match error {
        Error::AlertReceived(alert) => by_alert(*alert),
        // Our own verdict on the server, or a network that breaks TLS: a hotel's portal does that, and passes.
        _ => Advice::Wait,
    }
}

/// What an operator reads about it in the agent's status.
pub fn explanation(error: &Error) -> String {
    match error {
        Error::AlertReceived(AlertDescription::CertificateExpired) => {
            "the collector says that this agent's certificate has expired or is not valid yet".into()
        }
        // A bad signature: an authority of the same name and with another key, so it was set up anew.
        Error::AlertReceived(AlertDescription::UnknownCA | AlertDescription::DecryptError) => {
            "the collector does not know the authority of this agent's certificate; was it set up anew? enrol again"
                .into()
        }
        Error::AlertReceived(AlertDescription::CertificateRevoked) => {
            "the collector says that this agent's certificate is revoked".into()
        }
        Error::AlertReceived(alert) => format!("the collector refused this agent's certificate: {alert:?}"),
        // A collector that was set up anew has a root of the same name and another key: a bad signature.
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "what answers is not the collector at which this agent enrolled: its certificate is of another authority; check collector.session, or enrol again if the collector was set up anew"
                .into()
        }
        other => resigned(other).map_or_else(|| other.to_string(), ToString::to_string),
    }
}

fn by_alert(alert: AlertDescription) -> Advice {
    match alert {
        AlertDescription::CertificateExpired => Advice::Renew,
        AlertDescription::CertificateRevoked
        | AlertDescription::UnknownCA
        | AlertDescription::DecryptError
        | AlertDescription::AccessDenied
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateRequired => Advice::Stop,
        // The enum is open; any other alert is about the connection and not about who we are.
        _ => Advice::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_cases() {
        let alert = Error::AlertReceived;
        for (error, expected) in [
            (alert(AlertDescription::CertificateExpired), Advice::Renew),
            (alert(AlertDescription::CertificateRevoked), Advice::Stop),
            (alert(AlertDescription::UnknownCA), Advice::Stop),
            (alert(AlertDescription::DecryptError), Advice::Stop),
            (alert(AlertDescription::CertificateUnknown), Advice::Stop),
            (alert(AlertDescription::CertificateRequired), Advice::Stop),
            (alert(AlertDescription::InternalError), Advice::Wait),
            (alert(AlertDescription::HandshakeFailure), Advice::Wait),
            (alert(AlertDescription::ProtocolVersion), Advice::Wait),
            (alert(AlertDescription::Unknown(200)), Advice::Wait),
            (CertificateError::UnknownIssuer.into(), Advice::Wait),
            (CertificateError::Expired.into(), Advice::Wait),
            (CertificateError::NotValidForName.into(), Advice::Wait),
            (Error::DecryptError, Advice::Wait),
        ] {
            assert_eq!(advice(&error), expected, "{error:?}");
            assert!(!explanation(&error).is_empty());
        }
    }
}
