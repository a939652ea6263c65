//! Support of the benchmarks: a database on either engine, statistics, and facts about the machine.
#![allow(dead_code, unused_imports, reason = "each benchmark uses a part of it")]

pub(crate) mod client;
mod database;
mod facts;
pub(crate) mod server;
mod stats;

pub(crate) use database::{Bench, Engine, Place, STRIPE_SECRET, config};
pub(crate) use facts::{Facts, file_system};
pub(crate) use stats::{Figures, Samples, median};

use clap::Parser;

/// Returns the arguments, or `None` if the benchmark is run without `--bench`, as `cargo test --all-targets` does.
pub(crate) fn arguments<T: Parser>() -> Option<T> {
    let given: Vec<String> = std::env::args().collect();
    let benching = given.iter().any(|argument| argument == "--bench");
    let testing = given.iter().any(|argument| argument == "--test");
    if !benching || testing {
        println!("This is a benchmark. Run it with `cargo bench`.");
        return None;
    }
    Some(T::parse_from(given.into_iter().filter(|argument| argument != "--bench")))
}
