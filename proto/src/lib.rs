//! Muster's schema on the wire (`muster.v1`) and at rest (`muster.store.v1`): generated code, conversions, bounds.
//!
//! Knows nothing of decisions; `client` and `private_file` are the only rooms that touch a socket or a file. The
//! generated code in `gen/` is checked in; a test generates it again from `proto/schema`.

pub mod limits;

pub mod convert;
pub mod fields;
pub mod json;
pub mod prescan;
mod schema;

pub mod carried;

/// The wire: what agents, tools and operators say.
#[expect(
    missing_docs,
    unused_qualifications,
    clippy::allow_attributes,
    clippy::large_enum_variant,
    reason = "generated; the schema has the comments"
)]
pub mod v1 {
    include!("gen/muster.v1.rs");
}

/// Bytes at rest: what a collector keeps.
pub mod store {
    /// The first and present version.
    #[expect(missing_docs, reason = "generated; the schema has the comments")]
    pub mod v1 {
        include!("../src/gen/muster.store.v1.rs");
    }
}

/// The compiled schema, for gRPC reflection and canonical JSON of every message.
pub const DESCRIPTORS: &[u8] = include_bytes!("gen/descriptors.bin");

pub mod private_file;

pub mod client;
