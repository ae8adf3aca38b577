//! What is plugged in: PCI and USB devices, monitors.

/// One function on the PCI bus.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PciDevice {
    /// Bus address, such as `0000:00:02.0`.
    pub address: String,
    /// Class, subclass and programming interface, 24 bits.
    pub class_code: u32,
    /// Vendor id, 16 bits.
    pub vendor_id: u32,
    /// Device id, 16 bits.
    pub device_id: u32,
    /// Subsystem vendor id, 16 bits.
    pub subsystem_vendor_id: Option<u32>,
    /// Subsystem device id, 16 bits.
    pub subsystem_device_id: Option<u32>,
    /// Revision of the device.
    pub revision: Option<u32>,
    /// Class by pci.ids, such as `VGA compatible controller`.
    pub class: Option<String>,
    /// Vendor by pci.ids.
    pub vendor: Option<String>,
    /// Device by pci.ids.
    pub device: Option<String>,
    /// Kernel driver.
    pub driver: Option<String>,
    /// Serial number, where the device states one.
    pub serial: Option<String>,
}

/// One device on the USB bus.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsbDevice {
    /// Place on the bus, such as `1-4.2`.
    pub place: String,
    /// Vendor id, 16 bits.
    pub vendor_id: u32,
    /// Product id, 16 bits.
    pub product_id: u32,
    /// Maker as the device says.
    pub manufacturer: Option<String>,
    /// Product as the device says.
    pub product: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// What it is, such as `Mass storage`.
    pub class: Option<String>,
    /// USB version, such as `3.20`.
    pub usb_version: Option<String>,
    /// Release of the device, such as `1.00`.
    pub device_version: Option<String>,
}

/// One monitor: VESA E-EDID.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Monitor {
    /// Connector, such as `card0-DP-1`.
    pub connector: String,
    /// Three letters by the PNP id registry, such as `DEL`.
    pub manufacturer_id: Option<String>,
    /// Maker by name, where it is known.
    pub manufacturer: Option<String>,
    /// Model as the monitor says.
    pub model: Option<String>,
    /// Product code, 16 bits.
    pub product_code: Option<u32>,
    /// Serial number as text.
    pub serial: Option<String>,
    /// Serial number as the number in the header.
    pub serial_number: Option<u32>,
    /// Week of making.
    pub made_week: Option<u32>,
    /// Year of making, or of the model.
    pub made_year: Option<u32>,
    /// Native width in pixels.
    pub width_px: Option<u32>,
    /// Native height in pixels.
    pub height_px: Option<u32>,
    /// Width of the picture in millimetres.
    pub width_mm: Option<u32>,
    /// Height of the picture in millimetres.
    pub height_mm: Option<u32>,
    /// Whether it is the built-in panel.
    pub built_in: Option<bool>,
}
