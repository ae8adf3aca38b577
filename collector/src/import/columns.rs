//! The columns of a purchase list and the headings under which other systems export them.
//!
//! Knows nothing of what stands in their cells.
//!
//! **To add a column**: one line in the table; the compiler then asks `purchase_csv` what to do with its cells.

use muster_common::device::Field;

macro_rules! columns {
    ($($(#[$doc:meta])* $variant:ident $name:literal [$($alias:literal)*],)*) => {
        /// What a column means.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Column {
            $($(#[$doc])* $variant,)*
        }

        impl Column {
            /// Its own name, and other headings as [`plain`] leaves them.
            const TABLE: &[(Self, &str, &[&str])] = &[$((Self::$variant, $name, &[$($alias),*]),)*];
        }
    };
}

columns! {
    Serial "serial" ["serialnumber" "serialno" "servicetag" "sn" "systemserial" "systemserialnumber" "seriennummer"],
    AssetTag "asset_tag" ["assetnumber" "assetno" "assetid" "inventorynumber" "inventarnummer"],
    AssetTagScheme "asset_tag_scheme" ["tagscheme"],
    Maker "manufacturer" ["maker" "make" "brand" "hersteller"],
    Model "model" ["modelnumber" "modelname" "product" "productname" "modell"],
    Class "class" ["category" "devicetype" "assettype"],
    Company "company" ["legalentity" "entity" "firma"],
    Owner "owner" ["ownername" "accountableowner"],
    OwnerEmail "owner_email" ["ownermail"],
    AssignedTo "assigned_to" ["assignee" "user" "assigneduser"],
    AssignedToEmail "assigned_to_email" ["assigneeemail" "useremail" "assignedemail"],
    Supplier "supplier" ["reseller" "purchasedfrom" "lieferant"],
    Price "price" ["cost" "purchaseprice" "purchasecost" "unitprice" "preis"],
    Currency "currency" ["currencycode" "waehrung" "währung"],
    PurchaseDate "purchase_date" ["purchased" "dateofpurchase" "orderdate" "invoicedate" "kaufdatum"],
    WarrantyEnd "warranty_end" ["warrantyenddate" "warrantyexpires" "warrantyexpiration" "warrantyexpiry" "warrantyuntil" "garantieende"],
    Location "location" ["site" "building" "standort"],
    Department "department" ["dept" "abteilung"],
    CostCenter "cost_center" ["costcentre" "kostenstelle"],
    OrderNumber "order_number" ["order" "orderno" "ponumber" "po" "purchaseorder" "bestellnummer"],
    Ownership "ownership" [],
    State "state" ["lifecycle" "lifecyclestate"],
    Mac "mac" ["macaddress" "macaddresses" "ethernetmac"],
    MachineId "machine_id" [],
    Uuid "uuid" ["systemuuid" "smbiosuuid" "biosuuid"],
    Hostname "hostname" ["host" "computername" "devicename"],
}

impl Column {
    /// What a heading means, however it is spelt: case, spaces, hyphens and underscores don't count.
    pub(super) fn from_heading(heading: &str) -> Option<Self> {
        let heading = plain(heading);
        Self::TABLE
            .iter()
            .find(|(_, name, aliases)| plain(name) == heading || aliases.contains(&heading.as_str()))
            .map(|(column, _, _)| *column)
    }

    /// Its own name.
    pub(super) fn name(self) -> &'static str {
        Self::TABLE.iter().find(|(column, _, _)| *column == self).map_or("", |(_, name, _)| name)
    }

    /// Whether it tells which machine a row is about.
    pub(super) fn is_identifying(self) -> bool {
        matches!(self, Self::Serial | Self::AssetTag | Self::Mac | Self::MachineId | Self::Uuid)
    }

    /// The field that takes the cell's text as it stands; none for cells that need reading, or that help another.
    pub(super) fn text_field(self) -> Option<Field> {
        match self {
            Self::Maker => Some(Field::Manufacturer),
            Self::Model => Some(Field::Model),
            Self::Company => Some(Field::Company),
            Self::Supplier => Some(Field::Supplier),
            Self::Location => Some(Field::Location),
            Self::Department => Some(Field::Department),
            Self::CostCenter => Some(Field::CostCenter),
            Self::OrderNumber => Some(Field::OrderNumber),
            Self::Hostname => Some(Field::Hostname),
            Self::Serial
            | Self::AssetTag
            | Self::AssetTagScheme
            | Self::Class
            | Self::Owner
            | Self::OwnerEmail
            | Self::AssignedTo
            | Self::AssignedToEmail
            | Self::Price
            | Self::Currency
            | Self::PurchaseDate
            | Self::WarrantyEnd
            | Self::Ownership
            | Self::State
            | Self::Mac
            | Self::MachineId
            | Self::Uuid => None,
        }
    }

    /// Every column.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Self::TABLE.iter().map(|(column, _, _)| *column)
    }
}

/// A heading's letters and digits in lower case.
fn plain(heading: &str) -> String {
    heading.chars().take(64).filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn headings_of_many_spellings_are_understood() {
        for (heading, expected) in [
            ("serial", Some(Column::Serial)),
            ("Serial Number", Some(Column::Serial)),
            ("S/N", Some(Column::Serial)),
            ("SERIAL-NO.", Some(Column::Serial)),
            ("maker", Some(Column::Maker)),
            ("cost centre", Some(Column::CostCenter)),
            ("PO Number", Some(Column::OrderNumber)),
            ("Währung", Some(Column::Currency)),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(Column::from_heading(heading), expected, "{heading:?}");
        }
    }

    #[test]
    fn no_heading_means_two_things() {
        let mut seen = BTreeSet::new();
        for (column, name, aliases) in Column::TABLE {
            assert_eq!(Column::from_heading(name), Some(*column));
            for text in std::iter::once(plain(name)).chain(aliases.iter().map(|alias| (*alias).to_owned())) {
                assert_eq!(plain(&text), text, "an alias must stand as plain() leaves it");
                assert!(seen.insert(text.clone()), "{text} stands twice");
            }
        }
    }
}
