//! Mutations of credits and usage over HTTP, and reads of entitlements; see docs/performance.md.
#![allow(clippy::float_arithmetic, reason = "figures of a benchmark, not money")]

mod cases;
#[path = "../support/mod.rs"]
mod support;

use anyhow::Context;
use cases::{Case, Cases};
use clap::Parser;
use std::path::PathBuf;
use std::time::Duration;
use support::{Bench, Engine, Facts, Figures, Place, client, server};
use tokio::runtime::Builder;

/// Measures mutations of `tollgate serve`, each durable before its response, beside a mutation that does nothing.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench writes --")]
struct Args {
    /// Duration of each case, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Number of rounds, whose medians are reported.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Numbers of connections for single mutations, each with one request at a time.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256])]
    connections: Vec<usize>,
    /// Number of connections for batches.
    #[arg(long, default_value_t = 16)]
    batch_connections: usize,
    /// Number of wallets in the cases with many.
    #[arg(long, default_value_t = 10_000)]
    wallets: u64,
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

/// The results of a case.
#[derive(Default)]
struct Row {
    figures: Vec<Figures>,
    cpu_us: Vec<f64>,
}

fn main() -> anyhow::Result<()> {
    let Some(args) = support::arguments::<Args>() else { return Ok(()) };
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut facts = Facts::gather();
    for engine in args.engines.clone() {
        let place = Place { keep: args.keep.clone(), url: args.database_url.clone() };
        let Some(bench) = runtime.block_on(Bench::prepare(engine, &place, args.wallets))? else { continue };
        runtime.block_on(facts.database(&bench))?;
        let cases = runtime.block_on(Cases::prepare(&bench, args.wallets))?;
        let server = server::start(&args.server, &bench.url, None)?;
        let mut all = cases.all(&server.address, &args.connections, args.batch_connections);
        all.retain(|case| args.only.as_ref().is_none_or(|only| case.name.contains(only.as_str())));
        let mut rows: Vec<Row> = all.iter().map(|_| Row::default()).collect();
        for _ in 0..args.rounds {
            for (case, row) in all.iter().zip(&mut rows) {
                let send = |time| runtime.block_on(client::send(&server.address, &case.source, case.connections, time));
                send(Duration::from_millis(args.seconds * 100)).with_context(|| format!("{} failed.", case.name))?;
                let before = server.cpu_us();
                let time = Duration::from_secs(args.seconds);
                let figures = send(time).with_context(|| format!("{} failed.", case.name))?;
                let used = f64::from(server.cpu_us().wrapping_sub(before));
                row.cpu_us.push(used / (figures.per_second * case.operations * time.as_secs_f64()));
                eprintln!("{engine:?}, {}: {:.0}/s", case.name, figures.per_second * case.operations);
                row.figures.push(figures);
            }
        }
        table(engine, &args, &all, &rows);
        let (memory, peak) = server.memory_mb();
        println!("\nMemory of the server: {memory} MB, {peak} MB at the peak");
    }
    println!("\n{facts}");
    Ok(())
}

fn table(engine: Engine, args: &Args, cases: &[Case], rows: &[Row]) {
    println!("\n{engine:?}, medians of {} × {} s\n", args.rounds, args.seconds);
    println!("| case | connections | operations/s | p50 ms | p99 ms | CPU µs |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (case, row) in cases.iter().zip(rows) {
        let Figures { per_second, p50_ms, p99_ms, .. } = Figures::median(&row.figures);
        let cpu_us = support::median(row.cpu_us.clone());
        println!(
            "| {} | {} | {:.0} | {p50_ms:.2} | {p99_ms:.2} | {cpu_us:.0} |",
            case.name,
            case.connections,
            per_second * case.operations
        );
    }
}
