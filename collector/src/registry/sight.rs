//! Which records an account sees.
//!
//! Knows nothing of lists and of how they are answered: it is a filter, and the same question for one record.

use muster_common::{
    device::Field,
    filter::{Comparison, FieldPath, Filter, Operator, Value},
};

/// Which records an account sees: all, or those of some departments with everything below them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Every record.
    Everything,
    /// Records whose department is one of these, or below one: `Sales` has `Sales/EMEA`. None of them: no record.
    Departments(Vec<String>),
}

impl Sight {
    /// What a list of records is narrowed by; nothing for who sees everything.
    pub fn filter(&self) -> Option<Filter> {
        let Self::Departments(departments) = self else { return None };
        let is = |value| {
            let field = FieldPath::new(Field::Department.name()).expect("the name of a field is a path");
            Filter::Comparison(Comparison { field, operator: Operator::Equal, value })
        };
        let each = departments.iter().flat_map(|department| {
            [is(Value::Exact(department.clone())), is(Value::Prefix(format!("{department}/")))]
        });
        let each: Vec<Filter> = each.collect();
        Some(if each.is_empty() { Filter::Not(Box::new(Filter::All)) } else { Filter::Or(each) })
    }

    /// Whether a record of this department is among them; compared as a filter compares, in either case.
    pub fn sees(&self, department: Option<&str>) -> bool {
        let Self::Departments(departments) = self else { return true };
        let Some(department) = department.map(str::to_lowercase) else { return false };
        departments.iter().map(|own| own.to_lowercase()).any(|own| {
            department == own || department.strip_prefix(&own).is_some_and(|rest| rest.starts_with('/'))
        })
    }
}

#[cfg(test)]
mod tests {
    use muster_common::governance::Role;

    use super::super::Account;
    use super::*;

    #[test]
    fn a_custodian_sees_own_departments_and_what_is_below_them() {
        let of = |roles: &[Role], departments: &[&str]| Account {
            name: "operator/kim".to_owned(),
            roles: roles.to_vec(),
            departments: departments.iter().map(|name| (*name).to_owned()).collect(),
            disabled: false,
        };
        let sight = of(&[Role::Custodian], &["Sales"]).sight();
        for (department, expected) in [
            (Some("Sales"), true),
            (Some("sales"), true),
            (Some("Sales/EMEA"), true),
            (Some("Salesforce"), false),
            (Some("IT"), false),
            (None, false),
        ] {
            assert_eq!(sight.sees(department), expected, "{department:?}");
        }
        assert!(!of(&[Role::Custodian], &[]).sight().sees(Some("Sales")));
        assert!(!of(&[Role::Employee], &["Sales"]).sight().sees(Some("Sales")));
        assert_eq!(of(&[Role::Custodian, Role::Reader], &["Sales"]).sight(), Sight::Everything);
    }
}
