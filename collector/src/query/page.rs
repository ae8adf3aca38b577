//! Page tokens as text, and filters and orders as they are asked for.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use muster_common::{filter::Filter, page::InvalidPageToken};

use super::QueryFailure;
use crate::store::Key;

/// The longest token that is looked at, in characters.
const MAX_TOKEN: usize = 16 * 1024;

/// The content of a token; `None` for the first page.
///
/// # Errors
/// When the text is no token.
pub fn decode(token: &str) -> Result<Option<Vec<u8>>, InvalidPageToken> {
    if token.is_empty() {
        return Ok(None);
    }
    if token.len() > MAX_TOKEN {
        return Err(InvalidPageToken);
    }
    URL_SAFE_NO_PAD.decode(token).map(Some).map_err(|_| InvalidPageToken)
}

/// The key after which a page of records under a prefix begins; `None` for the first page.
///
/// # Errors
/// When the token is of another list.
pub fn key(token: &str, prefix: &[u8]) -> Result<Option<Key>, InvalidPageToken> {
    let Some(bytes) = decode(token)? else { return Ok(None) };
    if !bytes.starts_with(prefix) {
        return Err(InvalidPageToken);
    }
    Key::new(bytes).map(Some).map_err(|_| InvalidPageToken)
}

/// A page of records that were read with one more than its size, and the token of the page behind it.
pub fn cut<T>(mut listed: Vec<(Key, T)>, size: usize) -> (Vec<T>, String) {
    let more = listed.len() > size;
    listed.truncate(size);
    let next = encode(listed.last().filter(|_| more).map(|(key, _)| key.as_bytes()));
    (listed.into_iter().map(|(_, record)| record).collect(), next)
}

/// A token as text; empty at the end of the list.
pub fn encode(token: Option<&[u8]>) -> String {
    token.map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).unwrap_or_default()
}

/// Reads a filter; what is wrong with it is shown with a caret.
pub(super) fn filter(text: &str) -> Result<Filter, QueryFailure> {
    Filter::parse(text).map_err(|error| QueryFailure::Filter { caret: error.caret(text), error })
}
