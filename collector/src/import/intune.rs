//! Devices as Microsoft Intune exports them (Devices, All devices, Export).
//!
//! Such a list sees devices and doesn't vouch for them: whatever was enrolled is in it. A device that was enrolled again
//! leaves its old row behind, so of rows with one serial number the one that checked in last counts.

use muster_common::device::Field;

use super::{
    columns::Column,
    profile::{Profile, Repeats},
};

const SIGNATURES: &[&[&str]] = &[
    &["deviceid", "serialnumber", "primaryuserupn"],
    &["devicename", "serialnumber", "lastcheckin", "compliance"],
    &["devicename", "lastcheckin", "primaryuserupn"],
];

pub(super) const PROFILE: Profile = Profile {
    system: "Intune",
    signatures: SIGNATURES,
    aliases: &[
        ("serialnumber", Column::Field(Field::Serial)),
        ("deviceid", Column::Field(Field::MdmId)),
        ("microsoftentradeviceid", Column::Field(Field::DirectoryId)),
        ("entradeviceid", Column::Field(Field::DirectoryId)),
        ("azureaddeviceid", Column::Field(Field::DirectoryId)),
        ("devicename", Column::Field(Field::Hostname)),
        ("lastcheckin", Column::Field(Field::LastSignIn)),
        ("primaryuserupn", Column::AssignedToEmail),
        ("primaryuseremailaddress", Column::AssignedToEmail),
        ("primaryuserdisplayname", Column::Field(Field::AssignedTo)),
        ("manufacturer", Column::Field(Field::Manufacturer)),
        ("model", Column::Field(Field::Model)),
        ("os", Column::Field(Field::OsName)),
        ("osversion", Column::Field(Field::OsVersion)),
        ("ethernetmac", Column::Field(Field::Mac)),
        ("wifimac", Column::OtherMac),
        ("ownership", Column::Field(Field::Ownership)),
    ],
    ignored: &[
        ("compliance", "what is compliant is judged by the charter"),
        ("encrypted", "posture is what the machine itself reports"),
        ("category", "a group of Intune's own"),
        ("productname", "the operating system's edition"),
        ("phonenumber", "personal"),
        ("enrollmentdate", "enrolment is no hand-over"),
        ("totalstorage", "has no unit"),
        ("freestorage", "has no unit"),
    ],
    vouches: false,
    lenient: true,
    repeats: Repeats::LatestSeen,
    words: &[
        (
            Field::Ownership,
            &[("corporate", "owned"), ("company", "owned"), ("personal", "personal"), ("unknown", "")],
        ),
        (
            Field::OsName,
            &[
                ("windows", "windows"),
                ("macos", "macos"),
                ("ios", "ios"),
                ("ipados", "ipados"),
                ("ios/ipados", "ios"),
                ("android", "android"),
                ("chromeos", "chromeos"),
                ("linux", "linux"),
                ("linux (ubuntu)", "ubuntu"),
                ("linux (rhel)", "rhel"),
            ],
        ),
    ],
    ..Profile::PLAIN
};
