//! Characters from endpoints that would move a cursor, turn text around or pile up, made visible.
//!
//! A host name may hold anything; a terminal obeys some of it.

/// How many marks may stand on one letter.
const MAX_MARKS: usize = 4;

/// Text for one line of a terminal: at most `max` characters, everything that isn't plain text escaped.
pub(crate) fn visible(text: &str, max: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(4 * max));
    let mut marks = 0;
    for (index, letter) in text.chars().enumerate() {
        if index >= max {
            shown.push('…');
            break;
        }
        marks = if is_mark(letter) { marks + 1 } else { 0 };
        match letter {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            _ if is_hidden(letter) => shown.extend(letter.escape_unicode()),
            _ if marks > MAX_MARKS => {}
            _ => shown.push(letter),
        }
    }
    shown
}

/// Control characters, marks of direction, and characters without a shape.
pub(super) fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Marks that stand on the letter before them.
fn is_mark(letter: char) -> bool {
    matches!(
        letter,
        '\u{300}'..='\u{36f}'
            | '\u{483}'..='\u{489}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{fe20}'..='\u{fe2f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_a_cursor_or_turns_text_around() {
        for (text, expected) in [
            ("web-03", "web-03"),
            ("Größe 東京 🖥", "Größe 東京 🖥"),
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"),
            ("a\u{9b}31m", "a\\u{9b}31m"),
            ("a\nb\tc\rd\0", "a\\nb\\tc\\rd\\u{0}"),
            ("abc\u{202e}fdp.exe", "abc\\u{202e}fdp.exe"),
            ("a\u{200b}b", "a\\u{200b}b"),
        ] {
            assert_eq!(visible(text, 100), expected);
        }
        assert_eq!(visible(&format!("a{}b", "\u{301}".repeat(500)), 1000).chars().count(), 6);
        assert_eq!(visible(&"x".repeat(500), 5), "xxxxx…");
    }
}
