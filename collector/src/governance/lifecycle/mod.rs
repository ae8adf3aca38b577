//! May an asset take this step of its life? A pure function of what is known of it, who asks, and the charter.
//!
//! The answer is yes, or everything that is missing at once, in words that say what to do. Knows nothing of how a state is
//! kept, and of requests only what they say: they go by the same table, from `requested` to `received`.
//!
//! **To change who may do what, or what a step needs**: one line in [`steps()`].

mod facts;
mod missing;
mod steps;

use muster_common::{
    governance::{Charter, EvidenceKind, Role, State, WipeMethod},
    time::Timestamp,
};

pub use facts::{Acknowledgement, Facts, Order, Purchase, Request};
pub use missing::{Missing, Refused};
pub use steps::{Life, Need, Step, steps};

/// Whether the asset may go to `to` as the facts stand.
///
/// # Errors
/// [`Refused`] with every reason at once.
pub fn decide(facts: &Facts, to: State, charter: &Charter) -> Result<(), Refused> {
    let Some(step) = steps(facts.life).iter().find(|step| step.to == to && step.leaves(facts.present)) else {
        let possible = steps(facts.life)
            .iter()
            .filter(|step| step.leaves(facts.present))
            .map(|step| step.to)
            .collect::<Vec<_>>();
        return Err(Refused::NoWay { life: facts.life, from: facts.present, to, possible });
    };
    let mut missing = Vec::new();
    if !step.needs.contains(&Need::Approval) && !may(&facts.roles, step.roles) {
        missing.push(Missing::Role { to, roles: step.roles });
    }
    for need in step.needs {
        missing.extend(lacks(*need, facts, charter));
    }
    if missing.is_empty() { Ok(()) } else { Err(Refused::Missing { to, missing }) }
}

/// Whether somebody may refuse a request: whoever could approve it at some cost, and not the one who made it.
///
/// # Errors
/// [`Refused`] with every reason at once.
pub fn may_refuse(
    roles: &[Role],
    actor: &str,
    requester: &str,
    present: State,
    charter: &Charter,
) -> Result<(), Refused> {
    if present != State::Requested {
        return Err(Refused::Decided { present });
    }
    let mut missing = Vec::new();
    if !roles.iter().any(|role| *role == Role::Admin || charter.approvals.contains_key(role)) {
        missing.push(Missing::NoLimit);
    }
    if actor == requester {
        missing.push(Missing::OtherPerson);
    }
    if missing.is_empty() { Ok(()) } else { Err(Refused::Missing { to: State::Requested, missing }) }
}

fn may(has: &[Role], wanted: &[Role]) -> bool {
    has.iter().any(|role| *role == Role::Admin || wanted.contains(role))
}

/// What is missing of one need.
fn lacks(need: Need, facts: &Facts, charter: &Charter) -> Vec<Missing> {
    match need {
        Need::Justification => missing_if(
            facts.request.as_ref().is_none_or(|request| request.justification.trim().is_empty()),
            Missing::Justification,
        ),
        Need::Approval => approval(facts, charter),
        Need::Order => missing_if(facts.order.is_none(), Missing::Order),
        Need::Purchase => purchase(facts).into_iter().collect(),
        Need::Owner => missing_if(facts.owner.is_none(), Missing::Owner),
        Need::Acknowledgement => missing_if(!is_acknowledged(facts), Missing::Acknowledgement),
        Need::Reason => missing_if(facts.reason.trim().is_empty(), Missing::Reason),
        Need::Wipe => wipe(facts),
        Need::Certificate(kind) => missing_if(!facts.evidence.contains(&kind), Missing::Certificate { kind }),
        Need::Lease => missing_if(!facts.leased, Missing::Lease),
    }
}

fn missing_if(is_missing: bool, what: Missing) -> Vec<Missing> {
    if is_missing { vec![what] } else { Vec::new() }
}

/// Another person than who asked, with a limit in the charter that covers the cost.
fn approval(facts: &Facts, charter: &Charter) -> Vec<Missing> {
    let Some(request) = &facts.request else { return vec![Missing::Justification] };
    let mut missing = Vec::new();
    if !facts.roles.iter().any(|role| charter.approvals.contains_key(role)) {
        missing.push(Missing::NoLimit);
    } else if !charter.approves(&facts.roles, request.cost.as_ref()) {
        missing.push(Missing::Limit { cost: request.cost.clone() });
    }
    if request.requester == facts.actor {
        missing.push(Missing::OtherPerson);
    }
    missing
}

