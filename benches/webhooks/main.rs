//! Webhooks into the real server: signed, distinct, from many connections at once; see docs/performance.md.
#![allow(clippy::float_arithmetic, reason = "figures of a benchmark, not money")]

mod sender;
#[path = "../support/mod.rs"]
mod support;

use anyhow::Context as _;
use clap::Parser;
use sea_orm::{ConnectionTrait, Statement, TryGetable};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use support::{Bench, Engine, Facts, Figures, Place, server};
use tokio::runtime::Builder;

/// Measures the throughput of webhooks into `tollgate serve`, each durable before its response, and of their application.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench webhooks --")]
struct Args {
    /// Duration of each round, in seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Number of rounds, whose medians are reported.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Number of connections, each with one webhook at a time.
    #[arg(long, default_value_t = 16)]
    connections: u64,
    /// Number of different objects of the events.
    #[arg(long, default_value_t = 1_000)]
    objects: u64,
    /// Engines to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Engine::Sqlite, Engine::Postgres])]
    engines: Vec<Engine>,
    /// Empty PostgreSQL database; by default a private server.
    #[arg(long)]
    database_url: Option<String>,
    /// Path of the `tollgate` to measure.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_tollgate"))]
    server: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let Some(args) = support::arguments::<Args>() else { return Ok(()) };
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let mut facts = Facts::gather();
    println!("| engine | webhooks/s | p50 ms | p95 ms | p99 ms | applied/s | MB |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for engine in args.engines.clone() {
        let place = Place { keep: None, url: args.database_url.clone() };
        let Some(bench) = runtime.block_on(Bench::prepare(engine, &place, 1))? else { continue };
        runtime.block_on(facts.database(&bench))?;
        let server = server::start(&args.server, &bench.url, None)?;
        let user = runtime.block_on(value::<String>(&bench, "SELECT MIN(subject) FROM user_identities"))?;
        let (mut rounds, mut applied) = (Vec::new(), Vec::new());
        for round in 1..=args.rounds {
            let storm = sender::Storm {
                address: &server.address,
                name: format!("{engine:?}-{round}"),
                connections: args.connections,
                objects: args.objects,
                user: user.clone(),
                time: Duration::from_secs(args.seconds),
            };
            let start = Instant::now();
            rounds.push(runtime.block_on(storm.send())?);
            applied.push(runtime.block_on(applied_per_second(&bench, &storm.name, start))?);
        }
        applied.sort_by(f64::total_cmp);
        let applied = applied.get(applied.len() / 2).copied().unwrap_or_default();
        let Figures { per_second, p50_ms, p95_ms, p99_ms } = Figures::median(&rounds);
        let (memory, _) = server.memory_mb();
        println!(
            "| {engine:?} | {per_second:.0} | {p50_ms:.2} | {p95_ms:.2} | {p99_ms:.2} | {applied:.0} | {memory} |"
        );
    }
    println!("\n{} connections, medians of {} × {} s\n\n{facts}", args.connections, args.rounds, args.seconds);
    Ok(())
}

/// Waits until every event of the round has been tried, and returns the number of those that were applied, by the second
/// since its start.
async fn applied_per_second(bench: &Bench, round: &str, start: Instant) -> anyhow::Result<f64> {
    let count =
        |which: &str| format!("SELECT COUNT(*) FROM inbox_events WHERE external_id LIKE 'evt_{round}-%' AND {which}");
    let left = count("state IN ('received', 'failed') AND waits_for IS NULL");
    let mut turn = tokio::time::interval(Duration::from_millis(20));
    while value::<i64>(bench, &left).await? > 0 {
        turn.tick().await;
    }
    let time = start.elapsed();
    let applied = count("state = 'applied'");
    let applied = u32::try_from(value::<i64>(bench, &applied).await?)?;
    Ok(f64::from(applied) / time.as_secs_f64())
}

/// Returns the only value of a query.
async fn value<T: TryGetable>(bench: &Bench, sql: &str) -> anyhow::Result<T> {
    let db = bench.app.db.read();
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
    Ok(row.context("The query has no row.")?.try_get_by_index(0)?)
}
