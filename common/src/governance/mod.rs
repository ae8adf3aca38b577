//! The charter: what an organisation requires of its inventory, who decides, and when somebody is told.
//!
//! Nouns and what they mean by themselves. How the file is written stands in the crate `muster-charter`; what follows
//! from it is decided by the collector's policy.

mod agents;
mod approval;
mod custom;
mod exception;
mod expectation;
mod lifecycle;
mod phase;
mod review;
mod roles;
mod tree;

use std::{collections::BTreeMap, time::Duration};

pub use agents::{
    AgentSettings, InvalidNetwork, NEIGHBOUR_NETWORKS, NeighbourNetwork, NetworkPrefix, Privacy,
};
pub use approval::{ApprovalLimit, InvalidLimit};
pub use custom::{CustomField, CustomKind};
pub use exception::{Exception, ExceptionPolicy, ExceptionState, REASON_BYTES, Scope};
pub use expectation::{AgentExpectation, ExpectationByClass};
pub use lifecycle::{EvidenceKind, State, UnknownWord, WipeMethod};
pub use phase::{Phase, PhaseName};
pub use review::{Cadence, Escalation, REVIEWS, Review};
pub use roles::{Grant, Role, UnknownRole};
pub use tree::{NodePath, Tree};

use crate::{
    asset::Category,
    device::{Field, Money},
    flag::{FlagCode, Severity},
    time::Timestamp,
};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long a class of device may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilenceLimits {
    /// After this it is stale.
    pub stale: Duration,
    /// After this it is missing.
    pub missing: Duration,
}

/// How long before an end somebody should know, the longest first; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows(pub Vec<Duration>);

/// The organisation itself, and what its records may name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Organisation {
    /// Its name; empty: not said.
    pub name: String,
    /// Its legal entities.
    pub legal_entities: Vec<String>,
    /// ISO 4217, of approval limits and reports; empty: not said.
    pub currency: String,
    /// Where things are.
    pub locations: Tree,
    /// Whose they are.
    pub departments: Tree,
    /// Tags that may be given; empty: any.
    pub tags: Vec<String>,
}

/// The policy that everything is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charter {
    /// Whose charter it is.
    pub organisation: Organisation,
    /// Whether people are told of findings.
    pub phase: Phase,
    /// By the value of the field `class`.
    pub silence: BTreeMap<String, SilenceLimits>,
    /// For a class that is not named, or not known.
    pub silence_otherwise: SilenceLimits,
    /// Whether a class should have an agent.
    pub agent_by_class: ExpectationByClass,
    /// How long after its purchase or deployment a device may take to report for the first time.
    pub first_report_within: Duration,
    /// Fields that every device must have.
    pub required_fields: Vec<Field>,
    /// Fields that a class of device, or another category of asset, must have besides.
    pub required_by: BTreeMap<String, Vec<Field>>,
    /// How many devices may claim one identifier before it stops deciding.
    pub devices_per_identifier: u32,
    /// How long a retired device may lack its proof of disposal.
    pub disposal_within: Duration,
    /// When the end of a warranty is announced.
    pub warranty: Windows,
    /// When a renewal, the end of a lease or of a contract is announced.
    pub renewal: Windows,
    /// Who is believed about a field, the best first, in place of the usual order: offices such as `hr` or `finance`,
    /// `operator`, `agent`, or the names of imports.
    pub precedence: BTreeMap<Field, Vec<String>>,
    /// Severities that differ from the usual ones.
    pub severities: BTreeMap<FlagCode, Severity>,
    /// Flags that are never raised.
    pub switched_off: Vec<FlagCode>,
    /// What accounts may do, by their name: `operator/alice`.
    pub grants: BTreeMap<String, Grant>,
    /// Up to which cost a role approves; a role that isn't named approves nothing.
    pub approvals: BTreeMap<Role, ApprovalLimit>,
    /// Exceptions from findings.
    pub exceptions: ExceptionPolicy,
    /// Reviews by their name, one for each of [`REVIEWS`].
    pub reviews: BTreeMap<String, Review>,
    /// Whom findings go to.
    pub escalation: Escalation,
    /// Fields that the organisation adds.
    pub custom_fields: BTreeMap<String, CustomField>,
    /// What agents are asked for; nothing personal unless somebody writes it.
    pub agents: AgentSettings,
}