/// A record that vouches, with the order's number and the asset's serial number.
fn purchase(facts: &Facts) -> Option<Missing> {
    let vouching = &facts.purchases;
    if vouching.is_empty() {
        return Some(Missing::Purchase);
    }
    let of_serial = |purchase: &&Purchase| match (&purchase.serial, &facts.serial) {
        (Some(bought), Some(here)) => bought.eq_ignore_ascii_case(here),
        // What has no serial number is told apart by another key, by which the record was attached.
        (None, _) | (_, None) => true,
    };
    let Some(order) = &facts.order else {
        let fits = vouching.iter().any(|purchase| of_serial(&purchase));
        return (!fits).then(|| Missing::OtherSerial { here: facts.serial.clone().unwrap_or_default() });
    };
    let ordered: Vec<&Purchase> = vouching
        .iter()
        .filter(|purchase| purchase.order.as_ref().is_some_and(|bought| bought.same_as(order)))
        .collect();
    if ordered.is_empty() {
        let found = vouching.iter().filter_map(|purchase| purchase.order.clone()).next();
        return Some(Missing::OtherOrder { wanted: order.clone(), found });
    }
    let fits = ordered.into_iter().any(|purchase| of_serial(&purchase));
    (!fits).then(|| Missing::OtherSerial { here: facts.serial.clone().unwrap_or_default() })
}

/// Whether the owner has said that it is there. What comes back to the same person need not be acknowledged again; what
/// lay in stock since must.
fn is_acknowledged(facts: &Facts) -> bool {
    let Some(Acknowledgement { person, at }) = facts.acknowledged else { return false };
    let stays = matches!(facts.present, Some(State::InRepair | State::Found));
    facts.owner == Some(person) && (stays || facts.since.is_none_or(|since: Timestamp| since <= at))
}

