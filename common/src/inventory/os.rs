//! The operating system of a machine.

use crate::time::EndpointTime;

/// An installed operating system: os-release(5) and the kernel's own word.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OperatingSystem {
    /// os-release `ID`, such as `debian`.
    pub id: Option<String>,
    /// os-release `NAME`.
    pub name: Option<String>,
    /// The most precise version known: `/etc/debian_version` beside os-release's `VERSION_ID`.
    pub version: Option<String>,
    /// os-release `VERSION_ID`.
    pub version_id: Option<String>,
    /// os-release `VERSION_CODENAME`.
    pub codename: Option<String>,
    /// os-release `PRETTY_NAME`.
    pub pretty_name: Option<String>,
    /// Release of the running kernel.
    pub kernel: Option<String>,
    /// Machine architecture as the kernel names it, such as `x86_64`.
    pub architecture: Option<String>,
    /// `/etc/machine-id`, 32 lower-case hexadecimal digits.
    pub machine_id: Option<String>,
    /// Host name.
    pub hostname: Option<String>,
    /// Last boot, by the endpoint's clock, whole seconds.
    pub boot_time: Option<EndpointTime>,
}
