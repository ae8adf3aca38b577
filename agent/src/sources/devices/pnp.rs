//! Makers of monitors by the three letters of the PNP id registry.
//!
//! The registry's own list, where the system has it, says who registered the letters and not always who builds the
//! monitors. The usual makers are therefore named here, which also spares reading the list.

use crate::{host::Host, sources::text};

/// Where systems keep the list.
const LISTS: &[&str] = &["usr/share/hwdata/pnp.ids", "usr/share/misc/pnp.ids"];
/// The list has 60 kilobytes.
const LIST_LIMIT: usize = 1 << 20;

/// The usual makers, sorted.
const MAKERS: &[(&str, &str)] = &[
    ("ACI", "ASUS"),
    ("ACR", "Acer"),
    ("AOC", "AOC"),
    ("APP", "Apple"),
    ("AUO", "AU Optronics"),
    ("AUS", "ASUS"),
    ("BNQ", "BenQ"),
    ("BOE", "BOE"),
    ("CMN", "Chimei Innolux"),
    ("CMO", "Chi Mei Optoelectronics"),
    ("CPT", "Chunghwa Picture Tubes"),
    ("CSO", "China Star Optoelectronics"),
    ("DEL", "Dell"),
    ("EIZ", "EIZO"),
    ("ENC", "EIZO"),
    ("FUS", "Fujitsu"),
    ("GBT", "Gigabyte"),
    ("GSM", "LG Electronics"),
    ("HEC", "Hisense"),
    ("HKC", "HKC"),
    ("HPN", "HP"),
    ("HSD", "HannStar"),
    ("HWP", "HP"),
    ("IVM", "Iiyama"),
    ("IVO", "InfoVision"),
    ("LCD", "Toshiba Matsushita Display"),
    ("LEN", "Lenovo"),
    ("LGD", "LG Display"),
    ("LPL", "LG Philips"),
    ("MEI", "Panasonic"),
    ("MSI", "MSI"),
    ("NCP", "Panda"),
    ("NEC", "NEC"),
    ("PHL", "Philips"),
    ("SAM", "Samsung"),
    ("SDC", "Samsung Display"),
    ("SEC", "Samsung"),
    ("SHP", "Sharp"),
    ("SNY", "Sony"),
    ("TMX", "Tianma"),
    ("TSB", "Toshiba"),
    ("VIZ", "VIZIO"),
    ("VSC", "ViewSonic"),
    ("WAC", "Wacom"),
    ("XMI", "Xiaomi"),
];

/// Names makers; the system's list is read once, at the first letters that are not among the usual ones.
pub(super) struct Makers<'h> {
    host: &'h dyn Host,
    list: Option<Vec<u8>>,
}

impl<'h> Makers<'h> {
    /// Nothing is read yet.
    pub(super) fn new(host: &'h dyn Host) -> Self {
        Self { host, list: None }
    }

    /// The maker's name, where it is known.
    pub(super) fn name(&mut self, letters: &str) -> Option<String> {
        if let Ok(index) = MAKERS.binary_search_by_key(&letters, |(id, _)| id) {
            return MAKERS.get(index).map(|(_, name)| (*name).to_owned());
        }
        let host = self.host;
        let list = self.list.get_or_insert_with(|| {
            LISTS.iter().find_map(|path| host.read(path, LIST_LIMIT).ok()).unwrap_or_default()
        });
        in_list(list, letters)
    }
}

/// Finds letters in a list of lines `ABC<tab>Name`.
pub(crate) fn in_list(list: &[u8], letters: &str) -> Option<String> {
    let line = list
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(letters.as_bytes())?.strip_prefix(b"\t"))?;
    text::clean(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::testing::recorded;

    #[test]
    fn usual_makers_are_sorted_and_others_in_the_list() {
        assert!(MAKERS.is_sorted_by_key(|(id, _)| id));
        let (_folder, host) =
            recorded(&[("usr/share/misc/pnp.ids", "AAA\tAvolites Ltd\nDEL\tsomebody else\nZZZ\t\n")]);
        let mut makers = Makers::new(&host);
        for (letters, expected) in
            [("DEL", Some("Dell")), ("AAA", Some("Avolites Ltd")), ("ZZZ", None), ("QQQ", None), ("AA", None)]
        {
            assert_eq!(makers.name(letters).as_deref(), expected, "{letters}");
        }
    }
}
