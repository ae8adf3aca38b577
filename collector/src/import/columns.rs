//! What a column of a device list can mean, and the headings under which other systems export it.
//!
//! Knows nothing of what stands in their cells.
//!
//! **To add a heading**: one line in the table, as [`plain`] leaves it. A heading that only one system uses stands in
//! that system's format.

use muster_common::device::Field;

/// What a column means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    /// A field's value.
    Field(Field),
    /// Whose asset tags they are.
    TagScheme,
    /// The owner's address.
    OwnerEmail,
    /// The address of the person that it is assigned to.
    AssignedToEmail,
    /// The currency of the price.
    Currency,
    /// For how many months after the purchase the warranty lasts.
    WarrantyMonths,
    /// An address of a further adapter.
    OtherMac,
}

/// Columns that are no field, by their own names.
const HELPERS: &[(Column, &str)] = &[
    (Column::TagScheme, "asset_tag_scheme"),
    (Column::OwnerEmail, "owner_email"),
    (Column::AssignedToEmail, "assigned_to_email"),
    (Column::Currency, "currency"),
    (Column::WarrantyMonths, "warranty_months"),
    (Column::OtherMac, "other_mac"),
];

/// Fields that no file may state: what has to be proven, and what says which asset is which.
const NOT_IMPORTED: &[Field] = &[
    Field::Category,
    Field::AttachedTo,
    Field::Acknowledged,
    Field::WipeEvidence,
    Field::DisposalEvidence,
    Field::Replaces,
    Field::AgentVersion,
    Field::ModelName,
    Field::Virtual,
    Field::BoardSerial,
    Field::ChassisSerial,
    Field::DiskSerials,
];

/// Other headings.
const ALIASES: &[(Column, &[&str])] = &[
    (
        Column::Field(Field::Serial),
        &[
            "serialnumber",
            "serialno",
            "servicetag",
            "sn",
            "systemserial",
            "systemserialnumber",
            "deviceserialnumber",
            "seriennummer",
            "seriennr",
            "numerodeserie",
            "numérodesérie",
        ],
    ),
    (
        Column::Field(Field::AssetTag),
        &[
            "assetnumber",
            "assetno",
            "assetid",
            "inventorynumber",
            "inventarnummer",
            "inventarnr",
            "anlagennummer",
        ],
    ),
    (Column::TagScheme, &["tagscheme"]),
    (Column::Field(Field::Manufacturer), &["maker", "make", "brand", "vendor", "hersteller"]),
    (
        Column::Field(Field::Model),
        &["modelnumber", "modelname", "assetmodel", "product", "productname", "modell"],
    ),
    (
        Column::Field(Field::Class),
        &["category", "devicetype", "assettype", "type", "kategorie", "typ", "gerätetyp"],
    ),
    (
        Column::Field(Field::Company),
        &["legalentity", "entity", "firma", "gesellschaft", "tenant", "organisation", "organization"],
    ),
    (Column::Field(Field::Owner), &["ownername", "accountableowner"]),
    (Column::OwnerEmail, &["ownermail"]),
    (
        Column::Field(Field::AssignedTo),
        &["assignee", "user", "username", "assigneduser", "holder", "nutzer", "benutzer"],
    ),
    (
        Column::AssignedToEmail,
        &[
            "assigneeemail",
            "useremail",
            "assignedemail",
            "email",
            "emailaddress",
            "mail",
            "upn",
            "userprincipalname",
            "primaryuserupn",
        ],
    ),
    (Column::Field(Field::Supplier), &["reseller", "purchasedfrom", "lieferant"]),
    (
        Column::Field(Field::Price),
        &[
            "cost",
            "purchaseprice",
            "purchasecost",
            "unitprice",
            "netprice",
            "preis",
            "nettopreis",
            "kaufpreis",
            "einzelpreis",
        ],
    ),
    (Column::Currency, &["currencycode", "waehrung", "währung"]),
    (
        Column::Field(Field::PurchaseDate),
        &[
            "purchased",
            "dateofpurchase",
            "orderdate",
            "invoicedate",
            "kaufdatum",
            "bestelldatum",
            "rechnungsdatum",
        ],
    ),
    (
        Column::Field(Field::WarrantyEnd),
        &[
            "warrantyenddate",
            "warrantyexpires",
            "warrantyexpiration",
            "warrantyexpirationdate",
            "warrantyexpiry",
            "warrantyuntil",
            "garantieende",
            "garantiebis",
        ],
    ),
    (Column::WarrantyMonths, &["warranty", "warrantyterm", "garantie", "garantiemonate"]),
    (Column::Field(Field::Location), &["site", "building", "standort", "ort"]),
    (Column::Field(Field::Department), &["dept", "abteilung"]),
    (Column::Field(Field::CostCenter), &["costcentre", "kostenstelle"]),
    (
        Column::Field(Field::OrderNumber),
        &["order", "orderno", "ponumber", "po", "purchaseorder", "purchaseordernumber", "bestellnummer"],
    ),
    (Column::Field(Field::Invoice), &["invoicenumber", "invoiceno", "rechnungsnummer", "rechnung"]),
    (Column::Field(Field::FinanceNumber), &["fixedassetnumber", "immobilizationnumber", "anlagenummer"]),
    (Column::Field(Field::LeaseEnd), &["leaseexpiration", "leaseenddate", "leasingende"]),
    (Column::Field(Field::Lessor), &["leasingcompany", "leasinggeber"]),
    (Column::Field(Field::State), &["lifecycle", "lifecyclestate"]),
    (Column::Field(Field::Mac), &["macaddress", "macaddresses", "ethernetmac", "macadresse"]),
    (Column::OtherMac, &["wifimac", "wifimacaddress", "wirelessmac", "altmacaddress"]),
    (Column::Field(Field::Uuid), &["systemuuid", "smbiosuuid", "biosuuid", "udid", "hardwareuuid"]),
    (
        Column::Field(Field::Hostname),
        &["host", "computername", "devicename", "machinename", "rechnername", "gerätename"],
    ),
    (Column::Field(Field::Ip), &["ipaddress", "ipv4", "ipaddresses"]),
    (Column::Field(Field::OsName), &["os", "operatingsystem", "betriebssystem"]),
    (Column::Field(Field::OsVersion), &["operatingsystemversion", "betriebssystemversion"]),
    (
        Column::Field(Field::LastSignIn),
        &["lastcheckin", "lastseen", "lastsync", "lastsyncdatetime", "lastcontact", "lastlogon"],
    ),
    (Column::Field(Field::Instance), &["instance", "instanceid"]),
    (Column::Field(Field::Deployed), &["checkoutdate", "deploymentdate", "deployedon", "ausgabedatum"]),
    (Column::Field(Field::Verified), &["lastaudit", "lastverified", "lastinventory"]),
    (Column::Field(Field::Position), &["rack", "shelf", "bin"]),
    (Column::Field(Field::Tags), &["tags", "labels"]),
];

