//! `muster transition`: one step of an asset's life, or what is missing for it.

use muster_common::{
    governance::{State, WipeMethod},
    time::Timestamp,
};
use muster_proto::{
    convert::to_timestamp,
    v1::{TransitionRequest, TransitionResponse},
};

use super::{bare_id, device};
use crate::{
    connection::{Session, ask},
    failure::{Failure, Kind},
    output::{Answer, Cell, Column, Document, Grid, visible},
};

const EXAMPLES: &str = "\
Examples:
  muster transition PF1ABCDE received --order PO-2026-007
  muster transition PF1ABCDE deployed --owner jo.doe@example.org --dry-run
  muster transition PF1ABCDE deployed --owner jo.doe@example.org --until 2026-12-31     (a loan)
  muster transition PF1ABCDE wiped --wipe-method crypto-erase";

/// The words of the command.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Words {
    /// Asset: id, serial number, host name or asset tag
    #[arg(value_name = "ASSET")]
    asset: String,
    /// Where it goes: received, in-stock, deployed, in-repair, spare, lost, stolen, found, retired, wiped, disposed, sold,
    /// returned-to-lessor, running or terminated
    #[arg(value_name = "STATE")]
    state: State,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// Whose it is from now on, by name or address
    #[arg(long, value_name = "PERSON", default_value = "", hide_default_value = true)]
    owner: String,
    /// The order that it came with
    #[arg(long, value_name = "NUMBER", default_value = "", hide_default_value = true)]
    order: String,
    /// The request that it was bought for
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    request: String,
    /// How it was wiped: overwrite, crypto-erase, destruction or no-storage
    #[arg(long, value_name = "METHOD")]
    wipe_method: Option<WipeMethod>,
    /// A file that proves it, by the hash that muster evidence add printed
    #[arg(long, value_name = "HASH")]
    evidence: Vec<String>,
    /// Where it is from now on
    #[arg(long, value_name = "PLACE", default_value = "", hide_default_value = true)]
    location: String,
    /// Lent until then
    #[arg(long, value_name = "DATE")]
    until: Option<Timestamp>,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
}

/// Takes the step; that something is missing for a dry run is its answer, and a failure for the exit code.
pub(crate) async fn run(words: &Words, session: &Session) -> Result<(Answer, Option<Failure>), Failure> {
    let asset = device::find(&words.asset, session).await?;
    let request = TransitionRequest {
        asset: asset.name,
        state: words.state.name().to_owned(),
        reason: words.reason.clone(),
        owner: words.owner.clone(),
        order_number: words.order.clone(),
        wipe_method: words.wipe_method.map(WipeMethod::name).unwrap_or_default().to_owned(),
        evidence: words.evidence.clone(),
        request_id: words.request.clone(),
        location: words.location.clone(),
        until: words.until.map(to_timestamp),
        validate_only: words.dry_run,
    };
    let response = session.explain(session.lifecycle.clone().transition(ask(request)).await)?;
    let failure = (!response.missing.is_empty()).then(|| {
        Failure::new(
            Kind::Failed,
            format!("it can't be made {} yet", response.to),
            "see to what is missing, then try again",
        )
    });
    Ok((answer(&response), failure))
}

fn answer(response: &TransitionResponse) -> Answer {
    let TransitionResponse { asset, display_name, from, to, missing, done } = response;
    let mut grid = Grid::new(&[
        Column::new("asset"),
        Column::new("name"),
        Column::new("from"),
        Column::new("to"),
        Column::sentences("missing"),
    ]);
    grid.rows.push([bare_id(asset), display_name, from, to, &missing.join("; ")].map(Cell::text).to_vec());
    let name = visible(display_name, 80);
    let from = if from.is_empty() { "no state" } else { from };
    let mut sheet = match (done, missing.is_empty()) {
        (true, _) => format!("{name}: {from} → {to}\n"),
        (false, true) => format!("{name}: {from} → {to} is possible. Nothing was changed.\n"),
        (false, false) => format!("{name} is {from}. Missing for {to}:\n"),
    };
    for sentence in missing {
        sheet.push_str(&format!("  - {}\n", visible(sentence, 400)));
    }
    Answer { json: Document::of(response), grid, sheet: Some(sheet), notes: Vec::new(), shown_rows: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::check_table;

    fn response(missing: &[&str], done: bool) -> TransitionResponse {
        TransitionResponse {
            asset: "devices/6f1c0d52-8a6e-4b0e-9a44-0d6f9e5f2c11".to_owned(),
            display_name: "alpha".to_owned(),
            from: "in-stock".to_owned(),
            to: "deployed".to_owned(),
            missing: missing.iter().map(|text| (*text).to_owned()).collect(),
            done,
        }
    }

    #[test]
    fn a_dry_run_lists_what_is_missing() {
        check_table(
            &answer(&response(&["an owner (--owner PERSON)"], false)),
            "alpha is in-stock. Missing for deployed:\n  - an owner (--owner PERSON)",
        );
        check_table(
            &answer(&response(&[], false)),
            "alpha: in-stock → deployed is possible. Nothing was changed.",
        );
        check_table(&answer(&response(&[], true)), "alpha: in-stock → deployed");
    }
}
