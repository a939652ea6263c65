//! Durable writes to the credit ledger, by number of concurrent callers; see docs/performance.md.
#![allow(clippy::float_arithmetic, reason = "figures of a benchmark, not money")]

mod commits;
#[path = "../support/mod.rs"]
mod support;

use anyhow::bail;
use clap::Parser;
use sea_orm::{EntityTrait, QueryOrder, QuerySelect};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{Bench, Engine, Facts, Figures, Place, Samples, file_system, median};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tollgate::auth::Viewer;
use tollgate::credits::{NewGrant, grant};
use uuid::Uuid;

/// The number of users in the database.
const USERS: u64 = 200;

/// Measures `credits::grant` in this process: one durable double entry with its audit record and idempotency key.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench ledger --")]
struct Args {
    /// Duration of each case, in seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Number of rounds, whose medians are reported.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Numbers of concurrent callers.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64])]
    callers: Vec<usize>,
    /// Numbers of accounts that the callers write to.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64])]
    accounts: Vec<usize>,
    /// Engines to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Engine::Sqlite, Engine::Postgres])]
    engines: Vec<Engine>,
    /// Empty PostgreSQL database, or that of an earlier run; by default a private server.
    #[arg(long)]
    database_url: Option<String>,
    /// Directory in which the SQLite file is kept and reused.
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// A case to measure.
#[derive(Debug, Clone, Copy)]
struct Case {
    callers: usize,
    accounts: usize,
    /// True if each call waits for the previous commit, so that no two share one.
    apart: bool,
}

#[derive(Debug, Default)]
struct Row {
    figures: Vec<Figures>,
    writes_per_commit: Vec<f64>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Some(args) = support::arguments::<Args>() else { return Ok(()) };
    let mut facts = Facts::gather();
    let place = Place { keep: args.keep.clone(), url: args.database_url.clone() };
    for engine in args.engines.clone() {
        let Some(bench) = Bench::prepare(engine, &place, USERS).await? else { continue };
        facts.database(&bench).await?;
        let bench = Arc::new(bench);
        let accounts = account_ids(&bench).await?;
        let cases = cases(&args, engine);
        let mut rows: Vec<Row> = cases.iter().map(|_| Row::default()).collect();
        for round in 1..=args.rounds {
            for (case, row) in cases.iter().zip(&mut rows) {
                let (figures, per_commit) = run(&bench, &accounts, *case, Duration::from_secs(args.seconds)).await?;
                eprintln!("{engine:?}, round {round}, {case:?}: {:.0}/s", figures.per_second);
                row.figures.push(figures);
                row.writes_per_commit.extend(per_commit);
            }
        }
        warn_of_memory(&bench);
        table(engine, &args, &cases, &rows);
    }
    println!("\n{facts}");
    Ok(())
}

fn cases(args: &Args, engine: Engine) -> Vec<Case> {
    let mut cases = Vec::new();
    for &accounts in &args.accounts {
        for &callers in &args.callers {
            cases.push(Case { callers, accounts, apart: false });
        }
    }
    // On PostgreSQL each call has a transaction of its own anyway.
    if let (Engine::Sqlite, Some(&callers)) = (engine, args.callers.iter().max()) {
        cases.push(Case { callers, accounts: 1, apart: true });
    }
    cases
}

async fn account_ids(bench: &Bench) -> anyhow::Result<Vec<Uuid>> {
    use entity::accounts::{Column, Entity};
    let ids = Entity::find().select_only().column(Column::Id).order_by_asc(Column::Id);
    Ok(ids.into_tuple().all(bench.app.db.read()).await?)
}

/// Runs one case. Reports the writes per commit if the engine reports commits.
async fn run(
    bench: &Arc<Bench>,
    accounts: &[Uuid],
    case: Case,
    time: Duration,
) -> anyhow::Result<(Figures, Option<f64>)> {
    if accounts.len() < case.accounts {
        bail!("There are only {} accounts.", accounts.len());
    }
    let before = commits::count(bench).await?;
    let turn = Arc::new(Mutex::new(()));
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    for caller in 0..case.callers {
        let caller = Caller {
            bench: Arc::clone(bench),
            account_id: accounts[caller % case.accounts],
            turn: case.apart.then(|| Arc::clone(&turn)),
            end: start + time,
        };
        tasks.spawn(caller.write());
    }
    let mut samples = Samples::default();
    while let Some(finished) = tasks.join_next().await {
        samples.merge(finished??);
    }
    let figures = samples.figures(start.elapsed());
    let after = commits::count(bench).await?;
    let commits = before.zip(after).map(|(before, after)| f64::from(after.wrapping_sub(before)));
    let writes = figures.per_second * start.elapsed().as_secs_f64();
    Ok((figures, commits.map(|commits| writes / commits.max(1.0))))
}

/// Runs one caller, which sends the next request after each reply.
struct Caller {
    bench: Arc<Bench>,
    account_id: Uuid,
    turn: Option<Arc<Mutex<()>>>,
    end: Instant,
}

impl Caller {
    async fn write(self) -> anyhow::Result<Samples> {
        let app = &self.bench.app;
        let viewer = Viewer::system("bench");
        let mut samples = Samples::default();
        while Instant::now() < self.end {
            let new = NewGrant {
                account_id: self.account_id,
                unit: "credit".to_owned(),
                amount: 1,
                reason: None,
                starts_at: None,
                expires_at: None,
                priority: 0,
            };
            let key = app.new_id().to_string();
            let called = Instant::now();
            let turn = match &self.turn {
                Some(turn) => Some(turn.lock().await),
                None => None,
            };
            grant(app, &viewer, new, &key).await?;
            drop(turn);
            samples.add(called.elapsed());
        }
        Ok(samples)
    }
}

fn warn_of_memory(bench: &Bench) {
    if let Some(file) = &bench.file
        && file_system(file) == "tmpfs"
    {
        println!("\nThe file is in memory: these writes are not durable. Name a directory on a disk with --keep.");
    }
}

fn table(engine: Engine, args: &Args, cases: &[Case], rows: &[Row]) {
    println!("\n{engine:?}, medians of {} × {} s\n", args.rounds, args.seconds);
    println!("| accounts | callers | writes/s | p50 ms | p99 ms | writes per commit |");
    println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
    for (case, row) in cases.iter().zip(rows) {
        let Figures { per_second, p50_ms, p99_ms, .. } = Figures::median(&row.figures);
        let shared = match row.writes_per_commit.is_empty() {
            true => "–".to_owned(),
            false => format!("{:.1}", median(row.writes_per_commit.clone())),
        };
        let apart = if case.apart { ", one commit each" } else { "" };
        println!(
            "| {} | {}{apart} | {per_second:.0} | {p50_ms:.2} | {p99_ms:.2} | {shared} |",
            case.accounts, case.callers
        );
    }
}
