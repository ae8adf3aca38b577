//! Pages of long lists: size, order, and the place where the next page starts.
//!
//! Knows nothing of which fields exist and of how a token looks as text: the collector encodes the bytes at its
//! edge. A place is the sort key of the last row and its id, not a number of rows, so that what comes and goes
//! between two requests neither repeats nor skips the others.

use std::{fmt, str::FromStr};

use crate::filter::{FieldPath, Filter};

/// Rows in a page when the client doesn't say.
pub const DEFAULT_PAGE_SIZE: u32 = 50;
/// The most rows in a page.
pub const MAX_PAGE_SIZE: u32 = 1000;
/// The most fields to sort by.
pub const MAX_ORDER_KEYS: usize = 4;
/// The longest token content, in bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The size of a page: what the client asks for, 0 and less meaning the default, clamped to the most.
pub fn page_size(requested: i32) -> u32 {
    match u32::try_from(requested) {
        Ok(0) | Err(_) => DEFAULT_PAGE_SIZE,
        Ok(size) => size.min(MAX_PAGE_SIZE),
    }
}

/// What a list is sorted by, most important first; empty for the list's own order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderBy(Vec<OrderKey>);

/// One field to sort by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderKey {
    /// The field.
    pub field: FieldPath,
    /// From the greatest to the least; what has no value stands last either way.
    pub descending: bool,
}

/// A text that is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{part:?} is not an order (expected fields such as \"last_seen desc, name\", at most {MAX_ORDER_KEYS})"
)]
pub struct InvalidOrder {
    part: String,
}

impl OrderBy {
    /// The fields, most important first.
    pub fn keys(&self) -> &[OrderKey] {
        &self.0
    }
}

impl FromStr for OrderBy {
    type Err = InvalidOrder;

    /// Reads AIP-132's `order_by`: fields joined by commas, each with an optional `asc` or `desc`.
    fn from_str(text: &str) -> Result<Self, InvalidOrder> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let mut keys = Vec::new();
        for part in text.split(',') {
            let invalid = || InvalidOrder { part: part.trim().chars().take(64).collect() };
            let mut words = part.split_whitespace();
            let field = FieldPath::new(words.next().unwrap_or("")).map_err(|_| invalid())?;
            let descending = match words.next() {
                None | Some("asc") => false,
                Some("desc") => true,
                Some(_) => return Err(invalid()),
            };
            if words.next().is_some() || keys.len() == MAX_ORDER_KEYS {
                return Err(invalid());
            }
            keys.push(OrderKey { field, descending });
        }
        Ok(Self(keys))
    }
}

impl fmt::Display for OrderBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, OrderKey { field, descending }) in self.0.iter().enumerate() {
            let joint = if index > 0 { ", " } else { "" };
            write!(f, "{joint}{field}{}", if *descending { " desc" } else { "" })?;
        }
        Ok(())
    }
}

/// A row's value in one of the fields that the list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortValue {
    /// None: stands last.
    Missing,
    /// A number, a time in milliseconds, an amount.
    Number(i64),
    /// A text, as the list sorts it.
    Text(String),
}

/// Where the next page starts: after this row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken {
    /// Of the list, its filter and its order: a token of another list is refused.
    pub digest: [u8; 16],
    /// The last row's values, one for each field of the order.
    pub keys: Vec<SortValue>,
    /// The last row's id: the 16 bytes of a device id, or what else tells the rows of the list apart.
    pub id: [u8; 16],
}

/// A page token that was not made for this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the page token does not belong to this list, filter and order (start again without a token)")]
pub struct InvalidPageToken;

/// The digest that binds a token to `list` (its kind, such as `devices`), its filter and its order.
pub fn list_digest(list: &str, filter: &Filter, order: &OrderBy) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    // The length in front keeps the three texts apart.
    for text in [list.to_owned(), filter.to_string(), order.to_string()] {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    digest
}

