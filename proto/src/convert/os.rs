//! The operating system between the wire and the domain.

use muster_common::inventory::OperatingSystem;

use super::{Invalid, endpoint_time, optional_text, texts, to_timestamp_endpoint};
use crate::v1;

impl From<&OperatingSystem> for v1::OperatingSystem {
    fn from(value: &OperatingSystem) -> Self {
        let OperatingSystem {
            id,
            name,
            version,
            version_id,
            codename,
            pretty_name,
            kernel,
            architecture,
            machine_id,
            hostname,
            boot_time,
            edition,
            build,
            install_time,
            time_zone,
            locale,
            kernels,
            reboot_required,
            pending_updates,
            pending_security_updates,
            kernel_build,
            domain,
            name_servers,
        } = value;
        Self {
            id: id.clone(),
            name: name.clone(),
            version: version.clone(),
            version_id: version_id.clone(),
            codename: codename.clone(),
            pretty_name: pretty_name.clone(),
            kernel: kernel.clone(),
            architecture: architecture.clone(),
            machine_id: machine_id.clone(),
            hostname: hostname.clone(),
            boot_time: boot_time.map(to_timestamp_endpoint),
            edition: edition.clone(),
            build: build.clone(),
            install_time: install_time.map(to_timestamp_endpoint),
            time_zone: time_zone.clone(),
            locale: locale.clone(),
            kernels: kernels.clone(),
            reboot_required: *reboot_required,
            pending_updates: *pending_updates,
            pending_security_updates: *pending_security_updates,
            kernel_build: kernel_build.clone(),
            domain: domain.clone(),
            name_servers: name_servers.clone(),
        }
    }
}

impl TryFrom<v1::OperatingSystem> for OperatingSystem {
    type Error = Invalid;

    fn try_from(value: v1::OperatingSystem) -> Result<Self, Invalid> {
        let v1::OperatingSystem {
            id,
            name,
            version,
            version_id,
            codename,
            pretty_name,
            kernel,
            architecture,
            machine_id,
            hostname,
            boot_time,
            edition,
            build,
            install_time,
            time_zone,
            locale,
            kernels,
            reboot_required,
            pending_updates,
            pending_security_updates,
            kernel_build,
            domain,
            name_servers,
        } = value;
        Ok(Self {
            id: optional_text("id", id)?,
            name: optional_text("name", name)?,
            version: optional_text("version", version)?,
            version_id: optional_text("version_id", version_id)?,
            codename: optional_text("codename", codename)?,
            pretty_name: optional_text("pretty_name", pretty_name)?,
            kernel: optional_text("kernel", kernel)?,
            architecture: optional_text("architecture", architecture)?,
            machine_id: optional_text("machine_id", machine_id)?,
            hostname: optional_text("hostname", hostname)?,
            boot_time: boot_time.as_ref().map(endpoint_time),
            edition: optional_text("edition", edition)?,
            build: optional_text("build", build)?,
            install_time: install_time.as_ref().map(endpoint_time),
            time_zone: optional_text("time_zone", time_zone)?,
            locale: optional_text("locale", locale)?,
            kernels: texts("kernels", kernels)?,
            reboot_required,
            pending_updates,
            pending_security_updates,
            kernel_build: optional_text("kernel_build", kernel_build)?,
            domain: optional_text("domain", domain)?,
            name_servers: texts("name_servers", name_servers)?,
        })
    }
}
