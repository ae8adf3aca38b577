//! Enrolment tokens: how one is made, and whether what an agent presents may be let in.
//!
//! Pure decisions over plain structs: the registry keeps them and carries a decision out in one commit. A secret is
//! never kept, only its digest. Comparing takes the same time whether the token is unknown or its secret is wrong, and
//! both have one answer, so that ids can't be guessed.

use std::time::Duration;

use muster_common::{
    id::{AgentId, EnrollmentId},
    time::Timestamp,
    trust::token::{EnrollmentString, RootPin, TokenId, TokenSecret},
};
use ring::rand::{SecureRandom, SystemRandom};

/// How long a one-time token is good unless told otherwise.
pub const ONE_TIME_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a bulk token is good unless told otherwise.
pub const BULK_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Separates these digests from all others.
const DIGEST_CONTEXT: &str = "muster 2026-11 enrollment token secret";

/// How often a token can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// For one machine.
    OneTime,
    /// For as many machines as `uses` says.
    Bulk {
        /// At least 1.
        uses: u32,
    },
}

/// A token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollmentToken {
    /// Its public name.
    pub id: TokenId,
    /// Digest of its secret.
    pub secret_digest: [u8; 32],
    /// One machine, or several.
    pub kind: TokenKind,
    /// How many machines it has let in.
    pub used: u32,
    /// The one serial number that it is good for, as the hardware reports it; any if none.
    pub bound_serial: Option<String>,
    /// Whether machines wait for an operator's approval.
    pub hold: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// Whether an operator took it back.
    pub revoked: bool,
}

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// One machine, or several.
    pub kind: TokenKind,
    /// The one serial number that it is good for.
    pub bound_serial: Option<String>,
    /// Whether machines wait for an operator's approval.
    pub hold: bool,
    /// How long it is good; the kind's own time if none.
    pub lifetime: Option<Duration>,
}

/// The system gave no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers, so no token can be made")]
pub struct NoRandomness;

impl EnrollmentToken {
    /// Makes a token: what is kept, and the string that is shown once.
    pub fn make(
        wanted: NewToken,
        root_pin: RootPin,
        now: Timestamp,
    ) -> Result<(Self, EnrollmentString), NoRandomness> {
        let NewToken { kind, bound_serial, hold, lifetime } = wanted;
        let id = TokenId::from_bytes(random()?);
        let secret = TokenSecret::from_bytes(random()?);
        let usual = match kind {
            TokenKind::OneTime => ONE_TIME_LIFETIME,
            TokenKind::Bulk { .. } => BULK_LIFETIME,
        };
        let token = Self {
            id,
            secret_digest: secret_digest(&secret),
            kind,
            used: 0,
            bound_serial,
            hold,
            created: now,
            expires: now.after(lifetime.unwrap_or(usual)),
            revoked: false,
        };
        Ok((token, EnrollmentString { id, secret, root_pin }))
    }

    /// How many machines it may let in, in all.
    pub fn uses(&self) -> u32 {
        match self.kind {
            TokenKind::OneTime => 1,
            TokenKind::Bulk { uses } => uses,
        }
    }
}

/// What was kept of an enrolment: who was let in under an enrolment id, and with which key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Drawn by the agent before its first try.
    pub enrollment: EnrollmentId,
    /// SHA-256 of the SubjectPublicKeyInfo that was certified.
    pub key_digest: [u8; 32],
    /// The token that it came with.
    pub token: TokenId,
    /// The identity that it was given.
    pub agent: AgentId,
}

/// What an agent presents.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// The secret of the token.
    pub secret: &'a TokenSecret,
    /// Drawn by the agent before its first try.
    pub enrollment: EnrollmentId,
    /// SHA-256 of the SubjectPublicKeyInfo in its request, whose proof has been checked.
    pub key_digest: &'a [u8; 32],
    /// The serial number in its evidence, if the hardware has one.
    pub serial: Option<&'a str>,
}

