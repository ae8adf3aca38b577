//! Requests to buy something: made, decided by another person, ordered, and received piece by piece.
//!
//! A request is no asset: what isn't here yet has no serial number that tells it from others. It goes by the same table of
//! steps, and the asset that is received for it names it.

use std::collections::BTreeSet;

use muster_common::{
    asset::Category,
    device::Money,
    governance::State,
    id::{DeviceId, PersonId, RequestId},
    time::Timestamp,
};
use muster_proto::store::v1 as stored;
use prost::Message;

use super::{By, Lifecycle, LifecycleError, MOST_TRIES, audit, check_text};
use crate::{
    governance::lifecycle::{Facts, Life, Order, Request, decide, may_refuse},
    privacy::Sealed,
    records::{Read, key, put},
    store::{Commit, CommitError, Key},
};

/// The most pieces of one request.
const MOST_PIECES: u32 = 10_000;
/// What a request is called that was refused.
const REFUSED: &str = "refused";

/// Something to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// What kind of asset.
    pub category: Category,
    /// Which.
    pub model: String,
    /// What all of it costs.
    pub cost: Option<Money>,
    /// How many pieces.
    pub quantity: u32,
    /// Name or address of the person that it is for; empty: nobody.
    pub person: String,
    /// Why.
    pub justification: String,
}

/// A request, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestView {
    /// Which.
    pub id: RequestId,
    /// A state, or that it was refused.
    pub state: String,
    /// As it is kept.
    pub record: stored::PurchaseRequest,
    /// Why it is wanted.
    pub justification: String,
    /// What was said when it was decided.
    pub remark: String,
    /// The person's name; empty: nobody.
    pub person: String,
}

impl Lifecycle {
    /// Makes a request.
    ///
    /// # Errors
    /// When the policy refuses it, or it can't be kept.
    pub async fn create_request(&self, new: NewRequest, by: &By) -> Result<RequestView, LifecycleError> {
        let NewRequest { category, model, cost, quantity, person, justification } = new;
        for (what, text) in [("model", &model), ("justification", &justification)] {
            check_text(what, text)?;
        }
        if model.trim().is_empty() {
            return Err(LifecycleError::Unusable("say what is wanted (--model MODEL)".to_owned()));
        }
        if !(1..=MOST_PIECES).contains(&quantity) {
            return Err(LifecycleError::Unusable(format!("a request is for 1 to {MOST_PIECES} pieces")));
        }
        let facts = Facts {
            actor: by.name.clone(),
            roles: by.roles.clone(),
            request: Some(Request {
                requester: by.name.clone(),
                justification: justification.clone(),
                cost: cost.clone(),
            }),
            ..Facts::nothing(Life::of(category, false))
        };
        decide(&facts, State::Requested, &self.pipeline.charter())?;
        let person = self.person(&person, by).await?;
        let now = self.pipeline.now();
        let id = RequestId::random();
        let words = stored::RequestWords { justification, remark: String::new() };
        let Sealed { nonce, bytes } = self.persons.vault().seal_own(&words.encode_to_vec())?;
        let record = stored::PurchaseRequest {
            id: id.as_bytes().to_vec(),
            state: State::Requested.name().to_owned(),
            category: category.name().to_owned(),
            model: model.trim().to_owned(),
            cost: cost.map(|cost| cost.to_string()).unwrap_or_default(),
            quantity,
            person: person.map(|person| person.as_bytes().to_vec()).unwrap_or_default(),
            requester: by.name.clone(),
            created_ms: now.as_millis(),
            approver: String::new(),
            decided_ms: 0,
            refused: false,
            order_number: String::new(),
            assets: Vec::new(),
            updated_ms: now.as_millis(),
            sealed_words: bytes,
            nonce,
        };
        let read: Read<stored::PurchaseRequest> = self.pipeline.records().get(key::request(id)).await?;
        self.keep(&read, &record, "request.create", facts_of(&record), by, now).await?;
        self.view(record).await
    }

    /// One request; with `only_of` if that account made it.
    ///
    /// # Errors
    /// [`LifecycleError::NoRequest`].
    pub async fn get_request(
        &self,
        id: RequestId,
        only_of: Option<&str>,
    ) -> Result<RequestView, LifecycleError> {
        let read = self.request_record(id).await?;
        let own = |record: &stored::PurchaseRequest| only_of.is_none_or(|name| record.requester == name);
        let record = read.record.filter(own).ok_or(LifecycleError::NoRequest { request: id })?;
        self.view(record).await
    }

