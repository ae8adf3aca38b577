//! What the collector does by the clock: presence to disk, flags that time alone raises, heads of the audit log.
//!
//! Every task is idempotent and can be left out for a while; what it did not do now it does the next time.

use std::{sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{app::App, query::Query};

/// How often presence is kept; after a crash devices seem silent for so much longer, far below any limit.
const FLUSH_EVERY: Duration = Duration::from_secs(60);
/// How often devices that are due are judged.
const JUDGE_EVERY: Duration = Duration::from_secs(5);
/// Every so many rounds of that, the devices are found that filters of exceptions cover.
const COVER_EVERY: u32 = 12;
/// Devices that are judged in one go.
const JUDGED_AT_ONCE: usize = 500;

/// How often it is looked whether today's gaps between sources were counted.
const COUNT_EVERY: Duration = Duration::from_secs(600);

/// How often the store is asked whether it can still keep anything.
const HEALTH_EVERY: Duration = Duration::from_secs(1);

/// Starts the tasks; they end at `stop`. A disk that failed begins the stop: only a new start, from what is on disk,
/// knows what was kept.
pub(crate) fn spawn(app: &Arc<App>, tasks: &TaskTracker, stop: &CancellationToken) {
    let (presence, stopped) = (app.clone(), stop.clone());
    tasks.spawn(async move {
        while wait(FLUSH_EVERY, &stopped).await {
            if let Err(error) = presence.pipeline.presence().flush(presence.store.as_ref()).await {
                tracing::error!(error = %error, "presence could not be kept");
            }
            match presence.pipeline.sight_again().await {
                Ok(0) => {}
                Ok(found) => tracing::info!(found, "endpoints on networks found to be devices"),
                Err(error) => tracing::error!(error = %error, "sightings could not be tried again"),
            }
            if let Err(error) = presence.pipeline.sightings().flush(presence.store.as_ref()).await {
                tracing::error!(error = %error, "sightings could not be kept");
            }
        }
    });
    let (kept, stopping) = (app.clone(), stop.clone());
    tasks.spawn(async move {
        while wait(HEALTH_EVERY, &stopping).await {
            if kept.has_failed_disk() {
                tracing::error!("the disk failed to keep what was written: stopping");
                stopping.cancel();
            }
        }
    });
    let (sent, stopped) = (app.clone(), stop.clone());
    tasks.spawn(async move {
        loop {
            match sent.heads.send().await {
                Ok(true) => tracing::debug!("the audit log's head was sent"),
                Ok(false) => {}
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the audit log's head did not get out; it is tried again"
                ),
            }
            if !wait(sent.heads.every(), &stopped).await {
                return;
            }
        }
    });
    let (counted, stopped) = (app.clone(), stop.clone());
    tasks.spawn(async move {
        let query = Query::new(counted.pipeline.clone(), counted.index.clone(), counted.persons.clone());
        while wait(COUNT_EVERY, &stopped).await {
            match query.keep_counts().await {
                Ok(true) => tracing::info!("gaps between sources counted"),
                Ok(false) => {}
                Err(error) => tracing::error!(error = %error, "gaps between sources could not be counted"),
            }
        }
    });
    let (judged, stopped) = (app.clone(), stop.clone());
    tasks.spawn(async move {
        let mut rounds = 0_u32;
        while wait(JUDGE_EVERY, &stopped).await {
            rounds = rounds.wrapping_add(1);
            if rounds.is_multiple_of(COVER_EVERY) {
                judged.pipeline.cover_again();
            }
            match judged.pipeline.judge_due(JUDGED_AT_ONCE).await {
                Ok(0) => {}
                Ok(changed) => tracing::info!(changed, "flags changed with time"),
                Err(error) => tracing::error!(error = %error, "devices could not be judged"),
            }
        }
    });
}

/// Waits; false at the stop.
async fn wait(for_: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(for_) => true,
    }
}
