//! One observation, decided and committed once: what it finds, what it leads to, and one atomic commit of it.
//!
//! Nothing here waits for another observation: when somebody was faster the commit says so, and the pipeline decides
//! the same observation again on what is there then.

use std::collections::{BTreeMap, BTreeSet};

use muster_common::{
    device::Device,
    flag::FlagCode,
    id::DeviceId,
    inventory::{Item, SectionName},
    time::Timestamp,
};
use muster_proto::{limits, store::v1 as stored};

use super::{
    Attachment, Companion, CompanionWrites, Observation, ObserveError, Outcome, Pipeline, Speaker,
    attach::{Attached, Rows, Standing, evidence_of},
    catalogue::NewTitle,
    refold::{Refold, Refolded},
    section::{self, Applied, Present},
    word::{is_replay, items_in, new_subject, remember_identifiers, same_word, take_speaker},
};
use crate::{
    records::{Read, Subject, content::Content, key, put},
    store::{CatalogueId, Commit, CommitError, Key, Revision, Write},
};

/// What became of one try.
pub(super) enum Tried {
    /// It is done.
    Done(Outcome),
    /// Somebody was faster: decide again.
    Again,
}

/// Sections carried out on a subject, not yet written.
#[derive(Default)]
struct SectionWork {
    changed: bool,
    wanted: Vec<SectionName>,
    writes: Vec<Write>,
    expected: Vec<(Key, Revision)>,
    added: Vec<CatalogueId>,
    removed: Vec<CatalogueId>,
    software_changed: bool,
    new_titles: Vec<NewTitle>,
    /// Items of the sections that tell which device it is, where they changed.
    evidence: BTreeMap<SectionName, Vec<Item>>,
}

impl Pipeline {
    pub(super) async fn try_observe(
        &self,
        observation: &Observation,
        companion: Option<Companion<'_>>,
    ) -> Result<Tried, ObserveError> {
        let read: Read<Subject> = self.records.get(key::subject(&observation.subject)).await?;
        if let Some(subject) = &read.record
            && companion.is_none()
            && is_replay(subject, observation)
        {
            return Ok(Tried::Done(Outcome::unchanged(subject)));
        }
        let mut expected = vec![read.expectation()];
        let before = read.record.clone();
        let mut subject = before.clone().unwrap_or_else(|| new_subject(observation));
        let mut work = self.sections(&mut subject, observation).await?;
        let identity_changed = take_speaker(&mut subject, observation, &work.evidence)?;
        subject.last = observation.observed;

        let mut decided = None;
        let mut rows = Rows::default();
        let mut left = None;
        let standing = match &before {
            Some(known) if says_who_it_is(observation) => self.standing(known).await?,
            Some(_) => Standing::Alone,
            None => Standing::Abandoned,
        };
        let undecided = standing == Standing::Abandoned;
        if identity_changed || undecided {
            let evidence = evidence_of(&subject);
            let identifiers = evidence.identifiers();
            if undecided {
                let mut attached = match &observation.speaker {
                    Speaker::Stated { device, .. } => self.attach_stated(*device, &subject).await?,
                    Speaker::Agent { .. } | Speaker::Found { .. } | Speaker::Row { .. } => {
                        self.attach(&subject, &evidence).await?
                    }
                };
                left = before.as_ref().map(|known| known.device).filter(|device| *device != attached.device);
                subject.device = attached.device;
                subject.explanation = attached.explanation.clone();
                subject.in_conflict = attached.attachment == Attachment::Conflict;
                subject.hardware_changed = attached.hardware_changed.then_some(observation.observed);
                rows = std::mem::take(&mut attached.rows);
                decided = Some(attached);
            } else {
                rows = self.claim_more(&subject, &identifiers).await?;
            }
            remember_identifiers(&mut subject, &identifiers);
        }
        // An agent that had gone elsewhere and is back here is two: a clone.
        let returned = std::mem::take(&mut subject.superseded);
        if returned {
            rows.crowded.extend(self.clones_of(&subject).await?);
        }
        rows.crowded.extend(left);
        let changed = before.as_ref().is_none_or(|before| !same_word(before, &subject));
        if !changed && standing == Standing::Alone && !work.changed && !returned && companion.is_none() {
            let mut outcome = Outcome::unchanged(&subject);
            outcome.wanted = work.wanted;
            return Ok(Tried::Done(outcome));
        }

        let mut writes = vec![put(key::subject(&subject.key), &subject)];
        writes.append(&mut work.writes);
        expected.append(&mut work.expected);
        writes.append(&mut rows.writes);
        if let Some(decided) = decided.as_ref().filter(|it| it.attachment == Attachment::Conflict) {
            writes.extend(review(&subject, decided, observation.received));
            rows.crowded.extend(decided.candidates.iter().copied());
        }
        expected.append(&mut rows.expected);
        let refolded = self
            .refold_all(
                observation,
                &subject,
                decided.as_ref(),
                identity_changed || returned,
                &rows.crowded,
                &mut work,
                &mut expected,
                &mut writes,
            )
            .await?;
        let companions =
            companion.map_or_else(CompanionWrites::default, |companion| companion(subject.device));
        writes.extend(companions.writes);
        let of_companion: Vec<Key> = companions.expected.iter().map(|(key, _)| key.clone()).collect();
        expected.extend(companions.expected);

        let commit = Commit {
            kind: kind_of(observation).to_owned(),
            time: observation.received,
            actor: observation.actor(),
            expected,
            writes,
            audit: companions.audit,
        };
        match self.records.commit(commit).await {
            Ok(_) => {}
            Err(CommitError::Conflict { key, .. }) if of_companion.contains(&key) => {
                return Err(ObserveError::CompanionChanged);
            }
            Err(CommitError::Conflict { .. }) => return Ok(Tried::Again),
            Err(error) => return Err(error.into()),
        }
        self.publish(&refolded, subject.device, &work.new_titles, work.software_changed).await?;
        Ok(Tried::Done(Outcome {
            device: subject.device,
            subject: subject.key,
            attachment: decided.as_ref().map_or(Attachment::Known, |decided| decided.attachment),
            explanation: decided.map(|decided| decided.explanation).unwrap_or_default(),
            changed: true,
            wanted: work.wanted,
        }))
    }

