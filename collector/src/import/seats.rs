//! Seats of subscriptions, as sign-in systems and SaaS consoles export them: who has which product, and when last used.
//!
//! A cell may name several products, as the Microsoft 365 user list does; each is a seat of its own. A seat is told by its
//! product and its person, and never vouches: a console says what is assigned, an invoice what is paid.

use std::collections::BTreeMap;

use muster_common::{
    asset::Category,
    device::{Field, Value},
    observation::{AssetRecord, PersonName, Record, RecordIdentifiers, RecordValue},
};

use super::{
    ImportError, ImportedFile, Placeholders, Row, RowRefused,
    named::{NamedColumn, NamedList, column, date, heading_in},
    options::Options,
    recognise::{Head, Score},
    staff::address,
    table::TableRow,
    text,
};

const COLUMNS: &[NamedColumn] = &[
    column("email", &["userprincipalname", "useremail", "email", "emailaddress", "mail", "login", "user"]),
    column("name", &["displayname", "fullname", "username", "name"]),
    column(
        "product",
        &[
            "application",
            "appname",
            "app",
            "product",
            "productname",
            "subscription",
            "licenses",
            "license",
            "licence",
            "sku",
            "plan",
        ],
    ),
    column("vendor", &["vendor", "publisher", "supplier"]),
    date(
        "last sign-in",
        &[
            "lastsignin",
            "lastsignindate",
            "lastsignindatetime",
            "lastlogin",
            "lastlogindate",
            "lastactivity",
            "lastactivitydate",
            "lastactive",
            "lastseen",
        ],
    ),
    date("assigned", &["assigneddate", "assignedon", "createddate", "added"]),
    column("status", &["status", "accountstatus", "blockcredential"]),
];

/// How a person stands in a console whose seat is not in use any more.
const CLOSED: &[&str] = &["deactivated", "deprovisioned", "disabled", "suspended", "inactive"];

/// Reads a list of seats.
pub(super) fn read(content: &[u8], options: &Options, _: &Placeholders) -> Result<ImportedFile, ImportError> {
    let decoded = text::decode(content, options)?;
    let mut list = NamedList::read(&decoded, options, COLUMNS, &[&["email"], &["product"]])?;
    list.note_ignored(|_| false);
    let mut rows = Vec::new();
    for row in list.rows() {
        let one = |outcome: Result<AssetRecord, String>| Row {
            number: row.number,
            outcome: outcome.map(Record::Asset).map_err(RowRefused::new),
            original: row.original().to_owned(),
        };
        let products = products(list.text(row, "product").as_deref());
        if products.is_empty() {
            rows.push(one(Err("no product says what this is a seat of".to_owned())));
        }
        rows.extend(products.iter().map(|product| one(seat(&list, row, product))));
    }
    Ok(ImportedFile { rows, remarks: list.remarks.clone() })
}

/// How much a file looks like one.
pub(super) fn recognises(head: &Head) -> Option<Score> {
    let has = |name: &str| heading_in(head, COLUMNS, name);
    let (email, product, sign_in) = (has("email")?, has("product")?, has("last sign-in")?);
    Some(Score { points: 75, why: format!("it has the columns {email}, {product} and {sign_in}") })
}

/// The products of a cell: Microsoft 365 joins them by a plus.
fn products(cell: Option<&str>) -> Vec<String> {
    let parts = cell.unwrap_or_default().split(['+', ';']).map(str::trim);
    let mut products: Vec<String> = parts
        .filter(|part| !part.is_empty() && !part.eq_ignore_ascii_case("unlicensed"))
        .map(str::to_owned)
        .collect();
    products.dedup();
    products
}

fn seat(list: &NamedList<'_>, row: TableRow<'_, '_>, product: &str) -> Result<AssetRecord, String> {
    let email = list.text(row, "email").ok_or("no address says whose seat this is")?;
    let person = PersonName { display: list.text(row, "name"), email: Some(address(&email)?) };
    let key = product.to_lowercase();
    let mut fields: BTreeMap<Field, RecordValue> = BTreeMap::new();
    let mut put = |field, value: Option<Value>| {
        fields.extend(value.map(|value| (field, RecordValue::Plain(value))));
    };
    put(Field::Title, Some(Value::Text(product.to_owned())));
    put(Field::Supplier, list.text(row, "vendor").map(Value::Text));
    let moment = |name| list.date(row, name).map_err(|why| format!("{name}: {why}"));
    let signed_in = moment("last sign-in")?;
    put(Field::LastSignIn, signed_in.map(Value::Time));
    put(Field::Deployed, moment("assigned")?.map(Value::Time));
    let closed =
        list.text(row, "status").is_some_and(|status| CLOSED.contains(&status.to_lowercase().as_str()));
    put(Field::State, Some(Value::Text(if closed { "retired" } else { "deployed" }.to_owned())));
    fields.insert(Field::AssignedTo, RecordValue::Person(person.clone()));
    Ok(AssetRecord {
        row_key: key.clone(),
        category: Category::Seat,
        of_person: Some(person),
        identifiers: RecordIdentifiers { asset_key: Some(key), ..RecordIdentifiers::default() },
        fields,
        vouches: false,
        seen: signed_in,
        notes: Vec::new(),
    })
}
