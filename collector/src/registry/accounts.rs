//! People and tools that may use the API, and their roles.
//!
//! Held here and not in the certificate, so that a change is immediate.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
};

use muster_common::{
    governance::{Charter, Grant, Role},
    time::Timestamp,
    trust::name::ShortName,
};
use muster_proto::store::v1 as stored;
use prost::Message;

use super::{Registry, RegistryError, Sight};
use crate::{
    records::{Read, key, put},
    store::{Commit, Key},
};

/// A person or a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name in its certificate: `operator/alice`, `service/siem`.
    pub name: String,
    /// What it may do.
    pub roles: Vec<Role>,
    /// Which departments it answers for, as paths from the root; counts for [`Role::Custodian`] alone.
    pub departments: Vec<String>,
    /// Whether it is shut out for now.
    pub disabled: bool,
}

impl Account {
    /// Whether it has a role, or the one that has them all.
    pub fn may(&self, role: Role) -> bool {
        !self.disabled && self.roles.iter().any(|has| *has == role || *has == Role::Admin)
    }

    /// Which records it sees.
    pub fn sight(&self) -> Sight {
        if self.roles.iter().any(|role| role.sees_everything()) {
            return Sight::Everything;
        }
        let is_custodian = self.roles.contains(&Role::Custodian);
        Sight::Departments(if is_custodian { self.departments.clone() } else { Vec::new() })
    }
}

impl Registry {
    /// Reads the accounts from the store.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn load(&self) -> Result<(), RegistryError> {
        let mut after: Option<Key> = None;
        let mut accounts = Vec::new();
        loop {
            let page: Vec<(Key, stored::Account)> =
                self.records.scan(key::ACCOUNTS, after.as_ref(), 1_000).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            accounts.extend(page.into_iter().map(|(_, account)| from_stored(account)));
        }
        let mut known = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        *known = accounts.into_iter().map(|account| (account.name.clone(), account)).collect();
        Ok(())
    }

    /// The account by the name in a certificate, with the roles that it has at a moment: those of the charter where
    /// that names it, else those that it was given here.
    pub fn account(&self, name: &str, now: Timestamp) -> Option<Account> {
        let known = self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        governed(&self.charter.load(), name, known, now)
    }

    /// Every account by its name, as `charter` has it at a moment.
    pub fn accounts_under(&self, charter: &Charter, now: Timestamp) -> BTreeMap<String, Account> {
        let known = self.accounts.read().unwrap_or_else(PoisonError::into_inner).clone();
        let names: BTreeSet<&String> = known.keys().chain(charter.grants.keys()).collect();
        names
            .into_iter()
            .filter_map(|name| {
                let account = governed(charter, name, known.get(name).cloned(), now)?;
                Some((name.clone(), account))
            })
            .collect()
    }

    /// Makes an operator's account, or sets its roles.
    ///
    /// # Errors
    /// When the change can't be kept.
    pub async fn set_operator(
        &self,
        name: &ShortName,
        roles: &[Role],
        departments: &[String],
        actor: &str,
        now: Timestamp,
    ) -> Result<(), RegistryError> {
        let name = format!("operator/{}", name.as_str());
        let key = key::account(&name).map_err(|error| RegistryError::Name(error.to_string()))?;
        let read: Read<stored::Account> = self.records.get(key).await?;
        let account = stored::Account {
            name,
            roles: roles.iter().map(|role| role.name().to_owned()).collect(),
            created_ms: read.record.as_ref().map_or(now.as_millis(), |account| account.created_ms),
            disabled: false,
            departments: departments.to_vec(),
        };
        let audit = stored::Audit {
            action: "account.set".to_owned(),
            target: account.name.clone(),
            detail: match account.departments.as_slice() {
                [] => account.roles.join(", "),
                of => format!("{} of {}", account.roles.join(", "), of.join(", ")),
            },
        };
        self.records
            .commit(Commit {
                kind: "account".to_owned(),
                time: now,
                actor: actor.to_owned(),
                expected: vec![read.expectation()],
                writes: vec![put(read.key, &account)],
                audit: Some(audit.encode_to_vec()),
            })
            .await?;
        let account = from_stored(account);
        self.accounts.write().unwrap_or_else(PoisonError::into_inner).insert(account.name.clone(), account);
        Ok(())
    }
}

fn governed(charter: &Charter, name: &str, known: Option<Account>, now: Timestamp) -> Option<Account> {
    let Some(Grant { roles, departments, until: _ }) = charter.grant(name, now) else { return known };
    let disabled = known.is_some_and(|account| account.disabled);
    // A record may name a department by its path or by its own name, and those below belong to it.
    let tree = &charter.organisation.departments;
    let departments = departments.iter().flat_map(|department| tree.names_within(department)).collect();
    Some(Account { name: name.to_owned(), roles, departments, disabled })
}

/// A role that this version does not know gives no right.
fn from_stored(account: stored::Account) -> Account {
    let stored::Account { name, roles, created_ms: _, disabled, departments } = account;
    let roles = roles.iter().filter_map(|role| role.parse().ok()).collect();
    Account { name, roles, departments, disabled }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arc_swap::ArcSwap;

    use super::*;
    use crate::store::memory::MemoryStore;

    #[tokio::test]
    async fn roles_are_there_after_a_restart() {
        let store = Arc::new(MemoryStore::default());
        let registry = Registry::new(store.clone());
        let name: ShortName = "alice".parse().unwrap();
        registry.set_operator(&name, &[Role::Reader], &[], "init", Timestamp::from_millis(1)).await.unwrap();
        let again = Registry::new(store);
        assert_eq!(again.account("operator/alice", Timestamp::from_millis(2)), None);
        again.load().await.unwrap();
        let account = again.account("operator/alice", Timestamp::from_millis(2)).unwrap();
        assert!(account.may(Role::Reader) && !account.may(Role::Procurement));
        assert!(!Account { disabled: true, ..account }.may(Role::Reader));
    }

    #[tokio::test]
    async fn the_charter_stands_above_what_was_given_and_ends_on_its_day() {
        let mut charter = Charter::default();
        let grant = |roles: &[Role], until| Grant { roles: roles.to_vec(), departments: Vec::new(), until };
        let until = Timestamp::from_millis(10);
        charter.grants.insert("operator/alice".to_owned(), grant(&[Role::Procurement], None));
        charter.grants.insert("operator/eve".to_owned(), grant(&[Role::Auditor], Some(until)));
        let registry =
            Registry::under(Arc::new(MemoryStore::default()), Arc::new(ArcSwap::from_pointee(charter)));
        for (name, role) in [("alice", Role::Admin), ("bob", Role::Reader)] {
            registry
                .set_operator(&name.parse().unwrap(), &[role], &[], "init", Timestamp::from_millis(1))
                .await
                .unwrap();
        }
        let roles =
            |name: &str, ms| registry.account(name, Timestamp::from_millis(ms)).map(|account| account.roles);
        assert_eq!(roles("operator/alice", 5), Some(vec![Role::Procurement]));
        assert_eq!(roles("operator/bob", 5), Some(vec![Role::Reader]));
        assert_eq!(roles("operator/eve", 9), Some(vec![Role::Auditor]));
        assert_eq!(roles("operator/eve", 10), Some(vec![]));
        assert_eq!(roles("operator/mallory", 5), None);
    }
}
