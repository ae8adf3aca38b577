//! The fields of a device: one line each, with its name in filters and output, and who knows best.

use std::{fmt, str::FromStr};

/// Who knows best about a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldGroup {
    /// What the machine itself says: agent, then MDM, then procurement, then others.
    Machine,
    /// What people say: an operator first, then imports.
    Business,
}

/// What a field's values are: with which [`super::Value`] they come, and how they are compared and sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// Text, in either case.
    Text,
    /// Text that is ordered as a version.
    Version,
    /// Yes or no.
    Boolean,
    /// A whole number.
    Number,
    /// A moment or a date.
    Time,
    /// An amount in a currency.
    Money,
    /// A person.
    Person,
    /// Several texts.
    List,
}

/// A text that names no field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no field {0:?}")]
pub struct UnknownField(pub String);

macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident $name:literal $group:ident $kind:ident,)*) => {
        /// A field of a device.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field {
            $($(#[$doc])* $variant,)*
        }

        impl Field {
            /// Every field.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in filters, columns and output.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Who knows best about it.
            pub const fn group(self) -> FieldGroup {
                match self { $(Self::$variant => FieldGroup::$group,)* }
            }

            /// What its values are.
            pub const fn kind(self) -> FieldKind {
                match self { $(Self::$variant => FieldKind::$kind,)* }
            }
        }
    };
}

