//! One change of the schema.

use sea_orm_migration::MigrationTrait;
use sha2::{Digest, Sha256};

/// One change of the schema: the contents of one file.
pub struct Change {
    /// The name of the file without its extension, such as `m0001_identity`.
    pub name: &'static str,
    /// The contents of the file.
    pub source: &'static str,
    /// The statements. Those that PostgreSQL refuses in a transaction, such as `CREATE INDEX CONCURRENTLY`, are in a change
    /// whose `use_transaction` is `Some(false)`. It may be interrupted and run again, so each of its statements must be
    /// harmless to repeat.
    pub migration: Box<dyn MigrationTrait>,
}

impl Change {
    /// Returns the SHA-256 of the file in hex, whatever its line endings.
    pub fn checksum(&self) -> String {
        hex::encode(Sha256::digest(self.source.replace('\r', "")))
    }
}
