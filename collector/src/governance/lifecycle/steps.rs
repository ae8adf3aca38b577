//! The steps of each kind of asset's life: from where to where, who may take it, and what it needs.

use std::fmt;

use muster_common::{
    asset::Category,
    governance::{
        EvidenceKind, Role,
        State::{
            self, Approved, Deployed, Disposed, Found, InRepair, InStock, InTransit, Lost, Ordered, Received,
            Requested, Retired, ReturnedToLessor, Running, Sold, Spare, Stolen, Terminated, Wiped,
        },
    },
};

/// Which table of steps an asset goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Life {
    /// A machine that keeps data.
    Device,
    /// What hangs on machines and keeps none.
    Peripheral,
    /// What is counted and not told apart.
    Stock,
    /// What is used and not held: a subscription, a seat, a contract.
    Service,
    /// What comes and goes by itself: a cloud's resources, virtual desktops.
    Ephemeral,
}

impl Life {
    /// Every kind of life.
    pub const ALL: &[Self] = &[Self::Device, Self::Peripheral, Self::Stock, Self::Service, Self::Ephemeral];

    /// The life of a category; `in_cloud` tells of a device that it is a cloud's instance.
    pub const fn of(category: Category, in_cloud: bool) -> Self {
        match category {
            Category::Device if in_cloud => Self::Ephemeral,
            Category::Device => Self::Device,
            Category::Peripheral => Self::Peripheral,
            Category::Stock => Self::Stock,
            Category::Subscription | Category::Seat | Category::Contract => Self::Service,
            Category::CloudResource => Self::Ephemeral,
        }
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device => "device",
            Self::Peripheral => "peripheral",
            Self::Stock => "piece of stock",
            Self::Service => "service",
            Self::Ephemeral => "cloud resource",
        })
    }
}

/// Something that a step needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Why it is wanted.
    Justification,
    /// Another person than who asked, whose limit covers the cost; in place of the step's roles.
    Approval,
    /// The number of the order.
    Order,
    /// A purchase record that matches.
    Purchase,
    /// Whose it is.
    Owner,
    /// That the owner has acknowledged it.
    Acknowledgement,
    /// Why.
    Reason,
    /// A method, and the certificate that it asks for.
    Wipe,
    /// A file.
    Certificate(EvidenceKind),
    /// That it is leased.
    Lease,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// From which states.
    pub from: &'static [State],
    /// Whether it is also the first of an asset of which no state is known.
    pub first: bool,
    /// To which.
    pub to: State,
    /// Who may take it, beside admins.
    pub roles: &'static [Role],
    /// What it needs.
    pub needs: &'static [Need],
}

impl Step {
    /// Whether it can be taken from there.
    pub fn leaves(&self, present: Option<State>) -> bool {
        match present {
            None => self.first,
            Some(present) => self.from.contains(&present),
        }
    }

    const fn new(from: &'static [State], to: State, roles: &'static [Role], needs: &'static [Need]) -> Self {
        Self { from, first: false, to, roles, needs }
    }

    const fn or_first(self) -> Self {
        Self { first: true, ..self }
    }
}

/// Who may ask for something.
const ANYBODY: &[Role] = &[
    Role::Employee,
    Role::Technician,
    Role::Custodian,
    Role::Procurement,
    Role::Finance,
    Role::Security,
    Role::Manager,
];
const BUYERS: &[Role] = &[Role::Procurement];
const RECEIVERS: &[Role] = &[Role::Procurement, Role::Technician];
const HANDLERS: &[Role] = &[Role::Technician, Role::Custodian];
const WATCHERS: &[Role] = &[Role::Technician, Role::Custodian, Role::Security];
const WIPERS: &[Role] = &[Role::Technician, Role::Security];
const SELLERS: &[Role] = &[Role::Procurement, Role::Finance];

const DISPOSAL: Need = Need::Certificate(EvidenceKind::DisposalCertificate);
const SALE: Need = Need::Certificate(EvidenceKind::SaleRecord);
const RETURN: Need = Need::Certificate(EvidenceKind::ReturnReceipt);

const REQUESTED: Step = Step::new(&[], Requested, ANYBODY, &[Need::Justification]).or_first();
const APPROVED: Step = Step::new(&[Requested], Approved, &[Role::Manager], &[Need::Approval]);
const ORDERED: Step = Step::new(&[Approved], Ordered, BUYERS, &[Need::Order]);
const IN_TRANSIT: Step = Step::new(&[Ordered], InTransit, RECEIVERS, &[]);
const RECEIVED: Step = Step::new(&[Ordered, InTransit], Received, RECEIVERS, &[Need::Purchase]).or_first();

