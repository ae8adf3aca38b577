//! The words of the command line that every command has.
//!
//! Knows nothing of what a command does; each one's own words stand beside it in `commands`.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::commands::Command;

/// Ask a collector about devices, software and findings, and tell it what you know.
#[derive(Debug, Parser)]
#[command(name = "muster", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Where the collector is and who you are [default: ~/.config/muster/config.toml, then /etc/muster/cli.toml]
    #[arg(long, global = true, value_name = "FILE", env = "MUSTER_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    /// For people, for programs, or for spreadsheets
    #[arg(long, short, global = true, value_enum, default_value_t = Format::Table, value_name = "FORM")]
    pub(crate) output: Format,

    /// Whether to colour tables
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub(crate) color: Colour,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// In which form an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Fits the terminal
    Table,
    /// Everything, as one document of canonical proto3 JSON
    Json,
    /// One row each, safe to open in a spreadsheet
    Csv,
}

/// When tables have colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

const AFTER_HELP: &str = "\
Examples:
  muster devices --filter 'flag:stale AND os.name = \"debian\"'
  muster device PF1ABCDE --provenance
  muster lookup 192.0.2.7 --at 2026-11-01T08:00:00Z
  muster import purchases.csv --source purchase

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 collector not reachable, 5 denied";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    /// Words as a shell splits them; only single and double quotes are known.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for letter in line.chars() {
            match (letter, quote) {
                (' ', None) => words.push(String::new()),
                ('\'' | '"', None) => quote = Some(letter),
                (_, Some(open)) if open == letter => quote = None,
                _ => words.last_mut().expect("never empty").push(letter),
            }
        }
        words
    }

    #[test]
    fn every_command_that_the_document_on_charters_names_is_one() {
        let document = include_str!("../../docs/charter.md");
        let spans = document.split('`').skip(1).step_by(2).filter(|span| span.starts_with("muster "));
        let mut checked = 0;
        for span in spans.filter(|span| !span.contains('…') && !span.contains('|')) {
            let words = words(span).into_iter().map(|word| match word.as_str() {
                "CODE" => "stale".to_owned(),
                "N" => "1".to_owned(),
                _ => word,
            });
            if let Err(error) = Arguments::try_parse_from(words) {
                panic!("{span}: {error}");
            }
            checked += 1;
        }
        assert!(checked >= 8, "only {checked} commands were found");
    }
}
