//! The throughput of the database alone: the flat statement, prepared once, on as many connections, without its rows.

use crate::flat::Param;
use crate::questions::Question;
use crate::support::{Engine, Figures, Samples};
use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt};
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::postgres::{PgArguments, PgPool, PgPoolOptions};
use sea_orm::sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sea_orm::sqlx::{self, Arguments, Postgres, Sqlite};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Connections beside those of the server.
pub(crate) struct Ceiling {
    pool: Pool,
    connections: usize,
}

enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Ceiling {
    /// Opens the connections.
    pub(crate) async fn connect(engine: Engine, url: &str, connections: usize) -> anyhow::Result<Ceiling> {
        let most = u32::try_from(connections)?;
        let pool = match engine {
            // Matches the settings of the server's readers.
            Engine::Sqlite => {
                let options = SqliteConnectOptions::from_str(url)?
                    .read_only(true)
                    .pragma("cache_size", "-16384")
                    .pragma("mmap_size", "268435456")
                    .pragma("temp_store", "memory");
                let pool = SqlitePoolOptions::new().max_connections(most).test_before_acquire(false);
                Pool::Sqlite(pool.connect_with(options).await?)
            }
            Engine::Postgres => {
                let pool = PgPoolOptions::new().max_connections(most).test_before_acquire(false);
                Pool::Postgres(pool.connect(url).await?)
            }
        };
        Ok(Ceiling { pool, connections })
    }

    /// Runs the statement of `question` for `time`.
    pub(crate) async fn load(&self, question: &Question, time: Duration) -> anyhow::Result<Figures> {
        let params: Arc<[Vec<Param>]> = question.params.clone().into();
        let sql = question.sql;
        let mut tasks = JoinSet::new();
        let start = Instant::now();
        for index in 0..self.connections {
            let first = index * params.len() / self.connections;
            let turn = Turn { params: Arc::clone(&params), first, end: start + time };
            match &self.pool {
                Pool::Sqlite(pool) => tasks.spawn(sqlite(pool.acquire().await?, sql, turn)),
                Pool::Postgres(pool) => tasks.spawn(postgres(pool.acquire().await?, sql, turn)),
            };
        }
        let mut samples = Samples::default();
        while let Some(finished) = tasks.join_next().await {
            samples.merge(finished?.with_context(|| format!("The SQL of {} failed.", question.name))?);
        }
        Ok(samples.figures(start.elapsed()))
    }
}

/// Runs the statement on one connection.
struct Turn {
    params: Arc<[Vec<Param>]>,
    first: usize,
    end: Instant,
}

async fn sqlite(mut connection: PoolConnection<Sqlite>, sql: &'static str, turn: Turn) -> anyhow::Result<Samples> {
    let mut samples = Samples::default();
    for params in turn.params.iter().cycle().skip(turn.first) {
        let sent = Instant::now();
        if sent >= turn.end {
            break;
        }
        let mut arguments = SqliteArguments::default();
        for param in params {
            match param {
                Param::Id(id) => arguments.add(*id),
                Param::Int(number) => arguments.add(*number),
                Param::Time(at) => arguments.add(*at),
            }
            .map_err(anyhow::Error::from_boxed)?;
        }
        let rows = sqlx::query_with(sql, arguments).fetch(&mut *connection);
        rows.map(|row| row.map(drop)).try_collect::<()>().await?;
        samples.add(sent.elapsed());
    }
    Ok(samples)
}

async fn postgres(mut connection: PoolConnection<Postgres>, sql: &'static str, turn: Turn) -> anyhow::Result<Samples> {
    let mut samples = Samples::default();
    for params in turn.params.iter().cycle().skip(turn.first) {
        let sent = Instant::now();
        if sent >= turn.end {
            break;
        }
        let mut arguments = PgArguments::default();
        for param in params {
            match param {
                Param::Id(id) => arguments.add(*id),
                Param::Int(number) => arguments.add(*number),
                Param::Time(at) => arguments.add(*at),
            }
            .map_err(anyhow::Error::from_boxed)?;
        }
        let rows = sqlx::query_with(sql, arguments).fetch(&mut *connection);
        rows.map(|row| row.map(drop)).try_collect::<()>().await?;
        samples.add(sent.elapsed());
    }
    Ok(samples)
}
