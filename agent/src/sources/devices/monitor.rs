//! Monitors: what hangs on the connectors of the graphics adapters.
//!
//! Knows which connectors are inside the machine. The kernel keeps each monitor's description, so reading it asks no
//! monitor; a connector without one keeps an empty file.

use muster_common::inventory::{ErrorKind, Item, ItemKind, Monitor, SectionName};

use crate::{
    host::Host,
    sources::{
        Source, Stamp,
        devices::{edid::Edid, pnp::Makers},
        part::{Problems, SectionPart},
        read, text,
    },
};

const FOLDER: &str = "sys/class/drm";
const CONNECTORS_LIMIT: usize = 1024;
/// 256 blocks are the most that the format allows.
const DESCRIPTION_LIMIT: usize = 256 * 128;
/// Connectors of built-in panels, as the kernel names them.
const BUILT_IN: &[&str] = &["eDP", "LVDS", "DSI"];

/// Monitors.
#[derive(Debug)]
pub(crate) struct MonitorSource;

impl Source for MonitorSource {
    fn name(&self) -> &'static str {
        "monitor"
    }

    fn section(&self) -> SectionName {
        SectionName::known(SectionName::MONITORS)
    }

    fn reads(&self) -> &'static [&'static str] {
        &[FOLDER, "usr/share/hwdata/pnp.ids", "usr/share/misc/pnp.ids"]
    }

    fn stamp(&self) -> Stamp {
        Stamp::Uevents
    }

    fn collect(&self, host: &dyn Host) -> SectionPart {
        let mut problems = Problems::default();
        let mut makers = Makers::new(host);
        let names = read::names(host, FOLDER, CONNECTORS_LIMIT, &mut problems).unwrap_or_default();
        let items = names
            .iter()
            // Adapters stand among their connectors: `card0` beside `card0-DP-1`.
            .filter(|name| name.starts_with("card") && name.contains('-'))
            .filter_map(|name| monitor(host, name, &mut makers, &mut problems))
            .map(ItemKind::Monitor)
            .map(Item::new)
            .collect();
        SectionPart { items, problems }
    }
}

fn monitor(
    host: &dyn Host,
    connector: &str,
    makers: &mut Makers<'_>,
    problems: &mut Problems,
) -> Option<Monitor> {
    let path = format!("{FOLDER}/{connector}/edid");
    let bytes = read::guessed(host, &path, DESCRIPTION_LIMIT, problems).filter(|bytes| !bytes.is_empty())?;
    let edid = match Edid::parse(&bytes) {
        Ok(edid) => edid,
        Err(error) => {
            problems.add(&path, ErrorKind::Malformed, error.to_string());
            return None;
        }
    };
    let Edid { manufacturer_id, product_code, serial_number, serial, name, week, year, pixels, millimetres } =
        edid;
    let kind = connector.split('-').nth(1).unwrap_or_default();
    Some(Monitor {
        connector: text::clean(connector.as_bytes())?,
        manufacturer: manufacturer_id.as_deref().and_then(|letters| makers.name(letters)),
        manufacturer_id,
        model: name,
        product_code: Some(u32::from(product_code)),
        serial,
        serial_number,
        made_week: week,
        made_year: year,
        width_px: pixels.map(|(width, _)| width),
        height_px: pixels.map(|(_, height)| height),
        width_mm: millimetres.map(|(width, _)| width),
        height_mm: millimetres.map(|(_, height)| height),
        built_in: Some(BUILT_IN.contains(&kind)),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sources::{devices::edid::testing, testing::recorded};

    #[test]
    fn connectors_with_something_on_them() {
        let (folder, host) = recorded(&[
            ("sys/class/drm/version", "drm 1.1.0\n"),
            ("sys/class/drm/card0-DP-1/edid", ""),
            ("sys/class/drm/card0-HDMI-A-1/edid", "not a description"),
            ("sys/class/drm/card0-eDP-1/edid", ""),
            ("sys/class/drm/card0-DP-2/status", "disconnected\n"),
        ]);
        for connector in ["card0-DP-1", "card0-eDP-1"] {
            let path = folder.path().join("sys/class/drm").join(connector).join("edid");
            fs::write(path, testing::office()).unwrap();
        }
        let part = MonitorSource.collect(&host);
        let found: Vec<_> = part
            .items
            .iter()
            .map(|item| match &item.kind {
                ItemKind::Monitor(it) => (it.connector.as_str(), it.manufacturer.as_deref(), it.built_in),
                other => panic!("{other:?} is no monitor"),
            })
            .collect();
        assert_eq!(
            found,
            [("card0-DP-1", Some("Dell"), Some(false)), ("card0-eDP-1", Some("Dell"), Some(true))]
        );
        let problems = part.problems.into_entries();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].subject, "sys/class/drm/card0-HDMI-A-1/edid");
    }
}
