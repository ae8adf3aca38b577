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
    /// How the running kernel was built, as it says itself; distributions put their package's version there.
    pub kernel_build: Option<String>,
    /// Machine architecture as the kernel names it, such as `x86_64`.
    pub architecture: Option<String>,
    /// `/etc/machine-id`, 32 lower-case hexadecimal digits.
    pub machine_id: Option<String>,
    /// Host name.
    pub hostname: Option<String>,
    /// DNS domain, as the resolver has it.
    pub domain: Option<String>,
    /// Name servers that the resolver asks, in its order.
    pub name_servers: Vec<String>,
    /// Last boot, by the endpoint's clock, whole seconds.
    pub boot_time: Option<EndpointTime>,
    /// os-release `VARIANT`, such as `Workstation Edition`.
    pub edition: Option<String>,
    /// os-release `BUILD_ID` or `IMAGE_VERSION`: the patch level of systems that are updated as a whole.
    pub build: Option<String>,
    /// When the system was installed, by the endpoint's clock.
    pub install_time: Option<EndpointTime>,
    /// Time zone, such as `Europe/Berlin`.
    pub time_zone: Option<String>,
    /// Locale, such as `de_DE.UTF-8`.
    pub locale: Option<String>,
    /// Releases of the installed kernels, sorted.
    pub kernels: Vec<String>,
    /// Whether an update waits for a reboot.
    pub reboot_required: Option<bool>,
    /// Updates that are known and not installed.
    pub pending_updates: Option<u32>,
    /// Those of them that mend security.
    pub pending_security_updates: Option<u32>,
}
