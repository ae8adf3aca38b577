//! One column of whatever kind, compared with a filter's value, sorted by and counted.
//!
//! Knows nothing of devices and packages. A text is compared in either case; versions have their own order; an
//! amount is compared by number, and where the filter names a currency only with amounts in it.

use muster_common::{
    device::{FieldKind, Money, Value as Fact},
    filter::{Comparison, Operator, Value},
    page::SortValue,
    time::Timestamp,
};
use roaring::RoaringBitmap;

use super::{error::QueryError, number::NumberColumn, operand, ranks::Collation, text::TextColumn};

/// The most texts of a list that are indexed for one row.
const MAX_LIST: usize = 256;

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    kind: FieldKind,
    data: Data,
}

/// How the values are held.
#[derive(Debug)]
pub(super) enum Data {
    /// Texts: lists, persons and yes or no too.
    Text(TextColumn),
    /// Numbers, times in milliseconds.
    Number(NumberColumn),
    /// Amounts in thousandths, apart from their currencies.
    Money {
        /// The amounts.
        amount: NumberColumn,
        /// The currencies.
        currency: TextColumn,
    },
}

impl Column {
    /// Without rows.
    pub(super) fn new(kind: FieldKind) -> Self {
        let data = match kind {
            FieldKind::Text | FieldKind::Boolean | FieldKind::Person | FieldKind::List => {
                Data::Text(TextColumn::new(Collation::Text))
            }
            FieldKind::Version => Data::Text(TextColumn::new(Collation::Version)),
            FieldKind::Number | FieldKind::Time => Data::Number(NumberColumn::default()),
            FieldKind::Money => {
                Data::Money { amount: NumberColumn::default(), currency: TextColumn::new(Collation::Text) }
            }
        };
        Self { kind, data }
    }

    /// Gives a row this value, or none. A value of another kind than the column's counts as none.
    pub(super) fn set(&mut self, row: u32, fact: Option<&Fact>) {
        match &mut self.data {
            Data::Text(column) => match fact {
                Some(Fact::Text(text)) => column.set(row, [text.as_str()]),
                Some(Fact::List(texts)) => column.set(row, texts.iter().take(MAX_LIST).map(String::as_str)),
                Some(Fact::Person(person)) => column.set(row, [person.to_string().as_str()]),
                Some(Fact::Boolean(yes)) => column.set(row, [if *yes { "yes" } else { "no" }]),
                Some(Fact::Number(_) | Fact::Time(_) | Fact::Money(_)) | None => column.set(row, []),
            },
            Data::Number(column) => column.set(
                row,
                match fact {
                    Some(Fact::Number(number)) => Some(i64::try_from(*number).unwrap_or(i64::MAX)),
                    Some(Fact::Time(time)) => Some(time.as_millis()),
                    Some(
                        Fact::Text(_) | Fact::List(_) | Fact::Person(_) | Fact::Boolean(_) | Fact::Money(_),
                    )
                    | None => None,
                },
            ),
            Data::Money { amount, currency } => match fact {
                Some(Fact::Money(Money { minor_units, currency: code })) => {
                    amount.set(row, Some(operand::thousandths(*minor_units, code)));
                    currency.set(row, [code.as_str()]);
                }
                Some(
                    Fact::Text(_)
                    | Fact::List(_)
                    | Fact::Person(_)
                    | Fact::Boolean(_)
                    | Fact::Number(_)
                    | Fact::Time(_),
                )
                | None => {
                    amount.set(row, None);
                    currency.set(row, []);
                }
            },
        }
    }

