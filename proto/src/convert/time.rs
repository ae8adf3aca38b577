//! Between `google.protobuf.Timestamp` and Muster's milliseconds.

use muster_common::time::{EndpointTime, Timestamp};
use prost_types::Timestamp as Wire;

fn millis(wire: &Wire) -> i64 {
    wire.seconds.saturating_mul(1000).saturating_add(i64::from(wire.nanos / 1_000_000))
}

fn wire(ms: i64) -> Wire {
    Wire { seconds: ms.div_euclid(1000), nanos: (ms.rem_euclid(1000) * 1_000_000) as i32 }
}

/// A moment of the collector's clock; absurd ones are clamped.
pub fn from_timestamp(time: &Wire) -> Timestamp {
    Timestamp::from_millis(millis(time))
}

/// A moment of the endpoint's clock; absurd ones are clamped.
pub fn endpoint_time(time: &Wire) -> EndpointTime {
    EndpointTime::from_millis(millis(time))
}

/// The wire form of a moment of the collector's clock.
pub fn to_timestamp(time: Timestamp) -> Wire {
    wire(time.as_millis())
}

/// The wire form of a moment of the endpoint's clock.
pub fn to_timestamp_endpoint(time: EndpointTime) -> Wire {
    wire(time.as_millis())
}
