//! A file on its way to the collector in parts, with a progress bar where somebody watches.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use muster_proto::{
    limits::IMPORT_PART_BYTES,
    v1::{ImportBegin, ImportEvent, ImportPart, ImportResponse, import_event, import_part},
};

use crate::{
    connection::{Session, ask_patiently},
    failure::{Failure, Kind},
};

/// Sends a file and waits for its report.
pub(super) async fn send(
    session: &Session,
    begin: ImportBegin,
    content: Vec<u8>,
) -> Result<ImportResponse, Failure> {
    let bar = bar();
    let parts: Vec<ImportPart> = std::iter::once(import_part::Part::Begin(begin))
        .chain(content.chunks(IMPORT_PART_BYTES).map(|part| import_part::Part::Content(part.to_vec())))
        .map(|part| ImportPart { part: Some(part) })
        .collect();
    drop(content);
    let request = ask_patiently(tokio_stream::iter(parts));
    let mut events = session.explain(session.records.clone().import_file(request).await)?;
    let mut rows = Vec::new();
    loop {
        let next = events.message().await.map_err(|status| session.failed(&status))?;
        match next.and_then(|ImportEvent { event }| event) {
            Some(import_event::Event::Progress(progress)) => {
                bar.set_length(progress.total.into());
                bar.set_position(progress.done.into());
            }
            Some(import_event::Event::Rows(part)) => rows.extend(part.rows),
            Some(import_event::Event::Done(mut response)) => {
                bar.finish_and_clear();
                response.rows = rows;
                return Ok(response);
            }
            None => {
                return Err(Failure::new(
                    Kind::Failed,
                    "the collector ended the import without a report".to_owned(),
                    "import the file again: rows that are in stay in and change nothing",
                ));
            }
        }
    }
}

/// A bar on standard error, where that is a terminal.
fn bar() -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(None, target);
    let style = ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} rows, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}
