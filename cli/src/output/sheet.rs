//! One thing on one page: a title, then names at the left and what is known at the right.

use super::{Screen, visible};

/// Columns that the names take.
const NAME_WIDTH: usize = 13;
/// The longest line of text, in characters.
const MAX_TEXT: usize = 2000;
/// The narrowest column of text that is worth wrapping into.
const MIN_TEXT_WIDTH: usize = 24;

/// A page that is being written.
#[derive(Debug)]
pub(crate) struct Sheet {
    text: String,
    width: usize,
    colour: bool,
}

impl Sheet {
    /// A page with its title.
    pub(crate) fn new(title: &str, screen: &Screen) -> Self {
        let width = screen.width.map_or(usize::MAX, usize::from);
        let mut sheet = Self { text: String::new(), width, colour: screen.colour };
        sheet.heading(title);
        sheet
    }

    /// A heading, with an empty line before it unless it is the first.
    pub(crate) fn heading(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let shown = visible(text, MAX_TEXT);
        let line = if self.colour { format!("\u{1b}[1m{shown}\u{1b}[0m\n") } else { format!("{shown}\n") };
        self.text.push_str(&line);
    }

    /// A name and what is known, wrapped; nothing when nothing is known.
    pub(crate) fn line(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        let room = self.width.saturating_sub(NAME_WIDTH + 4).max(MIN_TEXT_WIDTH);
        for (index, part) in wrapped(&visible(value, MAX_TEXT), room).iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            let padded = format!("{name:<NAME_WIDTH$}");
            let shown = if self.colour { format!("\u{1b}[2m{padded}\u{1b}[0m") } else { padded };
            self.text.push_str(&format!("  {shown}  {part}\n"));
        }
    }

    /// The page.
    pub(crate) fn finish(self) -> String {
        self.text
    }
}

/// Lines of at most `width` characters, broken at spaces; a longer word stands alone.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_stands_in_a_column_of_its_own() {
        let screen = Screen { width: Some(45), colour: false, now: Default::default() };
        let mut sheet = Sheet::new("web-03", &screen);
        sheet.line("serial", "PF1ABCDE");
        sheet.line("asset tag", "");
        sheet.line("why", "the system serial and UUID are those of it\u{1b}[2J");
        sheet.heading("Flags");
        assert_eq!(
            sheet.finish(),
            "web-03\n  serial         PF1ABCDE\n  why            the system serial and UUID\n                 are those of it\\u{1b}[2J\n\nFlags\n"
        );
    }
}
