//! The grammar of AIP-160, by recursive descent whose depth is counted.
//!
//! ```text
//! expression = sequence { AND sequence }        sequence = factor { factor }
//! factor     = term { OR term }                 term     = [ NOT | - ] simple
//! simple     = ( expression ) | word | field comparator value | software:( expression )
//! ```

use super::{
    Comparison, FieldPath, Filter, FilterError, MAX_DEPTH, MAX_LENGTH_BYTES, MAX_TERMS, Operator, Value,
    cursor::Cursor,
};

/// Reads a whole filter.
pub(super) fn parse(text: &str) -> Result<Filter, FilterError> {
    if text.len() > MAX_LENGTH_BYTES {
        let found = format!("{} bytes", text.len());
        return Err(FilterError::new("", 0, found, format!("at most {MAX_LENGTH_BYTES} bytes")));
    }
    let mut parser = Parser { cursor: Cursor::new(text), depth: 0, terms: 0, in_group: false };
    parser.cursor.skip_space();
    if parser.cursor.peek().is_none() {
        return Ok(Filter::All);
    }
    let filter = parser.expression()?;
    match parser.cursor.peek() {
        None => Ok(filter),
        Some(_) => Err(parser.cursor.unexpected("AND, OR or the end (there is no open parenthesis)")),
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    depth: usize,
    terms: usize,
    in_group: bool,
}

impl Parser<'_> {
    /// Stops before `)` or the end.
    fn expression(&mut self) -> Result<Filter, FilterError> {
        let mut parts = Vec::new();
        loop {
            let part = self.factor()?;
            match part {
                Filter::And(inner) => parts.extend(inner),
                other => parts.push(other),
            }
            self.cursor.skip_space();
            match self.cursor.peek() {
                None | Some(')') => break,
                Some(_) if self.cursor.peek_word() == "AND" => {
                    self.cursor.word();
                    self.cursor.skip_space();
                }
                Some(_) => {}
            }
        }
        Ok(one_or(parts, Filter::And))
    }

    fn factor(&mut self) -> Result<Filter, FilterError> {
        let mut parts = Vec::new();
        loop {
            match self.term()? {
                Filter::Or(inner) => parts.extend(inner),
                other => parts.push(other),
            }
            self.cursor.skip_space();
            if self.cursor.peek_word() != "OR" {
                break;
            }
            self.cursor.word();
            self.cursor.skip_space();
        }
        Ok(one_or(parts, Filter::Or))
    }

    fn term(&mut self) -> Result<Filter, FilterError> {
        if self.cursor.peek_word() == "NOT" {
            self.cursor.word();
            self.cursor.skip_space();
        } else if !self.cursor.eat("-") {
            return self.simple();
        }
        Ok(Filter::Not(Box::new(self.simple()?)))
    }

    fn simple(&mut self) -> Result<Filter, FilterError> {
        match self.cursor.peek() {
            Some('(') => self.parenthesised(),
            Some('"' | '\'') => {
                self.count_term()?;
                let start = self.cursor.position();
                let value = self.cursor.quoted()?;
                if let Some(operator) = self.operator() {
                    let expected = format!("a field without quotes before {}", operator.as_str());
                    return Err(self.cursor.error(start, "a quoted text", expected));
                }
                Ok(search(value))
            }
            _ => self.restriction(),
        }
    }

    fn parenthesised(&mut self) -> Result<Filter, FilterError> {
        let open = self.cursor.position();
        if self.depth == MAX_DEPTH {
            return Err(self.cursor.unexpected(format!("at most {MAX_DEPTH} parentheses inside each other")));
        }
        self.depth += 1;
        self.cursor.eat("(");
        self.cursor.skip_space();
        let filter = self.expression()?;
        self.depth -= 1;
        if self.cursor.eat(")") {
            return Ok(filter);
        }
        Err(self.cursor.error(open, "a parenthesis that is never closed", "a closing )"))
    }

    fn restriction(&mut self) -> Result<Filter, FilterError> {
        const START: &str = "a field, a word or an opening parenthesis";
        let start = self.cursor.position();
        match self.cursor.peek_word() {
            "" | "AND" | "OR" | "NOT" => return Err(self.cursor.unexpected(START)),
            word @ ("and" | "or" | "not") => {
                let expected = format!("{} in capitals (or {word:?} in quotes)", word.to_uppercase());
                return Err(self.cursor.unexpected(expected));
            }
            _ => {}
        }
        self.count_term()?;
        let word = self.cursor.word();
        let Some(operator) = self.operator() else {
            if self.cursor.peek() == Some('(') {
                let expected = "a comparator or a space (functions are not supported; write software:( … ))";
                return Err(self.cursor.unexpected(expected));
            }
            return self.cursor.pattern(start, word).map(search);
        };
        let field = FieldPath::new(word).map_err(|_| {
            let found = format!("{:?} before {}", shortened(word), operator.as_str());
            self.cursor.error(start, found, "a field such as os.name (or quotes around the whole text)")
        })?;
        self.cursor.skip_space();
        match self.cursor.peek() {
            Some('(') => self.group(&field, operator),
            Some('"' | '\'') => {
                let place = self.cursor.position();
                let value = self.cursor.quoted()?;
                self.comparison(field, operator, value, place)
            }
            _ => {
                let place = self.cursor.position();
                let value = self.cursor.bare_value()?;
                self.comparison(field, operator, value, place)
            }
        }
    }

    fn comparison(
        &self,
        field: FieldPath,
        operator: Operator,
        value: Value,
        place: usize,
    ) -> Result<Filter, FilterError> {
        let problem = match (&value, operator) {
            (Value::Any, Operator::NotEqual) => Some(format!("a text (for no value at all: NOT {field}:*)")),
            (Value::Exact(text), Operator::Has) if text.is_empty() => Some("a text or *".to_owned()),
            (Value::Exact(_), _) => None,
            (_, operator) if operator.is_order() => {
                Some(format!("a whole value after {} (a wildcard has no order)", operator.as_str()))
            }
            _ => None,
        };
        match problem {
            None => Ok(Filter::Comparison(Comparison { field, operator, value })),
            Some(expected) => Err(self.cursor.error(place, value.to_string(), expected)),
        }
    }

    fn group(&mut self, field: &FieldPath, operator: Operator) -> Result<Filter, FilterError> {
        if field.as_str() != "software" || operator != Operator::Has {
            let expected = format!("a value (only software:( … ) takes a group, {field} does not)");
            return Err(self.cursor.unexpected(expected));
        }
        if self.in_group {
            return Err(self.cursor.unexpected("a value (software:( … ) can't stand inside another)"));
        }
        self.in_group = true;
        let inner = self.parenthesised()?;
        self.in_group = false;
        Ok(Filter::Software(Box::new(inner)))
    }

    /// Steps over the comparator that stands here or after spaces; stays where it is when there is none.
    fn operator(&mut self) -> Option<Operator> {
        // Two characters before one, so that `<=` isn't read as `<`.
        const OPERATORS: [Operator; 7] = [
            Operator::LessOrEqual,
            Operator::GreaterOrEqual,
            Operator::NotEqual,
            Operator::Equal,
            Operator::Less,
            Operator::Greater,
            Operator::Has,
        ];
        self.cursor.skip_space();
        OPERATORS.into_iter().find(|operator| self.cursor.eat(operator.as_str()))
    }

    fn count_term(&mut self) -> Result<(), FilterError> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(self.cursor.unexpected(format!("at most {MAX_TERMS} terms")));
        }
        Ok(())
    }
}