impl Default for Charter {
    /// The defaults of the flags' table: server 24 h and 7 d, desktop 21 and 45 d, laptop 30 and 90 d.
    fn default() -> Self {
        let limits = |stale, missing| SilenceLimits { stale, missing };
        let review =
            |(name, every): &(&str, Cadence)| ((*name).to_owned(), Review { every: *every, by: Vec::new() });
        Self {
            organisation: Organisation::default(),
            phase: Phase::Baseline,
            silence: BTreeMap::from([
                ("server".to_owned(), limits(24 * HOUR, 7 * DAY)),
                ("desktop".to_owned(), limits(21 * DAY, 45 * DAY)),
                ("laptop".to_owned(), limits(30 * DAY, 90 * DAY)),
            ]),
            silence_otherwise: limits(30 * DAY, 90 * DAY),
            agent_by_class: expectation::usual(),
            first_report_within: 30 * DAY,
            required_fields: Vec::new(),
            required_by: BTreeMap::new(),
            devices_per_identifier: 3,
            disposal_within: 30 * DAY,
            warranty: Windows::default(),
            renewal: Windows::default(),
            precedence: BTreeMap::new(),
            severities: BTreeMap::new(),
            switched_off: Vec::new(),
            grants: BTreeMap::new(),
            approvals: BTreeMap::new(),
            exceptions: ExceptionPolicy::default(),
            reviews: REVIEWS.iter().map(review).collect(),
            escalation: Escalation::default(),
            custom_fields: BTreeMap::new(),
            agents: AgentSettings::default(),
        }
    }
}

impl Default for Windows {
    fn default() -> Self {
        Self(vec![90 * DAY, 60 * DAY, 30 * DAY])
    }
}

impl Windows {
    /// The narrowest window in which a moment lies before an end; none: it is further away than all.
    pub fn around(&self, end: Timestamp, now: Timestamp) -> Option<Duration> {
        self.0.iter().copied().filter(|window| end.before(*window) <= now).min()
    }

    /// When the next window before an end opens; none when all are open.
    pub fn next(&self, end: Timestamp, now: Timestamp) -> Option<Timestamp> {
        self.0.iter().map(|window| end.before(*window)).filter(|moment| *moment > now).min()
    }
}

impl Charter {
    /// The limits for a class.
    pub fn silence_for(&self, class: Option<&str>) -> SilenceLimits {
        class.and_then(|class| self.silence.get(class)).copied().unwrap_or(self.silence_otherwise)
    }

    /// Whether a class of device should have an agent; an asset of another category can't.
    pub fn agent_for(&self, category: Option<&str>, class: Option<&str>) -> AgentExpectation {
        if !is_device(category) {
            return AgentExpectation::Impossible;
        }
        let known = class.and_then(|class| self.agent_by_class.get(class));
        known.copied().unwrap_or(AgentExpectation::Expected)
    }

    /// The fields that an asset must have, each once: of a device what every one and its class must, of another
    /// category what is said of that.
    pub fn required_of(&self, category: Option<&str>, class: Option<&str>) -> impl Iterator<Item = Field> {
        let of_all = if is_device(category) { self.required_fields.as_slice() } else { &[] };
        let kind = if is_device(category) { class } else { category };
        let own = kind.and_then(|kind| self.required_by.get(kind)).map_or(&[][..], Vec::as_slice);
        let further = own.iter().filter(|field| !of_all.contains(field));
        of_all.iter().chain(further).copied()
    }

    /// How much a finding matters.
    pub fn severity(&self, code: FlagCode) -> Severity {
        self.severities.get(&code).copied().unwrap_or_else(|| code.severity())
    }

    /// Whether findings of a kind are raised.
    pub fn raises(&self, code: FlagCode) -> bool {
        !self.switched_off.contains(&code)
    }

    /// What an account may do at a moment; none where the charter doesn't name it, and an empty grant where what it
    /// was given has ended.
    pub fn grant(&self, account: &str, now: Timestamp) -> Option<Grant> {
        let grant = self.grants.get(account)?;
        Some(if grant.is_good_at(now) { grant.clone() } else { Grant { roles: Vec::new(), ..grant.clone() } })
    }

