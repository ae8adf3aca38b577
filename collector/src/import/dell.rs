//! Machines as Dell lists them: order and asset reports, and the table of a warranty look-up.
//!
//! Dell's serial number is the service tag. A list of services has a row for each service of a machine, so rows of one
//! service tag are one machine whose warranty ends with the last of them.

use muster_common::device::Field;

use super::{
    columns::Column,
    profile::{Profile, Repeats},
};

const SIGNATURES: &[&[&str]] = &[
    &["servicetag", "shipdate"],
    &["servicetag", "ordernumber"],
    &["servicetag", "dellordernumber"],
    &["servicetag", "warrantyenddate"],
    &["servicetag", "servicelevel"],
    &["servicetag", "servicelevelcode"],
    &["servicetag", "expressservicecode"],
    &["servicetag", "enddate"],
];

pub(super) const PROFILE: Profile = Profile {
    system: "Dell",
    signatures: SIGNATURES,
    aliases: &[
        ("servicetag", Column::Field(Field::Serial)),
        ("assettag", Column::Field(Field::AssetTag)),
        ("systemmodel", Column::Field(Field::Model)),
        ("model", Column::Field(Field::Model)),
        ("productlinedescription", Column::Field(Field::Model)),
        ("productdescription", Column::Field(Field::Model)),
        ("systemdescription", Column::Field(Field::Model)),
        ("product", Column::Field(Field::Model)),
        ("warrantyenddate", Column::Field(Field::WarrantyEnd)),
        ("warrantyexpirationdate", Column::Field(Field::WarrantyEnd)),
        ("supportenddate", Column::Field(Field::WarrantyEnd)),
        ("enddate", Column::Field(Field::WarrantyEnd)),
        ("expirationdate", Column::Field(Field::WarrantyEnd)),
        ("shipdate", Column::Field(Field::PurchaseDate)),
        ("shippeddate", Column::Field(Field::PurchaseDate)),
        ("orderdate", Column::Field(Field::PurchaseDate)),
        ("customerponumber", Column::Field(Field::OrderNumber)),
        ("purchaseordernumber", Column::Field(Field::OrderNumber)),
        ("ponumber", Column::Field(Field::OrderNumber)),
        ("ordernumber", Column::Field(Field::OrderNumber)),
        ("dellordernumber", Column::Field(Field::OrderNumber)),
        ("invoicenumber", Column::Field(Field::Invoice)),
        ("unitprice", Column::Field(Field::Price)),
        ("shiptocity", Column::Field(Field::Location)),
        ("shipto", Column::Field(Field::Location)),
        ("shiptoname", Column::Field(Field::Location)),
    ],
    ignored: &[
        ("expressservicecode", "the service tag in another notation"),
        ("servicelevel", "only the end of the warranty is kept"),
        ("servicelevelcode", "only the end of the warranty is kept"),
        ("warrantydescription", "only the end of the warranty is kept"),
        ("serviceprovider", "only the end of the warranty is kept"),
        ("startdate", "only the end is kept"),
        ("warrantystartdate", "only the end is kept"),
        ("daysremaining", "follows from the end"),
        ("quantity", "a row with a service tag is one machine"),
        ("customernumber", "Dell's number for you"),
        ("country", "the location is taken from the ship-to"),
    ],
    lenient: true,
    maker: Some("Dell"),
    repeats: Repeats::LatestWarranty,
    ..Profile::PLAIN
};
