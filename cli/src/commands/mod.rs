//! The commands: one file each, with its own words on the command line, its questions, and its answer.
//!
//! **To add a command**: one file with `Words` and `run`, one variant of [`Command`], one arm in [`run`]. Keep the
//! making of the [`Answer`] a plain function of the collector's answer, so that its tests need no collector.

mod adopt;
mod agents;
mod assess;
mod assets;
mod audit;
mod audit_scan;
mod carried;
mod charter;
mod coverage;
mod device;
mod devices;
mod evidence;
mod exception;
mod flags;
mod handover;
mod import;
mod lookup;
mod mapping;
mod persons;
mod reconcile;
mod refused;
mod request;
mod sightings;
mod software;
mod token;
mod transition;
mod upload;

use clap::Subcommand;

use crate::{
    arguments::Arguments,
    config,
    connection::Session,
    failure::Failure,
    output::{Answer, Screen},
};

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List devices
    Devices(devices::Words),
    /// List assets of every category: devices, peripherals, subscriptions, contracts, stock
    Assets(assets::Words),
    /// Say what a folder of other systems' exports tells of an inventory: one HTML file, no collector and no agents
    Assess(assess::Words),
    /// Show everything about one device
    Device(device::Words),
    /// List software titles and how many devices have them
    Software(software::Words),
    /// List what is wrong
    Flags(flags::Words),
    /// Find which device had an address, name or serial at a moment
    Lookup(lookup::Words),
    /// Take in a file of another system (without --apply only show what would happen), or reports of agents: import agent
    Import(import::Words),
    /// List persons, or show one
    Persons(persons::Words),
    /// List what was seen on networks and is no device's
    Sightings(sightings::Words),
    /// Show where sources differ: paid and never seen, seen and not owned, leavers who still have something
    Reconcile(reconcile::Words),
    /// Show which source sees how many devices, and what one sees that another doesn't
    Coverage(coverage::Words),
    /// Vouch for what is there already, in bulk
    Adopt(adopt::Words),
    /// Check, explain, try and apply the organisation's policy
    Charter(charter::Words),
    /// Accept a finding until a date
    Exception(exception::Words),
    /// Ask for something to be bought, and follow it
    Request(request::Words),
    /// Approve somebody else's request
    Approve(request::Approve),
    /// Refuse somebody else's request
    Refuse(request::Refuse),
    /// Take an asset a step further in its life, or see what is missing for it
    Transition(transition::Words),
    /// Keep and fetch files that prove something of an asset
    Evidence(evidence::Words),
    /// Hand an asset over to a person, who confirms it by a code
    Handover(handover::Words),
    /// Compare the tags that were scanned at a place with what should be there
    AuditScan(audit_scan::Words),
    /// Let new machines in
    Token(token::Words),
    /// Read, check and export the log of who changed what
    Audit(audit::Words),
    /// List agents, or revoke one
    Agents(agents::Words),
}

/// What a command has to say.
#[derive(Debug)]
pub(crate) struct Done {
    /// Its answer as text.
    pub(crate) text: String,
    /// That it could not do all of it.
    pub(crate) failure: Option<Failure>,
}

