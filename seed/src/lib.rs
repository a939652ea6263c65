//! `tollgate seed`: a believable company, the same one for the same plan.
//!
//! Users come in blocks of forty, each with a stream of choices of its own, and are written some blocks at a time: the
//! rows depend neither on the size of a chunk nor on the database, and memory does not grow with the number of users.

mod arr;
pub mod at_stripe;
mod billing;
mod calendar;
mod catalogue;
mod changes;
mod credits;
mod customer;
mod dice;
mod fate;
mod ledger;
mod life;
mod mirror;
mod money;
mod names;
mod office;
mod people;
mod rows;
pub mod samples;
mod subscription;
mod write;

#[cfg(test)]
mod tests;

pub use rows::Totals;

use anyhow::{Context, bail};
use calendar::Calendar;
use catalogue::Catalogue;
use chrono::{DateTime, Utc};
use customer::World;
use dice::Dice;
use rows::Rows;
use sea_orm::{
    DatabaseConnection, EntityTrait, PaginatorTrait, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use std::sync::Arc;
use write::Writer;

/// Users per transaction.
const CHUNK: u64 = 20 * people::BLOCK;

/// Which company to make.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How many people sign up; the administrator comes on top.
    pub users: u64,
    /// The same seed makes the same company.
    pub seed: u64,
    /// The instant up to which the story is told.
    pub now: DateTime<Utc>,
    /// The issuer of the users' identities.
    pub issuer: String,
}

/// How far the work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being written.
    pub phase: Phase,
    /// Users that are in the database.
    pub done: u64,
    /// Users that will be.
    pub total: u64,
}

/// What is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// What can be bought.
    Catalogue,
    /// People, and everything that happened to them.
    Users,
    /// What the company itself left behind.
    Office,
    /// Nothing any more: all is written.
    Done,
}

/// Fills a migrated database that has no users, and tells how many rows each table got.
///
/// Each chunk is a transaction: what an interrupted run leaves is consistent, but has to be dropped to begin again.
pub async fn seed(db: &DatabaseConnection, plan: &Plan, progress: impl Fn(Progress)) -> anyhow::Result<Totals> {
    refuse_unless_empty(db).await?;
    let tell = |phase, done| progress(Progress { phase, done, total: plan.users });
    let mut totals = Totals::default();
    tell(Phase::Catalogue, 0);
    let (world, rows) = found(plan);
    let world = Arc::new(world);
    write(db, rows, &mut totals).await?;

    tell(Phase::Users, 0);
    let mut ahead = generate(&world, plan.users, 0);
    let mut done = 0;
    while done < plan.users {
        let rows = ahead.await.context("making up users")?;
        done = (done + CHUNK).min(plan.users);
        ahead = generate(&world, plan.users, done);
        write(db, rows, &mut totals).await?;
        tell(Phase::Users, done);
    }
    tell(Phase::Office, plan.users);
    write(db, office::rows(&world), &mut totals).await?;
    tell(Phase::Done, plan.users);
    Ok(totals)
}

/// Whether nobody has signed up and nothing is sold yet.
pub async fn is_empty(db: &DatabaseConnection) -> anyhow::Result<bool> {
    Ok(refuse_unless_empty(db).await.is_ok())
}

async fn refuse_unless_empty(db: &DatabaseConnection) -> anyhow::Result<()> {
    let users = ::entity::users::Entity::find().count(db).await.context("counting users; is the schema up to date?")?;
    let products = ::entity::products::Entity::find().count(db).await?;
    if users > 0 || products > 0 {
        bail!("this database already has {users} users and {products} products; seed fills an empty one only");
    }
    Ok(())
}

/// The world, and the rows that were there before the first user.
fn found(plan: &Plan) -> (World, Rows) {
    let calendar = Calendar::new(plan.now, plan.users);
    let mut dice = Dice::new(plan.seed, 0);
    // The providers' side of things has streams of its own, so that it changes nothing else.
    let (catalogue, mut rows) = Catalogue::new(&mut dice, &mut Dice::new(plan.seed, u64::MAX - 1), &calendar);
    let admin = dice.id(calendar.start);
    let world = World { calendar, catalogue, issuer: plan.issuer.clone(), seed: plan.seed, admin };
    people::admin(&world, &mut dice, &mut rows);
    office::published(&world, &mut dice, &mut rows);
    (world, rows)
}

/// Makes up the chunk of users after the first `from`, while others are being written.
fn generate(world: &Arc<World>, users: u64, from: u64) -> tokio::task::JoinHandle<Rows> {
    let world = Arc::clone(world);
    tokio::task::spawn_blocking(move || {
        let mut rows = Rows::default();
        let until = (from + CHUNK).min(users);
        for block in from.div_ceil(people::BLOCK)..until.div_ceil(people::BLOCK) {
            people::block(&world, users, block, &mut rows);
        }
        rows
    })
}

async fn write(db: &DatabaseConnection, rows: Rows, totals: &mut Totals) -> anyhow::Result<()> {
    let mode = Some(SqliteTransactionMode::Immediate);
    let txn = db.begin_with_options(TransactionOptions { sqlite_transaction_mode: mode, ..Default::default() }).await?;
    rows.write(&Writer { txn: &txn }, totals).await?;
    txn.commit().await.context("committing a chunk of users")
}
