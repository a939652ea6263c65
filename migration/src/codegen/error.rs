//! The error of the generators.

/// A failure to read the catalogue or to generate the entities.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
