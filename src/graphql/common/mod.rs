//! Shared by the types of every feature: scalars, ids, connections, loaders, inputs and user errors.

mod connections;
mod context;
mod ids;
mod inputs;
mod loaders;
mod lookups;
mod scalars;
mod user_error;

pub use connections::*;
pub use context::ContextExt;
pub use ids::*;
pub use inputs::*;
pub use loaders::*;
pub use lookups::{to_exactly_one, to_one};
pub use scalars::*;
pub use user_error::*;
