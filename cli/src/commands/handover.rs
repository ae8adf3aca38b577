//! `muster handover`: a code by which a person confirms that an asset is theirs.

use std::io::{self, Read};

use clap::Subcommand;
use muster_proto::v1::{
    AcknowledgeHandoverRequest, AcknowledgeHandoverResponse, CreateHandoverRequest, CreateHandoverResponse,
};

use super::{bare_id, device};
use crate::{
    connection::{Session, ask},
    failure::{Failure, Kind},
    output::{Answer, Cell, Column, Document, Grid, moment, visible},
};

/// The longest code that is read, in bytes.
const CODE_BYTES: u64 = 256;

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a code for one use and one person, good for 14 days
    Create {
        /// Asset: id, serial number, host name or asset tag
        asset: String,
        /// Who gets it, by name or address
        #[arg(long, value_name = "PERSON")]
        to: String,
    },
    /// Confirm by a code that you have the asset
    Acknowledge {
        /// The code; - reads standard input
        code: String,
    },
}

/// Does what was asked.
pub(crate) async fn run(words: &Words, session: &Session) -> Result<Answer, Failure> {
    let mut lifecycle = session.lifecycle.clone();
    match &words.action {
        Action::Create { asset, to } => {
            let asset = device::find(asset, session).await?;
            let request = CreateHandoverRequest { asset: asset.name, person: to.clone() };
            Ok(created(&session.explain(lifecycle.create_handover(ask(request)).await)?))
        }
        Action::Acknowledge { code } => {
            let code = if code == "-" { read_code()? } else { code.clone() };
            let request = AcknowledgeHandoverRequest { code };
            Ok(acknowledged(&session.explain(lifecycle.acknowledge_handover(ask(request)).await)?))
        }
    }
}

fn read_code() -> Result<String, Failure> {
    let mut code = String::new();
    io::stdin().lock().take(CODE_BYTES).read_to_string(&mut code).map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("standard input can't be read: {error}"),
            "paste the code, then Ctrl-D",
        )
    })?;
    Ok(code.trim().to_owned())
}

fn created(response: &CreateHandoverResponse) -> Answer {
    let mut grid = Grid::new(&[Column::new("asset"), Column::new("code"), Column::new("expires")]);
    let expires = moment(response.expire_time.as_ref());
    grid.rows.push(vec![
        Cell::text(bare_id(&response.asset)),
        Cell::text(&response.code),
        Cell::text(&expires),
    ]);
    let sheet = format!("{}\n", visible(&response.code, 100));
    let notes = vec![
        format!("For {}, once, until {expires}. It is shown this once.", visible(&response.display_name, 80)),
        "Whoever gets it confirms: muster handover acknowledge -     (paste it, then Ctrl-D)".to_owned(),
    ];
    Answer { json: Document::of(response), grid, sheet: Some(sheet), notes, shown_rows: None }
}

fn acknowledged(response: &AcknowledgeHandoverResponse) -> Answer {
    let mut grid = Grid::new(&[Column::new("asset"), Column::new("name")]);
    grid.rows.push(vec![Cell::text(bare_id(&response.asset)), Cell::text(&response.display_name)]);
    let sheet = format!("{} is acknowledged. Thank you.\n", visible(&response.display_name, 80));
    Answer { json: Document::of(response), grid, sheet: Some(sheet), notes: Vec::new(), shown_rows: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{commands::devices::samples::at, output::testing::check_table};

    #[test]
    fn a_code_says_how_to_use_it() {
        let response = CreateHandoverResponse {
            code: "mh1.abc".to_owned(),
            expire_time: at("2026-12-08T12:00:00Z"),
            asset: "devices/x".to_owned(),
            display_name: "alpha".to_owned(),
        };
        check_table(
            &created(&response),
            "
mh1.abc

For alpha, once, until 2026-12-08T12:00:00Z. It is shown this once.
Whoever gets it confirms: muster handover acknowledge -     (paste it, then Ctrl-D)",
        );
    }
}
