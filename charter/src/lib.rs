//! The charter's file: TOML becomes a [`Charter`] with every problem told at once, and a charter becomes plain words.
//!
//! A crate of its own, since the command line must check a file without a collector, and both must agree on every key.
//! Knows nothing of where a charter is kept, which version is in force, and what follows from it. The types stand in
//! `muster_common::governance`; reading key by key, unknown keys with suggestions and the form of problems come from
//! `muster_config`.
//!
//! **To add a key**: a field of `Charter`, its line in the file here that reads its table, a sentence in [`explain()`],
//! and the key with a comment in `deploy/examples/charter.toml`; the tests fail until all agree.

mod accounts;
mod agents;
mod explain;
mod file;
mod names;
mod organisation;
mod process;
mod thresholds;

use std::path::Path;

use muster_common::governance::Charter;
use muster_config::{Input, Listing, Problems};

pub use explain::{Paragraph, describe, explain};
pub use thresholds::thresholds;

/// A charter longer than this in bytes is a mistake.
pub const MAX_BYTES: usize = 256 * 1024;

/// Reads a charter's text; `path` is only named in problems.
///
/// # Errors
/// Every problem at once, each with line, key and what to do.
pub fn parse(path: &Path, text: &str) -> Result<Charter, Problems> {
    parse_with_listing(path, text).map(|(charter, _)| charter)
}

