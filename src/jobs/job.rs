//! The trait of background jobs.

use crate::app::App;
use crate::error::Result;
use serde::{Serialize, de::DeserializeOwned};

/// A piece of work to run later. Its fields are stored as JSON until then.
///
/// A new version must still read the fields that an older version stored.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name in the database and in logs; it never changes.
    const KIND: &'static str;

    /// Returns the key that makes two jobs of this kind one, such as the id of the object they work on; see
    /// [`Txn::enqueue`](crate::db::Txn::enqueue). `None` keeps every job apart.
    fn unique_key(&self) -> Option<String> {
        None
    }

    /// Runs the job. It may run more than once, and is aborted after four minutes: a long job works in steps that are
    /// committed one by one. After an error or a panic it is retried later.
    fn run(self, app: &App) -> impl Future<Output = Result<()>> + Send;
}
