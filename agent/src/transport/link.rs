//! Stays connected: dials, runs the session, waits, dials again, until the service stops.
//!
//! Inventories are taken and written down whether there is a session or not.

use std::{error::Error, future::Future, time::Duration};

use tokio::time::Instant;

use super::{
    backoff::{Backoff, Chance, Pace},
    dial::{Dial, Failure},
    disk::Disk,
    event::{Event, Reconnect},
    session::{Ended, Hooks, Inputs, Session},
    state::SessionState,
};

/// The first connect of a process waits up to this long by chance, since a whole site may get its power back at once.
const STARTUP_JITTER: Duration = Duration::from_secs(2);
/// A session that lived this long was a good one.
const GOOD_SESSION: Duration = Duration::from_secs(60);

/// What becomes of the connection, for log and status.
#[derive(Debug)]
pub enum LinkEvent<'a> {
    /// Trying to connect.
    Connecting,
    /// The session is over; the next try follows after this long.
    Waiting {
        /// What ended it; `None` when the collector asked us to come back later.
        failure: Option<&'a Failure>,
        /// How long.
        wait: Duration,
    },
    /// Something can't be written down; tried again after this long.
    CannotWrite {
        /// Why.
        error: &'a (dyn Error + 'static),
        /// How long.
        wait: Duration,
    },
}

/// Hears what becomes of the connection.
pub trait Watch {
    /// Something changed.
    fn link(&self, event: &LinkEvent<'_>);
}

/// Stays connected until the service stops; `chance` spreads the waits.
pub async fn keep_connected<D: Dial, H: Hooks + Watch>(
    dial: &mut D,
    state: &mut SessionState,
    disk: &Disk,
    hooks: &H,
    inputs: &mut Inputs,
    chance: impl Fn() -> Chance,
) {
    let mut session = Session { state, disk, hooks };
    let mut backoff = Backoff::default();
    // Hello carries evidence, so there is nothing to say before the first inventory.
    if !first_inventory(&mut session, inputs).await {
        return;
    }
    let mut wait = chance().of(STARTUP_JITTER);
    loop {
        if !pause(&mut session, inputs, wait).await {
            return;
        }
        hooks.link(&LinkEvent::Connecting);
        let hello = session.state.hello(hooks.introduction(), hooks.now());
        let Some(dialled) = unless_stopped(inputs, dial.dial(hello)).await else { return };
        let begun = Instant::now();
        let ended = match dialled {
            Ok(connection) => session.run(connection, inputs).await,
            Err(failure) => Ended::Broken(failure),
        };
        if begun.elapsed() >= GOOD_SESSION {
            backoff.reset();
        }
        wait = match &ended {
            Ended::Closed(Reconnect::Never) => return,
            Ended::Closed(Reconnect::After(time)) => {
                backoff.reset();
                let wait = backoff.next(Pace::After(*time), chance());
                hooks.link(&LinkEvent::Waiting { failure: None, wait });
                wait
            }
            Ended::Closed(Reconnect::Backoff) => {
                let wait = backoff.next(Pace::Normal, chance());
                hooks.link(&LinkEvent::Waiting { failure: Some(&Failure::silent()), wait });
                wait
            }
            Ended::Broken(failure) => {
                let wait = backoff.next(failure.pace, chance());
                hooks.link(&LinkEvent::Waiting { failure: Some(failure), wait });
                wait
            }
            Ended::CannotWrite(error) => {
                let wait = backoff.next(Pace::Normal, chance());
                hooks.link(&LinkEvent::CannotWrite { error: error.as_ref(), wait });
                wait
            }
        };
    }
}

/// Waits for the first inventory; says whether the service goes on.
async fn first_inventory<H: Hooks + Watch>(session: &mut Session<'_, H>, inputs: &mut Inputs) -> bool {
    tokio::select! {
        biased;
        () = inputs.stop.cancelled() => false,
        inventory = inputs.inventories.recv() => match inventory {
            Some(inventory) => {
                take(session, Event::Collected(inventory)).await;
                true
            }
            None => false,
        },
    }
}

/// Waits, taking inventories meanwhile; says whether the service goes on.
async fn pause<H: Hooks + Watch>(session: &mut Session<'_, H>, inputs: &mut Inputs, wait: Duration) -> bool {
    let until = Instant::now() + wait;
    loop {
        tokio::select! {
            biased;
            () = inputs.stop.cancelled() => return false,
            () = tokio::time::sleep_until(until) => return true,
            Some(inventory) = inputs.inventories.recv() => take(session, Event::Collected(inventory)).await,
        }
    }
}

/// What can't be written down now is tried again with the next change; it is in memory until then.
async fn take<H: Hooks + Watch>(session: &mut Session<'_, H>, event: Event) {
    if let Err(error) = session.offline(event).await {
        session.hooks.link(&LinkEvent::CannotWrite { error: error.as_ref(), wait: Duration::ZERO });
    }
}

async fn unless_stopped<T>(inputs: &Inputs, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = inputs.stop.cancelled() => None,
        result = work => Some(result),
    }
}
