//! Canonical proto3 JSON (ProtoJSON), by the schema's own descriptors.
//!
//! Every text form of Muster's messages comes from here, so that `collect`, the CLI and exports agree.

mod direct;
#[cfg(any(test, feature = "reflection"))]
mod general;

#[cfg(any(test, feature = "reflection"))]
pub use general::{to_string_pretty, to_value};
use prost::{Message, Name};

use crate::v1;

/// An inventory as canonical JSON, indented, with the fields in the order of the schema.
pub fn inventory(inventory: &v1::Inventory) -> String {
    direct::pretty(&v1::Inventory::full_name(), &inventory.encode_to_vec())
        .expect("a test holds every field of an inventory to this way")
}
