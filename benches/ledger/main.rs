//! Durable writes to the credit ledger, by how many callers ask at once; see docs/performance.md.
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

/// The people of the database that is written to.
const USERS: u64 = 200;

/// Measures `credits::grant` in this process: one durable double entry with its audit record and idempotency key.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench ledger --")]
struct Args {
    /// How long each case runs, in seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How often; the medians are told.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// How many callers ask at once.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64])]
    callers: Vec<usize>,
    /// Among how many accounts they are spread.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64])]
    accounts: Vec<usize>,
    /// These engines alone.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Engine::Sqlite, Engine::Postgres])]
    engines: Vec<Engine>,
    /// An empty PostgreSQL database, or one of an earlier run; a private server where this is left out.
    #[arg(long)]
    database_url: Option<String>,
    /// Keep the SQLite file in this directory, and use it again.
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// One way to write.
#[derive(Debug, Clone, Copy)]
struct Case {
    callers: usize,
    accounts: usize,
    /// Whether each call waits until the one before is committed, so that none shares a commit.
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
    // PostgreSQL gives each call a transaction of its own anyway.
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

/// Runs one case; how many writes shared a commit is told where the engine tells the commits.
async fn run(
    bench: &Arc<Bench>,
    accounts: &[Uuid],
    case: Case,
    time: Duration,
) -> anyhow::Result<(Figures, Option<f64>)> {
    if accounts.len() < case.accounts {
        bail!("there are only {} accounts", accounts.len());
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

/// One caller, who asks again as soon as they are answered.
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
