//! Staff lists (HR rosters): who works here, where, for whom, and until when.
//!
//! A person who left needs a last day: a status alone doesn't say since when, and a leaver without a date would either
//! never or always have been one.

use muster_common::observation::{PersonName, PersonRecord, Record};

use super::{
    ImportError, ImportedFile, Placeholders, Row, RowRefused,
    named::{NamedColumn, NamedList, column, date, heading_in},
    options::Options,
    recognise::{Head, Score},
    table::TableRow,
    text,
};

const COLUMNS: &[NamedColumn] = &[
    column(
        "email",
        &["workemail", "email", "emailaddress", "mail", "businessemail", "userprincipalname", "emailwork"],
    ),
    column("name", &["displayname", "fullname", "employeename", "name", "workername", "mitarbeiter"]),
    column("first name", &["firstname", "givenname", "preferredname", "vorname"]),
    column("last name", &["lastname", "surname", "familyname", "nachname"]),
    column(
        "number",
        &[
            "employeenumber",
            "employeeid",
            "personnelnumber",
            "personalnummer",
            "staffid",
            "workerid",
            "personnelno",
        ],
    ),
    column("department", &["department", "orgunit", "organizationalunit", "abteilung", "division", "team"]),
    column("location", &["location", "worklocation", "office", "site", "standort"]),
    column("cost center", &["costcenter", "costcentre", "kostenstelle"]),
    column("manager", &["manager", "managername", "reportsto", "supervisor", "vorgesetzter"]),
    column(
        "manager email",
        &["manageremail", "manageremailaddress", "supervisoremail", "manageruserprincipalname"],
    ),
    date(
        "first day",
        &["startdate", "hiredate", "originalhiredate", "firstday", "joined", "eintrittsdatum", "eintritt"],
    ),
    date(
        "last day",
        &[
            "lastday",
            "terminationdate",
            "enddate",
            "leavingdate",
            "lastworkingday",
            "austrittsdatum",
            "austritt",
        ],
    ),
    column("status", &["employmentstatus", "status", "active", "workerstatus"]),
];

/// Words of a status that say that somebody has left.
const LEFT: &[&str] = &["terminated", "left", "inactive", "leaver", "former", "ausgeschieden", "no", "false"];

/// Reads a staff list.
pub(super) fn read(content: &[u8], options: &Options, _: &Placeholders) -> Result<ImportedFile, ImportError> {
    let decoded = text::decode(content, options)?;
    let needs: &[&[&str]] = &[&["email", "name", "last name", "number"]];
    let mut list = NamedList::read(&decoded, options, COLUMNS, needs)?;
    list.note_ignored(|_| false);
    let rows = list.rows().map(|row| Row {
        number: row.number,
        outcome: person(&list, row).map(Record::Person).map_err(RowRefused::new),
        original: row.original().to_owned(),
    });
    Ok(ImportedFile { rows: rows.collect(), remarks: list.remarks.clone() })
}

/// How much a file looks like one.
pub(super) fn recognises(head: &Head) -> Option<Score> {
    let has = |name: &str| heading_in(head, COLUMNS, name).is_some();
    let found: Vec<&str> = ["number", "first day", "last day", "manager", "manager email", "status"]
        .into_iter()
        .filter(|name| has(name))
        .collect();
    let is_person = has("email") || has("name") || has("last name");
    (is_person && has("department") && found.len() >= 2 && (has("first day") || has("last day"))).then(|| {
        Score {
            points: 60 + 5 * u8::try_from(found.len()).unwrap_or(6),
            why: format!("it names people with department, {}", found.join(", ")),
        }
    })
}

fn person(list: &NamedList<'_>, row: TableRow<'_, '_>) -> Result<PersonRecord, String> {
    let display = list.text(row, "name").or_else(|| {
        let parts = [list.text(row, "first name"), list.text(row, "last name")];
        let joined = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        (!joined.is_empty()).then_some(joined)
    });
    let email = list.text(row, "email").map(|text| address(&text)).transpose()?;
    let employee_number = list.text(row, "number");
    if display.is_none() && email.is_none() && employee_number.is_none() {
        return Err("no name, address or number tells who this is".to_owned());
    }
    let mut notes = Vec::new();
    // Some systems write the manager's address into the manager's column.
    let manager_text = list.text(row, "manager");
    let manager_email = list
        .text(row, "manager email")
        .or_else(|| manager_text.clone().filter(|text| text.contains('@')))
        .map(|text| address(&text))
        .transpose()?;
    let manager_name = manager_text.filter(|text| !text.contains('@'));
    let manager = PersonName { display: manager_name, email: manager_email };
    let ends = list.date(row, "last day").map_err(|why| format!("last day: {why}"))?;
    let starts = list.date(row, "first day").map_err(|why| format!("first day: {why}"))?;
    if let (Some(first), Some(last)) = (starts, ends)
        && last < first
    {
        return Err("the last day lies before the first (are the columns exchanged?)".to_owned());
    }
    let status = list.text(row, "status");
    let left = status.as_deref().is_some_and(|status| LEFT.contains(&status.to_lowercase().as_str()));
    if left && ends.is_none() {
        return Err("the status says that the person left and no last day says when: add it".to_owned());
    }
    if email.is_none() {
        notes
            .push("there is no address: lists that name people by address won't find this person".to_owned());
    }
    Ok(PersonRecord {
        name: PersonName { display, email },
        employee_number,
        department: list.text(row, "department"),
        location: list.text(row, "location"),
        cost_center: list.text(row, "cost center"),
        manager: manager.key().is_some().then_some(manager),
        starts,
        ends,
        notes,
    })
}

/// An address as people write it; anything without a name, an @ and a domain is refused.
pub(super) fn address(text: &str) -> Result<String, String> {
    let bare = text.trim().trim_start_matches("mailto:").trim_matches(['<', '>']);
    let is_address = bare.split_once('@').is_some_and(|(name, domain)| {
        !name.is_empty()
            && domain.contains('.')
            && !domain.contains('@')
            && !bare.contains(char::is_whitespace)
    });
    if !is_address {
        return Err(format!("{} is not an e-mail address", super::cells::shown(text)));
    }
    Ok(bare.to_owned())
}
