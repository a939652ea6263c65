//! The number of commits that reached the disk.

use crate::support::Bench;
use anyhow::Context;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

/// Returns a counter of commits on SQLite, and of log writes on PostgreSQL, where several commits may share one. Returns
/// `None` if the engine does not report it.
pub(crate) async fn count(bench: &Bench) -> anyhow::Result<Option<u32>> {
    match &bench.file {
        Some(file) => {
            // The header of the log's index has a counter of transactions at this offset:
            // https://www.sqlite.org/walformat.html#the_wal_index_header
            let index = std::fs::read(format!("{}-shm", file.display()))
                .context("The index of SQLite's log could not be read.")?;
            Ok(index.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(u32::from_ne_bytes))
        }
        None => {
            let db = bench.app.db.read();
            // Statistics of this session are current; those of others arrive within about a second after they become idle.
            let sql = "SELECT CAST(wal_sync AS BIGINT) AS n FROM pg_stat_wal";
            let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await;
            let count = row.ok().flatten().and_then(|row| row.try_get::<i64>("", "n").ok());
            Ok(count.and_then(|count| u32::try_from(count).ok()))
        }
    }
}