/// Why a token lets nobody in. To an agent the first two are one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    /// No such token, or not its secret: which of them is not told.
    #[error("the enrolment token is not known")]
    Unknown,
    /// An operator took it back.
    #[error("the enrolment token was revoked")]
    Revoked,
    /// Past its end.
    #[error("the enrolment token has expired")]
    Expired,
    /// It has let in as many machines as it may.
    #[error("the enrolment token is used up")]
    UsedUp,
    /// It is for another machine.
    #[error("the enrolment token is for a machine with another serial number")]
    OtherSerial,
    /// The same enrolment with another key: somebody repeats what another began.
    #[error("this enrolment was made with another key")]
    OtherKey,
}

/// What to do with an agent that may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Count a use, bind enrolment id and key, make the record and issue: in one commit.
    New {
        /// Whether it waits for an operator's approval.
        hold: bool,
    },
    /// The answer got lost: give the certificate of this agent again and count nothing.
    Again {
        /// Whom it was issued to.
        agent: AgentId,
    },
}

/// Whether an agent may come in.
///
/// `token` is the one with the presented id, `binding` that of the presented enrolment id, if there are any; both must
/// be read in the transaction that carries the decision out.
pub fn admit(
    token: Option<&EnrollmentToken>,
    binding: Option<&Binding>,
    presented: Presented<'_>,
    now: Timestamp,
) -> Result<Admission, TokenRefused> {
    let token = check_secret(token, presented.secret)?;
    if let Some(binding) = binding.filter(|binding| binding.enrollment == presented.enrollment) {
        // An answer that got lost is given again even after the token's end: it lets nobody new in.
        return if binding.key_digest == *presented.key_digest {
            Ok(Admission::Again { agent: binding.agent })
        } else {
            Err(TokenRefused::OtherKey)
        };
    }
    if token.revoked {
        return Err(TokenRefused::Revoked);
    }
    if now >= token.expires {
        return Err(TokenRefused::Expired);
    }
    if token.used >= token.uses() {
        return Err(TokenRefused::UsedUp);
    }
    if token.bound_serial.is_some() && token.bound_serial.as_deref() != presented.serial {
        return Err(TokenRefused::OtherSerial);
    }
    Ok(Admission::New { hold: token.hold })
}

/// The token, if the secret is its own; as slow for no token as for a wrong secret.
pub fn check_secret<'a>(
    token: Option<&'a EnrollmentToken>,
    secret: &TokenSecret,
) -> Result<&'a EnrollmentToken, TokenRefused> {
    let expected = token.map_or([0; 32], |token| token.secret_digest);
    // blake3::Hash compares in constant time.
    let right = blake3::Hash::from_bytes(expected) == blake3::Hash::from_bytes(secret_digest(secret));
    token.filter(|_| right).ok_or(TokenRefused::Unknown)
}

/// What is kept of a secret: 256 random bits need no slow hash.
pub fn secret_digest(secret: &TokenSecret) -> [u8; 32] {
    blake3::derive_key(DIGEST_CONTEXT, secret.expose())
}

fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const KEY: [u8; 32] = [1; 32];

    fn make(kind: TokenKind) -> (EnrollmentToken, TokenSecret) {
        let wanted = NewToken { kind, bound_serial: None, hold: false, lifetime: None };
        let (token, text) = EnrollmentToken::make(wanted, RootPin::from_digest([7; 32]), NOW).unwrap();
        (token, text.secret)
    }

    #[test]
    fn the_table_of_cases() {
        use Admission::{Again, New};
        use TokenRefused::{Expired, OtherKey, OtherSerial, Revoked, Unknown, UsedUp};

        let (one, secret) = make(TokenKind::OneTime);
        let (bulk, bulk_secret) = make(TokenKind::Bulk { uses: 2 });
        let wrong = TokenSecret::from_bytes([9; 32]);
        let mine = EnrollmentId::random();
        let agent = AgentId::random();
        let bound = Binding { enrollment: mine, key_digest: KEY, token: one.id, agent };
        let used = |token: &EnrollmentToken, used| EnrollmentToken { used, ..token.clone() };
        let expired = EnrollmentToken { expires: NOW, used: 1, ..one.clone() };
        let revoked = EnrollmentToken { revoked: true, ..one.clone() };
        let held = EnrollmentToken { hold: true, ..one.clone() };
        let serial = EnrollmentToken { bound_serial: Some("S-1".into()), ..one.clone() };
        let other_key = [2; 32];

        type Case<'a> = (
            &'a str,
            Option<EnrollmentToken>,
            Option<&'a Binding>,
            &'a TokenSecret,
            &'a [u8; 32],
            Option<&'a str>,
            Result<Admission, TokenRefused>,
        );
        let cases: Vec<Case<'_>> = vec![
            ("new", Some(one.clone()), None, &secret, &KEY, None, Ok(New { hold: false })),
            ("new, to be approved", Some(held), None, &secret, &KEY, None, Ok(New { hold: true })),
            ("guessed id", None, None, &secret, &KEY, None, Err(Unknown)),
            ("no token, digest of nothing", None, None, &wrong, &KEY, None, Err(Unknown)),
            ("wrong secret", Some(one.clone()), None, &wrong, &KEY, None, Err(Unknown)),
            ("another token's secret", Some(one.clone()), None, &bulk_secret, &KEY, None, Err(Unknown)),
            (
                "wrong secret of a used enrolment",
                Some(used(&one, 1)),
                Some(&bound),
                &wrong,
                &KEY,
                None,
                Err(Unknown),
            ),
            (
                "same id, same key",
                Some(used(&one, 1)),
                Some(&bound),
                &secret,
                &KEY,
                None,
                Ok(Again { agent }),
            ),
            (
                "same id, other key",
                Some(used(&one, 1)),
                Some(&bound),
                &secret,
                &other_key,
                None,
                Err(OtherKey),
            ),
            (
                "same token, another enrolment",
                Some(used(&one, 1)),
                None,
                &secret,
                &other_key,
                None,
                Err(UsedUp),
            ),
            (
                "same token and key, another enrolment",
                Some(used(&one, 1)),
                None,
                &secret,
                &KEY,
                None,
                Err(UsedUp),
            ),
            (
                "lost answer, token ended since",
                Some(expired.clone()),
                Some(&bound),
                &secret,
                &KEY,
                None,
                Ok(Again { agent }),
            ),
            (
                "expired",
                Some(EnrollmentToken { used: 0, ..expired }),
                None,
                &secret,
                &KEY,
                None,
                Err(Expired),
            ),
            ("revoked", Some(revoked), None, &secret, &KEY, None, Err(Revoked)),
            ("bulk, first", Some(bulk.clone()), None, &bulk_secret, &KEY, None, Ok(New { hold: false })),
            ("bulk, last", Some(used(&bulk, 1)), None, &bulk_secret, &KEY, None, Ok(New { hold: false })),
            ("bulk, one too many", Some(used(&bulk, 2)), None, &bulk_secret, &KEY, None, Err(UsedUp)),
            ("its serial", Some(serial.clone()), None, &secret, &KEY, Some("S-1"), Ok(New { hold: false })),
            ("another serial", Some(serial.clone()), None, &secret, &KEY, Some("S-2"), Err(OtherSerial)),
            ("no serial", Some(serial), None, &secret, &KEY, None, Err(OtherSerial)),
        ];
        for (name, token, binding, secret, key_digest, serial, expected) in cases {
            let presented = Presented { secret, enrollment: mine, key_digest, serial };
            assert_eq!(admit(token.as_ref(), binding, presented, NOW), expected, "{name}");
        }
    }

    #[test]
    fn the_secret_is_not_kept() {
        let (token, secret) = make(TokenKind::OneTime);
        assert_ne!(token.secret_digest, *secret.expose());
        assert_eq!(token.expires, NOW.after(ONE_TIME_LIFETIME));
        assert_ne!(make(TokenKind::OneTime).0.id, token.id);
    }
}
