//! Makers under their many spellings: serial numbers are unique within a family, not between families.
//!
//! A family is one maker's space of serial numbers through its renamings and mergers, so that a firmware update which
//! writes `HPE` where `HP` stood changes nothing.

use super::placeholder;

/// How a family's names begin, in lower case and without punctuation.
const FAMILIES: &[(&str, &[&str])] = &[
    ("acer", &["acer", "gateway", "packard bell", "emachines"]),
    ("amazon", &["amazon"]),
    ("apple", &["apple"]),
    ("asus", &["asus", "asustek"]),
    ("cisco", &["cisco"]),
    ("dell", &["dell", "alienware"]),
    ("fujitsu", &["fujitsu"]),
    ("getac", &["getac"]),
    ("gigabyte", &["gigabyte", "giga byte"]),
    ("google", &["google"]),
    ("hp", &["hp", "hpe", "hewlett packard"]),
    ("huawei", &["huawei", "xfusion"]),
    ("intel", &["intel"]),
    ("lenovo", &["lenovo", "ibm", "motorola"]),
    ("lg", &["lg", "lge"]),
    ("microsoft", &["microsoft"]),
    ("msi", &["micro star", "msi"]),
    ("panasonic", &["panasonic", "matsushita"]),
    ("qemu", &["qemu", "red hat", "kvm", "ovirt"]),
    ("samsung", &["samsung"]),
    ("supermicro", &["supermicro", "super micro"]),
    ("toshiba", &["toshiba", "dynabook"]),
    ("virtualbox", &["innotek", "oracle virtualbox"]),
    ("vmware", &["vmware"]),
    ("xen", &["xen"]),
];

/// Makers of monitors by their letters in the PNP registry, as they are called on an invoice.
const PNP: &[(&str, &str)] = &[
    ("ACI", "ASUS"),
    ("ACR", "Acer"),
    ("AOC", "AOC"),
    ("APP", "Apple"),
    ("AUS", "ASUS"),
    ("BNQ", "BenQ"),
    ("DEL", "Dell"),
    ("EIZ", "EIZO"),
    ("ENC", "EIZO"),
    ("FUS", "Fujitsu"),
    ("GBT", "Gigabyte"),
    ("GSM", "LG Electronics"),
    ("HPN", "HP"),
    ("HWP", "HP"),
    ("IVM", "Iiyama"),
    ("LEN", "Lenovo"),
    ("MSI", "MSI"),
    ("NEC", "NEC"),
    ("PHL", "Philips"),
    ("SAM", "Samsung"),
    ("SEC", "Samsung"),
    ("SNY", "Sony"),
    ("VSC", "ViewSonic"),
];

/// Words that say how a company is organised.
const LEGAL_FORMS: &[&str] = &[
    "inc",
    "incorporated",
    "corp",
    "corporation",
    "co",
    "company",
    "ltd",
    "limited",
    "llc",
    "gmbh",
    "ag",
    "sa",
    "bv",
    "plc",
    "kg",
    "pte",
    "international",
    "technology",
    "technologies",
    "computer",
    "computers",
    "systems",
];

/// A maker's name by its letters in the PNP registry, where it is one that sells monitors.
pub fn by_pnp(letters: &str) -> Option<&'static str> {
    PNP.iter().find(|(known, _)| *known == letters).map(|(_, name)| *name)
}

/// The family of a maker's name as written; none when the name is a placeholder.
pub fn family(name: &str) -> Option<String> {
    if placeholder::is_product(name) {
        return None;
    }
    let lower = name.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let plain = words.join(" ");
    let begins =
        |start: &str| plain.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    if let Some((family, _)) = FAMILIES.iter().find(|(_, names)| names.iter().any(|start| begins(start))) {
        return Some((*family).to_owned());
    }
    let own: Vec<&str> = words.iter().copied().filter(|word| !LEGAL_FORMS.contains(word)).collect();
    let own = if own.is_empty() { plain } else { own.join(" ") };
    (!own.is_empty()).then(|| own.chars().take(64).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_maker_meet() {
        for (left, right) in [
            ("Dell Inc.", "DELL"),
            ("HP", "Hewlett-Packard"),
            ("HPE", "Hewlett Packard Enterprise"),
            ("LENOVO", "IBM"),
            ("ASUSTeK COMPUTER INC.", "Asus"),
            ("Gigabyte Technology Co., Ltd.", "GIGABYTE"),
            ("LG", by_pnp("GSM").unwrap_or_default()),
            ("Dell Inc.", by_pnp("DEL").unwrap_or_default()),
            ("Tuxedo Computers GmbH", "TUXEDO"),
        ] {
            assert_eq!(family(left), family(right), "{left} and {right}");
        }
    }

    #[test]
    fn different_makers_stay_apart_and_placeholders_are_none() {
        assert_ne!(family("Dell Inc."), family("Delta"));
        assert_ne!(family("HP"), family("HPX Labs"));
        assert_eq!(family("System manufacturer"), None);
        assert_eq!(family("To Be Filled By O.E.M."), None);
    }
}
