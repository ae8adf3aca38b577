//! Who knows best about a field: a number for each source and field, the lowest wins.
//!
//! An operator's word is first everywhere. Then machine facts come from the machine, and business facts from whoever
//! is nearest to them in an organisation; an import says by the first word of its name whose records it brings. The
//! charter may order the sources of a field otherwise; those that it doesn't name come after them as usual.

use muster_common::{
    device::{Field, FieldGroup},
    governance::Charter,
    source::Source,
};

/// Whose records an import brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Office {
    Audit,
    HandOver,
    HelpDesk,
    Mdm,
    Staff,
    Finance,
    Maker,
    Adoption,
    Procurement,
    Shipping,
    Other,
}

/// The first words of imports' names, by office.
const NAMES: &[(&str, Office)] = &[
    ("audit", Office::Audit),
    ("handover", Office::HandOver),
    ("helpdesk", Office::HelpDesk),
    ("itsm", Office::HelpDesk),
    ("snipe", Office::HelpDesk),
    ("glpi", Office::HelpDesk),
    ("mdm", Office::Mdm),
    ("intune", Office::Mdm),
    ("jamf", Office::Mdm),
    ("hr", Office::Staff),
    ("adoption", Office::Adoption),
    ("finance", Office::Finance),
    ("erp", Office::Finance),
    ("maker", Office::Maker),
    ("warranty", Office::Maker),
    ("lenovo", Office::Maker),
    ("dell", Office::Maker),
    ("purchase", Office::Procurement),
    ("procurement", Office::Procurement),
    ("order", Office::Procurement),
    ("shipping", Office::Shipping),
];

/// The order in which offices are believed about business facts that name none of their own.
const USUAL: &[Office] = &[
    Office::Audit,
    Office::HandOver,
    Office::HelpDesk,
    Office::Mdm,
    Office::Staff,
    Office::Finance,
    Office::Adoption,
    Office::Procurement,
    Office::Maker,
    Office::Other,
    Office::Shipping,
];

/// What a charter calls an office; such a word means every import of it, any other one import by its whole name.
const WORDS: &[(&str, Office)] = &[
    ("audit", Office::Audit),
    ("handover", Office::HandOver),
    ("helpdesk", Office::HelpDesk),
    ("mdm", Office::Mdm),
    ("hr", Office::Staff),
    ("finance", Office::Finance),
    ("maker", Office::Maker),
    ("procurement", Office::Procurement),
    ("shipping", Office::Shipping),
];

/// The number behind which those stand that a charter's order doesn't name; more than an order has entries.
const UNNAMED: u8 = 60;

/// How well a source knows a field: 0 is best. Sources with equal numbers are equals, and their differences a conflict.
pub fn standing(charter: &Charter, source: &Source, field: Field) -> u8 {
    let usual = usual(source, field);
    let Some(order) = charter.precedence.get(&field) else { return usual };
    match order.iter().position(|word| is_meant(word, source)) {
        Some(at) => u8::try_from(at + 1).unwrap_or(UNNAMED).min(UNNAMED),
        // A lock stands above every order that doesn't name it.
        None if matches!(source, Source::Operator(_)) => 0,
        None => UNNAMED.saturating_add(usual),
    }
}

/// Whether a charter's word means a source.
fn is_meant(word: &str, source: &Source) -> bool {
    if word == source.kind() {
        return true;
    }
    match source {
        Source::Import(name) => {
            WORDS.iter().any(|(known, meant)| *known == word && *meant == office(name.as_str()))
        }
        Source::Agent(_) | Source::Operator(_) | Source::Neighbour => false,
    }
}

fn usual(source: &Source, field: Field) -> u8 {
    match (source, field.group()) {
        (Source::Operator(_), FieldGroup::Machine | FieldGroup::Business) => 0,
        (Source::Agent(_), FieldGroup::Machine) => 1,
        (Source::Import(name), FieldGroup::Machine) => match office(name.as_str()) {
            Office::Mdm => 2,
            Office::Procurement => 3,
            Office::Audit
            | Office::HandOver
            | Office::HelpDesk
            | Office::Staff
            | Office::Finance
            | Office::Maker
            | Office::Adoption
            | Office::Shipping
            | Office::Other => 4,
        },
        (Source::Import(name), FieldGroup::Business) => place(order(field), office(name.as_str())),
        // Who is logged on says less than any record of who it was given to.
        (Source::Agent(_), FieldGroup::Business) => 100,
        (Source::Neighbour, FieldGroup::Machine | FieldGroup::Business) => 200,
    }
}

