//! The formats: one entry each, with how a file of it is read and by what it is recognised.
//!
//! **To add one**: its file, `mod` in `import`, and an entry here; more telling formats stand before general ones.

use super::{
    Reader, audit_scan, cloud, dell, generic, glpi, intune, jamf, leases, lenovo, nmap, purchase_csv,
    recognise::{Head, Score},
    seats, snipe_it, staff,
};

/// A format that can be imported.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// The name under which it is asked for.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    /// What the import is called when nobody says otherwise. Its first word says whose records they are, and so how far
    /// they are believed.
    pub source: &'static str,
    /// Reads a file.
    pub reader: Reader,
    /// How much the beginning of a file looks like it; none when it isn't.
    pub(super) recognises: fn(&Head) -> Option<Score>,
}

/// The formats.
const FORMATS: &[Format] = &[
    Format {
        name: "intune-csv",
        about: "devices as Microsoft Intune exports them",
        source: "intune",
        reader: intune::read,
        recognises: intune::recognises,
    },
    Format {
        name: "jamf-csv",
        about: "computers or mobile devices as Jamf Pro exports them",
        source: "jamf",
        reader: jamf::read,
        recognises: jamf::recognises,
    },
    Format {
        name: "snipe-it-csv",
        about: "hardware assets as Snipe-IT exports them",
        source: "snipe-it",
        reader: snipe_it::read,
        recognises: snipe_it::recognises,
    },
    Format {
        name: "glpi-csv",
        about: "computers as GLPI exports its list",
        source: "glpi",
        reader: glpi::read,
        recognises: glpi::recognises,
    },
    Format {
        name: "lenovo-csv",
        about: "machines of a Lenovo order report or warranty look-up",
        source: "lenovo",
        reader: lenovo::read,
        recognises: lenovo::recognises,
    },
    Format {
        name: "dell-csv",
        about: "machines of a Dell order report or warranty look-up",
        source: "dell",
        reader: dell::read,
        recognises: dell::recognises,
    },
    Format {
        name: "audit-scan",
        about: "what a scanner wrote: an asset tag a line",
        source: "audit",
        reader: audit_scan::read,
        recognises: audit_scan::recognises,
    },
    Format {
        name: "purchase-csv",
        about: "a purchase list, one row for each machine of an order",
        source: "purchase",
        reader: purchase_csv::read,
        recognises: purchase_csv::recognises,
    },
    Format {
        name: "hr-csv",
        about: "a staff list: who works here, where, for whom, until when",
        source: "hr",
        reader: staff::read,
        recognises: staff::recognises,
    },
    Format {
        name: "seats-csv",
        about: "seats of subscriptions, as sign-in systems and SaaS consoles export them (CSV or JSON)",
        source: "sso",
        reader: seats::read,
        recognises: seats::recognises,
    },
    Format {
        name: "aws",
        about: "AWS: describe-instances as JSON, tag editor or resource explorer as CSV",
        source: "cloud-aws",
        reader: cloud::read_aws,
        recognises: cloud::recognises_aws,
    },
    Format {
        name: "azure",
        about: "Azure: az vm list and az resource list as JSON, or the portal's list of all resources as CSV",
        source: "cloud-azure",
        reader: cloud::read_azure,
        recognises: cloud::recognises_azure,
    },
    Format {
        name: "gcp",
        about: "Google Cloud: compute instances list and asset search as JSON",
        source: "cloud-gcp",
        reader: cloud::read_google,
        recognises: cloud::recognises_google,
    },
    Format {
        name: "isc-leases",
        about: "leases of ISC's DHCP server (dhcpd.leases)",
        source: "dhcp",
        reader: leases::read_isc,
        recognises: leases::recognises_isc,
    },
    Format {
        name: "kea-leases",
        about: "leases of the Kea DHCP server (its memfile, CSV)",
        source: "dhcp",
        reader: leases::read_kea,
        recognises: leases::recognises_kea,
    },
    Format {
        name: "nmap-xml",
        about: "a scan of nmap (nmap -oX)",
        source: "scan",
        reader: nmap::read,
        recognises: nmap::recognises,
    },
    Format {
        name: "csv",
        about: "any list of devices as CSV, with a mapping where headings are your own",
        source: "list",
        reader: generic::read_csv,
        recognises: generic::recognises_csv,
    },
    Format {
        name: "json",
        about: "any list of devices as JSON: an array, one object a line, or an object that holds a list",
        source: "list",
        reader: generic::read_json,
        recognises: generic::recognises_json,
    },
];

/// Every format.
pub fn all() -> impl Iterator<Item = &'static Format> {
    FORMATS.iter()
}

/// The format of this name.
pub(super) fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// All names, for messages.
pub(super) fn names() -> String {
    FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use muster_common::source::ImportName;

    use super::*;

    #[test]
    fn names_are_unique_and_every_source_can_be_one() {
        let names: BTreeSet<&str> = all().map(|format| format.name).collect();
        assert_eq!(names.len(), FORMATS.len());
        for format in all() {
            assert!(ImportName::new(format.source).is_ok(), "{}", format.name);
            assert!(find(format.name).is_some_and(|found| found.name == format.name));
        }
    }
}
