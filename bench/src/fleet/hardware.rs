//! Models of several makers: how each names itself, numbers its machines and is built.

/// What kind of machine it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Laptop,
    Desktop,
    Server,
    Virtual,
}

/// How a maker numbers its machines.
#[derive(Debug, Clone, Copy)]
pub(super) enum Numbering {
    /// A prefix and so many letters and digits.
    Letters(&'static str, u32),
    /// A prefix and so many digits.
    Digits(&'static str, u32),
    /// A number that is none.
    Placeholder(&'static str),
}

/// A model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model {
    pub(super) form: Form,
    pub(super) manufacturer: &'static str,
    pub(super) product: &'static str,
    /// The name for people, where the maker has one beside its number.
    pub(super) version: Option<&'static str>,
    pub(super) family: Option<&'static str>,
    pub(super) numbering: Numbering,
    pub(super) board: &'static str,
    pub(super) firmware: &'static str,
    pub(super) firmware_vendor: &'static str,
    pub(super) processor: &'static str,
    pub(super) sockets: u32,
    pub(super) cores: u32,
    pub(super) modules: u32,
    pub(super) module_gib: u64,
    pub(super) memory_kind: &'static str,
    pub(super) disks: u32,
    /// First bytes of its adapters' addresses, as registered to the maker of the adapter.
    pub(super) oui: [u8; 3],
    pub(super) adapters: u32,
    pub(super) hypervisor: Option<&'static str>,
}

impl Form {
    /// Enclosure type by DSP0134.
    pub(super) fn chassis_kind(self) -> u8 {
        match self {
            Self::Laptop => 10,
            Self::Desktop => 3,
            Self::Server => 23,
            Self::Virtual => 1,
        }
    }

    /// What host names begin with.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Laptop => "lt",
            Self::Desktop => "ws",
            Self::Server => "srv",
            Self::Virtual => "vm",
        }
    }
}

