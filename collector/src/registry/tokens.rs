//! Enrolment tokens as they are kept; what one is worth is `token`'s pure decision.

use muster_common::{
    id::{AgentId, EnrollmentId},
    time::Timestamp,
    trust::token::{EnrollmentString, RootPin, TokenId},
};
use muster_proto::store::v1 as stored;
use prost::Message;

use super::{
    Registry, RegistryError,
    token::{Binding, EnrollmentToken, NewToken, TokenKind},
};
use crate::{
    records::{Malformed, Read, RecordError, key, put},
    store::{Commit, CommitError, Key, Position, Revision, Write},
};

/// A token and who has enrolled with an id, as they were read: what an admission is decided on.
#[derive(Debug)]
pub struct TokenState {
    /// The token, if there is one.
    pub token: Option<EnrollmentToken>,
    /// Who enrolled under the id, if anybody did.
    pub binding: Option<Binding>,
    token_read: Read<stored::Token>,
    binding_read: Read<stored::Enrolment>,
}

impl TokenState {
    /// What a commit that was decided on it must expect.
    pub fn expected(&self) -> Vec<(Key, Revision)> {
        vec![self.token_read.expectation(), self.binding_read.expectation()]
    }

    /// The writes that count one use of the token for an enrolment.
    pub fn use_once(&self, binding: &Binding) -> Vec<Write> {
        let mut token = self.token_read.record.clone().unwrap_or_default();
        token.used = token.used.saturating_add(1);
        let enrolment = stored::Enrolment {
            enrollment_id: binding.enrollment.as_bytes().to_vec(),
            key: binding.key_digest.to_vec(),
            agent_id: binding.agent.as_bytes().to_vec(),
            token_id: binding.token.to_string(),
        };
        vec![put(self.token_read.key.clone(), &token), put(self.binding_read.key.clone(), &enrolment)]
    }
}

impl Registry {
    /// Reads what an admission is decided on.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn token_state(
        &self,
        token: TokenId,
        enrollment: EnrollmentId,
    ) -> Result<TokenState, RegistryError> {
        let token_read: Read<stored::Token> = self.records.get(key::token(&token.to_string())).await?;
        let binding_read: Read<stored::Enrolment> = self.records.get(key::enrolment(enrollment)).await?;
        let damaged = |key: &Key| {
            let key = key.clone();
            move |Malformed(reason)| RecordError::Damaged { key, reason }
        };
        let token = token_read
            .record
            .as_ref()
            .map(token_from_stored)
            .transpose()
            .map_err(damaged(&token_read.key))?;
        let binding = binding_read
            .record
            .as_ref()
            .map(binding_from_stored)
            .transpose()
            .map_err(damaged(&binding_read.key))?;
        Ok(TokenState { token, binding, token_read, binding_read })
    }

    /// Makes a token; the string is not kept anywhere.
    ///
    /// # Errors
    /// When it can't be kept.
    pub async fn create_token(
        &self,
        wanted: NewToken,
        root_pin: RootPin,
        actor: &str,
        now: Timestamp,
    ) -> Result<(stored::Token, EnrollmentString), RegistryError> {
        let (token, string) = EnrollmentToken::make(wanted, root_pin, now)?;
        let record = token_to_stored(&token, actor);
        self.write_token(&record, Revision::ABSENT, "token.create", actor, now).await?;
        Ok((record, string))
    }

    /// Takes a token back; agents that it let in stay.
    ///
    /// # Errors
    /// When there is none by that id, or the change can't be kept.
    pub async fn revoke_token(
        &self,
        id: TokenId,
        actor: &str,
        now: Timestamp,
    ) -> Result<Position, RegistryError> {
        loop {
            let read: Read<stored::Token> = self.records.get(key::token(&id.to_string())).await?;
            let Some(mut record) = read.record else {
                return Err(RegistryError::NotFound { kind: "token", name: id.to_string() });
            };
            record.revoked = true;
            match self.write_token(&record, read.revision, "token.revoke", actor, now).await {
                Err(RegistryError::Commit(CommitError::Conflict { .. })) => {}
                done => return done,
            }
        }
    }

    /// The tokens that follow `after`, at most `limit`.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn tokens(
        &self,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<(Key, stored::Token)>, RegistryError> {
        Ok(self.records.scan(key::TOKENS, after, limit).await?)
    }

    async fn write_token(
        &self,
        record: &stored::Token,
        revision: Revision,
        action: &str,
        actor: &str,
        now: Timestamp,
    ) -> Result<Position, RegistryError> {
        let key = key::token(&record.id);
        let audit = stored::Audit {
            action: action.to_owned(),
            target: record.id.clone(),
            detail: record.kind.clone(),
        };
        let commit = Commit {
            kind: action.to_owned(),
            time: now,
            actor: actor.to_owned(),
            expected: vec![(key.clone(), revision)],
            writes: vec![put(key, record)],
            audit: Some(audit.encode_to_vec()),
        };
        Ok(self.records.commit(commit).await?)
    }
}

fn token_to_stored(token: &EnrollmentToken, actor: &str) -> stored::Token {
    let EnrollmentToken { id, secret_digest, kind, used, bound_serial, hold, created, expires, revoked } =
        token;
    let (kind, uses) = match kind {
        TokenKind::OneTime => ("one-time", 1),
        TokenKind::Bulk { uses } => ("bulk", *uses),
    };
    stored::Token {
        id: id.to_string(),
        secret_hash: secret_digest.to_vec(),
        kind: kind.to_owned(),
        uses,
        used: *used,
        serial: bound_serial.clone().unwrap_or_default(),
        hold: *hold,
        created_ms: created.as_millis(),
        expires_ms: expires.as_millis(),
        revoked: *revoked,
        created_by: actor.to_owned(),
    }
}

fn token_from_stored(stored: &stored::Token) -> Result<EnrollmentToken, Malformed> {
    let kind = match stored.kind.as_str() {
        "one-time" => TokenKind::OneTime,
        "bulk" => TokenKind::Bulk { uses: stored.uses },
        other => return Err(Malformed(format!("there is no token kind {other:?}"))),
    };
    Ok(EnrollmentToken {
        id: stored.id.parse().map_err(|_| Malformed("the token's id is malformed".to_owned()))?,
        secret_digest: digest(&stored.secret_hash)?,
        kind,
        used: stored.used,
        bound_serial: (!stored.serial.is_empty()).then(|| stored.serial.clone()),
        hold: stored.hold,
        created: Timestamp::from_millis(stored.created_ms),
        expires: Timestamp::from_millis(stored.expires_ms),
        revoked: stored.revoked,
    })
}

fn binding_from_stored(stored: &stored::Enrolment) -> Result<Binding, Malformed> {
    let id = |bytes: &[u8]| {
        <[u8; 16]>::try_from(bytes).map_err(|_| Malformed("an id has not 16 bytes".to_owned()))
    };
    Ok(Binding {
        enrollment: EnrollmentId::from_bytes(id(&stored.enrollment_id)?),
        key_digest: digest(&stored.key)?,
        token: stored.token_id.parse().map_err(|_| Malformed("the token's id is malformed".to_owned()))?,
        agent: AgentId::from_bytes(id(&stored.agent_id)?),
    })
}

fn digest(bytes: &[u8]) -> Result<[u8; 32], Malformed> {
    bytes.try_into().map_err(|_| Malformed("a digest has not 32 bytes".to_owned()))
}