/// Whether a kind of source, by its name in `seen_by`, says that a machine exists now: an agent, a network, a management
/// system, an audit. Who bought, pays or ships says only that it should.
pub fn is_witness(kind: &str) -> bool {
    match kind {
        "agent" | "neighbour" => true,
        "operator" => false,
        import => match office(import) {
            Office::Audit | Office::HandOver | Office::Mdm | Office::Other => true,
            Office::HelpDesk
            | Office::Staff
            | Office::Finance
            | Office::Maker
            | Office::Adoption
            | Office::Procurement
            | Office::Shipping => false,
        },
    }
}

fn office(name: &str) -> Office {
    let first = name.split('-').next().unwrap_or(name);
    NAMES.iter().find(|(known, _)| *known == first).map_or(Office::Other, |(_, office)| *office)
}

/// Who knows a business fact, the best first; who isn't named comes after them in the usual order.
fn order(field: Field) -> &'static [Office] {
    match field {
        // Procurement knows who ordered it, not who holds it.
        Field::AssignedTo | Field::Owner => {
            &[Office::HandOver, Office::HelpDesk, Office::Mdm, Office::Staff, Office::Procurement]
        }
        Field::CostCenter | Field::Department => &[Office::Finance, Office::Staff],
        Field::WarrantyEnd => &[Office::Maker, Office::Procurement],
        Field::Supplier | Field::OrderNumber | Field::Price | Field::PurchaseDate => {
            &[Office::Procurement, Office::Finance]
        }
        _ => &[],
    }
}

fn place(order: &[Office], office: Office) -> u8 {
    let find =
        |list: &[Office]| list.iter().position(|it| *it == office).and_then(|at| u8::try_from(at).ok());
    match find(order) {
        Some(at) => 1 + at,
        None => 20 + find(USUAL).unwrap_or(u8::MAX / 2),
    }
}

#[cfg(test)]
mod tests {
    use muster_common::{id::AgentId, source::ImportName};

    use super::*;

    fn import(name: &str) -> Source {
        Source::Import(ImportName::new(name).unwrap())
    }

    /// The sources stand in this order, the best first.
    fn check(field: Field, sources: &[Source]) {
        check_by(&Charter::default(), field, sources);
    }

    fn check_by(charter: &Charter, field: Field, sources: &[Source]) {
        for pair in sources.windows(2) {
            assert!(
                standing(charter, &pair[0], field) < standing(charter, &pair[1], field),
                "{} knows {field} no better than {}",
                pair[0],
                pair[1]
            );
        }
    }

    #[test]
    fn a_charter_orders_what_it_names_and_leaves_the_rest() {
        let mut charter = Charter::default();
        let mut order = |field: Field, words: &[&str]| {
            charter.precedence.insert(field, words.iter().map(|word| (*word).to_owned()).collect());
        };
        order(Field::Location, &["shipping", "site-list", "hr"]);
        order(Field::Serial, &["procurement", "agent"]);
        order(Field::Hostname, &["mdm", "operator"]);
        let operator = || Source::Operator("jo".into());
        let agent = || Source::Agent(AgentId::from_bytes([1; 16]));
        let location = [
            operator(),
            import("shipping-dhl"),
            import("site-list"),
            import("hr"),
            import("audit"),
            import("helpdesk"),
            import("other"),
        ];
        check_by(&charter, Field::Location, &location);
        check_by(&charter, Field::Serial, &[operator(), import("purchase"), agent(), import("mdm")]);
        check_by(&charter, Field::Hostname, &[import("jamf"), operator(), agent()]);
        check_by(&charter, Field::AssignedTo, &[operator(), import("handover"), import("hr")]);
    }

    #[test]
    fn the_nearest_to_a_fact_is_believed() {
        let agent = Source::Agent(AgentId::from_bytes([1; 16]));
        let operator = Source::Operator("jo".into());
        let machine = [operator.clone(), agent, import("mdm"), import("purchase-2026"), import("other")];
        check(Field::Serial, &machine);
        let assigned = [
            operator,
            import("handover"),
            import("helpdesk"),
            import("mdm"),
            import("hr"),
            import("purchase"),
            Source::Agent(AgentId::from_bytes([1; 16])),
        ];
        check(Field::AssignedTo, &assigned);
        check(Field::CostCenter, &[import("finance"), import("hr"), import("purchase")]);
        check(Field::WarrantyEnd, &[import("maker"), import("purchase"), import("hr")]);
        let location = [import("audit"), import("handover"), import("helpdesk"), import("shipping")];
        check(Field::Location, &location);
    }
}
