//! Whether an agent should report from a class of device.

use std::collections::BTreeMap;

/// Whether an agent should report from a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AgentExpectation {
    /// It should.
    Expected,
    /// It may.
    Optional,
    /// It can't: a monitor, a printer, a switch.
    Impossible,
}

/// What is expected of each class; a class that is not named is expected to have an agent.
pub type ExpectationByClass = BTreeMap<String, AgentExpectation>;

/// The classes of which no agent is expected unless the charter says otherwise.
pub(super) fn usual() -> ExpectationByClass {
    let impossible = ["monitor", "printer", "switch", "phone", "dock", "peripheral", "accessory"];
    let optional = ["tablet", "other"];
    let expected = ["server", "desktop", "laptop", "virtual"];
    [
        (&impossible[..], AgentExpectation::Impossible),
        (&optional[..], AgentExpectation::Optional),
        (&expected[..], AgentExpectation::Expected),
    ]
    .into_iter()
    .flat_map(|(classes, expectation)| classes.iter().map(move |class| ((*class).to_owned(), expectation)))
    .collect()
}
