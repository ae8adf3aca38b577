//! How well a machine is protected: volumes and their encryption, boot, firewall, protection programs, certificates.
//!
//! `None` means that the platform cannot tell, which is not the same as "no".

use crate::time::EndpointTime;

/// One file system or swap space that keeps data, or a partition that is neither mounted nor used otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Volume {
    /// Device, such as `dm-0` or `nvme0n1p2`.
    pub device: String,
    /// Where it is mounted; `swap` for swap space, empty for a partition that is not in use.
    pub mount_point: String,
    /// Type of file system.
    pub file_system: Option<String>,
    /// Name given to it.
    pub label: Option<String>,
    /// Number of the file system, as `/dev/disk/by-uuid` has it.
    pub uuid: Option<String>,
    /// Size in bytes.
    pub size_bytes: Option<u64>,
    /// Room that is left, in bytes: rounded down to a sixteenth of the size, so that a report need not change with
    /// every file.
    pub free_bytes: Option<u64>,
    /// Whether what is written is encrypted on its way to the disk.
    pub encrypted: Option<bool>,
    /// How, such as `LUKS2`, `LUKS1`, `plain dm-crypt`, `fscrypt`.
    pub encryption: Option<String>,
}

/// Settings of the machine as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Security {
    /// Whether UEFI secure boot is on.
    pub secure_boot: Option<bool>,
    /// `uefi` or `bios`.
    pub boot_mode: Option<String>,
    /// Kernel lockdown: `none`, `integrity`, `confidentiality`.
    pub kernel_lockdown: Option<String>,
    /// Mandatory access control in force: `selinux enforcing`, `selinux permissive`, `apparmor`, `none`.
    pub access_control: Option<String>,
    /// What manages the firewall: `firewalld`, `ufw`, `nftables`, `iptables`.
    pub firewall: Option<String>,
    /// Whether a firewall is set to be on.
    pub firewall_active: Option<bool>,
    /// Whether security updates install by themselves.
    pub automatic_updates: Option<bool>,
    /// Whether an idle screen locks for everyone.
    pub screen_lock: Option<bool>,
    /// Whether the kernel keeps to the algorithms that FIPS 140 allows.
    pub fips: Option<bool>,
}

/// One endpoint protection program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Protection {
    /// Name, such as `ClamAV`.
    pub name: String,
    /// Maker.
    pub vendor: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// Whether it is set to run.
    pub enabled: Option<bool>,
    /// Whether it runs.
    pub running: Option<bool>,
    /// When its definitions were last renewed, by the endpoint's clock.
    pub definitions: Option<EndpointTime>,
}

/// One certificate that is installed on the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Certificate {
    /// SHA-256 of the certificate, lower-case hexadecimal.
    pub fingerprint: String,
    /// Subject.
    pub subject: Option<String>,
    /// Issuer.
    pub issuer: Option<String>,
    /// Serial number, hexadecimal.
    pub serial: Option<String>,
    /// Start of validity.
    pub not_before: Option<EndpointTime>,
    /// End of validity.
    pub not_after: Option<EndpointTime>,
    /// Host names and addresses that it is for, at most 64.
    pub names: Vec<String>,
    /// File that holds it.
    pub path: Option<String>,
}
