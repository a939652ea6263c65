//! The schema of Tollgate: one append-only file per change, applied in order, each with a recorded checksum.
//!
//! A file on the main branch is never edited, not even its comments: its checksum is recorded when it is applied, and
//! [`up`] refuses to run on a database whose record differs from the files. Every change is a new file.

mod m0001_identity;
mod m0002_catalogue;
mod m0003_inbox;
mod m0004_subscriptions;
mod m0005_payments;
mod m0006_credits;
mod m0007_operations;
mod m0008_mirror;
mod m0009_licences;
mod m0010_security_events;
mod m0011_changes;
mod m0012_outbox;
mod m0013_trials;
mod m0014_refunds;
mod m0015_coupon_rules;
mod m0016_outbox_param;
mod m0017_gifts;
mod runner;
mod table;

#[cfg(feature = "codegen")]
pub mod codegen;

pub use runner::{DateTime, Error, State, Step, down, status, up};

use sea_orm_migration::MigrationTrait;
use sha2::{Digest, Sha256};

/// One change of the schema: the contents of one file.
pub struct Change {
    /// The name of the file without its extension, such as `m0001_identity`.
    pub name: &'static str,
    source: &'static str,
    migration: Box<dyn MigrationTrait>,
}

impl Change {
    /// Returns the SHA-256 of the file in hex, whatever its line endings.
    pub fn checksum(&self) -> String {
        hex::encode(Sha256::digest(self.source.replace('\r', "")))
    }
}

/// Returns all changes, oldest first.
pub fn changes() -> Vec<Change> {
    macro_rules! change {
        ($name:ident) => {
            Change {
                name: stringify!($name),
                source: include_str!(concat!(stringify!($name), ".rs")),
                migration: Box::new($name::Migration),
            }
        };
    }
    vec![
        change!(m0001_identity),
        change!(m0002_catalogue),
        change!(m0003_inbox),
        change!(m0004_subscriptions),
        change!(m0005_payments),
        change!(m0006_credits),
        change!(m0007_operations),
        change!(m0008_mirror),
        change!(m0009_licences),
        change!(m0010_security_events),
        change!(m0011_changes),
        change!(m0012_outbox),
        change!(m0013_trials),
        change!(m0014_refunds),
        change!(m0015_coupon_rules),
        change!(m0016_outbox_param),
        change!(m0017_gifts),
    ]
}
