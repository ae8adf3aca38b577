//! Hand-overs: a code for one use by which a person confirms that an asset is theirs now.
//!
//! The code is shown once and kept as a hash; a wrong one looks like one that was used. Whoever makes it can't use it, or
//! a technician would acknowledge for everybody.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use muster_common::{
    device::{Field, Value},
    id::{DeviceId, PersonId},
    time::Timestamp,
};
use muster_proto::store::v1 as stored;
use ring::rand::{SecureRandom, SystemRandom};

use super::{By, Lifecycle, LifecycleError, audit, office};
use crate::{
    pipeline::{
        ObserveError,
        observation::{CompanionWrites, Observation},
    },
    records::{Read, key, put},
    store::Commit,
};

/// How long a code is good for.
const LIFETIME: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// What a code begins with, so that people and scanners know what it is.
const MARK: &str = "mh1.";

/// A code, which is shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct NewHandover {
    /// The code.
    pub code: String,
    /// Until when it is good.
    pub expires: Timestamp,
    /// Of which asset.
    pub asset: DeviceId,
    /// For people.
    pub display_name: String,
}

impl std::fmt::Debug for NewHandover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewHandover({})", self.asset)
    }
}

/// What was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Which asset.
    pub asset: DeviceId,
    /// For people.
    pub display_name: String,
    /// Whose it is.
    pub person: PersonId,
}

impl Lifecycle {
    /// Makes a code for a person.
    ///
    /// # Errors
    /// When there is no such asset, or nobody is named.
    pub async fn create_handover(
        &self,
        asset: DeviceId,
        person: &str,
        by: &By,
    ) -> Result<NewHandover, LifecycleError> {
        let asset = self.asset(asset, by).await?;
        let nobody = || LifecycleError::Unusable("say to whom it is handed over (--to PERSON)".to_owned());
        let person = self.person(person, by).await?.ok_or_else(nobody)?;
        let mut secret = [0u8; 16];
        SystemRandom::new().fill(&mut secret).map_err(|_| {
            LifecycleError::Unusable("the system gives no random numbers: try again".to_owned())
        })?;
        let code = format!("{MARK}{}", URL_SAFE_NO_PAD.encode(secret));
        let now = self.pipeline.now();
        let expires = now.after(LIFETIME);
        let device = asset.device.id;
        let handover = stored::Handover {
            device: device.as_bytes().to_vec(),
            person: person.as_bytes().to_vec(),
            created_by: by.name.clone(),
            created_ms: now.as_millis(),
            expires_ms: expires.as_millis(),
            acknowledged_ms: 0,
            acknowledged_by: String::new(),
        };
        let read: Read<stored::Handover> = self.pipeline.records().get(key::handover(&hash(&code))).await?;
        let commit = Commit {
            kind: "handover".to_owned(),
            time: now,
            actor: by.name.clone(),
            expected: vec![read.expectation()],
            writes: vec![put(read.key, &handover)],
            audit: Some(audit(
                "handover.create",
                format!("devices/{device}"),
                format!("to person {person}, good until {expires}"),
            )),
        };
        self.pipeline.records().commit(commit).await?;
        Ok(NewHandover { code, expires, asset: device, display_name: asset.device.display_name() })
    }

    /// Uses a code up: the asset is that person's from now on.
    ///
    /// # Errors
    /// [`LifecycleError::Code`] and [`LifecycleError::OwnCode`].
    pub async fn acknowledge(&self, code: &str, by: &By) -> Result<Acknowledged, LifecycleError> {
        let code = code.trim();
        if code.len() > 64 || !code.starts_with(MARK) {
            return Err(LifecycleError::Code);
        }
        let read: Read<stored::Handover> = self.pipeline.records().get(key::handover(&hash(code))).await?;
        let handover = read.record.clone().ok_or(LifecycleError::Code)?;
        let now = self.pipeline.now();
        if handover.acknowledged_ms != 0 || handover.expires_ms <= now.as_millis() {
            return Err(LifecycleError::Code);
        }
        if handover.created_by == by.name {
            return Err(LifecycleError::OwnCode);
        }
        let device = <[u8; 16]>::try_from(handover.device.as_slice()).map(DeviceId::from_bytes);
        let person = <[u8; 16]>::try_from(handover.person.as_slice()).map(PersonId::from_bytes);
        let (Ok(device), Ok(person)) = (device, person) else { return Err(LifecycleError::Code) };
        let fields = BTreeMap::from([
            (Field::AssignedTo, Some(Value::Person(person))),
            (Field::Acknowledged, Some(Value::Time(now))),
        ]);
        let statement = Observation::statement(office(), device, fields, None, now).decided_by(&by.name);
        let used = stored::Handover {
            acknowledged_ms: now.as_millis(),
            acknowledged_by: by.name.clone(),
            ..handover
        };
        let companion = |device: DeviceId| CompanionWrites {
            expected: vec![read.expectation()],
            writes: vec![put(read.key.clone(), &used)],
            audit: Some(audit(
                "handover.acknowledge",
                format!("devices/{device}"),
                format!("by person {person}"),
            )),
        };
        let outcome = match self.pipeline.observe_with(&statement, Some(&companion)).await {
            // Somebody used the code at the same time.
            Err(ObserveError::CompanionChanged) => return Err(LifecycleError::Code),
            outcome => outcome?,
        };
        let known: Read<muster_common::device::Device> =
            self.pipeline.records().get(key::device(outcome.device)).await?;
        let display_name = known.record.map(|device| device.display_name()).unwrap_or_default();
        Ok(Acknowledged { asset: outcome.device, display_name, person })
    }
}

fn hash(code: &str) -> [u8; 32] {
    *blake3::hash(code.as_bytes()).as_bytes()
}
