//! Hears of commits, those of other nodes and processes included, so that who waits for rows need not ask all the time.

use super::{Bell, Db, Txn, Writer};
use crate::config::Secret;
use crate::error::{Error, Result};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, RuntimeErr, Statement};
use std::future::pending;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long SQLite is left alone, whose file another process may write to without a word.
const POLL: Duration = Duration::from_millis(300);
/// How long PostgreSQL is, whose word may be lost with a connection that died in silence.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a server that is away is left alone.
const RECONNECT: Duration = Duration::from_secs(1);

/// Someone who listens on a channel.
#[derive(Debug)]
pub struct Notices {
    bell: Arc<Bell>,
    patience: Duration,
    /// Rings the bell for what the server says.
    listener: Option<JoinHandle<()>>,
}

impl Db {
    /// Listens from now on: for what is said with [`notify`] on PostgreSQL, for every commit on SQLite. For one
    /// listener at a time.
    pub async fn notices(&self, channel: &'static str) -> Result<Notices> {
        match &self.writer {
            Writer::Lane(_) => Ok(Notices { bell: Arc::clone(&self.commits), patience: POLL, listener: None }),
            Writer::Pool(url) => {
                let listener = connect(url, channel).await?;
                let bell = Arc::new(Bell::default());
                let listener = tokio::spawn(listen(listener, url.clone(), channel, Arc::clone(&bell)));
                Ok(Notices { bell, patience: SILENCE, listener: Some(listener) })
            }
        }
    }
}

impl Notices {
    /// Completes when there may be new rows, which includes now and then when there are none.
    pub async fn next(&self) {
        // Either way it is time to look.
        let _ = timeout(self.patience, self.bell.listen()).await;
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

/// Tells the listeners of `channel` on every node of the transaction at hand, when it is committed.
pub async fn notify(txn: &Txn, channel: &'static str) -> Result<()> {
    if txn.get_database_backend() == DbBackend::Postgres {
        let sql = "SELECT pg_notify($1, '')";
        txn.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [channel.into()])).await?;
    }
    Ok(())
}

async fn connect(url: &Secret, channel: &str) -> Result<PgListener> {
    let connected = async {
        let options = PgConnectOptions::from_str(url.expose())?.application_name("tollgate-listener");
        let pool =
            PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).max_lifetime(None).idle_timeout(None);
        let mut listener = PgListener::connect_with(&pool.connect_with(options).await?).await?;
        listener.ignore_pool_close_event(true);
        listener.listen(channel).await?;
        Ok(listener)
    };
    connected.await.map_err(|error: sea_orm::sqlx::Error| Error::from(DbErr::Conn(RuntimeErr::SqlxError(error.into()))))
}

async fn listen(mut listener: PgListener, url: Secret, channel: &'static str, bell: Arc<Bell>) {
    loop {
        // None is a connection that was lost and made anew; what was said meanwhile is not said again.
        while listener.try_recv().await.inspect_err(|error| tracing::warn!(%error, "no notices are heard")).is_ok() {
            bell.sound();
        }
        listener = loop {
            match connect(&url, channel).await {
                Ok(listener) => break listener,
                Err(_) => {
                    let _ = timeout(RECONNECT, pending::<()>()).await;
                }
            }
        };
        tracing::info!("notices are heard again");
        bell.sound();
    }
}
