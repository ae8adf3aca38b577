//! `muster import mapping`: what was chosen about a kind of file, kept by the collector under a name.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use muster_common::source::ImportName;
use muster_proto::v1::{ListMappingsRequest, ListMappingsResponse, Mapping, SaveMappingRequest};

use crate::{
    connection::{Session, ask},
    failure::{Failure, Kind},
    output::{Answer, Cell, Column, Document, Grid, Screen, Tone, ago, moment},
};

/// The longest file with choices, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// The words of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Words {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Keep choices under a name, in place of what was kept there
    Save {
        /// The name
        #[arg(value_name = "NAME", value_parser = |text: &str| ImportName::new(text))]
        name: ImportName,
        /// A TOML file with the choices
        #[arg(long, value_name = "FILE", required_unless_present = "settings", conflicts_with = "settings")]
        file: Option<PathBuf>,
        /// A choice, such as dates=day-first or columns.HEADING=serial; again for more
        #[arg(long = "set", value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// List the mappings
    List,
    /// Show a mapping's choices, as a file that can be saved again
    Show {
        /// The name
        #[arg(value_name = "NAME", value_parser = |text: &str| ImportName::new(text))]
        name: ImportName,
    },
    /// Keep a mapping no longer
    Remove {
        /// The name
        #[arg(value_name = "NAME", value_parser = |text: &str| ImportName::new(text))]
        name: ImportName,
    },
}

/// Does it.
pub(crate) async fn run(words: &Words, session: &Session, screen: &Screen) -> Result<Answer, Failure> {
    match &words.action {
        Action::Save { name, file, settings } => {
            let toml = match file {
                Some(path) => read(path)?,
                None => written(settings)?,
            };
            save(session, name, toml, "is kept: use it with --mapping").await
        }
        Action::Remove { name } => save(session, name, String::new(), "is no longer kept").await,
        Action::List => Ok(list(&all(session).await?, screen)),
        Action::Show { name } => {
            let mut whole = all(session).await?;
            whole.mappings.retain(|mapping| mapping.name == name.as_str());
            match whole.mappings.first() {
                Some(mapping) => Ok(show(mapping)),
                None => Err(Failure::new(
                    Kind::Usage,
                    format!("there is no mapping {}", name.as_str()),
                    "muster import mapping list shows those that are kept",
                )),
            }
        }
    }
}

async fn all(session: &Session) -> Result<ListMappingsResponse, Failure> {
    session.explain(session.records.clone().list_mappings(ask(ListMappingsRequest {})).await)
}

async fn save(session: &Session, name: &ImportName, toml: String, done: &str) -> Result<Answer, Failure> {
    let request = SaveMappingRequest { name: name.as_str().to_owned(), toml };
    let response = session.explain(session.records.clone().save_mapping(ask(request)).await)?;
    let notes = vec![format!("The mapping {} {done}.", name.as_str())];
    Ok(Answer { json: Document::of(&response), grid: Grid::new(&[]), sheet: None, notes, shown_rows: None })
}

fn read(path: &Path) -> Result<String, Failure> {
    let failed = |why: String| {
        Failure::new(
            Kind::Usage,
            format!("{} can't be read: {why}", path.display()),
            "name a TOML file with the choices, of at most 64 KiB",
        )
    };
    let length = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if length > MAX_BYTES {
        return Err(failed("it is too long".to_owned()));
    }
    std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))
}

/// Settings as TOML.
fn written(settings: &[String]) -> Result<String, Failure> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let (mut top, mut columns) = (String::new(), String::new());
    for setting in settings {
        let Some((key, value)) = setting.rsplit_once('=') else {
            return Err(Failure::new(
                Kind::Usage,
                format!("{setting:?} is no setting"),
                "write KEY=VALUE, such as dates=day-first",
            ));
        };
        match key.trim().strip_prefix("columns.") {
            Some(heading) => {
                columns.push_str(&format!("{} = {}\n", quoted(heading), quoted(value.trim())));
            }
            None => top.push_str(&format!("{} = {}\n", quoted(key.trim()), quoted(value.trim()))),
        }
    }
    if !columns.is_empty() {
        top.push_str("[columns]\n");
    }
    Ok(top + &columns)
}

fn list(response: &ListMappingsResponse, screen: &Screen) -> Answer {
    let mut grid = Grid::new(&[
        Column::new("name"),
        Column::number("choices"),
        Column::new("changed by"),
        Column::new("changed").spare(1),
    ]);
    for mapping in &response.mappings {
        let choices = mapping.toml.lines().filter(|line| line.contains('=')).count();
        let time = mapping.change_time.as_ref();
        grid.rows.push(vec![
            Cell::text(&mapping.name),
            Cell::text(choices.to_string()),
            Cell::text(&mapping.changed_by),
            Cell::pair(ago(time, screen.now), moment(time)).in_tone(Tone::Quiet),
        ]);
    }
    let notes = if response.mappings.is_empty() {
        vec!["no mapping is kept (muster import mapping save keeps one)".to_owned()]
    } else {
        Vec::new()
    };
    Answer { json: Document::of(response), grid, sheet: None, notes, shown_rows: None }
}

fn show(mapping: &Mapping) -> Answer {
    let notes = mapping.toml.lines().map(str::to_owned).collect();
    Answer { json: Document::of(mapping), grid: Grid::new(&[]), sheet: None, notes, shown_rows: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::{check_table, screen};

    #[test]
    fn settings_are_written_as_toml() {
        let settings = ["columns.A=\"B\"=serial", "dates=day-first"].map(str::to_owned);
        assert_eq!(
            written(&settings).unwrap(),
            "\"dates\" = \"day-first\"\n[columns]\n\"A=\\\"B\\\"\" = \"serial\"\n"
        );
        assert!(written(&["dates".to_owned()]).is_err());
    }

    #[test]
    fn mappings_are_listed_and_shown() {
        let mapping = Mapping {
            name: "erp".to_owned(),
            toml: "dates = \"day-first\"\n".to_owned(),
            changed_by: "operator/jo".to_owned(),
            change_time: None,
        };
        check_table(&show(&mapping), "dates = \"day-first\"");
        let text = list(&ListMappingsResponse { mappings: vec![mapping] }, &screen());
        assert_eq!(text.grid.rows.len(), 1);
        let none = list(&ListMappingsResponse::default(), &screen());
        assert!(none.notes[0].contains("no mapping"));
    }
}
