//! Exceptions: who may ask for one, approve it, end it, and what it does to a flag.
//!
//! Nothing is waived for ever: an end lies within the charter's bound, counted from the request, and when it comes the
//! flag stands as before. Nobody approves their own unless the charter allows it, and then it is marked for good.

use std::time::Duration;

use muster_common::{
    flag::{Flag, FlagCode, Standing},
    governance::{Charter, Exception, ExceptionState, REASON_BYTES, Role, Scope},
    id::ExceptionId,
    time::Timestamp,
};

/// Why something about an exception is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Without a reason nobody can decide.
    #[error(
        "the reason is missing or longer than {REASON_BYTES} bytes: say in a sentence why the finding is acceptable"
    )]
    Reason,
    /// What the approver says is too long.
    #[error("the remark is longer than {REASON_BYTES} bytes")]
    Remark,
    /// The end is not ahead.
    #[error("the end {until} is not in the future: choose a later one")]
    Past {
        /// As it was asked for.
        until: Timestamp,
    },
    /// The end is too far away.
    #[error("the charter allows exceptions for {days} days at most, until {latest}: choose an earlier end")]
    TooLong {
        /// The charter's bound.
        days: u64,
        /// The latest end.
        latest: Timestamp,
    },
    /// It is not waiting for a decision.
    #[error("the exception is {state} already: ask for a new one")]
    Decided {
        /// As it stands.
        state: ExceptionState,
    },
    /// Its end came before anybody approved it.
    #[error("the end {until} came before a decision: ask for a new one")]
    Ended {
        /// As it was asked for.
        until: Timestamp,
    },
    /// Requester and approver are the same.
    #[error(
        "nobody approves their own exception: ask another approver, or allow it in the charter by exceptions.self_approval = true"
    )]
    Own,
    /// The approver has no role that may.
    #[error("{account} may not decide about exceptions: the charter lets {approvers} or admin do it")]
    NotAnApprover {
        /// Who tried.
        account: String,
        /// Who may.
        approvers: String,
    },
    /// Somebody else's.
    #[error("only {requester} or an approver may end this exception")]
    NotYours {
        /// Who asked for it.
        requester: String,
    },
}

/// Who acts, with the roles that they have at this moment.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// The account.
    pub account: &'a str,
    /// Its roles.
    pub roles: &'a [Role],
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The finding to accept.
    pub code: FlagCode,
    /// Where.
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: Timestamp,
}

/// A request, checked against the charter.
///
/// # Errors
/// What has to be asked for otherwise.
pub fn request(
    charter: &Charter,
    id: ExceptionId,
    wanted: Wanted,
    who: Who<'_>,
    now: Timestamp,
) -> Result<Exception, Refused> {
    let Wanted { code, scope, reason, until } = wanted;
    if reason.trim().is_empty() || reason.len() > REASON_BYTES {
        return Err(Refused::Reason);
    }
    check_end(charter, until, now)?;
    Ok(Exception {
        id,
        code,
        scope,
        reason,
        until,
        requester: who.account.to_owned(),
        requested: now,
        state: ExceptionState::Requested,
        approver: None,
        decided: None,
        remark: String::new(),
    })
}

fn check_end(charter: &Charter, until: Timestamp, now: Timestamp) -> Result<(), Refused> {
    if until <= now {
        return Err(Refused::Past { until });
    }
    let longest = charter.exceptions.longest;
    let latest = now.after(longest);
    if until > latest {
        return Err(Refused::TooLong {
            days: longest.as_secs() / Duration::from_secs(86_400).as_secs(),
            latest,
        });
    }
    Ok(())
}

/// The exception after somebody's decision about it.
///
/// # Errors
/// Why it can't be decided, or not by them.
pub fn decide(
    charter: &Charter,
    exception: &Exception,
    approve: bool,
    remark: String,
    who: Who<'_>,
    now: Timestamp,
) -> Result<Exception, Refused> {
    if exception.state != ExceptionState::Requested {
        return Err(Refused::Decided { state: exception.state });
    }
    if remark.len() > REASON_BYTES {
        return Err(Refused::Remark);
    }
    if !may_decide(charter, who) {
        return Err(not_an_approver(charter, who));
    }
    if approve {
        if exception.requester == who.account && !charter.exceptions.self_approval {
            return Err(Refused::Own);
        }
        if exception.until <= now {
            return Err(Refused::Ended { until: exception.until });
        }
        // A charter that became stricter since the request binds too.
        check_end(charter, exception.until, now)?;
    }
    Ok(Exception {
        state: if approve { ExceptionState::Approved } else { ExceptionState::Refused },
        approver: Some(who.account.to_owned()),
        decided: Some(now),
        remark,
        ..exception.clone()
    })
}

