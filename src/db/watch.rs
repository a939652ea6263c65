//! Counters of the work of a database handle.

use sea_orm::Statement;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

type Observer = Box<dyn Fn(&Statement) + Send + Sync>;

/// The counts of statements and commits, and the observer that sees each statement.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) statements: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) observer: OnceLock<Observer>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("statements", &self.statements)
            .field("commits", &self.commits)
            .finish_non_exhaustive()
    }
}
