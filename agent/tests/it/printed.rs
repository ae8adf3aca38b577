//! What dmidecode prints, as structures with fields, and a comparison that counts.

use std::collections::BTreeMap;

/// One structure as dmidecode prints it.
pub(crate) struct Printed<'a> {
    pub(crate) kind: u32,
    pub(crate) handle: u16,
    pub(crate) fields: BTreeMap<&'a str, &'a str>,
    /// The values of the first list, such as the maker's own strings.
    pub(crate) listed: Vec<&'a str>,
}

/// What stands for nothing.
const NOTHING: &[&str] =
    &["", "Not Specified", "Unknown", "Other", "None", "Not Present", "Not Settable", "Undefined"];

impl Printed<'_> {
    /// A field; "not specified" and blanks are nothing.
    pub(crate) fn text(&self, field: &str) -> Option<String> {
        let value = self.fields.get(field)?.trim();
        (!NOTHING.contains(&value) && !value.starts_with("<OUT OF SPEC>")).then(|| value.to_owned())
    }

    /// The number at the start of a field.
    pub(crate) fn number(&self, field: &str) -> Option<u64> {
        self.text(field)?.split(' ').next()?.parse().ok()
    }

    /// A field with a unit of memory.
    pub(crate) fn bytes(&self, field: &str) -> Option<u64> {
        let unit = match self.text(field)?.split_once(' ')?.1 {
            "kB" => 1 << 10,
            "MB" => 1 << 20,
            "GB" => 1 << 30,
            "TB" => 1 << 40,
            other => panic!("unit {other}"),
        };
        Some(self.number(field)? * unit)
    }

    /// The size of a memory module; `None` for an empty slot.
    pub(crate) fn module_bytes(&self) -> Option<u64> {
        if self.text("Size").as_deref() == Some("No Module Installed") { None } else { self.bytes("Size") }
    }

    /// Whether it describes a socket or slot with nothing in it, whose numbers are nobody's.
    pub(crate) fn is_empty(&self) -> bool {
        match self.kind {
            4 => self.text("Status").is_some_and(|status| status == "Unpopulated"),
            17 => self.text("Size").is_some_and(|size| size == "No Module Installed"),
            _ => false,
        }
    }

    /// Serial numbers and asset tags.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = String> {
        ["Serial Number", "SBDS Serial Number", "Asset Tag"].into_iter().filter_map(|field| self.text(field))
    }
}

/// All structures of dmidecode's text.
pub(crate) fn printed(text: &str) -> Vec<Printed<'_>> {
    text.split("\n\n")
        .filter_map(|block| {
            let mut lines = block.lines().skip_while(|line| !line.starts_with("Handle "));
            let mut head = lines.next()?.strip_prefix("Handle 0x")?.split(", ");
            let handle = u16::from_str_radix(head.next()?, 16).unwrap();
            let kind = head.next()?.strip_prefix("DMI type ")?.parse().unwrap();
            let fields: BTreeMap<&str, &str> = lines
                .clone()
                .filter_map(|line| {
                    line.strip_prefix('\t').filter(|line| !line.starts_with('\t'))?.split_once(':')
                })
                .collect();
            let listed = lines
                .filter_map(|line| line.strip_prefix("\tString ")?.split_once(':'))
                .map(|(_, value)| value.trim())
                .filter(|value| !value.is_empty())
                .collect();
            Some(Printed { kind, handle, fields, listed })
        })
        .collect()
}

/// Compares fields and counts them, so that a comparison of nothing fails.
pub(crate) struct Comparison<'a> {
    pub(crate) context: String,
    pub(crate) printed: &'a Printed<'a>,
    pub(crate) compared: usize,
}

impl Comparison<'_> {
    /// A text is as it is printed.
    pub(crate) fn text(&mut self, field: &str, found: &Option<String>) {
        let found = found.clone().filter(|value| !NOTHING.contains(&value.as_str()));
        assert_eq!(found, self.printed.text(field), "{} {field}", self.context);
        self.compared += 1;
    }

    /// A number is as it is printed.
    pub(crate) fn number(&mut self, field: &str, found: Option<impl Into<u64>>) {
        assert_eq!(found.map(Into::into), self.printed.number(field), "{} {field}", self.context);
        self.compared += 1;
    }

    /// Something else than a plain field.
    pub(crate) fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: T, expected: T) {
        assert_eq!(found, expected, "{} {what}", self.context);
        self.compared += 1;
    }
}