impl PageToken {
    /// The content as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![1];
        bytes.extend(self.digest);
        bytes.extend(self.id);
        for key in &self.keys {
            match key {
                SortValue::Missing => bytes.push(0),
                SortValue::Number(number) => {
                    bytes.push(1);
                    bytes.extend(number.to_le_bytes());
                }
                SortValue::Text(text) => {
                    // Past this length texts are cut when they are stored, so this cuts nothing in practice.
                    let length = u16::try_from(text.floor_char_boundary(1024)).unwrap_or(0);
                    bytes.push(2);
                    bytes.extend(length.to_le_bytes());
                    bytes.extend(&text.as_bytes()[..usize::from(length)]);
                }
            }
        }
        bytes
    }

    /// Reads a token that must be of the list with this digest.
    pub fn from_bytes(bytes: &[u8], digest: [u8; 16]) -> Result<Self, InvalidPageToken> {
        if bytes.len() > MAX_TOKEN_BYTES {
            return Err(InvalidPageToken);
        }
        let mut rest = bytes;
        if take(&mut rest)? != [1u8] || take(&mut rest)? != digest {
            return Err(InvalidPageToken);
        }
        let id = take(&mut rest)?;
        let mut keys = Vec::new();
        while !rest.is_empty() {
            if keys.len() == MAX_ORDER_KEYS {
                return Err(InvalidPageToken);
            }
            let [kind] = take(&mut rest)?;
            keys.push(match kind {
                0 => SortValue::Missing,
                1 => SortValue::Number(i64::from_le_bytes(take(&mut rest)?)),
                2 => {
                    let length = usize::from(u16::from_le_bytes(take(&mut rest)?));
                    let (text, after) = rest.split_at_checked(length).ok_or(InvalidPageToken)?;
                    rest = after;
                    SortValue::Text(std::str::from_utf8(text).map_err(|_| InvalidPageToken)?.to_owned())
                }
                _ => return Err(InvalidPageToken),
            });
        }
        Ok(Self { digest, keys, id })
    }
}

fn take<const LENGTH: usize>(bytes: &mut &[u8]) -> Result<[u8; LENGTH], InvalidPageToken> {
    let (first, rest) = bytes.split_first_chunk().ok_or(InvalidPageToken)?;
    *bytes = rest;
    Ok(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_clamped() {
        assert_eq!([-1, 0, 1, 1000, 1001].map(page_size), [50, 50, 1, 1000, 1000]);
    }

    #[test]
    fn reads_an_order() {
        let order: OrderBy = " last_seen  desc,name asc , os.name".parse().unwrap();
        assert_eq!(order.to_string(), "last_seen desc, name, os.name");
        assert!("".parse::<OrderBy>().unwrap().keys().is_empty());
        for bad in [",", "name,", "name up", "name desc asc", "1", "a,b,c,d,e"] {
            assert!(bad.parse::<OrderBy>().is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn a_token_serves_its_own_list_only() {
        let filter = Filter::parse("os.name=debian").unwrap();
        let order: OrderBy = "name".parse().unwrap();
        let digest = list_digest("devices", &filter, &order);
        assert_eq!(digest, list_digest("devices", &Filter::parse("os.name = \"debian\"").unwrap(), &order));
        let keys = vec![SortValue::Text("größe".to_owned()), SortValue::Missing, SortValue::Number(-7)];
        let token = PageToken { digest, keys, id: [7; 16] };
        let bytes = token.to_bytes();
        assert_eq!(PageToken::from_bytes(&bytes, digest), Ok(token));
        assert!(PageToken::from_bytes(&bytes, list_digest("devices", &Filter::All, &order)).is_err());
        assert!(PageToken::from_bytes(&bytes, list_digest("software", &filter, &order)).is_err());
        for length in 0..bytes.len() {
            // Cut at the end of a key the token is whole, only shorter.
            if let Ok(cut) = PageToken::from_bytes(&bytes[..length], digest) {
                assert!(cut.keys.len() < 3);
            }
        }
    }
}