/// Runs a command.
pub(crate) async fn run(arguments: &Arguments, screen: &Screen) -> Result<Done, Failure> {
    // What needs no collector doesn't ask for the settings of one either.
    let alone = match &arguments.command {
        Command::Charter(words) => charter::offline(words),
        Command::Assess(words) => Some(assess::run(words, screen.now).await),
        _ => None,
    };
    if let Some(answer) = alone {
        return Ok(Done { text: answer?.render(arguments.output, screen), failure: None });
    }
    let settings = config::read(arguments.config.as_deref())?;
    let session = Session::open(&settings)?;
    let mut failure = None;
    let answer: Answer = match &arguments.command {
        Command::Devices(words) => devices::run(words, &session, screen).await,
        Command::Assets(words) => assets::run(words, &session, screen).await,
        Command::Assess(words) => assess::run(words, screen.now).await,
        Command::Device(words) => device::run(words, &session, screen).await,
        Command::Software(words) => software::run(words, &session).await,
        Command::Flags(words) => flags::run(words, &session, screen).await,
        Command::Lookup(words) => lookup::run(words, &session, screen).await,
        Command::Import(words) => match words.of_agents() {
            Some(words) => carried::run(words, &session, screen).await.map(|(answer, partly)| {
                failure = partly;
                answer
            }),
            None => match words.of_refused() {
                Some(words) => refused::run(words, &session, screen).await,
                None => match words.of_mappings() {
                    Some(words) => mapping::run(words, &session, screen).await,
                    None => import::run(words, &session).await,
                },
            },
        },
        Command::Persons(words) => persons::run(words, &session, screen).await,
        Command::Sightings(words) => sightings::run(words, &session, screen).await,
        Command::Reconcile(words) => reconcile::run(words, &session).await,
        Command::Coverage(words) => coverage::run(words, &session, screen).await,
        Command::Adopt(words) => adopt::run(words, &session).await,
        Command::Charter(words) => charter::run(words, &session, screen).await,
        Command::Exception(words) => exception::run(words, &session, screen).await,
        Command::Request(words) => request::run(words, &session, screen).await,
        Command::Approve(words) => request::approve(words, &session, screen).await,
        Command::Refuse(words) => request::refuse(words, &session, screen).await,
        Command::Transition(words) => transition::run(words, &session).await.map(|(answer, missing)| {
            failure = missing;
            answer
        }),
        Command::Evidence(words) => evidence::run(words, &session, screen).await,
        Command::Handover(words) => handover::run(words, &session).await,
        Command::AuditScan(words) => audit_scan::run(words, &session).await,
        Command::Token(words) => token::run(words, &session, screen).await,
        Command::Audit(words) => audit::run(words, &session, screen).await.map(|(answer, found)| {
            failure = found;
            answer
        }),
        Command::Agents(words) => agents::run(words, &session, screen).await,
    }?;
    Ok(Done { text: answer.render(arguments.output, screen), failure })
}

/// How much of a list is shown; the same for every list.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Paging {
    /// Rows in a page, at most 1000
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=1000))]
    pub(crate) page_size: i32,
    /// Go on where an earlier page ended
    #[arg(long, value_name = "TOKEN", conflicts_with = "all")]
    pub(crate) page_token: Option<String>,
    /// Every row, page after page
    #[arg(long)]
    pub(crate) all: bool,
}

impl Paging {
    /// The size to ask for: with --all as many as a page takes.
    fn size(&self) -> i32 {
        if self.all { 1000 } else { self.page_size }
    }

    /// The token to begin with.
    fn first_token(&self) -> String {
        self.page_token.clone().unwrap_or_default()
    }

    /// Whether to ask for the page behind this token too.
    fn goes_on(&self, token: &str) -> bool {
        self.all && !token.is_empty()
    }
}

/// The sentence below a list of records: that nothing matches, or how many of how many.
fn list_note(shown: usize, total: i64, noun: &str, next_token: &str) -> Vec<String> {
    if shown == 0 && total == 0 {
        return vec![format!("no {noun} matches")];
    }
    vec![count_note(shown, total, noun, next_token)]
}

/// The sentence below a list: how many of how many, and how to see the rest.
fn count_note(shown: usize, total: i64, noun: &str, next_token: &str) -> String {
    let total = u64::try_from(total).unwrap_or(0).max(shown as u64);
    let plural = if total == 1 { noun.to_owned() } else { format!("{noun}s") };
    if next_token.is_empty() && total == shown as u64 {
        return format!("{} {plural}", grouped(total));
    }
    let rest = if next_token.is_empty() {
        String::new()
    } else {
        format!(" (--all shows every one, --page-token {next_token} the next page)")
    };
    format!("{} of {} {plural}{rest}", grouped(shown as u64), grouped(total))
}

/// A number with commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `devices/ID` without its collection.
fn bare_id(name: &str) -> &str {
    name.strip_prefix("devices/").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_say_how_many_there_are_and_how_to_see_the_rest() {
        assert_eq!(count_note(1, 1, "device", ""), "1 device");
        assert_eq!(count_note(0, 0, "device", ""), "0 devices");
        assert_eq!(count_note(2, 0, "flag", ""), "2 flags");
        assert_eq!(
            count_note(50, 1_234_567, "device", "abc"),
            "50 of 1,234,567 devices (--all shows every one, --page-token abc the next page)"
        );
    }
}