    /// Requests in the order of their ids, after one of them; in one state alone when that is named,
    /// and of one account alone when that is.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn list_requests(
        &self,
        state: &str,
        only_of: Option<&str>,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<RequestView>, LifecycleError> {
        let mut after: Option<Key> = after.map(key::request);
        let mut views = Vec::new();
        while views.len() < limit {
            let page: Vec<(Key, stored::PurchaseRequest)> =
                self.pipeline.records().scan(key::REQUESTS, after.as_ref(), 500).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (_, record) in page {
                let wanted = (state.is_empty() || state_of(&record) == state)
                    && only_of.is_none_or(|name| record.requester == name);
                if wanted && views.len() < limit {
                    views.push(self.view(record).await?);
                }
            }
        }
        Ok(views)
    }

    /// Approves or refuses a request; never by who made it.
    ///
    /// # Errors
    /// [`LifecycleError::Refused`] with what is missing.
    pub async fn decide_request(
        &self,
        id: RequestId,
        approve: bool,
        remark: &str,
        by: &By,
    ) -> Result<RequestView, LifecycleError> {
        check_text("remark", remark)?;
        self.change(id, by, |record, facts, charter, words| {
            if approve {
                decide(facts, State::Approved, charter)?;
                record.state = State::Approved.name().to_owned();
            } else {
                if remark.trim().is_empty() {
                    return Err(LifecycleError::Unusable("say why it is refused (--reason)".to_owned()));
                }
                let present = facts.present.unwrap_or(State::Requested);
                may_refuse(&by.roles, &by.name, &record.requester, present, charter)?;
                record.refused = true;
            }
            remark.trim().clone_into(&mut words.remark);
            record.approver.clone_from(&by.name);
            record.decided_ms = self.pipeline.now().as_millis();
            Ok(if approve { "request.approve" } else { "request.refuse" })
        })
        .await
    }

    /// Says that a request was ordered, or that the supplier has sent it.
    ///
    /// # Errors
    /// [`LifecycleError::Refused`] with what is missing.
    pub async fn advance_request(
        &self,
        id: RequestId,
        to: State,
        order: &str,
        by: &By,
    ) -> Result<RequestView, LifecycleError> {
        check_text("order number", order)?;
        if !matches!(to, State::Ordered | State::InTransit) {
            return Err(LifecycleError::Unusable(format!(
                "a request is made ordered or in-transit here: {to} is reached by muster approve, or by muster transition ASSET received --request ID"
            )));
        }
        self.change(id, by, |record, facts, charter, _| {
            let order = order.trim();
            let mut facts = facts.clone();
            if !order.is_empty() {
                facts.order = Some(Order(order.to_owned()));
            }
            decide(&facts, to, charter)?;
            to.name().clone_into(&mut record.state);
            if !order.is_empty() {
                order.clone_into(&mut record.order_number);
            }
            Ok(if to == State::Ordered { "request.order" } else { "request.in-transit" })
        })
        .await
    }