/// The exception after it was withdrawn: by its requester, or by somebody who may approve.
///
/// # Errors
/// Why it can't be, or not by them.
pub fn withdraw(
    charter: &Charter,
    exception: &Exception,
    remark: String,
    who: Who<'_>,
    now: Timestamp,
) -> Result<Exception, Refused> {
    match exception.state {
        ExceptionState::Requested | ExceptionState::Approved => {}
        ExceptionState::Refused | ExceptionState::Withdrawn => {
            return Err(Refused::Decided { state: exception.state });
        }
    }
    if remark.len() > REASON_BYTES {
        return Err(Refused::Remark);
    }
    if exception.requester != who.account && !may_decide(charter, who) {
        return Err(Refused::NotYours { requester: exception.requester.clone() });
    }
    Ok(Exception { state: ExceptionState::Withdrawn, decided: Some(now), remark, ..exception.clone() })
}

fn may_decide(charter: &Charter, who: Who<'_>) -> bool {
    who.roles.iter().any(|role| *role == Role::Admin || charter.exceptions.approvers.contains(role))
}

fn not_an_approver(charter: &Charter, who: Who<'_>) -> Refused {
    let approvers: Vec<&str> = charter.exceptions.approvers.iter().map(|role| role.name()).collect();
    Refused::NotAnApprover { account: who.account.to_owned(), approvers: approvers.join(", ") }
}

/// Marks the flags that exceptions cover; `covering` are those whose scope the device is in. Returns the first moment at
/// which one of the marks ends.
pub fn mark<'a>(
    flags: &mut [Flag],
    covering: impl Iterator<Item = &'a Exception> + Clone,
    now: Timestamp,
) -> Option<Timestamp> {
    let mut next = None;
    for flag in flags {
        if !flag.is_open() {
            flag.standing = Standing::Open;
        }
        let own =
            covering.clone().filter(|exception| exception.code == flag.code && exception.is_good_at(now));
        // The one that lasts longest; of equals always the same.
        let Some(exception) = own.max_by_key(|exception| (exception.until, exception.id)) else { continue };
        flag.standing = Standing::Excepted {
            exception: exception.id,
            until: exception.until,
            self_approved: exception.is_self_approved(),
        };
        next = Some(next.map_or(exception.until, |moment: Timestamp| moment.min(exception.until)));
    }
    next
}

#[cfg(test)]
mod tests {
    use muster_common::{flag::Severity, id::DeviceId};

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const TINA: Who<'_> = Who { account: "operator/tina", roles: &[Role::Technician] };
    const SAM: Who<'_> = Who { account: "operator/sam", roles: &[Role::Security] };
    const ADA: Who<'_> = Who { account: "operator/ada", roles: &[Role::Admin] };

    fn now() -> Timestamp {
        "2026-06-01".parse().unwrap()
    }

    fn wanted(days: u32) -> Wanted {
        Wanted {
            code: FlagCode::Stale,
            scope: Scope::Device(DeviceId::from_bytes([1; 16])),
            reason: "the machine is at a fair".to_owned(),
            until: now().after(days * DAY),
        }
    }

    fn asked(who: Who<'_>, days: u32) -> Exception {
        request(&Charter::default(), ExceptionId::from_bytes([2; 16]), wanted(days), who, now()).unwrap()
    }

    fn alone() -> Charter {
        let mut charter = Charter::default();
        charter.exceptions.self_approval = true;
        charter
    }

