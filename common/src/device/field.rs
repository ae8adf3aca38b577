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

/// A text that names no field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no field {0:?}")]
pub struct UnknownField(pub String);

macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident $name:literal $group:ident,)*) => {
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
        }
    };
}

fields! {
    /// Host name.
    Hostname "hostname" Machine,
    /// System serial number.
    Serial "serial" Machine,
    /// System UUID.
    Uuid "uuid" Machine,
    /// Maker.
    Manufacturer "manufacturer" Machine,
    /// Model.
    Model "model" Machine,
    /// The model's name for people, where the maker has one.
    ModelName "model_name" Machine,
    /// Main board's serial number.
    BoardSerial "board_serial" Machine,
    /// Enclosure's serial number.
    ChassisSerial "chassis_serial" Machine,
    /// Asset tag that the maker or a technician wrote into the firmware.
    FirmwareAssetTag "firmware_asset_tag" Machine,
    /// Firmware version.
    Firmware "firmware" Machine,
    /// Hypervisor that it runs under.
    Hypervisor "hypervisor" Machine,
    /// Whether it is a virtual machine.
    Virtual "virtual" Machine,
    /// Processor model.
    Processor "processor" Machine,
    /// Processor cores in all.
    Cores "cores" Machine,
    /// Memory in bytes.
    Memory "memory" Machine,
    /// Disk capacity in bytes.
    Disk "disk" Machine,
    /// Serial numbers of its disks.
    DiskSerials "disk_serial" Machine,
    /// MAC addresses of its adapters.
    Mac "mac" Machine,
    /// IP addresses in use.
    Ip "ip" Machine,
    /// The operating system's machine id.
    MachineId "machine_id" Machine,
    /// Operating system by its os-release ID, such as `debian`.
    OsName "os.name" Machine,
    /// Its version.
    OsVersion "os.version" Machine,
    /// Its name for people.
    OsPretty "os.pretty" Machine,
    /// Kernel release.
    Kernel "kernel" Machine,
    /// Architecture.
    Architecture "architecture" Machine,
    /// Last boot, as the endpoint says.
    BootTime "boot_time" Machine,
    /// Version of the agent.
    AgentVersion "agent.version" Machine,
    /// `server`, `desktop`, `laptop`, `virtual`, `other`.
    Class "class" Machine,
    /// Asset tag within its scheme: `company/tag`.
    AssetTag "asset_tag" Business,
    /// Lifecycle state.
    State "state" Business,
    /// `owned`, `leased`, `personal`.
    Ownership "ownership" Business,
    /// Legal entity.
    Company "company" Business,
    /// Accountable owner.
    Owner "owner" Business,
    /// Person that it is assigned to.
    AssignedTo "assigned_to" Business,
    /// Where it is.
    Location "location" Business,
    /// Department.
    Department "department" Business,
    /// Cost centre.
    CostCenter "cost_center" Business,
    /// Supplier.
    Supplier "supplier" Business,
    /// Order number.
    OrderNumber "order_number" Business,
    /// Price.
    Price "price" Business,
    /// Date of purchase.
    PurchaseDate "purchase_date" Business,
    /// End of warranty.
    WarrantyEnd "warranty_end" Business,
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
