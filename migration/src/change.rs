//! One change of the schema.

use sea_orm_migration::MigrationTrait;
use sha2::{Digest, Sha256};

/// One change of the schema: the contents of one file.
pub struct Change {
    /// The name of the file without its extension, such as `m0001_identity`.
    pub name: &'static str,
    pub(crate) source: &'static str,
    pub(crate) migration: Box<dyn MigrationTrait>,
}

impl Change {
    /// Returns the SHA-256 of the file in hex, whatever its line endings.
    pub fn checksum(&self) -> String {
        hex::encode(Sha256::digest(self.source.replace('\r', "")))
    }
}
