//! Hardware assets as Snipe-IT exports them: the list of assets, its custom report, and its own import sheet.
//!
//! It is a register that people keep, so it vouches; its asset tag names a row, since that outlasts a corrected serial
//! number. Whose tags they are stands in its column for the company, or is chosen.

use muster_common::device::Field;

use super::{
    columns::Column,
    profile::{Naming, Profile},
};

const SIGNATURES: &[&[&str]] = &[
    &["assettag", "serial", "checkedoutto"],
    &["assettag", "serial", "statuslabel"],
    &["assettag", "serial", "defaultlocation"],
    &["assettag", "serial", "checkedout", "status"],
    &["assettag", "serial", "assetname"],
    &["assettag", "serialnumber", "itemname"],
    &["assettag", "serial", "modelno"],
];

pub(super) const PROFILE: Profile = Profile {
    system: "Snipe-IT",
    signatures: SIGNATURES,
    aliases: &[
        ("assettag", Column::Field(Field::AssetTag)),
        ("serial", Column::Field(Field::Serial)),
        ("serialnumber", Column::Field(Field::Serial)),
        ("assetname", Column::Field(Field::Title)),
        ("itemname", Column::Field(Field::Title)),
        ("company", Column::Field(Field::Company)),
        ("manufacturer", Column::Field(Field::Manufacturer)),
        ("assetmodel", Column::Field(Field::Model)),
        ("modelname", Column::Field(Field::Model)),
        ("model", Column::Field(Field::Model)),
        ("category", Column::Field(Field::Class)),
        ("status", Column::Field(Field::State)),
        ("statuslabel", Column::Field(Field::State)),
        ("checkedoutto", Column::Field(Field::AssignedTo)),
        ("checkedout", Column::Field(Field::AssignedTo)),
        ("assignedto", Column::Field(Field::AssignedTo)),
        ("email", Column::AssignedToEmail),
        ("location", Column::Field(Field::Location)),
        ("defaultlocation", Column::Field(Field::Location)),
        ("department", Column::Field(Field::Department)),
        ("supplier", Column::Field(Field::Supplier)),
        ("ordernumber", Column::Field(Field::OrderNumber)),
        ("purchasedate", Column::Field(Field::PurchaseDate)),
        ("purchasecost", Column::Field(Field::Price)),
        ("cost", Column::Field(Field::Price)),
        ("warrantyexpires", Column::Field(Field::WarrantyEnd)),
        ("warranty", Column::WarrantyMonths),
        ("checkoutdate", Column::Field(Field::Deployed)),
        ("lastcheckout", Column::Field(Field::Deployed)),
        ("lastaudit", Column::Field(Field::Verified)),
    ],
    ignored: &[
        ("id", "Snipe-IT's own number, the asset tag names the row"),
        ("type", "says to what kind of thing it is checked out"),
        ("username", "an account, not a person"),
        ("modelno", "the model's name is taken"),
        ("modelnumber", "the model's name is taken"),
        ("currentvalue", "depreciation is finance's"),
        ("notes", "free text"),
    ],
    lenient: true,
    naming: Naming::AssetTag,
    words: &[(
        Field::State,
        &[
            ("ready to deploy", "in-stock"),
            ("deployable", "in-stock"),
            ("deployed", "deployed"),
            ("ready to deploy deployed", "deployed"),
            ("ready to deploy (deployed)", "deployed"),
            ("in use", "deployed"),
            ("pending", "received"),
            ("out for repair", "in-repair"),
            ("out for diagnostics", "in-repair"),
            ("undeployable", "in-repair"),
            ("broken - not fixable", "retired"),
            ("archived", "retired"),
            ("retired", "retired"),
            ("lost", "lost"),
            ("stolen", "stolen"),
            ("lost/stolen", "lost"),
        ],
    )],
    ..Profile::PLAIN
};
