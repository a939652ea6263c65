//! Analytics over HTTP on a company with millions of events; see docs/performance.md.
#![allow(clippy::float_arithmetic, reason = "figures of a benchmark, not money")]

mod cases;
mod events;
#[path = "../support/mod.rs"]
mod support;

use anyhow::Context;
use clap::Parser;
use std::path::PathBuf;
use std::time::Duration;
use support::{Bench, Engine, Facts, Figures, Place, client, server};
use tokio::runtime::Builder;

/// Measures the queries of analytics, the recording of events, and the daily rollup of a growing history.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench analytics --")]
struct Args {
    /// Number of users of the generated company.
    #[arg(long, default_value_t = 100_000)]
    users: u64,
    /// Numbers of events, smallest first. The rollup of one more day is measured at each, everything else at the last.
    #[arg(long, value_delimiter = ',', default_values_t = [1_250_000, 2_500_000, 5_000_000])]
    events: Vec<u64>,
    /// Duration of each case, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Number of rounds, whose medians are reported.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Number of connections, each with one request at a time.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Engines to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Engine::Sqlite, Engine::Postgres])]
    engines: Vec<Engine>,
    /// Empty PostgreSQL database, or that of an earlier run; by default a private server.
    #[arg(long)]
    database_url: Option<String>,
    /// Directory in which the SQLite file is kept and reused.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Path of the `tollgate` to measure.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_tollgate"))]
    server: PathBuf,
    /// Only cases whose names contain this text.
    #[arg(long)]
    only: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let Some(args) = support::arguments::<Args>() else { return Ok(()) };
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut facts = Facts::gather();
    for engine in args.engines.clone() {
        let place = Place { keep: args.keep.clone(), url: args.database_url.clone() };
        let Some(bench) = runtime.block_on(Bench::prepare(engine, &place, args.users))? else { continue };
        runtime.block_on(facts.database(&bench))?;
        println!("| {engine:?}: rollup of 5,000 events | events before | s |\n| --- | ---: | ---: |");
        for (round, count) in args.events.iter().enumerate() {
            runtime.block_on(events::fill(&bench, *count))?;
            let seconds = runtime.block_on(events::roll_up_a_day(&bench, round))?;
            println!("| yesterday | {count} | {seconds:.2} |");
        }
        measure(&args, engine, &bench, &runtime)?;
    }
    println!("\n{} connections, medians of {} × {} s\n\n{facts}", args.connections, args.rounds, args.seconds);
    Ok(())
}

/// Measures each case in turn and prints a table of them.
fn measure(args: &Args, engine: Engine, bench: &Bench, runtime: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    let server = server::start(&args.server, &bench.url, None)?;
    let mut cases = cases::all(bench, &server.address)?;
    cases.retain(|case| args.only.as_ref().is_none_or(|only| case.name.contains(only.as_str())));
    println!("\n| {engine:?} | requests/s | events/s | p50, ms | p95, ms | p99, ms | CPU, ms |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for case in cases {
        let send = |time| runtime.block_on(client::send(&server.address, &case.source, args.connections, time));
        send(Duration::from_millis(args.seconds * 100)).with_context(|| format!("{} failed.", case.name))?;
        let (mut rounds, mut cpu) = (Vec::new(), Vec::new());
        for _ in 0..args.rounds {
            let (before, time) = (server.cpu_us(), Duration::from_secs(args.seconds));
            let figures = send(time).with_context(|| format!("{} failed.", case.name))?;
            let used = f64::from(server.cpu_us().wrapping_sub(before));
            cpu.push(used / 1_000.0 / (figures.per_second * time.as_secs_f64()));
            rounds.push(figures);
        }
        let Figures { per_second, p50_ms, p95_ms, p99_ms } = Figures::median(&rounds);
        let recorded = if case.events > 0.0 { format!("{:.0}", per_second * case.events) } else { String::new() };
        println!(
            "| {} | {per_second:.1} | {recorded} | {p50_ms:.1} | {p95_ms:.1} | {p99_ms:.1} | {:.2} |",
            case.name,
            support::median(cpu)
        );
    }
    for rows in [100, 1_000] {
        let plain = runtime.block_on(events::plain(bench, rows, Duration::from_secs(args.seconds)))?;
        println!("| plain SQL, {rows} events in a statement, one connection | | {plain:.0} | | | | |");
    }
    let (now, peak) = server.memory_mb();
    println!("\nMemory of the server: {now} MB, {peak} MB at the peak");
    Ok(())
}