fn search(value: Value) -> Filter {
    match value {
        Value::Any => Filter::All,
        value => Filter::Search(value),
    }
}

fn one_or(mut parts: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.len() {
        1 => parts.swap_remove(0),
        _ => many(parts),
    }
}

fn shortened(word: &str) -> String {
    word.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        match Filter::parse(text) {
            Ok(filter) => assert_eq!(filter.to_string(), expected, "{text}"),
            Err(error) => panic!("{text}: {error}\n{}", error.caret(text)),
        }
    }

    fn check_error(text: &str, column: usize, found: &str, expected: &str) {
        let error = Filter::parse(text).expect_err(text);
        assert_eq!((error.column, error.found.as_str()), (column, found), "{text}: {error}");
        assert!(error.expected.contains(expected), "{text}: expected {:?}", error.expected);
    }

    #[test]
    fn reads_the_language() {
        for (text, expected) in [
            ("", "*"),
            (" \t", "*"),
            ("*", "*"),
            ("debian", r#""debian""#),
            ("'two words'", r#""two words""#),
            ("web db", r#""web" AND "db""#),
            ("a AND b OR c", r#""a" AND ("b" OR "c")"#),
            ("a b OR c d", r#""a" AND ("b" OR "c") AND "d""#),
            ("(a AND b) OR c", r#"("a" AND "b") OR "c""#),
            ("a AND (b AND (c))", r#""a" AND "b" AND "c""#),
            ("-a NOT b", r#"NOT "a" AND NOT "b""#),
            ("NOT (a OR b)", r#"NOT ("a" OR "b")"#),
            ("-(NOT a)", r#"NOT (NOT "a")"#),
            ("NOTE OR ANDY", r#""NOTE" OR "ANDY""#),
            ("os.name=debian", r#"os.name = "debian""#),
            ("os.name = \"debian\"", r#"os.name = "debian""#),
            ("memory>=8589934592", r#"memory >= "8589934592""#),
            ("price > -5", r#"price > "-5""#),
            ("x != y AND x <= z AND x < w AND x > v", r#"x != "y" AND x <= "z" AND x < "w" AND x > "v""#),
            ("flag:stale", r#"flag:"stale""#),
            ("NOT owner:*", "NOT owner:*"),
            ("owner = \"*\"", "owner = *"),
            ("name = web*", r#"name = "web*""#),
            ("name = '*.example.org'", r#"name = "*.example.org""#),
            ("name:*eb*", r#"name:"*eb*""#),
            (r#"name = "a\*\"b\\""#, r#"name = "a\*\"b\\""#),
            (r"owner = CORP\anna", r#"owner = "CORP\\anna""#),
            ("mac:00:1b:21:3a:4f:5e", r#"mac:"00:1b:21:3a:4f:5e""#),
            ("last_seen < 2026-11-01T00:00:00Z", r#"last_seen < "2026-11-01T00:00:00Z""#),
            ("last_seen<'2026-11-01'(a)", r#"last_seen < "2026-11-01" AND "a""#),
            (
                r#"os.name = "debian" AND software:(name = "openssl" AND version < "3.0.11-1~deb12u2")"#,
                r#"os.name = "debian" AND software:(name = "openssl" AND version < "3.0.11-1~deb12u2")"#,
            ),
            ("software:openssl", r#"software:"openssl""#),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn says_where_and_what_to_do() {
        for (text, column, found, expected) in [
            ("a AND", 6, "the end", "a field, a word"),
            ("AND a", 1, "\"AND\"", "a field, a word"),
            ("a OR OR b", 6, "\"OR\"", "a field, a word"),
            ("NOT NOT a", 5, "\"NOT\"", "a field, a word"),
            ("a and b", 3, "\"and\"", "AND in capitals"),
            ("(a", 1, "a parenthesis that is never closed", "closing )"),
            ("a)", 2, "\")\"", "no open parenthesis"),
            ("()", 2, "\")\"", "a field, a word"),
            ("name =", 7, "the end", "a value"),
            ("name == x", 7, "\"=\"", "a value"),
            ("name = \"x", 8, "a quote that is never closed", "a closing \""),
            ("'name' = x", 1, "a quoted text", "without quotes before ="),
            ("0x = 1", 1, "\"0x\" before =", "a field such as"),
            ("a..b = 1", 1, "\"a..b\" before =", "a field such as"),
            ("name = a*b", 8, "a * inside a text", "start or the end"),
            ("name < a*", 8, "\"a*\"", "a whole value after <"),
            ("owner != *", 10, "*", "NOT owner:*"),
            (r#"path = "C:\temp""#, 11, "a single backslash", r"\\ for a backslash"),
            ("name:(a OR b)", 6, "\"(\"", "only software:( … ) takes a group"),
            ("software:(software:(a))", 20, "\"(\"", "can't stand inside another"),
            ("size(name)", 5, "\"(\"", "functions are not supported"),
            ("! a", 1, "\"!\"", "a field, a word"),
        ] {
            check_error(text, column, found, expected);
        }
    }

    #[test]
    fn is_bounded() {
        let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
        check(&nested(MAX_DEPTH), r#""a""#);
        check_error(&nested(MAX_DEPTH + 1), MAX_DEPTH + 1, "\"(\"", "at most 64 parentheses");
        check_error(&"-(".repeat(4000), 2 * MAX_DEPTH + 2, "\"(\"", "at most 64 parentheses");
        assert!(Filter::parse(&"a ".repeat(MAX_TERMS)).is_ok());
        check_error(&"a ".repeat(MAX_TERMS + 1), 2 * MAX_TERMS + 1, "\"a\"", "at most 512 terms");
        check_error(&"a".repeat(MAX_LENGTH_BYTES + 1), 1, "8193 bytes", "at most 8192");
    }
}
