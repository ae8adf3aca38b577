//! The identifiers of a row of a list of devices; a placeholder is left out and noted, what was destroyed refuses the row.
//!
//! How one identifier is written stands in `keys`; what a shared list of numbers says about one of them, such as lost
//! zeros, is learned here over the whole column. Knows nothing of the other fields.

use muster_common::{device::Field, observation::RecordIdentifiers};

use super::{
    Placeholders,
    cells::{self, shown},
    columns::Column,
    keys,
};

/// What tells which machine a row is about, for messages.
pub(super) const WHAT_TELLS: &str =
    "no serial, asset_tag, mac, machine_id or uuid tells which machine this is";

/// The cells of a row by their meaning.
pub(super) trait Cells {
    /// A cell, without blanks around it; none when it is empty.
    fn cell(&self, column: Column) -> Option<&str>;
}

/// What holds for a whole list.
#[derive(Debug, Clone, Default)]
pub(super) struct Common {
    /// Whose asset tags they are where the row doesn't say.
    pub(super) company: Option<String>,
    /// Who made the machine where the row doesn't say.
    pub(super) maker: Option<&'static str>,
    /// Whether an identifier that can't be read is left out.
    pub(super) lenient: bool,
    /// How many digits serial numbers have that begin with zero.
    pub(super) serial_digits: Option<usize>,
    /// How many digits asset tags have that begin with zero.
    pub(super) tag_digits: Option<usize>,
}

impl Common {
    /// Leaves out what can't be read, with a note, or refuses the row.
    fn leave<T>(&self, read: Result<T, String>, notes: &mut Vec<String>) -> Result<Option<T>, String> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(reason) if self.lenient => {
                notes.push(format!("{reason}; it was left out"));
                Ok(None)
            }
            Err(reason) => Err(reason),
        }
    }
}

/// The length that all numbers of a column have which begin with zero; none when there are none, or of two lengths.
pub(super) fn padded_digits<'c>(cells: impl Iterator<Item = &'c str>) -> Option<usize> {
    let mut found = None;
    for cell in cells {
        let cell = cells::unquoted(cell).trim();
        if cell.len() < 3 || !cell.starts_with('0') || !cell.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        match found {
            None => found = Some(cell.len()),
            Some(known) if known != cell.len() => return None,
            Some(_) => {}
        }
    }
    found
}

/// In which scheme a row's tag stands: its own column, the company, else what holds for the list.
pub(super) fn scheme(cells: &impl Cells, common: &Common) -> Option<String> {
    [Column::TagScheme, Column::Field(Field::Company)]
        .into_iter()
        .find_map(|column| cells.cell(column).and_then(cells::text))
        .or_else(|| common.company.clone())
}

/// Reads the identifiers of a row.
pub(super) fn read(
    cells: &impl Cells,
    common: &Common,
    placeholders: &Placeholders,
    notes: &mut Vec<String>,
) -> Result<RecordIdentifiers, String> {
    let mut found = RecordIdentifiers::default();
    let cell = |field: Field| cells.cell(Column::Field(field)).filter(|cell| cells::text(cell).is_some());
    let left_out =
        |what: &str, cell: &str| format!("{what} {} is a placeholder and was left out", shown(cell));
    let mut without_scheme = None;
    if let Some(cell) = cell(Field::Serial) {
        let maker = cells.cell(Column::Field(Field::Manufacturer)).or(common.maker);
        let serial = keys::serial(cell, maker)?;
        if serial.is_empty() || (placeholders.text)(&serial) {
            notes.push(left_out("serial", cell));
        } else {
            notes.extend(lost_zeros("serial", &serial, common.serial_digits));
            found.serial = Some(serial);
        }
    }
    if let Some(cell) = cell(Field::AssetTag) {
        let tag = keys::key(cell);
        if tag.is_empty() || (placeholders.text)(&tag) {
            notes.push(left_out("asset_tag", cell));
        } else if let Some(scheme) = scheme(cells, common) {
            found.asset_tag = Some(keys::asset_tag(cell, &scheme)?);
            notes.extend(lost_zeros("asset tag", &tag, common.tag_digits));
        } else {
            without_scheme = Some(format!(
                "the asset tag {} stands in no scheme, and two companies can own the same tag (choose company=NAME, or add a column company)",
                shown(cell)
            ));
        }
    }
    if let Some(cell) = cell(Field::Uuid) {
        match common.leave(keys::uuid(cell), notes)? {
            Some(uuid) if (placeholders.uuid)(&uuid) => notes.push(left_out("uuid", cell)),
            uuid => found.uuid = uuid,
        }
    }
    if let Some(cell) = cell(Field::MachineId) {
        found.machine_id = common.leave(keys::machine_id(cell), notes)?;
    }
    for column in [Column::Field(Field::Mac), Column::OtherMac] {
        let Some(cell) = cells.cell(column).filter(|cell| cells::text(cell).is_some()) else { continue };
        for mac in common.leave(keys::macs(cell), notes)?.unwrap_or_default() {
            if (placeholders.mac)(mac) {
                notes.push(left_out("mac", &mac.to_string()));
            } else {
                found.macs.push(mac);
            }
        }
    }
    found.macs.sort_unstable();
    found.macs.dedup();
    found.instance = cell(Field::Instance).map(|cell| keys::key(cell).to_lowercase());
    found.asset_key = cell(Field::AssetKey).map(|cell| keys::key(cell).to_lowercase());
    match without_scheme {
        // Something else tells the machine, so the rest of the row is worth having.
        Some(reason) if found.is_empty() => Err(reason),
        Some(reason) => {
            notes.push(format!("{reason}; it was left out"));
            Ok(found)
        }
        None => Ok(found),
    }
}

fn lost_zeros(what: &str, text: &str, digits: Option<usize>) -> Option<String> {
    let digits = digits.filter(|digits| text.len() < *digits)?;
    let is_bare = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    is_bare.then(|| {
        format!(
            "the {what} {text} may have lost its leading zeros in a spreadsheet: others have {digits} digits"
        )
    })
}

/// The first identifier with its kind, for a row's own name and for messages.
pub(super) fn first(identifiers: &RecordIdentifiers) -> (&'static str, String) {
    let RecordIdentifiers { serial, asset_tag, uuid, machine_id, macs, instance, asset_key } = identifiers;
    let named = [
        ("serial", serial),
        ("asset tag", asset_tag),
        ("uuid", uuid),
        ("machine id", machine_id),
        ("instance", instance),
        ("key", asset_key),
    ];
    for (kind, value) in named {
        if let Some(value) = value {
            return (kind, value.clone());
        }
    }
    ("mac", macs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_tells_how_long_its_numbers_are() {
        let digits = |cells: &[&str]| padded_digits(cells.iter().copied());
        assert_eq!(digits(&["001234", "1235", "=\"000007\"", "AB"]), Some(6));
        assert_eq!(digits(&["001234", "0123"]), None);
        assert_eq!(digits(&["1234", "0"]), None);
        assert!(lost_zeros("asset tag", "1235", Some(6)).unwrap().contains("6 digits"));
        assert_eq!(lost_zeros("asset tag", "123456", Some(6)), None);
        assert_eq!(lost_zeros("asset tag", "A1235", Some(6)), None);
    }
}
