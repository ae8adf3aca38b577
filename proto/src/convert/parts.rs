//! Items whose fields bear the same names on both sides: boards' parts, peripherals, posture, accounts, services.
//!
//! Long lists are bounded by one number for all; what it means stands with the item.

use muster_common::inventory::{
    Account, Battery, Cache, Certificate, CloudInstance, Group, Listener, Login, Monitor, Neighbour,
    NetworkNeighbours, OnboardDevice, PciDevice, Port, PowerSupply, Protection, Security, Service, Slot, Tpm,
    Usage, UsbDevice, Volume,
};

use super::{Invalid, endpoint_time, handle, optional_text, text, texts, to_timestamp_endpoint};
use crate::v1;

convert!(Cache { handle handle, opt designation, opt associativity, same level, same size_bytes, });
convert!(Port { handle handle, opt internal, opt external, opt connector, opt kind, });
convert!(Slot { handle handle, opt designation, opt kind, opt address, same in_use, });
convert!(OnboardDevice { handle handle, opt designation, opt kind, opt address, same enabled, });
convert!(PowerSupply { handle handle, opt location, opt name, opt manufacturer, opt serial, opt asset_tag, opt model, opt revision, same max_watts, same hot_replaceable, same present, });
convert!(Battery { text name, opt manufacturer, opt model, opt serial, opt chemistry, opt manufactured, same design_mwh, same full_mwh, same cycles, });
convert!(Tpm { text name, opt version, opt manufacturer, opt firmware, opt description, });
convert!(PciDevice { text address, opt class, opt vendor, opt device, opt driver, opt serial, same class_code, same vendor_id, same device_id, same subsystem_vendor_id, same subsystem_device_id, same revision, });
convert!(UsbDevice { text place, opt manufacturer, opt product, opt serial, opt class, opt usb_version, opt device_version, same vendor_id, same product_id, });
convert!(Monitor { text connector, opt manufacturer_id, opt manufacturer, opt model, opt serial, same product_code, same serial_number, same made_week, same made_year, same width_px, same height_px, same width_mm, same height_mm, same built_in, });
convert!(CloudInstance { text provider, opt instance_id, opt account, opt region, opt zone, opt instance_type, opt image, opt name, list tags, });
convert!(Volume { text device, text mount_point, opt file_system, opt label, opt uuid, opt encryption, same size_bytes, same free_bytes, same encrypted, });
convert!(Security { opt boot_mode, opt kernel_lockdown, opt access_control, opt firewall, same secure_boot, same firewall_active, same automatic_updates, same screen_lock, same fips, });
convert!(Protection { text name, opt vendor, opt version, time definitions, same enabled, same running, });
convert!(Certificate { text fingerprint, opt subject, opt issuer, opt serial, opt path, list names, time not_before, time not_after, });
convert!(Account { text name, opt full_name, opt home, opt shell, same uid, same gid, same may_log_in, same privileged, });
convert!(Group { text name, list members, same gid, same privileged, });
convert!(Login { text user, opt terminal, opt from, time last, });
convert!(Service { text name, text kind, opt description, opt program, opt user, same enabled, });
convert!(Listener { text protocol, text address, opt service, opt program, opt package, same port, same uid, });
convert!(Usage { text purl_type, text name, opt confidence, time last_used, same days_used, same days_watched, });
convert!(Neighbour { text mac, text network, list addresses, same router, });
convert!(NetworkNeighbours { text network, same listed, same randomised, });
