//! The made-up company of `tollgate seed`, the same for the same plan.
//!
//! Users are generated in blocks of forty, each with its own random stream, and written some blocks at a time. The rows
//! depend neither on the chunk size nor on the database, and memory does not grow with the number of users.

mod arr;
pub mod at_stripe;
mod billing;
mod calendar;
mod catalogue;
mod changes;
mod credit_events;
mod credits;
mod customer;
mod dice;
mod discount;
mod held;
mod holder;
mod ledger;
mod lifecycle;
mod mirror;
mod money;
mod names;
mod office;
mod people;
mod personas;
mod provider_terms;
mod reports;
mod rows;
pub mod samples;
mod subscription;
mod usage;
mod visits;
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

/// The users per transaction.
const CHUNK: u64 = 20 * people::BLOCK;

/// The parameters of the company.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The number of users besides the administrator.
    pub users: u64,
    /// The random seed. The same seed gives the same company.
    pub seed: u64,
    /// The end of the history.
    pub now: DateTime<Utc>,
    /// The issuer of the users' identities.
    pub issuer: String,
}

/// The progress of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The current phase.
    pub phase: Phase,
    /// The users written so far.
    pub done: u64,
    /// The users to write.
    pub total: u64,
}

/// A phase of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The catalogue is being written.
    Catalogue,
    /// The users and their histories are being written.
    Users,
    /// The company's own rows are being written.
    Office,
    /// All rows are written.
    Done,
}

/// Fills a migrated database without users, and returns the rows of each table.
///
/// Each chunk is a transaction. An interrupted run leaves a consistent database, which has to be emptied to start again.
pub async fn seed(db: &DatabaseConnection, plan: &Plan, progress: impl Fn(Progress)) -> anyhow::Result<Totals> {
    check_empty(db).await?;
    let report = |phase, done| progress(Progress { phase, done, total: plan.users });
    let mut totals = Totals::default();
    report(Phase::Catalogue, 0);
    let (world, rows) = create_world(plan);
    let world = Arc::new(world);
    write(db, rows, &mut totals).await?;

    report(Phase::Users, 0);
    let mut ahead = generate(&world, plan.users, 0);
    let mut done = 0;
    while done < plan.users {
        let rows = ahead.await.context("The users could not be generated.")?;
        done = (done + CHUNK).min(plan.users);
        ahead = generate(&world, plan.users, done);
        write(db, rows, &mut totals).await?;
        report(Phase::Users, done);
    }
    report(Phase::Office, plan.users);
    write(db, office::rows(&world, plan.users), &mut totals).await?;
    report(Phase::Done, plan.users);
    Ok(totals)
}

/// Returns true if the database has neither users nor products.
pub async fn is_empty(db: &DatabaseConnection) -> anyhow::Result<bool> {
    Ok(check_empty(db).await.is_ok())
}

async fn check_empty(db: &DatabaseConnection) -> anyhow::Result<()> {
    let users = ::entity::users::Entity::find()
        .count(db)
        .await
        .context("The users could not be counted. Is the schema up to date?")?;
    let products = ::entity::products::Entity::find().count(db).await?;
    if users > 0 || products > 0 {
        bail!(
            "The database already has {users} users and {products} products. `tollgate seed` fills an empty one only."
        );
    }
    Ok(())
}

/// Creates the world, and the rows that precede the first user.
fn create_world(plan: &Plan) -> (World, Rows) {
    let calendar = Calendar::new(plan.now, plan.users);
    let mut dice = Dice::new(plan.seed, 0);
    // The providers' details have random streams of their own, so that they affect nothing else.
    let (catalogue, mut rows) = Catalogue::new(&mut dice, &mut Dice::new(plan.seed, u64::MAX - 1), &calendar);
    let admin = dice.id(calendar.start);
    rows.rate_cards.iter_mut().for_each(|card| card.created_by = format!("user:{admin}"));
    let world = World { calendar, catalogue, issuer: plan.issuer.clone(), seed: plan.seed, admin };
    people::admin(&world, &mut dice, &mut rows);
    office::publish_catalogue(&world, &mut dice, &mut rows);
    visits::define(&world, &mut rows);
    (world, rows)
}

/// Generates the chunk of users after the first `from`, while the previous one is being written.
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
    txn.commit().await.context("A chunk of users could not be committed.")
}
