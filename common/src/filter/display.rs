//! A filter tree as text that parses to the same tree.
//!
//! Values are always quoted and every group inside another is in parentheses, so that the text needs no knowledge
//! of precedence; digests of page tokens are over this form, which makes spacing and quotes irrelevant to them.

use std::fmt::{self, Display, Write};

use super::{Comparison, Filter, Value};

impl Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_char('*'),
            Self::And(parts) => joined(f, parts, " AND "),
            Self::Or(parts) => joined(f, parts, " OR "),
            Self::Not(inner) => {
                f.write_str("NOT ")?;
                operand(f, inner)
            }
            Self::Comparison(comparison) => comparison.fmt(f),
            Self::Search(value) => value.fmt(f),
            Self::Software(inner) => write!(f, "software:({inner})"),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Filter], joint: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(joint)?;
        }
        match part {
            Filter::Not(_) => part.fmt(f)?,
            Filter::All
            | Filter::And(_)
            | Filter::Or(_)
            | Filter::Comparison(_)
            | Filter::Search(_)
            | Filter::Software(_) => operand(f, part)?,
        }
    }
    Ok(())
}

/// Writes what may stand after `NOT`: groups get parentheses.
fn operand(f: &mut fmt::Formatter<'_>, filter: &Filter) -> fmt::Result {
    match filter {
        Filter::And(_) | Filter::Or(_) | Filter::Not(_) => write!(f, "({filter})"),
        Filter::All | Filter::Comparison(_) | Filter::Search(_) | Filter::Software(_) => filter.fmt(f),
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, operator, value } = self;
        match operator {
            super::Operator::Has => write!(f, "{field}:{value}"),
            operator => write!(f, "{field} {} {value}", operator.as_str()),
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_char('*'),
            Self::Exact(text) => quoted(f, "", text, ""),
            Self::Prefix(text) => quoted(f, "", text, "*"),
            Self::Suffix(text) => quoted(f, "*", text, ""),
            Self::Contains(text) => quoted(f, "*", text, "*"),
        }
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, before: &str, text: &str, after: &str) -> fmt::Result {
    write!(f, "\"{before}")?;
    for character in text.chars() {
        if matches!(character, '"' | '\\' | '*') {
            f.write_char('\\')?;
        }
        f.write_char(character)?;
    }
    write!(f, "{after}\"")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::filter::{FieldPath, Operator};

    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z0-9.~+:-]{1,12}", "\\PC{1,8}", Just("AND".to_owned()), "[*\\\\\"' ()=]{1,5}"]
    }

    fn pattern() -> impl Strategy<Value = Value> {
        prop_oneof![
            text().prop_map(Value::Exact),
            text().prop_map(Value::Prefix),
            text().prop_map(Value::Suffix),
            text().prop_map(Value::Contains),
        ]
    }

    fn comparison() -> impl Strategy<Value = Comparison> {
        let field = "[a-z][a-z0-9_-]{0,5}(\\.[a-z][a-z0-9_]{0,5}){0,2}"
            .prop_map(|path| FieldPath::new(path).unwrap());
        let like = prop_oneof![Just(Operator::Equal), Just(Operator::NotEqual), Just(Operator::Has)];
        let order = prop_oneof![
            Just(Operator::Less),
            Just(Operator::LessOrEqual),
            Just(Operator::Greater),
            Just(Operator::GreaterOrEqual)
        ];
        let rest = prop_oneof![
            (like, pattern()),
            (order, text().prop_map(Value::Exact)),
            (prop_oneof![Just(Operator::Equal), Just(Operator::Has)], Just(Value::Any)),
            (like_empty(), Just(Value::Exact(String::new()))),
        ];
        (field, rest).prop_map(|(field, (operator, value))| Comparison { field, operator, value })
    }

    fn like_empty() -> impl Strategy<Value = Operator> {
        prop_oneof![Just(Operator::Equal), Just(Operator::NotEqual)]
    }

    /// Trees as the parser makes them: no `And` in `And`, no `Or` in `Or`, two parts or more.
    fn tree(groups: bool) -> BoxedStrategy<Filter> {
        let leaf = prop_oneof![
            1 => Just(Filter::All),
            6 => comparison().prop_map(Filter::Comparison),
            2 => pattern().prop_map(Filter::Search),
        ];
        leaf.prop_recursive(5, 40, 4, move |inner| {
            let parts = |drop: fn(&Filter) -> bool| {
                prop::collection::vec(inner.clone().prop_filter("flat", move |f| !drop(f)), 2..4)
            };
            let basic = prop_oneof![
                parts(|f| matches!(f, Filter::And(_))).prop_map(Filter::And),
                parts(|f| matches!(f, Filter::Or(_))).prop_map(Filter::Or),
                inner.clone().prop_map(|f| Filter::Not(Box::new(f))),
            ];
            if groups {
                prop_oneof![3 => basic, 1 => tree(false).prop_map(|f| Filter::Software(Box::new(f)))].boxed()
            } else {
                basic.boxed()
            }
        })
        .boxed()
    }

    proptest! {
        #[test]
        fn text_parses_to_the_same_tree(filter in tree(true)) {
            let text = filter.to_string();
            prop_assert_eq!(Filter::parse(&text).map_err(|e| e.to_string()), Ok(filter), "{}", text);
        }
    }
}
