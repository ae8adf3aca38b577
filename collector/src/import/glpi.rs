//! Computers as GLPI exports its list: semicolons, every cell in quotes, and one more semicolon at each line's end.
//!
//! Which columns are in it is up to whoever shows the list; English, German and French headings are known. GLPI fills
//! its list from agents of its own, so it sees devices and doesn't vouch for them; choose `vouches=yes` where people
//! keep it.

use muster_common::device::Field;

use super::{
    ImportError, ImportedFile, Placeholders,
    columns::Column,
    device_list,
    options::Options,
    profile::{Profile, Repeats},
    recognise::{Head, Score, by_headings},
};

const SIGNATURES: &[&[&str]] = &[
    &["name", "entity", "serialnumber"],
    &["name", "serialnumber", "operatingsystemname"],
    &["name", "serialnumber", "lastupdate", "status"],
    &["nom", "entité", "numérodesérie"],
    &["nom", "numérodesérie", "systèmedexploitationnom"],
    &["name", "seriennummer", "betriebssystemname"],
    &["name", "entität", "seriennummer"],
];

const PROFILE: Profile = Profile {
    aliases: &[
        ("serialnumber", Column::Field(Field::Serial)),
        ("numérodesérie", Column::Field(Field::Serial)),
        ("seriennummer", Column::Field(Field::Serial)),
        ("inventorynumber", Column::Field(Field::AssetTag)),
        ("numérodinventaire", Column::Field(Field::AssetTag)),
        ("inventarnummer", Column::Field(Field::AssetTag)),
        ("name", Column::Field(Field::Hostname)),
        ("nom", Column::Field(Field::Hostname)),
        ("uuid", Column::Field(Field::Uuid)),
        ("networkportsmacaddress", Column::Field(Field::Mac)),
        ("networkmacaddress", Column::Field(Field::Mac)),
        ("manufacturer", Column::Field(Field::Manufacturer)),
        ("fabricant", Column::Field(Field::Manufacturer)),
        ("hersteller", Column::Field(Field::Manufacturer)),
        ("model", Column::Field(Field::Model)),
        ("modèle", Column::Field(Field::Model)),
        ("modell", Column::Field(Field::Model)),
        ("type", Column::Field(Field::Class)),
        ("typ", Column::Field(Field::Class)),
        ("status", Column::Field(Field::State)),
        ("statut", Column::Field(Field::State)),
        ("location", Column::Field(Field::Location)),
        ("lieu", Column::Field(Field::Location)),
        ("standort", Column::Field(Field::Location)),
        ("user", Column::Field(Field::AssignedTo)),
        ("utilisateur", Column::Field(Field::AssignedTo)),
        ("benutzer", Column::Field(Field::AssignedTo)),
        ("lastinventorydate", Column::Field(Field::LastSignIn)),
        ("lastcontact", Column::Field(Field::LastSignIn)),
        ("operatingsystemname", Column::Field(Field::OsPretty)),
        ("systèmedexploitationnom", Column::Field(Field::OsPretty)),
        ("betriebssystemname", Column::Field(Field::OsPretty)),
        ("operatingsystemversion", Column::Field(Field::OsVersion)),
        ("componentsprocessor", Column::Field(Field::Processor)),
        ("financialandadministrativeinformationdateofpurchase", Column::Field(Field::PurchaseDate)),
        ("financialandadministrativeinformationwarrantyexpirationdate", Column::Field(Field::WarrantyEnd)),
        ("financialandadministrativeinformationordernumber", Column::Field(Field::OrderNumber)),
        ("financialandadministrativeinformationinvoicenumber", Column::Field(Field::Invoice)),
        ("financialandadministrativeinformationsupplier", Column::Field(Field::Supplier)),
        ("financialandadministrativeinformationvalue", Column::Field(Field::Price)),
        ("financialandadministrativeinformationimmobilizationnumber", Column::Field(Field::FinanceNumber)),
    ],
    ignored: &[
        ("entity", "choose columns.Entity=company where entities are companies"),
        ("entité", "choose columns.Entité=company where entities are companies"),
        ("entität", "choose columns.Entität=company where entities are companies"),
        ("lastupdate", "says when the record changed, not the machine"),
        ("dernièremodification", "says when the record changed, not the machine"),
        ("alternateusername", "an account, not a person"),
        ("id", "GLPI's own number"),
        ("comments", "free text"),
    ],
    vouches: false,
    lenient: true,
    repeats: Repeats::LatestSeen,
    words: &[(
        Field::State,
        &[
            ("in use", "deployed"),
            ("in production", "deployed"),
            ("production", "deployed"),
            ("en service", "deployed"),
            ("en production", "deployed"),
            ("in betrieb", "deployed"),
            ("in benutzung", "deployed"),
            ("in stock", "in-stock"),
            ("stock", "in-stock"),
            ("en stock", "in-stock"),
            ("auf lager", "in-stock"),
            ("lager", "in-stock"),
            ("spare", "spare"),
            ("in repair", "in-repair"),
            ("en réparation", "in-repair"),
            ("in reparatur", "in-repair"),
            ("retired", "retired"),
            ("hors service", "retired"),
            ("ausgemustert", "retired"),
            ("lost", "lost"),
            ("stolen", "stolen"),
        ],
    )],
    ..Profile::PLAIN
};

/// Reads an export.
pub(super) fn read(
    content: &[u8],
    options: &Options,
    placeholders: &Placeholders,
) -> Result<ImportedFile, ImportError> {
    device_list::read_csv(content, options, placeholders, &PROFILE)
}

/// Whether it has GLPI's columns.
pub(super) fn recognises(head: &Head) -> Option<Score> {
    by_headings(head, "GLPI", SIGNATURES, &PROFILE)
}
