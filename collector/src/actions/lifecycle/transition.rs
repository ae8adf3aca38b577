//! One step of an asset's life: decided on its record, and committed with that record expected unchanged.

use std::collections::BTreeMap;

use muster_common::{
    device::{Field, Value},
    governance::{EvidenceKind, State, WipeMethod},
    id::{DeviceId, RequestId},
    time::Timestamp,
};
use muster_proto::store::v1 as stored;

use super::{By, Lifecycle, LifecycleError, MOST_TRIES, asset::Asset, audit, check_text, office};
use crate::{
    governance::lifecycle::{Facts, Order, Refused, decide},
    pipeline::{
        ObserveError,
        observation::{CompanionWrites, Observation},
    },
    privacy::evidence::FileHash,
    records::{Read, put},
};

/// A step that somebody wants an asset to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Which asset.
    pub asset: DeviceId,
    /// Where to.
    pub to: State,
    /// Why; empty: not said.
    pub reason: String,
    /// Name or address of whose it is from now on; empty: not said.
    pub owner: String,
    /// The order that it came with; empty: not said.
    pub order: String,
    /// How it was wiped.
    pub wipe: Option<WipeMethod>,
    /// Files that prove it, which are attached already.
    pub evidence: Vec<FileHash>,
    /// The request that it was bought for.
    pub request: Option<RequestId>,
    /// Where it is from now on; empty: not said.
    pub location: String,
    /// Lent until then.
    pub until: Option<Timestamp>,
    /// Only say what would happen.
    pub validate_only: bool,
}

/// What became of a step, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The asset, or the one that it was merged into.
    pub asset: DeviceId,
    /// For people.
    pub display_name: String,
    /// Where it stood; none: nobody had said.
    pub from: Option<State>,
    /// Why it was not taken; with `validate_only` alone, else that is the error.
    pub refused: Option<Refused>,
}

