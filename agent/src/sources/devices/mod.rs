//! What is plugged in: PCI and USB devices, monitors.
//!
//! `edid`, `pnp` and `pci_ids` read formats and know nothing of the machine; the sources beside them make items.

mod edid;
pub(super) mod monitor;
pub(super) mod pci;
mod pci_ids;
mod pnp;
pub(super) mod usb;