    /// Carries out the observation's sections on the subject.
    async fn sections(
        &self,
        subject: &mut Subject,
        observation: &Observation,
    ) -> Result<SectionWork, ObserveError> {
        let mut work = SectionWork::default();
        for update in &observation.sections {
            let content_key = key::content(&subject.key, &update.name)
                .map_err(|_| ObserveError::Section { section: update.name.clone() })?;
            let head = subject.sections.get(&update.name).cloned();
            let is_software = update.name.is_software();
            let stored: Option<Read<Content>> = match &head {
                Some(_) if is_software || section::needs_content(update) => {
                    Some(self.records.get(content_key.clone()).await?)
                }
                Some(_) | None => None,
            };
            let content = stored.as_ref().and_then(|read| read.record.clone());
            let before = section::titles_of(content.as_ref());
            let (titles, mut new_titles) = if is_software {
                self.catalogue.titles(self.records.store().as_ref(), &update.upserts).await?
            } else {
                (Vec::new(), Vec::new())
            };
            work.new_titles.append(&mut new_titles);
            let present = head.map(|head| Present { head, content });
            let applied = {
                let catalogue = self.catalogue.view();
                section::apply(
                    present.as_ref(),
                    update,
                    &titles,
                    |id| catalogue.pair(id),
                    observation.observed,
                )
            };
            match applied {
                Applied::Unchanged => {}
                Applied::Wanted => work.wanted.push(update.name.clone()),
                Applied::Broken => return Err(ObserveError::Digest { section: update.name.clone() }),
                Applied::Changed(head, content) => {
                    work.changed = true;
                    subject.sections.insert(update.name.clone(), head);
                    let Some(content) = content else { continue };
                    if is_software {
                        let (added, removed) =
                            section::titles_changed(&before, &section::titles_of(Some(&content)));
                        work.software_changed |= !(added.is_empty() && removed.is_empty());
                        work.added.extend(added);
                        work.removed.extend(removed);
                    } else if section::is_evidence(&update.name) {
                        work.evidence.insert(update.name.clone(), items_in(&content)?);
                    }
                    if let Some(read) = stored {
                        work.expected.push(read.expectation());
                    }
                    work.writes.push(put(content_key, &content));
                }
            }
        }
        if subject.sections.len() > limits::SECTIONS {
            return Err(ObserveError::TooManySections);
        }
        Ok(work)
    }

    async fn is_flagged(&self, device: DeviceId, code: FlagCode) -> Result<bool, ObserveError> {
        let read: Read<Device> = self.records.get(key::device(device)).await?;
        Ok(read.record.is_some_and(|device| device.flags.iter().any(|flag| flag.code == code)))
    }