/// The same with every key and where its value came from.
///
/// # Errors
/// As [`parse`].
pub fn parse_with_listing(path: &Path, text: &str) -> Result<(Charter, Listing), Problems> {
    let mut input = Input::from_text(path, text);
    if text.len() > MAX_BYTES {
        input.refuse("", format!("is longer than {MAX_BYTES} bytes, which no charter needs"));
    }
    let charter = file::charter(&mut input);
    let listing = input.finish()?;
    Ok((charter, listing))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use muster_common::{
        device::Field,
        flag::{FlagCode, Severity},
        governance::{AgentExpectation, Phase, Role},
        time::Timestamp,
    };

    use super::*;

    const EXAMPLE: &str = include_str!("../../deploy/examples/charter.toml");

    fn check(text: &str, expected: &[&str]) {
        let problems = parse(Path::new("charter.toml"), text).unwrap_err().to_string();
        assert_eq!(problems.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_example_is_a_charter_and_its_comments_state_the_defaults() {
        let path = Path::new("charter.toml");
        let as_shipped = parse(path, EXAMPLE).unwrap();
        let (mut with_comments_on, listing) =
            parse_with_listing(path, &muster_config::uncommented(EXAMPLE)).unwrap();
        assert_eq!(
            listing.defaulted(),
            ["phase.enforce_from"],
            "keys are missing in deploy/examples/charter.toml"
        );
        // Unset, these two are left to each agent's own configuration; the example shows what that says by default.
        let asked = &mut with_comments_on.agents;
        asked.interval.take().zip(asked.jitter_percent.take()).expect("both are shown");
        assert_eq!(with_comments_on, as_shipped);
    }

    #[test]
    fn an_empty_charter_is_the_default() {
        assert_eq!(parse(Path::new("charter.toml"), "").unwrap(), Charter::default());
    }

    #[test]
    fn every_table_is_read() {
        let text = r#"
            [organisation]
            name = "Example GmbH"
            departments = ["Sales/Nord", "IT"]
            [phase]
            name = "enforce"
            enforce_from = "2027-03-01"
            [silence.kiosk]
            stale = "2h"
            missing = "1d"
            [agents.classes]
            impossible = ["toaster"]
            expected = ["kiosk"]
            [required]
            kiosk = ["location"]
            contract = ["supplier"]
            [deadlines]
            warranty = ["14d"]
            [precedence]
            "os.name" = ["mdm", "agent"]
            location = ["site-list"]
            [flags]
            off = ["unassigned"]
            severity.stale = "critical"
            [roles]
            alice.roles = ["admin"]
            otto = { roles = ["custodian"], departments = ["Nord"] }
            "service/siem".roles = ["reader"]
            eve = { roles = ["auditor"], until = "2027-01-31" }
            [approvals]
            manager = "2500 EUR"
            [exceptions]
            longest = "90d"
            approvers = ["manager"]
            [reviews.policy]
            every = "weekly"
            by = ["alice"]
            [escalation]
            path = ["otto", "alice"]
            deputies.otto = "eve"
            [custom.colour]
            kind = "choice"
            choices = ["red", "blue"]
        "#;
        let charter = parse(Path::new("charter.toml"), text).unwrap();
        let day = Duration::from_secs(24 * 3600);
        let from: Timestamp = "2027-03-01".parse().unwrap();
        assert_eq!(charter.phase, Phase::Enforce { from });
        assert_eq!(charter.silence_for(Some("kiosk")).missing, day);
        assert_eq!(charter.agent_for(None, Some("toaster")), AgentExpectation::Impossible);
        assert_eq!(charter.agent_for(None, Some("printer")), AgentExpectation::Impossible);
        assert_eq!(charter.required_of(Some("contract"), None).collect::<Vec<_>>(), [Field::Supplier]);
        assert_eq!(charter.warranty.0, [14 * day]);
        assert_eq!(charter.precedence[&Field::OsName], ["mdm", "agent"]);
        assert_eq!(charter.precedence[&Field::Location], ["site-list"]);
        assert_eq!(charter.severity(FlagCode::Stale), Severity::Critical);
        assert!(!charter.raises(FlagCode::Unassigned));
        assert_eq!(
            charter.grants.keys().collect::<Vec<_>>(),
            ["operator/alice", "operator/eve", "operator/otto", "service/siem"]
        );
        assert_eq!(charter.grants["operator/otto"].departments, ["Nord"]);
        assert_eq!(charter.approvals.keys().collect::<Vec<_>>(), [&Role::Manager]);
        assert_eq!(charter.exceptions.longest, 90 * day);
        assert_eq!(charter.reviews["policy"].by, ["operator/alice"]);
        assert_eq!(charter.escalation.deputies["operator/otto"], "operator/eve");
        assert_eq!(
            charter.custom_fields["colour"].check("green").unwrap_err(),
            "\"green\" is not one of red, blue"
        );
    }

    #[test]
    fn every_problem_is_told_at_once_with_what_to_do() {
        check(
            "required_fields = [\"ownr\"]\n\
             [silence.serverr]\nstale = \"1d\"\n\
             [phase]\nname = \"enforce\"\n\
             [flags]\noff = [\"stale\"]\nseverity.stale = \"info\"\nseverity.lost = \"info\"\n\
             [roles]\neve.roles = [\"auditor\"]\notto.roles = [\"custodain\"]\n\
             [required]\nlatop = [\"owner\"]\n\
             [deadlines]\nwarranty = [\"30d\", \"60d\"]\n\
             [precedence]\nlocatoin = [\"hr\"]\n\
             [escalation]\ndeputies.tom = \"tom\"\n",
            &[
                "charter.toml: phase.enforce_from: is required with name = \"enforce\"; add it, for example enforce_from = \"2027-03-01\"",
                "charter.toml: roles.eve.until: is required with the role auditor; add it, for example until = \"2027-01-31\"",
                "charter.toml:1: required_fields: there is no field \"ownr\"; did you mean owner?",
                "charter.toml:3: silence.serverr.stale: unknown key; did you mean silence.server.stale?",
                "charter.toml:8: flags.severity.stale: is switched off by flags.off; remove it in one of the two places",
                "charter.toml:9: flags.severity.lost: there is no flag \"lost\"",
                "charter.toml:12: roles.otto.roles: there is no role \"custodain\"; did you mean custodian?",
                "charter.toml:12: roles.otto.roles: names no role; name one, or remove the account",
                "charter.toml:14: required.latop: there is no class or category \"latop\"; did you mean laptop?",
                "charter.toml:16: deadlines.warranty: needs at least one period, the longest first, such as [\"90d\", \"60d\", \"30d\"]",
                "charter.toml:18: precedence.locatoin: there is no field \"locatoin\"; did you mean location?",
                "charter.toml:20: escalation.deputies.tom: stands in for itself; name somebody else",
            ],
        );
    }
}