fields! {
    /// Host name.
    Hostname "hostname" Machine Text,
    /// System serial number.
    Serial "serial" Machine Text,
    /// System UUID.
    Uuid "uuid" Machine Text,
    /// Maker.
    Manufacturer "manufacturer" Machine Text,
    /// Model.
    Model "model" Machine Text,
    /// The model's name for people, where the maker has one.
    ModelName "model_name" Machine Text,
    /// Main board's serial number.
    BoardSerial "board_serial" Machine Text,
    /// Enclosure's serial number.
    ChassisSerial "chassis_serial" Machine Text,
    /// Asset tag that the maker or a technician wrote into the firmware.
    FirmwareAssetTag "firmware_asset_tag" Machine Text,
    /// Firmware version.
    Firmware "firmware" Machine Version,
    /// Hypervisor that it runs under.
    Hypervisor "hypervisor" Machine Text,
    /// Whether it is a virtual machine.
    Virtual "virtual" Machine Boolean,
    /// Processor model.
    Processor "processor" Machine Text,
    /// Processor cores in all.
    Cores "cores" Machine Number,
    /// Memory in bytes.
    Memory "memory" Machine Number,
    /// Disk capacity in bytes.
    Disk "disk" Machine Number,
    /// Serial numbers of its disks.
    DiskSerials "disk_serial" Machine List,
    /// MAC addresses of its adapters.
    Mac "mac" Machine List,
    /// IP addresses in use.
    Ip "ip" Machine List,
    /// The operating system's machine id.
    MachineId "machine_id" Machine Text,
    /// Operating system by its os-release ID, such as `debian`.
    OsName "os.name" Machine Text,
    /// Its version.
    OsVersion "os.version" Machine Version,
    /// Its name for people.
    OsPretty "os.pretty" Machine Text,
    /// Kernel release.
    Kernel "kernel" Machine Version,
    /// Architecture.
    Architecture "architecture" Machine Text,
    /// Last boot, as the endpoint says.
    BootTime "boot_time" Machine Time,
    /// Version of the agent.
    AgentVersion "agent.version" Machine Version,
    /// `server`, `desktop`, `laptop`, `virtual`, `other`; of a peripheral what it is, such as `monitor`.
    Class "class" Machine Text,
    /// Cloud instance: `provider/account/instance`.
    Instance "cloud.instance" Machine Text,
    /// Account, subscription or project of a cloud, which pays for it.
    CloudAccount "cloud.account" Machine Text,
    /// Region of a cloud.
    CloudRegion "cloud.region" Machine Text,
    /// Fully qualified domain name.
    Fqdn "fqdn" Machine Text,
    /// Its id in device management.
    MdmId "mdm.id" Machine Text,
    /// Its id in the directory.
    DirectoryId "directory.id" Machine Text,
    /// Of an asset that is no device: what tells it from others of its category.
    AssetKey "asset_key" Machine Text,
    /// The device that it hangs on or belongs to, by id.
    AttachedTo "attached_to" Machine Text,
    /// When it was last used, or its person last signed in.
    LastSignIn "last_sign_in" Machine Time,
    /// `device`, `peripheral`, `subscription` …, see [`crate::asset::Category`]; not there: `device`.
    Category "category" Business Text,
    /// What people call it: a subscription's or contract's name.
    Title "title" Business Text,
    /// Asset tag within its scheme: `company/tag`.
    AssetTag "asset_tag" Business Text,
    /// Lifecycle state.
    State "state" Business Text,
    /// `owned`, `leased`, `personal`.
    Ownership "ownership" Business Text,
    /// Legal entity.
    Company "company" Business Text,
    /// Accountable owner.
    Owner "owner" Business Person,
    /// Person that it is assigned to.
    AssignedTo "assigned_to" Business Person,
    /// Where it is.
    Location "location" Business Text,
    /// Department.
    Department "department" Business Text,
    /// Cost centre.
    CostCenter "cost_center" Business Text,
    /// Supplier.
    Supplier "supplier" Business Text,
    /// Order number.
    OrderNumber "order_number" Business Text,
    /// Price.
    Price "price" Business Money,
    /// Date of purchase.
    PurchaseDate "purchase_date" Business Time,
    /// End of warranty.
    WarrantyEnd "warranty_end" Business Time,
    /// Number of the invoice.
    Invoice "invoice" Business Text,
    /// Its number in the finance system.
    FinanceNumber "finance_number" Business Text,
    /// Who leases it to us.
    Lessor "lessor" Business Text,
    /// End of the lease.
    LeaseEnd "lease_end" Business Time,
    /// End of the contract or subscription.
    ContractEnd "contract_end" Business Time,
    /// By when it must be renewed or cancelled.
    RenewalDate "renewal_date" Business Time,
    /// How many seats were bought.
    Seats "seats" Business Number,
    /// How many pieces there are of a stock.
    Quantity "quantity" Business Number,
    /// The service that it serves.
    Service "service" Business Text,
    /// The pool that it is lent from: a kiosk or a loan device belongs to nobody.
    Pool "pool" Business Text,
    /// `production`, `test` …
    Environment "environment" Business Text,
    /// How much depends on it.
    Criticality "criticality" Business Text,
    /// The class of the data on it.
    DataClass "data_class" Business Text,
    /// Rack, unit or shelf.
    Position "position" Business Text,
    /// Labels.
    Tags "tag" Business List,
    /// The organisation's own fields, each `name=value`.
    Custom "custom" Business List,
    /// When somebody last stood before it.
    Verified "verified" Business Time,
    /// When it was handed over.
    Deployed "deployed" Business Time,
    /// When its holder acknowledged it.
    Acknowledged "acknowledged" Business Time,
    /// Until when its silence or absence is agreed: leave, loan.
    AwayUntil "away_until" Business Time,
    /// When it was retired.
    Retired "retired" Business Time,
    /// How it was wiped, with the evidence.
    WipeEvidence "wipe_evidence" Business Text,
    /// How it was disposed of, with the evidence.
    DisposalEvidence "disposal_evidence" Business Text,
    /// The request that it was bought for, by id.
    Request "request" Business Text,
    /// The asset that it took the place of, by id.
    Replaces "replaces" Business Text,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Field {
    type Err = UnknownField;

    fn from_str(name: &str) -> Result<Self, UnknownField> {
        Self::ALL
            .iter()
            .find(|field| field.name() == name)
            .copied()
            .ok_or_else(|| UnknownField(name.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        let names: BTreeSet<&str> = Field::ALL.iter().map(|field| field.name()).collect();
        assert_eq!(names.len(), Field::ALL.len());
        for field in Field::ALL {
            assert_eq!(field.name().parse(), Ok(*field));
        }
    }
}