    #[test]
    fn a_request_has_a_reason_and_an_end_within_the_charter() {
        let check = |wanted: Wanted, expected: Result<(), Refused>| {
            let id = ExceptionId::from_bytes([2; 16]);
            assert_eq!(request(&Charter::default(), id, wanted, TINA, now()).map(|_| ()), expected);
        };
        check(wanted(1), Ok(()));
        check(wanted(180), Ok(()));
        check(wanted(0), Err(Refused::Past { until: now() }));
        check(wanted(181), Err(Refused::TooLong { days: 180, latest: now().after(180 * DAY) }));
        check(Wanted { reason: " ".to_owned(), ..wanted(1) }, Err(Refused::Reason));
        check(Wanted { reason: "x".repeat(1025), ..wanted(1) }, Err(Refused::Reason));
        check(
            Wanted { until: Timestamp::from_millis(i64::MAX), ..wanted(1) },
            Err(Refused::TooLong { days: 180, latest: now().after(180 * DAY) }),
        );
    }

    #[test]
    fn the_table_of_decisions() {
        let check = |charter: &Charter,
                     exception: &Exception,
                     who: Who<'_>,
                     expected: Result<bool, Refused>| {
            let decided = decide(charter, exception, true, String::new(), who, now());
            assert_eq!(decided.map(|exception| exception.is_self_approved()), expected, "{}", who.account);
        };
        let usual = Charter::default();
        let by_tina = asked(TINA, 9);
        check(&usual, &by_tina, SAM, Ok(false));
        check(&usual, &by_tina, ADA, Ok(false));
        let denied =
            Refused::NotAnApprover { account: "operator/tina".to_owned(), approvers: "security".to_owned() };
        check(&usual, &by_tina, TINA, Err(denied.clone()));
        check(&usual, &asked(SAM, 9), SAM, Err(Refused::Own));
        check(&usual, &asked(ADA, 9), ADA, Err(Refused::Own));
        check(&alone(), &asked(ADA, 9), ADA, Ok(true));
        // Allowing it gives nobody a role.
        check(&alone(), &by_tina, TINA, Err(denied));
        let mut strict = Charter::default();
        strict.exceptions.longest = 2 * DAY;
        check(&strict, &by_tina, SAM, Err(Refused::TooLong { days: 2, latest: now().after(2 * DAY) }));
        let late = Exception { until: now(), ..by_tina.clone() };
        check(&usual, &late, SAM, Err(Refused::Ended { until: now() }));
        for state in [ExceptionState::Approved, ExceptionState::Refused, ExceptionState::Withdrawn] {
            check(&usual, &Exception { state, ..by_tina.clone() }, SAM, Err(Refused::Decided { state }));
        }
    }

    #[test]
    fn ones_own_may_be_refused_and_withdrawn() {
        let charter = Charter::default();
        let own = asked(SAM, 9);
        let refused = decide(&charter, &own, false, String::new(), SAM, now()).unwrap();
        assert_eq!((refused.state, refused.is_self_approved()), (ExceptionState::Refused, false));
        let by_tina = asked(TINA, 9);
        assert!(withdraw(&charter, &by_tina, String::new(), TINA, now()).is_ok());
        assert!(withdraw(&charter, &by_tina, String::new(), SAM, now()).is_ok());
        let stranger = Who { account: "operator/otto", roles: &[Role::Technician] };
        let requester = "operator/tina".to_owned();
        assert_eq!(
            withdraw(&charter, &by_tina, String::new(), stranger, now()),
            Err(Refused::NotYours { requester })
        );
    }

    #[test]
    fn a_mark_ends_with_the_longest_exception_and_covers_its_code_alone() {
        let flag = |code: FlagCode| Flag {
            code,
            severity: Severity::Warning,
            evidence: String::new(),
            since: now(),
            standing: Standing::Open,
        };
        let approved = |days: u32| {
            decide(&Charter::default(), &asked(TINA, days), true, String::new(), SAM, now()).unwrap()
        };
        let (short, long) = (approved(3), Exception { id: ExceptionId::from_bytes([9; 16]), ..approved(8) });
        let exceptions = [short, long.clone(), asked(TINA, 9)];
        let mut flags = [flag(FlagCode::Stale), flag(FlagCode::Unknown)];
        let next = mark(&mut flags, exceptions.iter(), now());
        assert_eq!(next, Some(long.until));
        assert!(!flags[0].is_open() && flags[1].is_open());
        let mut flags = [flag(FlagCode::Stale)];
        assert_eq!(mark(&mut flags, exceptions.iter(), long.until), None);
        assert!(flags[0].is_open(), "nothing is waived for ever");
    }
}
