//! Between wire types and domain types: bounded, whole, and nowhere else.
//!
//! Each direction destructures its input fully, so that a new field can't be overlooked. An input that can't be used
//! is an [`Invalid`] that names the field.

#[macro_use]
mod message;

mod audit;
mod inventory;
mod os;
mod parts;
mod settings;
mod time;

pub use audit::{audit_entry_from_wire, audit_entry_to_wire};
pub use inventory::{
    error_kind_from_wire, item_from_body, item_from_wire, item_to_wire, section_errors_from_wire,
    status_from_wire,
};
pub use settings::{settings_from_wire, settings_to_wire};
pub use time::{endpoint_time, from_timestamp, to_timestamp, to_timestamp_endpoint};

use crate::limits;

/// A wire value that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A field that must be there is not.
    #[error("{field} is missing")]
    Missing {
        /// The field's name in the schema.
        field: &'static str,
    },
    /// A field is over its bound.
    #[error("{field} has {length} bytes or entries, more than the {limit} allowed")]
    TooLong {
        /// The field's name in the schema.
        field: &'static str,
        /// What it has.
        length: usize,
        /// What it may have.
        limit: usize,
    },
    /// A field's value has no meaning.
    #[error("{field} is malformed")]
    Malformed {
        /// The field's name in the schema.
        field: &'static str,
    },
    /// The bytes are not the message that they should be.
    #[error("the bytes are not a {message}")]
    Undecodable {
        /// The message's name.
        message: &'static str,
        /// What the decoder said.
        #[source]
        source: prost::DecodeError,
    },
}

/// Refuses a text that is over the bound or holds a NUL, which separates the parts of keys.
pub(crate) fn text(field: &'static str, value: String) -> Result<String, Invalid> {
    if value.len() > limits::TEXT_BYTES {
        return Err(Invalid::TooLong { field, length: value.len(), limit: limits::TEXT_BYTES });
    }
    if value.contains('\0') {
        return Err(Invalid::Malformed { field });
    }
    Ok(value)
}

/// The same for an optional text; an empty one means that nothing was said.
pub(crate) fn optional_text(field: &'static str, value: Option<String>) -> Result<Option<String>, Invalid> {
    value.filter(|value| !value.is_empty()).map(|value| text(field, value)).transpose()
}

/// A list of such texts, at most [`limits::TEXT_LIST`].
pub(crate) fn texts(field: &'static str, list: Vec<String>) -> Result<Vec<String>, Invalid> {
    bounded(field, &list, limits::TEXT_LIST)?;
    list.into_iter().map(|value| text(field, value)).collect()
}

/// A number that has 16 bits in the domain.
pub(crate) fn handle(value: u32) -> Result<u16, Invalid> {
    u16::try_from(value).map_err(|_| Invalid::Malformed { field: "handle" })
}

/// Refuses a list that is over its bound.
pub(crate) fn bounded<T>(field: &'static str, list: &[T], limit: usize) -> Result<(), Invalid> {
    if list.len() > limit {
        return Err(Invalid::TooLong { field, length: list.len(), limit });
    }
    Ok(())
}