    /// Gives a row these texts; for columns of texts only.
    pub(super) fn set_texts<'a>(&mut self, row: u32, texts: impl IntoIterator<Item = &'a str>) {
        if let Data::Text(column) = &mut self.data {
            column.set(row, texts.into_iter().take(MAX_LIST));
        }
    }

    /// What its values are.
    pub(super) fn kind(&self) -> FieldKind {
        self.kind
    }

    /// How the values are held.
    pub(super) fn data(&self) -> &Data {
        &self.data
    }

    /// The column of texts that it is.
    pub(super) fn as_text(&self) -> Option<&TextColumn> {
        match &self.data {
            Data::Text(column) => Some(column),
            Data::Number(_) | Data::Money { .. } => None,
        }
    }

    /// Makes ready for readers what they would else have to wait for.
    pub(super) fn prepare(&mut self) {
        match &mut self.data {
            Data::Text(column) => column.prepare(),
            Data::Number(_) => {}
            Data::Money { currency, .. } => currency.prepare(),
        }
    }

    /// The rows that have a value.
    pub(super) fn present(&self) -> &RoaringBitmap {
        match &self.data {
            Data::Text(column) => column.present(),
            Data::Number(column) | Data::Money { amount: column, .. } => column.present(),
        }
    }

    /// The rows that match; `name` is the column's name for errors.
    pub(super) fn compare(
        &self,
        name: &str,
        comparison: &Comparison,
        now: Timestamp,
    ) -> Result<RoaringBitmap, QueryError> {
        let Comparison { operator, value, .. } = comparison;
        if *value == Value::Any {
            return Ok(self.present().clone());
        }
        let bad = |expected| QueryError::bad_value(name, value.text().unwrap_or("*"), expected);
        // A wildcard has no meaning for numbers.
        let exact = value.text().filter(|_| matches!(value, Value::Exact(_)));
        match &self.data {
            Data::Text(column) => self.compare_text(column, name, *operator, value),
            Data::Number(column) => {
                let interval = if self.kind == FieldKind::Time {
                    exact.and_then(|text| operand::time(text, now)).ok_or_else(|| bad(operand::TIME))?
                } else {
                    exact.and_then(operand::number).ok_or_else(|| bad(operand::NUMBER))?
                };
                Ok(column.compare(*operator, interval))
            }
            Data::Money { amount, currency } => {
                let (interval, code) = exact.and_then(operand::money).ok_or_else(|| bad(operand::MONEY))?;
                let rows = amount.compare(*operator, interval);
                Ok(match (code, operator) {
                    (None, _) => rows,
                    // Another currency is another amount.
                    (Some(code), Operator::NotEqual) => {
                        rows | (currency.present() - currency.matching(&Value::Exact(code)))
                    }
                    (Some(code), _) => rows & currency.matching(&Value::Exact(code)),
                })
            }
        }
    }

    fn compare_text(
        &self,
        column: &TextColumn,
        name: &str,
        operator: Operator,
        value: &Value,
    ) -> Result<RoaringBitmap, QueryError> {
        let members = match self.kind {
            FieldKind::List | FieldKind::Boolean | FieldKind::Person => true,
            FieldKind::Text | FieldKind::Version | FieldKind::Number | FieldKind::Time | FieldKind::Money => {
                false
            }
        };
        if members && operator.is_order() {
            return Err(QueryError::NoOrder { field: name.to_owned(), operator: operator.as_str() });
        }
        if self.kind == FieldKind::Boolean {
            let word = match value.text().map(str::to_ascii_lowercase).as_deref() {
                Some("yes" | "true") => "yes",
                Some("no" | "false") => "no",
                Some(_) | None => {
                    return Err(QueryError::bad_value(name, value.text().unwrap_or("*"), "yes or no"));
                }
            };
            return Ok(column.compare(operator, &Value::Exact(word.to_owned()), true));
        }
        Ok(column.compare(operator, value, members))
    }

    /// The rows with a text that has this one; none where the column holds no texts.
    pub(super) fn search(&self, value: &Value) -> RoaringBitmap {
        self.as_text().map_or_else(RoaringBitmap::new, |column| column.holding(value))
    }

    /// A number that sorts as a row's value does. For texts it is odd: an even number is a place between two texts.
    pub(super) fn sort_key(&self, row: u32) -> Option<u64> {
        match &self.data {
            Data::Text(column) => column.rank(row).map(|rank| u64::from(rank) * 2 + 1),
            Data::Number(column) | Data::Money { amount: column, .. } => column.get(row).map(number_key),
        }
    }

    /// A row's value as a page token keeps it.
    pub(super) fn sort_value(&self, row: u32) -> SortValue {
        match &self.data {
            Data::Text(column) => {
                let ranks = column.terms().ranks();
                let first = column.terms_of(row).iter().min_by_key(|term| ranks.rank(**term));
                first
                    .map_or(SortValue::Missing, |term| SortValue::Text(column.terms().text(*term).to_owned()))
            }
            Data::Number(column) | Data::Money { amount: column, .. } => {
                column.get(row).map_or(SortValue::Missing, SortValue::Number)
            }
        }
    }

    /// Where a value from a page token stands among the [`Self::sort_key`]s; `None` where it is missing or of
    /// another kind than the column.
    pub(super) fn sort_position(&self, value: &SortValue) -> Option<u64> {
        match (&self.data, value) {
            (Data::Text(column), SortValue::Text(text)) => {
                let (terms, ranks) = (column.terms(), column.terms().ranks());
                let position = ranks.strict_position(text, terms.texts(), terms.collation());
                let is_term = position < ranks.len() && terms.text(ranks.term(position)) == text;
                Some(position as u64 * 2 + u64::from(is_term))
            }
            (Data::Number(_) | Data::Money { .. }, SortValue::Number(number)) => Some(number_key(*number)),
            (_, SortValue::Missing | SortValue::Number(_) | SortValue::Text(_)) => None,
        }
    }
}

/// The number with its order kept.
fn number_key(number: i64) -> u64 {
    number as u64 ^ (1 << 63)
}