fn wipe(facts: &Facts) -> Vec<Missing> {
    let certificate = || {
        missing_if(
            !facts.evidence.contains(&EvidenceKind::WipeCertificate),
            Missing::Certificate { kind: EvidenceKind::WipeCertificate },
        )
    };
    match facts.wipe {
        None => {
            let mut missing = vec![Missing::WipeMethod];
            missing.extend(certificate());
            missing
        }
        Some(WipeMethod::NoStorage) => missing_if(facts.has_storage, Missing::HasStorage),
        Some(WipeMethod::Overwrite | WipeMethod::CryptoErase | WipeMethod::Destruction) => certificate(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use muster_common::{asset::Category, id::PersonId};

    use super::*;

    const JO: PersonId = PersonId::from_bytes([1; 16]);
    const AL: PersonId = PersonId::from_bytes([2; 16]);
    const NOON: Timestamp = Timestamp::from_millis(1_000);

    fn charter() -> Charter {
        let mut charter = Charter::default();
        charter.approvals.insert(Role::Manager, "5000 EUR".parse().unwrap());
        charter.approvals.insert(Role::Finance, "unlimited".parse().unwrap());
        charter
    }

    /// Everything that any step could ask for.
    fn all(life: Life, present: Option<State>, roles: &[Role]) -> Facts {
        Facts {
            present,
            since: Some(NOON),
            actor: "operator/bob".to_owned(),
            roles: roles.to_vec(),
            request: Some(Request {
                requester: "operator/alice".to_owned(),
                justification: "the old one is broken".to_owned(),
                cost: Some("1200 EUR".parse().unwrap()),
            }),
            order: Some(Order("PO-7".to_owned())),
            serial: Some("PF0ABCDE".to_owned()),
            purchases: vec![Purchase {
                order: Some(Order("PO-7".to_owned())),
                serial: Some("PF0ABCDE".to_owned()),
            }],
            owner: Some(JO),
            acknowledged: Some(Acknowledgement { person: JO, at: NOON }),
            reason: "because".to_owned(),
            wipe: Some(WipeMethod::Overwrite),
            has_storage: true,
            leased: true,
            evidence: EvidenceKind::ALL.iter().copied().collect(),
            ..Facts::nothing(life)
        }
    }

    fn missing(facts: &Facts, to: State) -> Vec<Missing> {
        match decide(facts, to, &charter()) {
            Ok(()) => Vec::new(),
            Err(Refused::Missing { missing, .. }) => missing,
            Err(refused @ (Refused::NoWay { .. } | Refused::Decided { .. })) => panic!("{refused}"),
        }
    }

    /// What takes a piece of evidence away, and what is then said to be missing.
    type Taken = (fn(&mut Facts), Missing);

    /// Every way of lacking a need.
    fn without(need: Need) -> Vec<Taken> {
        fn request(facts: &mut Facts) -> &mut Request {
            facts.request.as_mut().unwrap()
        }
        match need {
            Need::Justification => vec![
                (|facts| request(facts).justification = "  ".to_owned(), Missing::Justification),
                (|facts| facts.request = None, Missing::Justification),
            ],
            Need::Approval => vec![
                (|facts| facts.request = None, Missing::Justification),
                (|facts| facts.actor = "operator/alice".to_owned(), Missing::OtherPerson),
                (|facts| facts.roles = vec![Role::Technician], Missing::NoLimit),
                (|facts| facts.roles = vec![Role::Admin], Missing::NoLimit),
                (
                    |facts| request(facts).cost = Some("5000.01 EUR".parse().unwrap()),
                    Missing::Limit { cost: Some("5000.01 EUR".parse().unwrap()) },
                ),
                (
                    |facts| request(facts).cost = Some("1 USD".parse().unwrap()),
                    Missing::Limit { cost: Some("1 USD".parse().unwrap()) },
                ),
                (|facts| request(facts).cost = None, Missing::Limit { cost: None }),
            ],
            Need::Order => vec![(|facts| facts.order = None, Missing::Order)],
            Need::Purchase => vec![
                (|facts| facts.purchases.clear(), Missing::Purchase),
                (
                    |facts| facts.purchases[0].order = Some(Order("PO-8".to_owned())),
                    Missing::OtherOrder {
                        wanted: Order("PO-7".to_owned()),
                        found: Some(Order("PO-8".to_owned())),
                    },
                ),
                (
                    |facts| facts.purchases[0].order = None,
                    Missing::OtherOrder { wanted: Order("PO-7".to_owned()), found: None },
                ),
                (
                    |facts| facts.purchases[0].serial = Some("PF9OTHER".to_owned()),
                    Missing::OtherSerial { here: "PF0ABCDE".to_owned() },
                ),
            ],
            Need::Owner => vec![(|facts| facts.owner = None, Missing::Owner)],
            Need::Acknowledgement => vec![
                (|facts| facts.acknowledged = None, Missing::Acknowledgement),
                (
                    |facts| facts.acknowledged = Some(Acknowledgement { person: AL, at: NOON }),
                    Missing::Acknowledgement,
                ),
            ],
            Need::Reason => vec![(|facts| facts.reason = " ".to_owned(), Missing::Reason)],
            Need::Wipe => vec![
                (|facts| facts.wipe = None, Missing::WipeMethod),
                (
                    |facts| facts.evidence.retain(|kind| *kind != EvidenceKind::WipeCertificate),
                    Missing::Certificate { kind: EvidenceKind::WipeCertificate },
                ),
                (|facts| facts.wipe = Some(WipeMethod::NoStorage), Missing::HasStorage),
            ],
            Need::Certificate(EvidenceKind::DisposalCertificate) => vec![(
                |facts| facts.evidence.retain(|kind| *kind != EvidenceKind::DisposalCertificate),
                Missing::Certificate { kind: EvidenceKind::DisposalCertificate },
            )],
            Need::Certificate(EvidenceKind::SaleRecord) => vec![(
                |facts| facts.evidence.retain(|kind| *kind != EvidenceKind::SaleRecord),
                Missing::Certificate { kind: EvidenceKind::SaleRecord },
            )],
            Need::Certificate(EvidenceKind::ReturnReceipt) => vec![(
                |facts| facts.evidence.retain(|kind| *kind != EvidenceKind::ReturnReceipt),
                Missing::Certificate { kind: EvidenceKind::ReturnReceipt },
            )],
            Need::Certificate(other) => panic!("no case for {other}"),
            Need::Lease => vec![(|facts| facts.leased = false, Missing::Lease)],
        }
    }

    #[test]
    fn each_step_is_taken_with_all_that_it_needs_and_refused_without_each() {
        let mut cases = 0;
        for life in Life::ALL {
            for step in steps(*life) {
                let starts = step.from.iter().copied().map(Some).chain(step.first.then_some(None));
                for present in starts {
                    let roles = if step.needs.contains(&Need::Approval) {
                        &[Role::Manager][..]
                    } else {
                        &step.roles[..1]
                    };
                    let ready = all(*life, present, roles);
                    assert_eq!(missing(&ready, step.to), [], "{life} from {present:?} to {}", step.to);
                    for need in step.needs {
                        for (take, expected) in without(*need) {
                            let mut facts = ready.clone();
                            take(&mut facts);
                            let mut all = vec![expected];
                            if *need == Need::Owner && step.needs.contains(&Need::Acknowledgement) {
                                // Nobody can have acknowledged it for nobody.
                                all.push(Missing::Acknowledgement);
                            }
                            let case = format!("{life} from {present:?} to {} without {need:?}", step.to);
                            assert_eq!(missing(&facts, step.to), all, "{case}");
                            cases += 1;
                        }
                    }
                }
            }
        }
        assert!(cases > 100, "{cases} cases");
    }

    #[test]
    fn each_step_is_for_its_roles_and_admins() {
        for life in Life::ALL {
            for step in steps(*life).iter().filter(|step| !step.needs.contains(&Need::Approval)) {
                let present = step.from.first().copied();
                for role in Role::ALL {
                    let allowed = *role == Role::Admin || step.roles.contains(role);
                    let found = missing(&all(*life, present, &[*role]), step.to);
                    let expected = [Missing::Role { to: step.to, roles: step.roles }];
                    assert_eq!(found, if allowed { &[][..] } else { &expected }, "{life} {} {role}", step.to);
                }
                assert!(!step.roles.contains(&Role::Reader) && !step.roles.contains(&Role::Auditor));
            }
        }
    }

    /// The requirements as they are written down, and not as the table has them.
    #[test]
    fn evidence_is_asked_for_where_it_must_be() {
        let needs = |life, to| {
            let of = steps(life).iter().filter(|step| step.to == to && !step.from.contains(&State::Retired));
            of.map(|step| step.needs).collect::<Vec<_>>()
        };
        let device = Life::Device;
        assert_eq!(needs(device, State::Requested), [&[Need::Justification]]);
        assert_eq!(needs(device, State::Approved), [&[Need::Approval]]);
        assert_eq!(needs(device, State::Received), [&[Need::Purchase]]);
        assert_eq!(needs(device, State::Deployed), [&[Need::Owner, Need::Acknowledgement]]);
        assert_eq!(needs(device, State::Disposed), [&[Need::Certificate(EvidenceKind::DisposalCertificate)]]);
        let wiped: Vec<&Step> = steps(device).iter().filter(|step| step.to == State::Wiped).collect();
        assert_eq!((wiped[0].needs, wiped[0].from), (&[Need::Wipe][..], &[State::Retired][..]));
        for to in [State::Disposed, State::Sold, State::ReturnedToLessor] {
            let steps: Vec<&Step> = steps(device).iter().filter(|step| step.to == to).collect();
            assert!(steps.iter().all(|step| step.from == [State::Wiped]), "{to} without a wipe");
        }
        let ends = [State::Disposed, State::Sold, State::ReturnedToLessor];
        for life in Life::ALL {
            assert!(
                steps(*life).iter().all(|step| ends.iter().all(|end| !step.from.contains(end))),
                "{life}"
            );
        }
        let covered: BTreeSet<State> =
            Life::ALL.iter().flat_map(|life| steps(*life)).map(|step| step.to).collect();
        assert_eq!(covered, State::ALL.iter().copied().collect(), "a state that nothing leads to");
    }

    #[test]
    fn there_is_no_way_but_the_table_s() {
        for life in Life::ALL {
            for from in std::iter::once(None).chain(State::ALL.iter().copied().map(Some)) {
                for to in State::ALL {
                    let known = steps(*life).iter().any(|step| step.to == *to && step.leaves(from));
                    let refused = decide(&all(*life, from, &[Role::Admin, Role::Manager]), *to, &charter());
                    let no_way = matches!(refused, Err(Refused::NoWay { .. }));
                    assert_eq!(no_way, !known, "{life} from {from:?} to {to}");
                }
            }
        }
    }

    #[test]
    fn no_storage_needs_no_certificate_where_there_is_none() {
        let mut facts = all(Life::Device, Some(State::Retired), &[Role::Technician]);
        facts.wipe = Some(WipeMethod::NoStorage);
        facts.has_storage = false;
        facts.evidence.clear();
        assert_eq!(missing(&facts, State::Wiped), []);
        facts.wipe = Some(WipeMethod::Destruction);
        let kind = EvidenceKind::WipeCertificate;
        assert_eq!(missing(&facts, State::Wiped), [Missing::Certificate { kind }]);
        facts.wipe = None;
        assert_eq!(missing(&facts, State::Wiped), [Missing::WipeMethod, Missing::Certificate { kind }]);
    }

    #[test]
    fn an_acknowledgement_is_of_this_time_unless_it_only_was_away() {
        let mut facts = all(Life::Device, Some(State::InStock), &[Role::Technician]);
        facts.since = Some(Timestamp::from_millis(1_001));
        assert_eq!(missing(&facts, State::Deployed), [Missing::Acknowledgement]);
        facts.present = Some(State::InRepair);
        assert_eq!(missing(&facts, State::Deployed), []);
        facts.owner = Some(AL);
        assert_eq!(missing(&facts, State::Deployed), [Missing::Acknowledgement]);
    }

    #[test]
    fn an_order_is_known_however_it_is_written() {
        let same = |left: &str, right: &str| Order(left.to_owned()).same_as(&Order(right.to_owned()));
        assert!(same("PO-7", "po-7/2") && same(" PO - 7", "PO-7"));
        assert!(!same("PO-7", "PO-71") && !same("", "") && !same("/1", "/2"));
    }

    #[test]
    fn who_may_approve_may_refuse_but_not_their_own() {
        let check = |roles: &[Role], actor: &str, present, expected: Option<Missing>| {
            let found = may_refuse(roles, actor, "operator/alice", present, &charter());
            let to = State::Requested;
            assert_eq!(found.err(), expected.map(|it| Refused::Missing { to, missing: vec![it] }));
        };
        check(&[Role::Manager], "operator/bob", State::Requested, None);
        check(&[Role::Manager], "operator/alice", State::Requested, Some(Missing::OtherPerson));
        check(&[Role::Technician], "operator/bob", State::Requested, Some(Missing::NoLimit));
        let decided = may_refuse(&[Role::Manager], "b", "a", State::Ordered, &charter()).unwrap_err();
        assert_eq!(decided, Refused::Decided { present: State::Ordered });
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        let mut facts = Facts::nothing(Life::Device);
        facts.present = Some(State::Retired);
        let refused = decide(&facts, State::Wiped, &charter()).unwrap_err();
        let text = refused.to_string();
        for word in ["technician, security or admin", "--wipe-method", "muster evidence add"] {
            assert!(text.contains(word), "{text}");
        }
        assert_eq!(refused.sentences().len(), 3);
        let text = decide(&facts, State::Sold, &charter()).unwrap_err().to_string();
        assert!(text.ends_with("after retired comes in-stock or wiped"), "{text}");
        facts.present = None;
        let text = decide(&facts, State::Deployed, &charter()).unwrap_err().to_string();
        assert!(text.contains("muster adopt") && text.contains("received"), "{text}");
        facts.present = Some(State::Deployed);
        let text = decide(&facts, State::Deployed, &charter()).unwrap_err().to_string();
        assert_eq!(text, "this device is deployed already");
    }

    #[test]
    fn a_category_has_its_life() {
        assert_eq!(Life::of(Category::Device, false), Life::Device);
        assert_eq!(Life::of(Category::Device, true), Life::Ephemeral);
        assert_eq!(Life::of(Category::Seat, false), Life::Service);
    }
}
