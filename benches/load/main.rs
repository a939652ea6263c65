//! Load on the real server over HTTP, beside the same data by one flat SQL statement; see docs/performance.md.
#![allow(clippy::float_arithmetic, reason = "figures of a benchmark, not money")]

mod busy;
mod ceiling;
mod flat;
mod questions;
mod sample;
#[path = "../support/mod.rs"]
mod support;

use anyhow::Context;
use clap::Parser;
use questions::Question;
use std::path::PathBuf;
use std::time::Duration;
use support::{Bench, Engine, Facts, Figures, Place, median, server};
use tokio::runtime::{Builder, Runtime};

/// Measures five queries through `tollgate serve`, and the same data by one SQL statement.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench load --")]
struct Args {
    /// Number of users of the made-up company.
    #[arg(long, default_value_t = 10_000)]
    users: u64,
    /// Duration of each query and of each SQL statement, in seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Number of rounds, whose medians are reported.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Number of connections, each with one request at a time.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Database connections of the server; by default its own default.
    #[arg(long)]
    pool: Option<u32>,
    /// Engines to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Engine::Sqlite, Engine::Postgres])]
    engines: Vec<Engine>,
    /// Queries to measure, such as `q1,q4`; by default all.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Empty PostgreSQL database, or that of an earlier run; by default a private server.
    #[arg(long)]
    database_url: Option<String>,
    /// Directory in which the SQLite file is kept and reused.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Path of the `tollgate` to measure.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_tollgate"))]
    server: PathBuf,
    /// Skip the SQL statements.
    #[arg(long)]
    no_ceiling: bool,
    /// Directory for the SQL as scripts for pgbench; nothing is measured then.
    #[arg(long)]
    pgbench: Option<PathBuf>,
}

/// The runtimes: one thread for HTTP, and one per core for SQL.
struct Runtimes {
    http: Runtime,
    sql: Runtime,
}

fn main() -> anyhow::Result<()> {
    let Some(args) = support::arguments::<Args>() else { return Ok(()) };
    let runtimes = Runtimes {
        http: Builder::new_current_thread().enable_all().build()?,
        sql: Builder::new_multi_thread().enable_all().build()?,
    };
    let mut facts = Facts::gather();
    let place = Place { keep: args.keep.clone(), url: args.database_url.clone() };
    for engine in args.engines.clone() {
        let Some(bench) = runtimes.sql.block_on(Bench::prepare(engine, &place, args.users))? else { continue };
        runtimes.sql.block_on(facts.database(&bench))?;
        let samples = runtimes.sql.block_on(sample::draw(&bench.app))?;
        let mut questions = questions::all(engine, &samples);
        questions.retain(|question| args.only.is_empty() || args.only.iter().any(|name| name == question.name));
        if let Some(directory) = &args.pgbench {
            flat::write_pgbench(directory, &questions)?;
            continue;
        }
        let rows = measure(&args, &runtimes, engine, &bench, &questions)?;
        table(engine, &args, &rows);
    }
    println!("\n{facts}");
    Ok(())
}

/// The results of one query.
#[derive(Default)]
struct Row {
    name: &'static str,
    about: &'static str,
    target: f64,
    server: Vec<Figures>,
    ceiling: Vec<Figures>,
    cpu_us: Vec<f64>,
    rss_mb: u64,
    peak_mb: u64,
}

fn measure(
    args: &Args,
    runtimes: &Runtimes,
    engine: Engine,
    bench: &Bench,
    questions: &[Question],
) -> anyhow::Result<Vec<Row>> {
    let (time, warm) = (Duration::from_secs(args.seconds), Duration::from_millis(args.seconds * 100));
    let server = server::start(&args.server, &bench.url, args.pool)?;
    let token = server::admin_token(&bench.app)?;
    let ceiling = match args.no_ceiling {
        true => None,
        false => Some(runtimes.sql.block_on(ceiling::Ceiling::connect(engine, &bench.url, args.connections))?),
    };
    let row = |question: &Question| Row {
        name: question.name,
        about: question.about,
        target: question.target,
        ..Row::default()
    };
    let mut rows: Vec<Row> = questions.iter().map(row).collect();
    for round in 1..=args.rounds {
        for (question, row) in questions.iter().zip(&mut rows) {
            eprint!("{engine:?}, round {round}, {}: ", question.name);
            let requests = question.requests(&server.address, &token);
            let ask = |time| {
                runtimes.http.block_on(support::client::load(&server.address, &requests, args.connections, time))
            };
            ask(warm).with_context(|| format!("{} failed.", question.name))?;
            let before = server.cpu_us();
            let figures = ask(time)?;
            let used = f64::from(server.cpu_us().wrapping_sub(before));
            row.cpu_us.push(used / (figures.per_second * time.as_secs_f64()));
            eprint!("{:.0}/s", figures.per_second);
            row.server.push(figures);
            (row.rss_mb, row.peak_mb) = server.memory_mb();
            if let Some(ceiling) = &ceiling {
                runtimes.sql.block_on(ceiling.load(question, warm))?;
                let figures = runtimes.sql.block_on(ceiling.load(question, time))?;
                eprint!(", SQL {:.0}/s", figures.per_second);
                row.ceiling.push(figures);
            }
            eprintln!();
        }
    }
    Ok(rows)
}

fn table(engine: Engine, args: &Args, rows: &[Row]) {
    let (connections, users, seconds) = (args.connections, args.users, args.seconds);
    println!("\n{engine:?}, {users} users, {connections} connections, medians of {} × {seconds} s\n", args.rounds);
    println!("| query | requests/s | p50 ms | p95 ms | p99 ms | SQL/s | ratio | aim | CPU µs | MB |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for row in rows {
        let Figures { per_second, p50_ms, p95_ms, p99_ms } = Figures::median(&row.server);
        let ceiling = median(row.ceiling.iter().map(|round| round.per_second).collect());
        // Ratios of the same round, so that other load on the machine affects both figures.
        let ratios = row.server.iter().zip(&row.ceiling).map(|(server, sql)| server.per_second / sql.per_second);
        let aim = if row.target > 0.0 { format!("{:.2}", row.target) } else { "–".to_owned() };
        println!(
            "| {} {} | {per_second:.0} | {p50_ms:.2} | {p95_ms:.2} | {p99_ms:.2} | {ceiling:.0} | {:.2} | {aim} | {:.0} | {} |",
            row.name.to_uppercase(),
            row.about,
            median(ratios.collect()),
            median(row.cpu_us.clone()),
            row.rss_mb,
        );
    }
    println!("\nPeak of the server's memory: {} MB", rows.iter().map(|row| row.peak_mb).max().unwrap_or_default());
}
