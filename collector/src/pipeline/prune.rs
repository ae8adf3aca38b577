//! Agents that a machine had long ago: a laboratory machine that is re-imaged every night has hundreds in a year.
//!
//! The latest few are kept, since one may come back as a second operating system; what earlier ones said is in the
//! history. One that comes back all the same is new, and sends its inventory in full.

use muster_common::{
    source::{Source, SubjectKey},
    time::Timestamp,
};
use muster_proto::store::v1 as stored;

use super::{ObserveError, Pipeline};
use crate::{
    records::{self, Read, Subject, delete, key, put},
    store::{Key, Revision, Write},
};

/// Agents' subjects that a device keeps.
const AGENT_SUBJECTS: usize = 8;

impl Pipeline {
    /// Takes the oldest agents' subjects out of `subjects`, and with them their records, contents and rows.
    pub(super) async fn prune(
        &self,
        subjects: &mut Vec<Subject>,
        expected: &mut Vec<(Key, Revision)>,
        writes: &mut Vec<Write>,
    ) -> Result<(), ObserveError> {
        let mut agents: Vec<(Timestamp, SubjectKey)> = subjects
            .iter()
            .filter(|subject| matches!(subject.source, Source::Agent(_)))
            .filter(|subject| !self.presence.is_connected(&subject.key))
            .map(|subject| (subject.last, subject.key.clone()))
            .collect();
        if agents.len() <= AGENT_SUBJECTS {
            return Ok(());
        }
        agents.sort_unstable();
        agents.truncate(agents.len() - AGENT_SUBJECTS);
        for (_, gone) in agents {
            let Some(place) = subjects.iter().position(|subject| subject.key == gone) else { continue };
            let subject = subjects.swap_remove(place);
            let own = key::subject(&subject.key);
            // A write of the same commit, such as that it was left behind, makes way.
            writes.retain(|write| write.key != own);
            writes.push(delete(own));
            for name in subject.sections.keys() {
                writes.extend(key::content(&subject.key, name).ok().map(delete));
            }
            for (kind, value) in &subject.identifiers {
                if let Ok(row) = key::identifier(kind, value) {
                    self.unlist(&subject.key, row, expected, writes).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes a subject out of an identifier's row, in the commit's own write of it where there is one.
    async fn unlist(
        &self,
        subject: &SubjectKey,
        row: Key,
        expected: &mut Vec<(Key, Revision)>,
        writes: &mut Vec<Write>,
    ) -> Result<(), ObserveError> {
        let place = writes.iter().position(|write| write.key == row);
        let mut claims: stored::IdentifierClaims = match place.and_then(|place| writes[place].value.as_ref())
        {
            Some(bytes) => records::decode(&row, bytes)?,
            None => {
                let read: Read<stored::IdentifierClaims> = self.records.get(row.clone()).await?;
                if !expected.iter().any(|(key, _)| *key == row) {
                    expected.push(read.expectation());
                }
                read.record.unwrap_or_default()
            }
        };
        claims.subjects.retain(|listed| listed != subject.as_str());
        let write = if claims.subjects.is_empty() { delete(row) } else { put(row, &claims) };
        match place {
            Some(place) => writes[place] = write,
            None => writes.push(write),
        }
        Ok(())
    }
}
