//! Opens the stream of a session, and says how patient to be when that fails.
//!
//! The seam between the session's loop and gRPC: a loop sees a sender, a stream of answers and a [`Failure`]. Nothing
//! here drops a key, whatever the collector says.

use std::{future::Future, pin::Pin, time::Duration};

use muster_proto::{
    client::channel::{Opened, Refusal},
    v1::{self, ingest_client::IngestClient},
};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{
    advice::{self, Advice},
    backoff::Pace,
    bounds,
};

/// Messages between loop and socket: enough to keep the socket busy, few enough to notice that it is stuck.
const OUTGOING_MESSAGES: usize = 4;
/// A collector's message: a trust bundle is the longest.
const ANSWER_BYTES: usize = 512 * 1024;

/// An open stream.
pub struct Connection {
    /// What we say; dropping it ends our half.
    pub outgoing: mpsc::Sender<v1::SessionRequest>,
    /// What the collector says.
    pub incoming: Incoming,
}

/// The collector's messages, until it or the network ends them.
pub type Incoming = Pin<Box<dyn Stream<Item = Result<v1::SessionResponse, Failure>> + Send>>;

/// Why there is no stream, or no longer one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// How patient to be.
    pub pace: Pace,
    /// What happened, and where somebody has to act, what to do.
    pub message: String,
}

impl Failure {
    /// The collector ended the stream without a reason.
    pub(super) fn ended() -> Self {
        Self { pace: Pace::Normal, message: "the collector ended the session".to_owned() }
    }

    /// The collector did not answer in time.
    pub(super) fn silent() -> Self {
        Self { pace: Pace::Normal, message: "the collector does not answer".to_owned() }
    }
}

/// Opens streams.
pub trait Dial: Send {
    /// Opens one and says hello on it; the answer is awaited by the caller.
    fn dial(&mut self, hello: v1::SessionRequest)
    -> impl Future<Output = Result<Connection, Failure>> + Send;
}

/// Over gRPC.
#[derive(Debug, Clone)]
pub struct GrpcDial {
    opened: Opened,
}

impl GrpcDial {
    /// Over a channel that shows who we are.
    pub fn new(opened: Opened) -> Self {
        Self { opened }
    }
}

impl Dial for GrpcDial {
    async fn dial(&mut self, hello: v1::SessionRequest) -> Result<Connection, Failure> {
        let Opened { channel, refusal } = self.opened.clone();
        let (outgoing, requests) = mpsc::channel(OUTGOING_MESSAGES);
        // Hello goes before the answer's headers, which a collector may hold back until it has read it.
        outgoing.try_send(hello).expect("a new channel has room");
        let mut client = IngestClient::new(channel).max_decoding_message_size(ANSWER_BYTES);
        let opening = client.session(ReceiverStream::new(requests));
        let answers = match tokio::time::timeout(bounds::WELCOME_WITHIN, opening).await {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return Err(failure(&status, &refusal)),
            Err(_) => {
                let message = "the collector accepted the connection and does not answer".to_owned();
                return Err(Failure { pace: Pace::Normal, message });
            }
        };
        let incoming =
            Box::pin(answers.map(move |answer| answer.map_err(|status| failure(&status, &refusal))));
        Ok(Connection { outgoing, incoming })
    }
}

/// Judges a failed call. What TLS said comes first, since gRPC only knows that the connection is gone.
fn failure(status: &Status, refusal: &Refusal) -> Failure {
    if let Some(error) = refusal.get() {
        let pace = match advice::advice(&error) {
            Advice::Wait => Pace::Normal,
            Advice::Renew | Advice::Stop => Pace::Slow,
        };
        return Failure { pace, message: advice::explanation(&error) };
    }
    if let Some(error) = refusal.proxy() {
        let pace = if error.needs_somebody() { Pace::Slow } else { Pace::Normal };
        return Failure { pace, message: in_words(&error) };
    }
    Failure { pace: pace(status), message: explanation(status) }
}

/// An error with its causes.
pub(crate) fn in_words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}

fn pace(status: &Status) -> Pace {
    let named = status.get_details_retry_info().and_then(|info| info.retry_delay);
    if let Some(delay) = named {
        return Pace::After(delay.min(bounds::LONGEST_ABSENCE));
    }
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented | Code::FailedPrecondition => {
            Pace::Slow
        }
        Code::ResourceExhausted => Pace::After(Duration::from_secs(30)),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => Pace::Normal,
    }
}

fn explanation(status: &Status) -> String {
    let said: String = status.message().chars().filter(|c| !c.is_control()).take(300).collect();
    match status.code() {
        Code::Unauthenticated => format!(
            "the collector does not accept this agent's identity ({said}); it is kept and tried again, enrol anew if the collector's operator says so"
        ),
        Code::PermissionDenied => format!(
            "the collector refuses this agent ({said}); ask its operator whether the agent was revoked or waits for approval"
        ),
        Code::Unimplemented => {
            format!("what answers is no collector that this agent knows ({said}); check collector.session")
        }
        Code::ResourceExhausted => format!("the collector is busy ({said})"),
        Code::Unavailable => match cause(status) {
            Some(cause) => format!("the collector can't be reached: {cause}"),
            None => format!("the collector can't be reached ({said})"),
        },
        code => format!("the session ended: {said} ({code:?})"),
    }
}

/// The innermost cause, such as `Connection refused`, which tonic's own text leaves out.
pub(crate) fn cause(status: &Status) -> Option<String> {
    let mut innermost = std::error::Error::source(status)?;
    while let Some(next) = innermost.source() {
        innermost = next;
    }
    Some(innermost.to_string())
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn nothing_that_the_collector_says_is_more_than_a_slower_pace() {
        let retry = ErrorDetails::with_retry_info(Some(Duration::from_secs(17)));
        let cases = [
            (Status::unauthenticated("who?"), Pace::Slow),
            (Status::permission_denied("revoked"), Pace::Slow),
            (Status::unavailable("restarting"), Pace::Normal),
            (Status::internal("bug"), Pace::Normal),
            (Status::resource_exhausted("full"), Pace::After(Duration::from_secs(30))),
            (
                Status::with_error_details(Code::ResourceExhausted, "full", retry),
                Pace::After(Duration::from_secs(17)),
            ),
        ];
        for (status, expected) in cases {
            let failure = failure(&status, &Refusal::default());
            assert_eq!(failure.pace, expected, "{status:?}");
            assert!(failure.message.contains(status.message()), "{failure}");
        }
    }
}