    /// The account that is told of a finding that stands open since a moment: one step up the path for each period that
    /// it stays, and the deputy of one whose roles have ended. None before enforcement; what was there before it begins
    /// at the first step.
    pub fn told_of(&self, since: Timestamp, now: Timestamp) -> Option<&str> {
        let Phase::Enforce { from } = self.phase else { return None };
        if now < from {
            return None;
        }
        let Escalation { after, path, deputies } = &self.escalation;
        let steps = now.since(since.max(from)).as_millis() / after.as_millis().max(1);
        let last = path.len().checked_sub(1)?;
        let account = path.get(usize::try_from(steps).unwrap_or(last).min(last))?;
        let is_away = self.grants.get(account).is_some_and(|grant| !grant.is_good_at(now));
        let deputy = deputies.get(account).filter(|_| is_away);
        Some(deputy.unwrap_or(account))
    }

    /// Whether one of these roles approves a request of this cost; who asked is for the caller to compare.
    pub fn approves(&self, roles: &[Role], cost: Option<&Money>) -> bool {
        roles.iter().any(|role| self.approvals.get(role).is_some_and(|limit| limit.covers(cost)))
    }
}

fn is_device(category: Option<&str>) -> bool {
    category.is_none_or(|category| category == Category::Device.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_open_one_after_the_other() {
        let windows = Windows::default();
        let end: Timestamp = "2027-01-01".parse().unwrap();
        let check = |days: u32, within: Option<u32>, next: Option<u32>| {
            let now = end.before(days * DAY);
            assert_eq!(windows.around(end, now), within.map(|days| days * DAY), "{days} days before");
            assert_eq!(windows.next(end, now), next.map(|days| end.before(days * DAY)), "{days} days before");
        };
        check(91, None, Some(90));
        check(90, Some(90), Some(60));
        check(45, Some(60), Some(30));
        check(30, Some(30), None);
        check(0, Some(30), None);
    }

    #[test]
    fn what_was_given_ends() {
        let mut charter = Charter::default();
        let grant =
            Grant { roles: vec![Role::Auditor], until: Some(Timestamp::from_millis(5)), ..Grant::default() };
        charter.grants.insert("operator/eve".to_owned(), grant);
        let roles = |ms| charter.grant("operator/eve", Timestamp::from_millis(ms)).unwrap().roles;
        assert_eq!(roles(4), [Role::Auditor]);
        assert_eq!(roles(5), []);
        assert_eq!(charter.grant("operator/else", Timestamp::from_millis(4)), None);
    }

    #[test]
    fn a_finding_that_stays_goes_up_the_path_from_enforcement_on() {
        let day = |text: &str| text.parse::<Timestamp>().unwrap();
        let mut charter = Charter::default();
        charter.escalation.path = vec!["operator/tina".to_owned(), "operator/ada".to_owned()];
        charter.escalation.deputies.insert("operator/tina".to_owned(), "operator/otto".to_owned());
        assert_eq!(charter.told_of(day("2026-01-01"), day("2027-03-05")), None, "baseline tells nobody");
        charter.phase = Phase::Enforce { from: day("2027-03-01") };
        for (since, now, expected) in [
            ("2026-01-01", "2027-02-28", None),
            ("2026-01-01", "2027-03-01", Some("operator/tina")),
            ("2026-01-01", "2027-03-07", Some("operator/tina")),
            ("2026-01-01", "2027-03-08", Some("operator/ada")),
            ("2027-03-05", "2027-03-08", Some("operator/tina")),
            ("2026-01-01", "2028-01-01", Some("operator/ada")),
        ] {
            assert_eq!(charter.told_of(day(since), day(now)), expected, "since {since}, on {now}");
        }
        let ended = Grant { roles: vec![Role::Security], until: Some(day("2027-03-02")), ..Grant::default() };
        charter.grants.insert("operator/tina".to_owned(), ended);
        assert_eq!(charter.told_of(day("2027-03-03"), day("2027-03-04")), Some("operator/otto"));
    }

    #[test]
    fn nobody_approves_without_a_limit() {
        let mut charter = Charter::default();
        let cost: Money = "900 EUR".parse().unwrap();
        assert!(!charter.approves(&[Role::Admin], Some(&cost)));
        charter.approvals.insert(Role::Manager, "1000 EUR".parse().unwrap());
        assert!(charter.approves(&[Role::Reader, Role::Manager], Some(&cost)));
        assert!(!charter.approves(&[Role::Admin], Some(&cost)));
    }
}