impl Lifecycle {
    /// Takes an asset a step further.
    ///
    /// # Errors
    /// [`LifecycleError::Refused`] with what is missing, and whatever keeps it from being decided or kept.
    pub async fn transition(&self, wish: &Wish, by: &By) -> Result<Taken, LifecycleError> {
        for (what, text) in
            [("reason", &wish.reason), ("order number", &wish.order), ("location", &wish.location)]
        {
            check_text(what, text)?;
        }
        for _ in 0..MOST_TRIES {
            let asset = self.asset(wish.asset, by).await?;
            let mut facts = asset.facts(by, wish.to);
            facts.reason.clone_from(&wish.reason);
            facts.wipe = wish.wipe;
            facts.order =
                Some(wish.order.trim()).filter(|order| !order.is_empty()).map(|it| Order(it.to_owned()));
            for hash in &wish.evidence {
                self.check_attached(&asset, *hash).await?;
            }
            self.check_proofs(&asset, wish.to).await?;
            let request = self.bind_request(wish, &mut facts).await?;
            // Nobody is made by asking what would be.
            let owner = if wish.validate_only && !wish.owner.trim().is_empty() {
                Some(self.known_person(&wish.owner).await?)
            } else {
                self.person(&wish.owner, by).await?
            };
            facts.owner = owner.or(facts.owner);
            let from = self.stands(&asset);
            let refused = decide(&facts, wish.to, &self.pipeline.charter()).err();
            let taken = Taken {
                asset: asset.device.id,
                display_name: asset.device.display_name(),
                from,
                refused: refused.clone(),
            };
            if wish.validate_only {
                return Ok(taken);
            }
            if let Some(refused) = refused {
                return Err(refused.into());
            }
            let now = self.pipeline.now();
            let fields = fields(wish, &facts, &asset, now);
            let statement =
                Observation::statement(office(), asset.device.id, fields, None, now).decided_by(&by.name);
            let detail = detail(wish, from, &facts);
            let companion = |device: DeviceId| {
                let mut writes = Vec::new();
                let mut expected = vec![asset.read.expectation()];
                if let Some(read) = &request {
                    expected.push(read.expectation());
                    writes.extend(read.record.clone().map(|known| {
                        put(read.key.clone(), &super::requests::with_asset(known, device, now))
                    }));
                }
                let action = format!("asset.{}", wish.to);
                CompanionWrites {
                    expected,
                    writes,
                    audit: Some(audit(&action, format!("devices/{device}"), detail.clone())),
                }
            };
            match self.pipeline.observe_with(&statement, Some(&companion)).await {
                Ok(_) => return Ok(taken),
                // Somebody was faster: what they did may forbid this.
                Err(ObserveError::CompanionChanged) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(LifecycleError::Contended)
    }

    fn stands(&self, asset: &Asset) -> Option<State> {
        asset.device.text(Field::State).and_then(|state| state.parse().ok())
    }

    /// A person who is known, or somebody who would be made.
    async fn known_person(&self, text: &str) -> Result<muster_common::id::PersonId, LifecycleError> {
        Ok(self.persons.find(text.trim()).await?.unwrap_or_else(muster_common::id::PersonId::random))
    }

    /// The request that an asset is received for: it gives the order, and stands in the way while it isn't placed.
    async fn bind_request(
        &self,
        wish: &Wish,
        facts: &mut Facts,
    ) -> Result<Option<Read<stored::PurchaseRequest>>, LifecycleError> {
        let Some(id) = wish.request else { return Ok(None) };
        if wish.to != State::Received {
            return Err(LifecycleError::Unusable(
                "a request is named when its asset is received, and at no other step".to_owned(),
            ));
        }
        let read = self.request_record(id).await?;
        let known = read.record.as_ref().ok_or(LifecycleError::NoRequest { request: id })?;
        super::requests::check_open_for_receipt(known)?;
        facts.order = Some(Order(known.order_number.clone()));
        Ok(Some(read))
    }

    /// Refuses what a missing or damaged file would prove.
    async fn check_proofs(&self, asset: &Asset, to: State) -> Result<(), LifecycleError> {
        let kind = match to {
            State::Wiped => EvidenceKind::WipeCertificate,
            State::Disposed => EvidenceKind::DisposalCertificate,
            State::Sold => EvidenceKind::SaleRecord,
            State::ReturnedToLessor => EvidenceKind::ReturnReceipt,
            _ => return Ok(()),
        };
        match asset.latest(kind) {
            Some(hash) => self.files.get(hash).await.map(drop).map_err(LifecycleError::from),
            None => Ok(()),
        }
    }

    /// Refuses a hash that is not attached, or whose file is missing or damaged.
    async fn check_attached(&self, asset: &Asset, hash: FileHash) -> Result<(), LifecycleError> {
        if !asset.notes.iter().any(|note| note.sha256 == hash.as_bytes()) {
            return Err(LifecycleError::NoEvidence { hash: hash.to_string() });
        }
        self.files.get(hash).await?;
        Ok(())
    }
}

/// What becomes so with the step.
fn fields(wish: &Wish, facts: &Facts, asset: &Asset, now: Timestamp) -> BTreeMap<Field, Option<Value>> {
    let text = |text: &str| Some(Value::Text(text.to_owned()));
    let mut fields = BTreeMap::from([(Field::State, text(wish.to.name()))]);
    let location = wish.location.trim();
    if !location.is_empty() {
        fields.insert(Field::Location, text(location));
    }
    let mut clear = |gone: &[Field]| fields.extend(gone.iter().map(|field| (*field, None)));
    match wish.to {
        State::InStock | State::Spare => clear(&[
            Field::Owner,
            Field::AssignedTo,
            Field::Acknowledged,
            Field::AwayUntil,
            Field::Deployed,
            Field::Retired,
            Field::WipeEvidence,
        ]),
        State::Deployed => {
            let owner = facts.owner.map(Value::Person);
            fields.insert(Field::Owner, owner.clone());
            fields.insert(Field::AssignedTo, owner);
            fields.insert(Field::Deployed, Some(Value::Time(now)));
            fields.insert(Field::AwayUntil, wish.until.map(Value::Time));
        }
        State::Received => {
            if let Some(request) = wish.request {
                fields.insert(Field::Request, text(&request.to_string()));
            }
        }
        State::Retired => {
            fields.insert(Field::Retired, Some(Value::Time(now)));
            fields.insert(Field::AwayUntil, None);
        }
        State::Wiped => {
            let method = wish.wipe.map_or("", WipeMethod::name);
            let proof = proof(asset, EvidenceKind::WipeCertificate);
            fields.insert(Field::WipeEvidence, text(format!("{method} {proof}").trim()));
        }
        State::Disposed | State::Sold | State::ReturnedToLessor => {
            let kind = match wish.to {
                State::Sold => EvidenceKind::SaleRecord,
                State::ReturnedToLessor => EvidenceKind::ReturnReceipt,
                _ => EvidenceKind::DisposalCertificate,
            };
            fields.insert(Field::DisposalEvidence, text(&format!("{kind} {}", proof(asset, kind))));
        }
        State::Requested
        | State::Approved
        | State::Ordered
        | State::InTransit
        | State::InRepair
        | State::Lost
        | State::Stolen
        | State::Found
        | State::Running
        | State::Terminated => {}
    }
    fields
}

/// The latest file of a kind, as `sha256:…`; empty when there is none.
fn proof(asset: &Asset, kind: EvidenceKind) -> String {
    asset.latest(kind).map(|hash| format!("sha256:{hash}")).unwrap_or_default()
}

/// What the audit says beside what the record will.
fn detail(wish: &Wish, from: Option<State>, facts: &Facts) -> String {
    let mut parts = vec![format!("from {}", from.map_or("no state", State::name))];
    if let Some(order) = &facts.order {
        parts.push(format!("order {order}"));
    }
    if let Some(request) = wish.request {
        parts.push(format!("request {request}"));
    }
    if wish.to == State::Deployed
        && let Some(owner) = facts.owner
    {
        parts.push(format!("person {owner}"));
    }
    if let Some(method) = wish.wipe {
        parts.push(method.to_string());
    }
    parts.extend(wish.evidence.iter().map(|hash| format!("evidence sha256:{hash}")));
    if !wish.reason.trim().is_empty() {
        parts.push(format!("reason: {}", wish.reason.trim()));
    }
    parts.join("; ")
}
