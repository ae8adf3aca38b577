//! What a scanner reads in front of a serial number on a label.
//!
//! Stands here since those who read files and those who decide which device is meant must agree on it and must not know
//! each other. Knows nothing of how a serial number is written otherwise.

/// The serial number behind `1S` and the machine type (Lenovo) or behind `S` (Apple), if there is such a prefix.
///
/// Only lengths that these makers print on a label are taken apart, and only if the maker is theirs or not known.
pub fn without_prefix<'a>(key: &'a str, maker: Option<&str>) -> Option<&'a str> {
    if !key.is_ascii() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let maker = maker.map(str::to_lowercase);
    let is_maker =
        |names: &[&str]| maker.as_deref().map(|maker| names.iter().any(|name| maker.contains(name)));
    if is_maker(&["lenovo", "ibm"]).unwrap_or(true)
        && key.strip_prefix("1S").is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()))
    {
        // 1S, a type of ten characters and a serial of six to ten; before 2011 seven and seven.
        return match key.len() {
            18.. => key.get(12..),
            16 => key.get(9..),
            _ => None,
        };
    }
    if is_maker(&["apple"]) == Some(true) {
        // Apple's serials have twelve characters, or ten since 2021; older ones of eleven may begin with S themselves.
        return key.strip_prefix('S').filter(|rest| matches!(rest.len(), 10 | 12) && !key.starts_with("SG"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_makers_print_is_taken_apart() {
        for (key, maker, expected) in [
            ("1S20L8S07A14PF1ABCDE", Some("LENOVO"), Some("PF1ABCDE")),
            ("1S20L8S07A14PF1ABCDE", None, Some("PF1ABCDE")),
            ("1S20L8S07A14PF1ABCDEF", Some("LENOVO"), Some("PF1ABCDEF")),
            ("1S200726GL3A1234", Some("IBM"), Some("L3A1234")),
            ("1S20L8S07A14PF1ABCDE", Some("Dell Inc."), None),
            ("1S20L8S07A14PF1ABCDE", Some(""), None),
            ("1SABC", Some("Lenovo"), None),
            ("SC02XG2JHJG5H", Some("apple"), Some("C02XG2JHJG5H")),
            ("SC02XG2JHJG5H", None, None),
        ] {
            assert_eq!(without_prefix(key, maker), expected, "{key} {maker:?}");
        }
    }
}