    /// Decides on a request as it stands and keeps it, again when somebody else was faster.
    async fn change(
        &self,
        id: RequestId,
        by: &By,
        decide: impl Fn(
            &mut stored::PurchaseRequest,
            &Facts,
            &muster_common::governance::Charter,
            &mut stored::RequestWords,
        ) -> Result<&'static str, LifecycleError>,
    ) -> Result<RequestView, LifecycleError> {
        for _ in 0..MOST_TRIES {
            let read = self.request_record(id).await?;
            let mut record = read.record.clone().ok_or(LifecycleError::NoRequest { request: id })?;
            if record.refused {
                return Err(LifecycleError::RequestState {
                    state: REFUSED.to_owned(),
                    wanted: "make a new one (muster request create)",
                });
            }
            let mut words = self.words(&record)?;
            let facts = self.request_facts(&record, &words, by)?;
            let action = decide(&mut record, &facts, &self.pipeline.charter(), &mut words)?;
            let now = self.pipeline.now();
            record.updated_ms = now.as_millis();
            let Sealed { nonce, bytes } = self.persons.vault().seal_own(&words.encode_to_vec())?;
            (record.sealed_words, record.nonce) = (bytes, nonce);
            match self.keep(&read, &record, action, facts_of(&record), by, now).await {
                Ok(()) => return self.view(record).await,
                Err(LifecycleError::Commit(CommitError::Conflict { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Err(LifecycleError::Contended)
    }

    async fn keep(
        &self,
        read: &Read<stored::PurchaseRequest>,
        record: &stored::PurchaseRequest,
        action: &str,
        detail: String,
        by: &By,
        now: Timestamp,
    ) -> Result<(), LifecycleError> {
        let target = format!("requests/{}", id_of(record));
        let commit = Commit {
            kind: "request".to_owned(),
            time: now,
            actor: by.name.clone(),
            expected: vec![read.expectation()],
            writes: vec![put(read.key.clone(), record)],
            audit: Some(audit(action, target, detail)),
        };
        self.pipeline.records().commit(commit).await?;
        Ok(())
    }

    pub(super) async fn request_record(
        &self,
        id: RequestId,
    ) -> Result<Read<stored::PurchaseRequest>, LifecycleError> {
        Ok(self.pipeline.records().get(key::request(id)).await?)
    }

    fn request_facts(
        &self,
        record: &stored::PurchaseRequest,
        words: &stored::RequestWords,
        by: &By,
    ) -> Result<Facts, LifecycleError> {
        let category = record.category.parse().unwrap_or(Category::Device);
        Ok(Facts {
            present: record.state.parse().ok(),
            since: Some(Timestamp::from_millis(record.updated_ms)),
            actor: by.name.clone(),
            roles: by.roles.clone(),
            request: Some(Request {
                requester: record.requester.clone(),
                justification: words.justification.clone(),
                cost: record.cost.parse().ok(),
            }),
            order: Some(record.order_number.clone()).filter(|order| !order.is_empty()).map(Order),
            ..Facts::nothing(Life::of(category, false))
        })
    }

    fn words(&self, record: &stored::PurchaseRequest) -> Result<stored::RequestWords, LifecycleError> {
        let sealed = Sealed { nonce: record.nonce.clone(), bytes: record.sealed_words.clone() };
        let plain = self.persons.vault().open_own(&sealed)?;
        stored::RequestWords::decode(plain.as_slice())
            .map_err(|_| LifecycleError::Unusable("what was written with the request is damaged".to_owned()))
    }

    async fn view(&self, record: stored::PurchaseRequest) -> Result<RequestView, LifecycleError> {
        let stored::RequestWords { justification, remark } = self.words(&record)?;
        let person = <[u8; 16]>::try_from(record.person.as_slice()).ok().map(PersonId::from_bytes);
        let person = match person {
            Some(id) => self.persons.shown(&BTreeSet::from([id])).await?.remove(&id).unwrap_or_default(),
            None => String::new(),
        };
        Ok(RequestView {
            id: id_of(&record),
            state: state_of(&record).to_owned(),
            record,
            justification,
            remark,
            person,
        })
    }
}

/// Refuses a request of which nothing can be received: not ordered yet, or all of it here.
pub(super) fn check_open_for_receipt(record: &stored::PurchaseRequest) -> Result<(), LifecycleError> {
    let wanted = match record.state.parse() {
        Ok(State::Ordered | State::InTransit) if !record.refused => return Ok(()),
        Ok(State::Requested) if !record.refused => {
            "somebody else has to approve it first (muster approve ID)"
        }
        Ok(State::Approved) if !record.refused => {
            "it has to be ordered first (muster request order ID --order NUMBER)"
        }
        Ok(State::Received) => "all of it has been received",
        _ => "nothing is received of it",
    };
    Err(LifecycleError::RequestState { state: state_of(record).to_owned(), wanted })
}

/// The request with one more piece received; with the last piece it is received itself.
pub(super) fn with_asset(
    mut record: stored::PurchaseRequest,
    device: DeviceId,
    now: Timestamp,
) -> stored::PurchaseRequest {
    let bytes = device.as_bytes().to_vec();
    if !record.assets.contains(&bytes) {
        record.assets.push(bytes);
    }
    if record.assets.len() as u64 >= u64::from(record.quantity) {
        State::Received.name().clone_into(&mut record.state);
    }
    record.updated_ms = now.as_millis();
    record
}

fn state_of(record: &stored::PurchaseRequest) -> &str {
    if record.refused { REFUSED } else { &record.state }
}

fn id_of(record: &stored::PurchaseRequest) -> RequestId {
    RequestId::from_bytes(record.id.as_slice().try_into().unwrap_or_default())
}

/// What the audit says of a request; never what people wrote.
fn facts_of(record: &stored::PurchaseRequest) -> String {
    let stored::PurchaseRequest { category, model, cost, quantity, order_number, requester, .. } = record;
    let mut text = format!("{quantity} × {category} {model}");
    for (what, value) in [("cost", cost), ("order", order_number), ("asked by", requester)] {
        if !value.is_empty() {
            text.push_str(&format!("; {what} {value}"));
        }
    }
    text
}
