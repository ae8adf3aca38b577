//! The formats: one entry each, with how a file of it is read and by what it is recognised.
//!
//! **To add one**: its file, `mod` in `import`, and an entry here; more telling formats stand before general ones.

use super::{
    ImportError, ImportedFile, Placeholders, Reader, audit_scan, cloud, dell, device_list, generic, glpi,
    intune, jamf, leases, lenovo, nmap,
    options::Options,
    profile::Profile,
    purchase_csv,
    recognise::{Head, Score, by_headings},
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
    how: How,
}

/// How files of a format are read and recognised.
#[derive(Debug, Clone, Copy)]
enum How {
    /// As a system's list of devices: its profile says all that is particular to it.
    Devices(&'static Profile),
    /// By functions of its own.
    Own {
        /// Reads a file.
        reader: Reader,
        /// How much the beginning of a file looks like it; none when it isn't.
        recognises: fn(&Head) -> Option<Score>,
    },
}

impl Format {
    /// Reads a file.
    pub(super) fn read(
        &self,
        content: &[u8],
        options: &Options,
        placeholders: &Placeholders,
    ) -> Result<ImportedFile, ImportError> {
        match self.how {
            How::Devices(profile) => device_list::read_csv(content, options, placeholders, profile),
            How::Own { reader, .. } => reader(content, options, placeholders),
        }
    }

    /// How much the beginning of a file looks like it; none when it isn't.
    pub(super) fn recognise(&self, head: &Head) -> Option<Score> {
        match self.how {
            How::Devices(profile) => by_headings(head, profile),
            How::Own { recognises, .. } => recognises(head),
        }
    }
}

/// The formats.
const FORMATS: &[Format] = &[
    Format {
        name: "intune-csv",
        about: "devices as Microsoft Intune exports them",
        source: "intune",
        how: How::Devices(&intune::PROFILE),
    },
    Format {
        name: "jamf-csv",
        about: "computers or mobile devices as Jamf Pro exports them",
        source: "jamf",
        how: How::Devices(&jamf::PROFILE),
    },
    Format {
        name: "snipe-it-csv",
        about: "hardware assets as Snipe-IT exports them",
        source: "snipe-it",
        how: How::Devices(&snipe_it::PROFILE),
    },
    Format {
        name: "glpi-csv",
        about: "computers as GLPI exports its list",
        source: "glpi",
        how: How::Devices(&glpi::PROFILE),
    },
    Format {
        name: "lenovo-csv",
        about: "machines of a Lenovo order report or warranty look-up",
        source: "lenovo",
        how: How::Devices(&lenovo::PROFILE),
    },
    Format {
        name: "dell-csv",
        about: "machines of a Dell order report or warranty look-up",
        source: "dell",
        how: How::Devices(&dell::PROFILE),
    },
    Format {
        name: "audit-scan",
        about: "what a scanner wrote: an asset tag a line",
        source: "audit",
        how: How::Own { reader: audit_scan::read, recognises: audit_scan::recognises },
    },
    Format {
        name: "purchase-csv",
        about: "a purchase list, one row for each machine of an order",
        source: "purchase",
        how: How::Own { reader: purchase_csv::read, recognises: purchase_csv::recognises },
    },
    Format {
        name: "hr-csv",
        about: "a staff list: who works here, where, for whom, until when",
        source: "hr",
        how: How::Own { reader: staff::read, recognises: staff::recognises },
    },
    Format {
        name: "seats-csv",
        about: "seats of subscriptions, as sign-in systems and SaaS consoles export them (CSV or JSON)",
        source: "sso",
        how: How::Own { reader: seats::read, recognises: seats::recognises },
    },
    Format {
        name: "aws",
        about: "AWS: describe-instances as JSON, tag editor or resource explorer as CSV",
        source: "cloud-aws",
        how: How::Own { reader: cloud::read_aws, recognises: cloud::recognises_aws },
    },
    Format {
        name: "azure",
        about: "Azure: az vm list and az resource list as JSON, or the portal's list of all resources as CSV",
        source: "cloud-azure",
        how: How::Own { reader: cloud::read_azure, recognises: cloud::recognises_azure },
    },
    Format {
        name: "gcp",
        about: "Google Cloud: compute instances list and asset search as JSON",
        source: "cloud-gcp",
        how: How::Own { reader: cloud::read_google, recognises: cloud::recognises_google },
    },
    Format {
        name: "isc-leases",
        about: "leases of ISC's DHCP server (dhcpd.leases)",
        source: "dhcp",
        how: How::Own { reader: leases::read_isc, recognises: leases::recognises_isc },
    },
    Format {
        name: "kea-leases",
        about: "leases of the Kea DHCP server (its memfile, CSV)",
        source: "dhcp",
        how: How::Own { reader: leases::read_kea, recognises: leases::recognises_kea },
    },
    Format {
        name: "nmap-xml",
        about: "a scan of nmap (nmap -oX)",
        source: "scan",
        how: How::Own { reader: nmap::read, recognises: nmap::recognises },
    },
    Format {
        name: "csv",
        about: "any list of devices as CSV, with a mapping where headings are your own",
        source: "list",
        how: How::Own { reader: generic::read_csv, recognises: generic::recognises_csv },
    },
    Format {
        name: "json",
        about: "any list of devices as JSON: an array, one object a line, or an object that holds a list",
        source: "list",
        how: How::Own { reader: generic::read_json, recognises: generic::recognises_json },
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
