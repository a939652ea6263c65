//! The rows that the queries ask for, drawn from a seeded stream, so that all runs are alike.

use crate::busy;
use anyhow::bail;
use chrono::{DateTime, FixedOffset};
use entity::{ledger_entries, users};
use rand::SeedableRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha12Rng;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter, Statement};
use std::fmt::Write;
use tollgate::app::App;
use uuid::Uuid;

/// The number of different requests per query, more than fit into the caches of a processor.
const DRAWN: usize = 1_000;
/// Entries of a busy account in one bucket.
const BUSY: i64 = 150;
/// The minimum number of older entries of a busy account after a drawn one. Every second entry is in the other bucket, so
/// this is more than a page of 50.
const OLDER: i64 = 110;

/// The drawn rows.
pub(crate) struct Samples {
    /// Users with a current plan.
    pub(crate) subscribers: Vec<Uuid>,
    /// Users that are followed by at least a page of others, newest first.
    pub(crate) users: Vec<users::Model>,
    /// Entries of busy accounts, with a page of older ones.
    pub(crate) entries: Vec<ledger_entries::Model>,
    /// The current time.
    pub(crate) now: DateTime<FixedOffset>,
}

/// Draws rows from a seeded database.
pub(crate) async fn draw(app: &App) -> anyhow::Result<Samples> {
    let db = app.db.read();
    let mut random = ChaCha12Rng::seed_from_u64(1);
    let subscribers = "SELECT DISTINCT m.user_id AS id FROM account_members m \
        JOIN subscriptions s ON s.account_id = m.account_id \
        WHERE m.left_at IS NULL AND s.status IN ('trialing', 'active', 'past_due') ORDER BY 1";
    let subscribers = drawn(&mut random, ids(db, subscribers).await?)?;
    let oldest_left_out = "SELECT id FROM users ORDER BY created_at DESC, id DESC";
    let mut newest_first = ids(db, oldest_left_out).await?;
    newest_first.truncate(newest_first.len().saturating_sub(101));
    let chosen = drawn(&mut random, newest_first)?;
    let users = users::Entity::find().filter(users::Column::Id.is_in(chosen)).all(db).await?;
    let entries = entries(app, &mut random).await?;
    Ok(Samples { subscribers, users, entries, now: app.now().fixed_offset() })
}

async fn entries(app: &App, random: &mut ChaCha12Rng) -> anyhow::Result<Vec<ledger_entries::Model>> {
    let db = app.db.read();
    let mut sql = String::new();
    let bucket = "e.bucket = 'available' AND u.code = 'credit'";
    write!(
        sql,
        "SELECT e.id FROM ledger_entries e JOIN credit_units u ON u.id = e.credit_unit_id JOIN \
         (SELECT e.account_id, e.credit_unit_id, min(e.seq) AS oldest FROM ledger_entries e \
         JOIN credit_units u ON u.id = e.credit_unit_id WHERE {bucket} GROUP BY 1, 2 HAVING count(*) >= {BUSY}) b \
         ON b.account_id = e.account_id AND b.credit_unit_id = e.credit_unit_id \
         WHERE {bucket} AND e.seq > b.oldest + {OLDER} ORDER BY 1"
    )?;
    let mut busy = ids(db, &sql).await?;
    if busy.is_empty() {
        busy::make(app).await?;
        busy = ids(db, &sql).await?;
    }
    let chosen = drawn(random, busy)?;
    Ok(ledger_entries::Entity::find().filter(ledger_entries::Column::Id.is_in(chosen)).all(db).await?)
}

fn drawn(random: &mut ChaCha12Rng, all: Vec<Uuid>) -> anyhow::Result<Vec<Uuid>> {
    if all.is_empty() {
        bail!("The database has too few rows. Pass a larger --users.");
    }
    let mut some: Vec<Uuid> = all.sample(random, DRAWN).copied().collect();
    some.shuffle(random);
    Ok(some)
}

async fn ids(db: &DatabaseConnection, sql: &str) -> anyhow::Result<Vec<Uuid>> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    Ok(rows.iter().map(|row| row.try_get("", "id")).collect::<Result<_, _>>()?)
}
