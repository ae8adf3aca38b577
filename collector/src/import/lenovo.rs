//! Machines as Lenovo lists them: order and shipment reports, and the table of a warranty look-up.
//!
//! A look-up has a row for each service of a machine, so rows of one serial number are one machine whose warranty ends
//! with the last of them.

use muster_common::device::Field;

use super::{
    columns::Column,
    profile::{Profile, Repeats},
};

const SIGNATURES: &[&[&str]] = &[
    &["serialnumber", "machinetypeproductid"],
    &["serialnumber", "machinetypemodel"],
    &["serialnumber", "machinetype"],
    &["serialnumber", "mtm"],
    &["serial", "mtm"],
];

pub(super) const PROFILE: Profile = Profile {
    system: "Lenovo",
    signatures: SIGNATURES,
    aliases: &[
        ("serialnumber", Column::Field(Field::Serial)),
        ("serial", Column::Field(Field::Serial)),
        ("productname", Column::Field(Field::Model)),
        ("productdescription", Column::Field(Field::Model)),
        ("product", Column::Field(Field::Model)),
        ("machinetypemodel", Column::Field(Field::Model)),
        ("mtm", Column::Field(Field::Model)),
        ("machinetypeproductid", Column::Field(Field::Model)),
        ("machinetype", Column::Field(Field::Model)),
        ("warrantyend", Column::Field(Field::WarrantyEnd)),
        ("warrantyenddate", Column::Field(Field::WarrantyEnd)),
        ("warrantyexpirationdate", Column::Field(Field::WarrantyEnd)),
        ("enddate", Column::Field(Field::WarrantyEnd)),
        ("shipdate", Column::Field(Field::PurchaseDate)),
        ("shippeddate", Column::Field(Field::PurchaseDate)),
        ("orderdate", Column::Field(Field::PurchaseDate)),
        ("customerponumber", Column::Field(Field::OrderNumber)),
        ("ponumber", Column::Field(Field::OrderNumber)),
        ("ordernumber", Column::Field(Field::OrderNumber)),
        ("salesordernumber", Column::Field(Field::OrderNumber)),
        ("invoicenumber", Column::Field(Field::Invoice)),
        ("shiptocity", Column::Field(Field::Location)),
        ("shipto", Column::Field(Field::Location)),
        ("shiptolocation", Column::Field(Field::Location)),
    ],
    ignored: &[
        ("warrantystart", "only the end is kept"),
        ("warrantystartdate", "only the end is kept"),
        ("startdate", "only the end is kept"),
        ("warrantystatus", "follows from the end"),
        ("status", "of the order or the warranty, not of the machine"),
        ("quantity", "a row with a serial number is one machine"),
        ("soldto", "choose columns.\"Sold To\"=company if the company's tags stand in the list"),
        ("country", "the location is taken from the ship-to"),
    ],
    lenient: true,
    maker: Some("Lenovo"),
    repeats: Repeats::LatestWarranty,
    ..Profile::PLAIN
};
