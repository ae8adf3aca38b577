//! Reads from a Rust file which modules and crates it names.
//!
//! Knows nothing of the grammar beyond what a `use` and a path look like once comments and string literals are blanked
//! out: enough to hold a direction, and no macro in this repository makes paths.

use super::Source;

/// A path that a file names: where, and its parts from the crate's root or from an external crate.
#[derive(Debug, PartialEq)]
pub(super) struct Named {
    pub(super) line: usize,
    pub(super) parts: Vec<String>,
}

/// The text with every comment and string literal replaced by spaces, lines kept.
pub(super) fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let blank = |letter: char| if letter == '\n' { '\n' } else { ' ' };
    while let Some(letter) = letters.next() {
        match letter {
            '/' if letters.peek() == Some(&'/') => {
                out.push(' ');
                while let Some(&next) = letters.peek() {
                    if next == '\n' {
                        break;
                    }
                    letters.next();
                    out.push(' ');
                }
            }
            '"' => {
                out.push(' ');
                while let Some(next) = letters.next() {
                    out.push(blank(next));
                    match next {
                        '\\' => out.extend(letters.next().map(blank)),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            // A quote character as a literal would otherwise open a string.
            '\'' if letters.peek() == Some(&'"') => {
                out.push(' ');
                out.extend(letters.next().map(blank));
            }
            _ => out.push(letter),
        }
    }
    out
}

/// Paths below the crate's own root that the product part of a file names, however it writes them: `crate::a::b`,
/// `use crate::{a, b::c}`, and `super::…` that climbs to the root.
pub(super) fn own(source: &Source) -> Vec<Named> {
    let text = code(source.product());
    let depth = module_depth(&source.path);
    let mut found = named_after(&text, "crate::");
    // From depth n, n times `super` is the root; an inline module inside the file would climb less far, never further.
    if depth > 0 {
        found.extend(named_after(&text, &"super::".repeat(depth)));
    }
    found
}

/// Paths that begin with this external crate's name. A module of the same name that the file declares or imports is
/// told apart: then only `use` can still mean the crate.
pub(super) fn external(text: &str, name: &str) -> Vec<Named> {
    let (statements, rest) = split_uses(text);
    let mut found = Vec::new();
    let mut is_module_here = rest.contains(&format!("mod {name};"));
    for (line, statement) in statements {
        for parts in expand(&statement) {
            let last = parts.iter().rev().find(|part| *part != "self");
            if parts.first().is_some_and(|first| first == name) {
                found.push(Named { line, parts });
            } else if last.is_some_and(|last| last == name) {
                is_module_here = true;
            }
        }
    }
    if !is_module_here {
        for mut named in named_after(&rest, &format!("{name}::")) {
            named.parts.insert(0, name.to_owned());
            found.push(named);
        }
    }
    found
}

/// The `use` statements with their lines (without the word and the semicolon), and the text with them blanked out.
fn split_uses(text: &str) -> (Vec<(usize, String)>, String) {
    let mut statements = Vec::new();
    let mut rest = text.to_owned();
    for (at, _) in text.match_indices("use ") {
        let before = text[..at].chars().next_back();
        let end = text[at..].find(';').map(|length| at + length);
        let (true, Some(end)) = (before.is_none_or(|letter| letter.is_whitespace()), end) else { continue };
        let line = text[..at].matches('\n').count() + 1;
        statements.push((line, text[at + "use ".len()..end].trim_start().to_owned()));
        let blank: String =
            text[at..end].chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }).collect();
        // Blanks are one byte each, as long as the text is ASCII; names in `use` are.
        if blank.len() == end - at {
            rest.replace_range(at..end, &blank);
        }
    }
    (statements, rest)
}

/// How many modules above this file's module the root is: 0 for lib.rs, 1 for `ingest/mod.rs`, 2 for `ingest/session.rs`.
fn module_depth(path: &str) -> usize {
    let inside = path.split("/src/").nth(1).unwrap_or(path);
    let parts: Vec<&str> = inside.split('/').collect();
    match parts.last() {
        Some(&("lib.rs" | "main.rs" | "mod.rs")) => parts.len() - 1,
        _ => parts.len(),
    }
}

fn named_after(text: &str, prefix: &str) -> Vec<Named> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(prefix) {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == ':') {
            continue;
        }
        let line = text[..at].matches('\n').count() + 1;
        for parts in expand(&text[at + prefix.len()..]) {
            found.push(Named { line, parts });
        }
    }
    found
}

/// The paths that the text begins with: one, or each of a group in braces.
fn expand(text: &str) -> Vec<Vec<String>> {
    if let Some(group) = text.strip_prefix('{') {
        let mut depth = 0;
        let mut start = 0;
        let mut found = Vec::new();
        for (at, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => {
                    found.extend(expand(group[start..at].trim_start()));
                    break;
                }
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    found.extend(expand(group[start..at].trim_start()));
                    start = at + 1;
                }
                _ => {}
            }
        }
        return found;
    }
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    let (head, rest) = text.split_at(end);
    if head.is_empty() {
        return Vec::new();
    }
    let Some(tail) = rest.strip_prefix("::") else { return vec![vec![head.to_owned()]] };
    let mut found = expand(tail);
    if found.is_empty() {
        found.push(Vec::new());
    }
    for parts in &mut found {
        parts.insert(0, head.to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::testing::source;
    use super::*;

    fn check(path: &str, text: &str, expected: &[&str]) {
        let found: Vec<String> = own(&source(path, text))
            .iter()
            .map(|it| format!("{} {}", it.line, it.parts.join("::")))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn paths_are_found_however_they_are_written() {
        check("a/src/ingest/mod.rs", "use crate::store::Store;", &["1 store::Store"]);
        check(
            "a/src/ingest/mod.rs",
            "use crate::{\n  index,\n  store::{A, b::C},\n};",
            &["1 index", "1 store::A", "1 store::b::C"],
        );
        check("a/src/ingest/mod.rs", "\nuse super::store::Store;", &["2 store::Store"]);
        check(
            "a/src/ingest/session.rs",
            "use super::super::store::Store; use super::own::B;",
            &["1 store::Store"],
        );
        check("a/src/lib.rs", "fn a() -> crate::Result { crate::tls::b() }", &["1 Result", "1 tls::b"]);
    }

    #[test]
    fn comments_texts_and_tests_do_not_count() {
        check("a/src/b.rs", "//! See [`crate::store`].\nlet a = \"crate::store\"; // crate::store\n", &[]);
        check("a/src/b.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n use crate::store;\n}\n", &[]);
        check("a/src/b.rs", "let quote = '\"'; crate::store::a(); let other = '\"';", &["1 store::a"]);
    }

    #[test]
    fn a_crate_of_the_same_name_as_a_module_is_told_apart() {
        let lines =
            |text: &str| external(text, "sled").iter().map(|it| it.parts.join("::")).collect::<Vec<_>>();
        assert_eq!(lines("use sled::Db; self::sled::a(); crate::store::sled::b();"), ["sled::Db"]);
        assert_eq!(lines("use crate::store::{\n files,\n sled::{self, View},\n};\nsled::open();"), [""; 0]);
        assert_eq!(lines("mod sled;\nsled::open();"), [""; 0]);
        assert_eq!(lines("use sled as engine;\nfn a() { sled::open() }"), ["sled", "sled::open"]);
    }
}