impl Column {
    /// What a heading means, however it is spelt: case, spaces, hyphens and underscores don't count.
    pub(super) fn from_heading(heading: &str) -> Option<Self> {
        let heading = plain(heading);
        if heading.is_empty() {
            return None;
        }
        let known = ALIASES.iter().find(|(_, aliases)| aliases.contains(&heading.as_str()));
        known
            .map(|(column, _)| *column)
            .or_else(|| Self::all().find(|column| plain(column.name()) == heading))
    }

    /// The column of exactly this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::all().find(|column| column.name() == name)
    }

    /// Its own name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Field(field) => field.name(),
            helper => HELPERS.iter().find(|(column, _)| *column == helper).map_or("", |(_, name)| name),
        }
    }

    /// Whether it tells which machine a row is about.
    pub(super) fn is_identifying(self) -> bool {
        let fields = [
            Field::Serial,
            Field::AssetTag,
            Field::Mac,
            Field::MachineId,
            Field::Uuid,
            Field::Instance,
            Field::AssetKey,
        ];
        self == Self::OtherMac || fields.into_iter().any(|field| self == Self::Field(field))
    }

    fn all() -> impl Iterator<Item = Self> {
        let fields = Field::ALL.iter().filter(|field| !NOT_IMPORTED.contains(field)).copied();
        fields.map(Self::Field).chain(HELPERS.iter().map(|(column, _)| *column))
    }
}

/// A heading's letters and digits in lower case.
pub(super) fn plain(heading: &str) -> String {
    let letters = heading.chars().take(256).filter(|letter| letter.is_alphanumeric()).take(96);
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn headings_of_many_spellings_are_understood() {
        let field = |field| Some(Column::Field(field));
        for (heading, expected) in [
            ("serial", field(Field::Serial)),
            ("Serial Number", field(Field::Serial)),
            ("S/N", field(Field::Serial)),
            ("SERIAL-NO.", field(Field::Serial)),
            ("maker", field(Field::Manufacturer)),
            ("cost centre", field(Field::CostCenter)),
            ("PO Number", field(Field::OrderNumber)),
            ("Währung", Some(Column::Currency)),
            ("OS.Version", field(Field::OsVersion)),
            ("Asset_Tag Scheme", Some(Column::TagScheme)),
            ("wipe evidence", None),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(Column::from_heading(heading), expected, "{heading:?}");
        }
    }

    #[test]
    fn no_heading_means_two_things() {
        let mut seen = BTreeSet::new();
        for column in Column::all() {
            assert_eq!(Column::named(column.name()), Some(column));
            assert!(seen.insert(plain(column.name())), "{} stands twice", column.name());
        }
        for (column, aliases) in ALIASES {
            for text in *aliases {
                assert_eq!(plain(text), *text, "an alias must stand as plain() leaves it");
                assert_eq!(Column::from_heading(text), Some(*column));
                assert!(seen.insert((*text).to_owned()), "{text} stands twice");
            }
        }
    }
}
