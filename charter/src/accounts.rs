//! Who may do what: roles by account, and up to which cost a role approves.

use std::collections::BTreeMap;

use muster_common::governance::{ApprovalLimit, Grant, NodePath, Organisation, Role};
use muster_common::time::Timestamp;
use muster_config::Input;

use crate::names::{Account, RoleName, unknown};

/// Accounts in one charter.
const MAX_ACCOUNTS: usize = 5_000;
/// Departments of one account.
const MAX_DEPARTMENTS: usize = 100;

pub(crate) fn grants(input: &mut Input, organisation: &Organisation) -> BTreeMap<String, Grant> {
    let mut grants = BTreeMap::new();
    for account in input.tables::<Account>("roles") {
        let spelling = account.spellings().find(|spelling| input.has_table(&format!("roles.{spelling}")));
        let table = format!("roles.{}", spelling.unwrap_or(account.0.as_str()));
        let grant = grant(input, &table, organisation);
        grants.insert(account.0, grant);
    }
    if grants.len() > MAX_ACCOUNTS {
        input.refuse("roles", format!("names {} accounts, at most {MAX_ACCOUNTS} are allowed", grants.len()));
    }
    grants
}

fn grant(input: &mut Input, table: &str, organisation: &Organisation) -> Grant {
    let key = |part: &str| format!("{table}.{part}");
    let roles: Vec<Role> = input
        .list::<RoleName>(&key("roles"), Vec::new(), Role::ALL.len())
        .into_iter()
        .map(|role| role.0)
        .collect();
    let departments: Vec<String> = input
        .list::<NodePath>(&key("departments"), Vec::new(), MAX_DEPARTMENTS)
        .into_iter()
        .map(|path| path.to_string())
        .collect();
    let until = input.optional::<Timestamp>(&key("until"));
    if roles.is_empty() {
        input.refuse(&key("roles"), "names no role; name one, or remove the account");
    }
    if roles.contains(&Role::Auditor) && until.is_none() {
        input.refuse(
            &key("until"),
            "is required with the role auditor; add it, for example until = \"2027-01-31\"",
        );
    }
    if roles.contains(&Role::Custodian) && departments.is_empty() {
        input.refuse(
            &key("departments"),
            "is required with the role custodian, who sees these departments alone",
        );
    }
    let known = &organisation.departments;
    if !known.is_empty()
        && let Some(stranger) = departments.iter().find(|name| known.find(name).is_none())
    {
        input.refuse(&key("departments"), unknown("department", stranger, known.paths()));
    }
    Grant { roles, departments, until }
}

pub(crate) fn approvals(input: &mut Input, organisation: &Organisation) -> BTreeMap<Role, ApprovalLimit> {
    let mut limits = BTreeMap::new();
    for RoleName(role) in input.names::<RoleName>("approvals") {
        let key = format!("approvals.{role}");
        let Some(limit) = input.optional::<ApprovalLimit>(&key) else { continue };
        if let ApprovalLimit::UpTo(money) = &limit
            && !organisation.currency.is_empty()
            && money.currency != organisation.currency
        {
            let currency = &organisation.currency;
            input.refuse(&key, format!("is in {}, and organisation.currency is {currency}", money.currency));
        }
        limits.insert(role, limit);
    }
    limits
}
