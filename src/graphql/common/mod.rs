//! The parts that the types of all features share: scalars, ids, connections, loaders, inputs and user errors.

pub mod connections;
mod context;
mod ids;
mod inputs;
mod json;
mod live;
mod loaders;
mod lookups;
pub mod scalars;
mod shared_list;
pub mod stored_enum;
pub mod user_error;

pub use connections::*;
pub use context::ContextExt;
pub use ids::*;
pub use inputs::*;
pub use json::Json;
pub use live::{StreamEvent, stream_event, upcoming};
pub use loaders::*;
pub use lookups::{to_exactly_one, to_one};
pub use scalars::*;
pub use shared_list::{SharedList, distinct};
pub use stored_enum::StoredEnum;
pub use user_error::*;
