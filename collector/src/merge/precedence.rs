//! Who knows best about a field: a number for each source and field, the lowest wins.
//!
//! An operator's word is first everywhere. Then machine facts come from the machine, and business facts from whoever
//! is nearest to them in an organisation; an import says by the first word of its name whose records it brings.

use muster_common::{
    device::{Field, FieldGroup},
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
    Office::Procurement,
    Office::Maker,
    Office::Other,
    Office::Shipping,
];

/// How well a source knows a field: 0 is best. Sources with equal numbers are equals, and their differences a conflict.
pub fn standing(source: &Source, field: Field) -> u8 {
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
        for pair in sources.windows(2) {
            assert!(
                standing(&pair[0], field) < standing(&pair[1], field),
                "{} knows {field} no better than {}",
                pair[0],
                pair[1]
            );
        }
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