/// Shares in percent.
pub(super) const MODELS: [(u64, Model); 8] = [
    (
        24,
        Model {
            form: Form::Laptop,
            manufacturer: "LENOVO",
            product: "21HMCTO1WW",
            version: Some("ThinkPad X1 Carbon Gen 11"),
            family: Some("ThinkPad X1 Carbon Gen 11"),
            numbering: Numbering::Letters("PF", 6),
            board: "21HMCTO1WW",
            firmware: "N3XET58W (1.33 )",
            firmware_vendor: "LENOVO",
            processor: "13th Gen Intel(R) Core(TM) i7-1365U",
            sockets: 1,
            cores: 10,
            modules: 2,
            module_gib: 8,
            memory_kind: "LPDDR5",
            disks: 1,
            oui: [0x8c, 0x16, 0x45],
            adapters: 2,
            hypervisor: None,
        },
    ),
    (
        22,
        Model {
            form: Form::Laptop,
            manufacturer: "Dell Inc.",
            product: "Latitude 5440",
            version: None,
            family: Some("Latitude"),
            numbering: Numbering::Letters("", 7),
            board: "0J7K4P",
            firmware: "1.21.0",
            firmware_vendor: "Dell Inc.",
            processor: "13th Gen Intel(R) Core(TM) i5-1345U",
            sockets: 1,
            cores: 10,
            modules: 2,
            module_gib: 8,
            memory_kind: "DDR4",
            disks: 1,
            oui: [0xa4, 0xbb, 0x6d],
            adapters: 2,
            hypervisor: None,
        },
    ),
    (
        14,
        Model {
            form: Form::Laptop,
            manufacturer: "HP",
            product: "HP EliteBook 840 14 inch G10 Notebook PC",
            version: None,
            family: Some("103C_5336AN HP EliteBook"),
            numbering: Numbering::Letters("5CG", 7),
            board: "8B41",
            firmware: "V70 Ver. 01.04.03",
            firmware_vendor: "HP",
            processor: "13th Gen Intel(R) Core(TM) i7-1355U",
            sockets: 1,
            cores: 10,
            modules: 2,
            module_gib: 16,
            memory_kind: "DDR5",
            disks: 1,
            oui: [0x7c, 0x57, 0x58],
            adapters: 2,
            hypervisor: None,
        },
    ),
    (
        8,
        Model {
            form: Form::Desktop,
            manufacturer: "FUJITSU",
            product: "ESPRIMO P7012",
            version: None,
            family: Some("ESPRIMO-FTS"),
            numbering: Numbering::Digits("YM", 8),
            board: "D3954-A1",
            firmware: "V1.0.0.0 R1.32.0",
            firmware_vendor: "FUJITSU",
            processor: "12th Gen Intel(R) Core(TM) i5-12400",
            sockets: 1,
            cores: 6,
            modules: 2,
            module_gib: 8,
            memory_kind: "DDR4",
            disks: 2,
            oui: [0x4c, 0x52, 0x62],
            adapters: 1,
            hypervisor: None,
        },
    ),
    (
        8,
        Model {
            form: Form::Server,
            manufacturer: "HPE",
            product: "ProLiant DL380 Gen10",
            version: None,
            family: Some("ProLiant"),
            numbering: Numbering::Letters("CZJ", 7),
            board: "ProLiant DL380 Gen10",
            firmware: "U30",
            firmware_vendor: "HPE",
            processor: "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz",
            sockets: 2,
            cores: 20,
            modules: 12,
            module_gib: 32,
            memory_kind: "DDR4",
            disks: 6,
            oui: [0x94, 0x40, 0xc9],
            adapters: 4,
            hypervisor: None,
        },
    ),
    (
        4,
        Model {
            form: Form::Server,
            manufacturer: "Supermicro",
            product: "SYS-2029TP-HTR",
            version: Some("0123456789"),
            family: Some("SMC X11"),
            numbering: Numbering::Digits("A", 14),
            board: "X11DPT-PS",
            firmware: "3.8a",
            firmware_vendor: "American Megatrends Inc.",
            processor: "Intel(R) Xeon(R) Silver 4214 CPU @ 2.20GHz",
            sockets: 2,
            cores: 12,
            modules: 8,
            module_gib: 16,
            memory_kind: "DDR4",
            disks: 4,
            oui: [0xac, 0x1f, 0x6b],
            adapters: 2,
            hypervisor: None,
        },
    ),
    (
        12,
        Model {
            form: Form::Virtual,
            manufacturer: "VMware, Inc.",
            product: "VMware20,1",
            version: None,
            family: None,
            numbering: Numbering::Letters("VMware-", 8),
            board: "440BX Desktop Reference Platform",
            firmware: "VMW201.00V.21805430.B64.2305221830",
            firmware_vendor: "VMware, Inc.",
            processor: "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz",
            sockets: 2,
            cores: 1,
            modules: 1,
            module_gib: 8,
            memory_kind: "DRAM",
            disks: 1,
            oui: [0x00, 0x50, 0x56],
            adapters: 1,
            hypervisor: Some("vmware"),
        },
    ),
    (
        8,
        Model {
            form: Form::Virtual,
            manufacturer: "QEMU",
            product: "Standard PC (Q35 + ICH9, 2009)",
            version: Some("pc-q35-7.2"),
            family: None,
            numbering: Numbering::Placeholder("Not Specified"),
            board: "Standard PC",
            firmware: "1.16.2-debian-1.16.2-1",
            firmware_vendor: "SeaBIOS",
            processor: "Intel Xeon Processor (Cascadelake)",
            sockets: 2,
            cores: 1,
            modules: 1,
            module_gib: 4,
            memory_kind: "RAM",
            disks: 1,
            oui: [0x52, 0x54, 0x00],
            adapters: 1,
            hypervisor: Some("kvm"),
        },
    ),
];