const DEVICE: &[Step] = &[
    REQUESTED,
    APPROVED,
    ORDERED,
    IN_TRANSIT,
    RECEIVED,
    Step::new(&[Received, Deployed, InRepair, Spare, Found], InStock, HANDLERS, &[]),
    // What was to go and stays after all.
    Step::new(&[Retired, Wiped], InStock, HANDLERS, &[Need::Reason]),
    Step::new(
        &[Received, InStock, Spare, InRepair, Found],
        Deployed,
        HANDLERS,
        &[Need::Owner, Need::Acknowledgement],
    ),
    Step::new(&[Received, InStock, Spare, Deployed, Found], InRepair, HANDLERS, &[Need::Reason]),
    Step::new(&[Received, InStock, Deployed, InRepair, Found], Spare, HANDLERS, &[]),
    Step::new(&[InTransit, Received, InStock, Spare, Deployed, InRepair], Lost, WATCHERS, &[Need::Reason]),
    Step::new(
        &[InTransit, Received, InStock, Spare, Deployed, InRepair, Lost],
        Stolen,
        WATCHERS,
        &[Need::Reason],
    ),
    Step::new(&[Lost, Stolen], Found, WATCHERS, &[Need::Reason]),
    Step::new(
        &[Received, InStock, Spare, Deployed, InRepair, Found, Lost, Stolen],
        Retired,
        HANDLERS,
        &[Need::Reason],
    ),
    Step::new(&[Retired], Wiped, WIPERS, &[Need::Wipe]),
    Step::new(&[Wiped], Disposed, RECEIVERS, &[DISPOSAL]),
    Step::new(&[Wiped], Sold, SELLERS, &[SALE]),
    Step::new(&[Wiped], ReturnedToLessor, SELLERS, &[Need::Lease, RETURN]),
];

const PERIPHERAL: &[Step] = &[
    REQUESTED,
    APPROVED,
    ORDERED,
    IN_TRANSIT,
    RECEIVED,
    Step::new(&[Received, Deployed, InRepair, Spare, Found], InStock, HANDLERS, &[]),
    Step::new(&[Retired], InStock, HANDLERS, &[Need::Reason]),
    // A monitor stands where its device stands: whoever has that has acknowledged it.
    Step::new(&[Received, InStock, Spare, InRepair, Found], Deployed, HANDLERS, &[Need::Owner]),
    Step::new(&[Received, InStock, Spare, Deployed, Found], InRepair, HANDLERS, &[Need::Reason]),
    Step::new(&[Received, InStock, Deployed, InRepair, Found], Spare, HANDLERS, &[]),
    Step::new(&[InTransit, Received, InStock, Spare, Deployed, InRepair], Lost, WATCHERS, &[Need::Reason]),
    Step::new(
        &[InTransit, Received, InStock, Spare, Deployed, InRepair, Lost],
        Stolen,
        WATCHERS,
        &[Need::Reason],
    ),
    Step::new(&[Lost, Stolen], Found, WATCHERS, &[Need::Reason]),
    Step::new(
        &[Received, InStock, Spare, Deployed, InRepair, Found, Lost, Stolen],
        Retired,
        HANDLERS,
        &[Need::Reason],
    ),
    Step::new(&[Retired], Disposed, RECEIVERS, &[DISPOSAL]),
    Step::new(&[Retired], Sold, SELLERS, &[SALE]),
    Step::new(&[Retired], ReturnedToLessor, SELLERS, &[Need::Lease, RETURN]),
];

const STOCK: &[Step] = &[
    REQUESTED,
    APPROVED,
    ORDERED,
    IN_TRANSIT,
    RECEIVED,
    Step::new(&[Received, Found], InStock, HANDLERS, &[]),
    Step::new(&[Received, InStock], Lost, WATCHERS, &[Need::Reason]),
    Step::new(&[Lost], Found, WATCHERS, &[Need::Reason]),
    Step::new(&[Received, InStock, Found, Lost], Retired, HANDLERS, &[Need::Reason]),
    Step::new(&[Retired], Disposed, RECEIVERS, &[DISPOSAL]),
    Step::new(&[Retired], Sold, SELLERS, &[SALE]),
];

const SERVICE: &[Step] = &[
    REQUESTED,
    APPROVED,
    ORDERED,
    RECEIVED,
    Step::new(&[Received], Deployed, &[Role::Procurement, Role::Technician, Role::Custodian], &[Need::Owner]),
    Step::new(
        &[Received, Deployed],
        Retired,
        &[Role::Procurement, Role::Technician, Role::Custodian],
        &[Need::Reason],
    ),
];

const EPHEMERAL: &[Step] = &[
    Step::new(&[Terminated], Running, HANDLERS, &[Need::Reason]).or_first(),
    Step::new(&[Running], Terminated, HANDLERS, &[]),
];

/// The steps of a life.
pub const fn steps(life: Life) -> &'static [Step] {
    match life {
        Life::Device => DEVICE,
        Life::Peripheral => PERIPHERAL,
        Life::Stock => STOCK,
        Life::Service => SERVICE,
        Life::Ephemeral => EPHEMERAL,
    }
}