    /// Folds the subject's device, and every other device whose flags depend on what was decided.
    #[expect(clippy::too_many_arguments, reason = "the parts of one commit, gathered by its only caller")]
    async fn refold_all(
        &self,
        observation: &Observation,
        subject: &Subject,
        decided: Option<&Attached>,
        identity_changed: bool,
        crowded: &BTreeSet<DeviceId>,
        work: &mut SectionWork,
        expected: &mut Vec<(Key, Revision)>,
        writes: &mut Vec<Write>,
    ) -> Result<Vec<Refolded>, ObserveError> {
        let actor = observation.actor();
        // Subjects of the same agent elsewhere: clones when they are there at the same time, else left behind.
        let mut altered: BTreeMap<DeviceId, Vec<Subject>> = BTreeMap::new();
        for read in decided.map_or(&[][..], |decided| &decided.elsewhere) {
            let Some(other) = &read.record else { continue };
            if self.presence.is_connected(&other.key) {
                // Of hundreds of clones each is told once, and not again with every further one.
                if !self.is_flagged(other.device, FlagCode::ClonedIdentity).await? {
                    altered.entry(other.device).or_default();
                }
            } else if !other.superseded {
                let other = Subject { superseded: true, ..other.clone() };
                expected.push(read.expectation());
                writes.push(put(read.key.clone(), &other));
                altered.entry(other.device).or_default().push(other);
            }
        }
        for id in crowded {
            altered.entry(*id).or_default();
        }
        let mine = altered.remove(&subject.device).unwrap_or_default();
        let mut refolded = Vec::with_capacity(1 + altered.len());
        let (added, removed) = (std::mem::take(&mut work.added), std::mem::take(&mut work.removed));

        let read: Read<Device> = self.records.get(key::device(subject.device)).await?;
        let mut subjects = match &read.record {
            Some(device) => self.subjects_of(device).await?,
            None => Vec::new(),
        };
        replace(&mut subjects, mine);
        replace(&mut subjects, vec![subject.clone()]);
        if decided.is_some() {
            self.prune(&mut subjects, expected, writes).await?;
        }
        // A report of software alone changes nothing around the device, and that is nearly every report.
        let surroundings =
            if identity_changed || decided.is_some() || !crowded.is_empty() || !altered.is_empty() {
                Some(self.surroundings(subject.device, &subjects, writes).await?)
            } else {
                None
            };
        expected.push(read.expectation());
        let own = self.refold(Refold {
            id: subject.device,
            before: read.record.as_ref(),
            subjects: &subjects,
            explanation: decided.map_or("", |decided| &decided.explanation),
            actor: &actor,
            now: observation.received,
            software: (added, removed),
            surroundings,
        });
        writes.extend(own.writes.iter().cloned());
        refolded.push(own);

        for (id, changed) in altered {
            let read: Read<Device> = self.records.get(key::device(id)).await?;
            let Some(device) = &read.record else { continue };
            let mut subjects = self.subjects_of(device).await?;
            // Where the subject was until now.
            subjects.retain(|other| other.key != subject.key);
            replace(&mut subjects, changed);
            let surroundings = Some(self.surroundings(id, &subjects, writes).await?);
            let other = self.refold(Refold {
                id,
                before: Some(device),
                subjects: &subjects,
                explanation: "",
                actor: &actor,
                now: observation.received,
                software: (Vec::new(), Vec::new()),
                surroundings,
            });
            expected.push(read.expectation());
            writes.extend(other.writes.iter().cloned());
            refolded.push(other);
        }
        Ok(refolded)
    }
}

/// The review that an undecided identity waits for, and that it names its candidates.
fn review(subject: &Subject, decided: &Attached, now: Timestamp) -> Vec<Write> {
    let review = stored::Review {
        subject: subject.key.as_str().to_owned(),
        candidates: decided.candidates.iter().map(|id| id.as_bytes().to_vec()).collect(),
        explanation: decided.explanation.clone(),
        time_ms: now.as_millis(),
    };
    let named = decided.candidates.iter().map(|id| put(key::review_naming(*id, &subject.key), &review));
    std::iter::once(put(key::review(&subject.key), &review)).chain(named).collect()
}

/// Whether these are an agent's first words of a session.
fn says_who_it_is(observation: &Observation) -> bool {
    match &observation.speaker {
        Speaker::Agent { evidence, .. } => !evidence.is_empty(),
        Speaker::Found { .. } | Speaker::Row { .. } | Speaker::Stated { .. } => false,
    }
}

fn kind_of(observation: &Observation) -> &'static str {
    match (&observation.speaker, &observation.carrier) {
        (Speaker::Agent { .. }, None) => "report",
        (Speaker::Agent { .. }, Some(_)) => "report.carried",
        (Speaker::Found { .. }, _) => "report.found",
        (Speaker::Row { .. }, _) => "import",
        (Speaker::Stated { .. }, _) => "statement",
    }
}

fn replace(subjects: &mut Vec<Subject>, changed: Vec<Subject>) {
    for subject in changed {
        match subjects.iter_mut().find(|known| known.key == subject.key) {
            Some(known) => *known = subject,
            None => subjects.push(subject),
        }
    }
}
