//! Listens for commits, those of other nodes and processes included, so that a reader of new rows rarely polls.

use super::commit_signal::CommitSignal;
use super::handle::{Db, Writer};
use super::txn::Txn;
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

/// The poll interval on SQLite, whose file another process may write to without a notification.
const SQLITE_POLL: Duration = Duration::from_millis(300);
/// The poll interval on PostgreSQL, whose notifications are lost with a connection that died silently.
const POSTGRES_POLL: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// A listener on one channel of notifications.
#[derive(Debug)]
pub struct CommitListener {
    signal: Arc<CommitSignal>,
    poll: Duration,
    /// The task that forwards notifications of the PostgreSQL server; `None` on SQLite.
    forwarder: Option<JoinHandle<()>>,
}

impl Db {
    /// Listens from now on: to [`Txn::notify`] on `channel` on PostgreSQL, to every commit on SQLite. There is one
    /// listener at a time.
    pub async fn listen(&self, channel: &'static str) -> Result<CommitListener> {
        match &self.writer {
            Writer::Lane(_) => {
                Ok(CommitListener { signal: Arc::clone(&self.commits), poll: SQLITE_POLL, forwarder: None })
            }
            Writer::Pool(url) => {
                let connection = connect(url, channel).await?;
                let signal = Arc::new(CommitSignal::default());
                let forwarder = tokio::spawn(forward(connection, url.clone(), channel, Arc::clone(&signal)));
                Ok(CommitListener { signal, poll: POSTGRES_POLL, forwarder: Some(forwarder) })
            }
        }
    }
}

impl CommitListener {
    /// Completes when there may be new rows: after a notification, or after the poll interval.
    pub async fn next(&self) {
        // After either it is time to read.
        let _ = timeout(self.poll, self.signal.wait()).await;
    }
}

impl Drop for CommitListener {
    fn drop(&mut self) {
        if let Some(forwarder) = &self.forwarder {
            forwarder.abort();
        }
    }
}

impl Txn {
    /// Notifies the listeners of `channel` on every node after the commit.
    pub async fn notify(&self, channel: &'static str) -> Result<()> {
        if self.get_database_backend() == DbBackend::Postgres {
            let sql = "SELECT pg_notify($1, '')";
            self.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, sql, [channel.into()])).await?;
        }
        Ok(())
    }
}

async fn connect(url: &Secret, channel: &str) -> Result<PgListener> {
    let connected = async {
        let options = PgConnectOptions::from_str(url.expose())?.application_name("tollgate-listener");
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT_TIMEOUT)
            .max_lifetime(None)
            .idle_timeout(None);
        let mut listener = PgListener::connect_with(&pool.connect_with(options).await?).await?;
        listener.ignore_pool_close_event(true);
        listener.listen(channel).await?;
        Ok(listener)
    };
    connected.await.map_err(|error: sea_orm::sqlx::Error| Error::from(DbErr::Conn(RuntimeErr::SqlxError(error.into()))))
}

/// Forwards notifications to `signal`, and reconnects when the connection is lost.
async fn forward(mut connection: PgListener, url: Secret, channel: &'static str, signal: Arc<CommitSignal>) {
    loop {
        // None means that sqlx reconnected; the server does not repeat what it sent meanwhile.
        while connection
            .try_recv()
            .await
            .inspect_err(|error| tracing::warn!(%error, "cannot listen for commits"))
            .is_ok()
        {
            signal.notify();
        }
        connection = loop {
            match connect(&url, channel).await {
                Ok(connection) => break connection,
                Err(_) => {
                    let _ = timeout(RECONNECT_DELAY, pending::<()>()).await;
                }
            }
        };
        tracing::info!("listening for commits again");
        signal.notify();
    }
}
