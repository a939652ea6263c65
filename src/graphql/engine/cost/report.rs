//! The `cost` in the extensions of a reply.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::rate_limit::Throttle;

/// The cost of an operation for its caller.
#[derive(Debug, Clone, Copy)]
pub struct CostReport {
    /// The most that it can cost, by its document.
    pub requested: u64,
    /// The cost of the objects that the reply holds.
    pub actual: u64,
    /// The state of the caller's rate limit; `None` if there is none.
    pub throttle: Option<Throttle>,
}

impl Serialize for CostReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("requestedQueryCost", &self.requested)?;
        map.serialize_entry("actualQueryCost", &self.actual)?;
        if let Some(throttle) = &self.throttle {
            map.serialize_entry("throttleStatus", throttle)?;
        }
        map.end()
    }
}
