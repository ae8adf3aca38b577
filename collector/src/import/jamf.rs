//! Computers and mobile devices as Jamf Pro exports them from an inventory search.
//!
//! Which columns are in it is up to whoever made the search. Like every management system's list it sees devices and
//! doesn't vouch for them.

use muster_common::device::Field;

use super::{
    columns::Column,
    profile::{Profile, Repeats},
};

const SIGNATURES: &[&[&str]] = &[
    &["jamfprocomputerid", "serialnumber"],
    &["jsscomputerid", "serialnumber"],
    &["jamfpromobiledeviceid", "serialnumber"],
    &["jssmobiledeviceid", "serialnumber"],
    &["computername", "serialnumber", "lastcheckin"],
    &["computername", "serialnumber", "lastinventoryupdate"],
    &["displayname", "serialnumber", "udid"],
];

pub(super) const PROFILE: Profile = Profile {
    system: "Jamf Pro",
    signatures: SIGNATURES,
    aliases: &[
        ("serialnumber", Column::Field(Field::Serial)),
        ("jamfprocomputerid", Column::Field(Field::MdmId)),
        ("jsscomputerid", Column::Field(Field::MdmId)),
        ("jamfpromobiledeviceid", Column::Field(Field::MdmId)),
        ("jssmobiledeviceid", Column::Field(Field::MdmId)),
        ("udid", Column::Field(Field::Uuid)),
        ("computername", Column::Field(Field::Hostname)),
        ("displayname", Column::Field(Field::Hostname)),
        ("assettag", Column::Field(Field::AssetTag)),
        ("lastcheckin", Column::Field(Field::LastSignIn)),
        ("lastinventoryupdate", Column::Field(Field::LastSignIn)),
        ("emailaddress", Column::AssignedToEmail),
        ("fullname", Column::Field(Field::AssignedTo)),
        ("username", Column::Field(Field::AssignedTo)),
        ("macaddress", Column::Field(Field::Mac)),
        ("primarymacaddress", Column::Field(Field::Mac)),
        ("wifimacaddress", Column::OtherMac),
        ("altmacaddress", Column::OtherMac),
        ("model", Column::Field(Field::Model)),
        ("operatingsystem", Column::Field(Field::OsName)),
        ("operatingsystemversion", Column::Field(Field::OsVersion)),
        ("osversion", Column::Field(Field::OsVersion)),
        ("processortype", Column::Field(Field::Processor)),
        ("architecturetype", Column::Field(Field::Architecture)),
        ("building", Column::Field(Field::Location)),
        ("department", Column::Field(Field::Department)),
        ("ponumber", Column::Field(Field::OrderNumber)),
        ("podate", Column::Field(Field::PurchaseDate)),
        ("warrantyexpiration", Column::Field(Field::WarrantyEnd)),
        ("leaseexpiration", Column::Field(Field::LeaseEnd)),
        ("vendor", Column::Field(Field::Supplier)),
        ("purchaseprice", Column::Field(Field::Price)),
    ],
    ignored: &[
        ("site", "a division of Jamf's own"),
        ("managed", "every row is"),
        ("phonenumber", "personal"),
        ("totalrammb", "the machine itself reports it"),
    ],
    vouches: false,
    lenient: true,
    maker: Some("Apple"),
    repeats: Repeats::LatestSeen,
    words: &[(
        Field::OsName,
        &[
            ("macos", "macos"),
            ("mac os x", "macos"),
            ("os x", "macos"),
            ("ios", "ios"),
            ("ipados", "ipados"),
            ("tvos", "tvos"),
            ("visionos", "visionos"),
        ],
    )],
    ..Profile::PLAIN
};
