//! What an observation without sections would do, decided as it would be and not done: for dry runs.
//!
//! It reads what the real one reads and decides by the same functions, so that the two differ only in what others do in
//! between.

use std::collections::BTreeMap;

use super::{
    ObserveError, Pipeline,
    attach::evidence_of,
    observation::{Attachment, Observation, Outcome, Speaker},
    word::{new_subject, same_word, take_speaker},
};
use crate::records::{Read, Subject, key};

/// What would become of an observation, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// As the real one would answer; a new device's id is made up.
    pub outcome: Outcome,
    /// How it would come to its device; empty for a subject that has one.
    pub explanation: String,
}

impl Pipeline {
    /// What [`Pipeline::observe`] would do with an observation that has no sections.
    ///
    /// # Errors
    /// As the real one, but for the commit.
    pub async fn preview(&self, observation: &Observation) -> Result<Preview, ObserveError> {
        let read: Read<Subject> = self.records.get(key::subject(&observation.subject)).await?;
        let before = read.record;
        let mut subject = before.clone().unwrap_or_else(|| new_subject(observation));
        take_speaker(&mut subject, observation, &BTreeMap::new())?;
        let (attachment, device, explanation) = match &before {
            Some(before) => (Attachment::Known, before.device, String::new()),
            None => {
                let attached = match &observation.speaker {
                    Speaker::Stated { device, .. } => self.attach_stated(*device, &subject).await?,
                    Speaker::Agent { .. } | Speaker::Found { .. } | Speaker::Row { .. } => {
                        self.attach(&subject, &evidence_of(&subject)).await?
                    }
                };
                (attached.attachment, attached.device, attached.explanation)
            }
        };
        let changed = before.as_ref().is_none_or(|before| !same_word(before, &subject));
        let (subject, wanted) = (subject.key, Vec::new());
        let outcome = Outcome { device, subject, attachment, explanation: String::new(), changed, wanted };
        Ok(Preview { outcome, explanation })
    }
}
