//! How many commits reached the disk.

use crate::support::Bench;
use anyhow::Context;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

/// A count that grows by one with each: of commits on SQLite, of writes of the log to the disk on PostgreSQL, where
/// several commits may share one. `None` where the engine does not tell.
pub(crate) async fn count(bench: &Bench) -> anyhow::Result<Option<u32>> {
    match &bench.file {
        Some(file) => {
            // The index of the log has a counter of transactions in its header, at this place:
            // https://www.sqlite.org/walformat.html#the_wal_index_header
            let index = std::fs::read(format!("{}-shm", file.display())).context("the index of SQLite's log")?;
            Ok(index.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes))
        }
        None => {
            let db = bench.app.db.read();
            // What this session did is told at once, what others did within a second or so of their next idle moment.
            let sql = "SELECT CAST(wal_sync AS BIGINT) AS n FROM pg_stat_wal";
            let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
            let count = row.ok().flatten().and_then(|row| row.try_get::<i64>("", "n").ok());
            Ok(count.and_then(|count| u32::try_from(count).ok()))
        }
    }
}
