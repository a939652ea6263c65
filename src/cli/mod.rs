//! The command line: one file per command.

mod analytics;
mod bench;
#[cfg(feature = "demo")]
mod demo;
mod drift;
mod export;
mod inbox;
mod licences;
mod migrate;
mod open;
mod reconcile;
mod reset;
mod schema;
#[cfg(feature = "demo")]
mod seed;
mod serve;
mod since;
mod token;
mod worker;

use crate::config::{self, Config, ConfigErrors, LogFormat};
use clap::{Parser, Subcommand};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// A self-hosted billing gateway: one typed GraphQL API over users, plans, subscriptions, credits and analytics.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, after_long_help = config::help())]
struct Cli {
    /// File of settings. Without it, tollgate.toml is read if it exists.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API and run background jobs until SIGTERM or ctrl-c.
    Serve(serve::Serve),
    /// Run background jobs only, until SIGTERM or ctrl-c.
    #[command(after_long_help = config::help())]
    Worker,
    /// Serve a made-up company in a database of its own, without any set-up.
    #[cfg(feature = "demo")]
    Demo(demo::Demo),
    /// Migrate the database, or show the state of its migrations.
    #[command(subcommand)]
    Migrate(migrate::Migrate),
    /// Fill an empty database with a made-up company; the same seed gives the same company.
    #[cfg(feature = "demo")]
    Seed(seed::Seed),
    /// Issue licences for a desktop application.
    #[command(subcommand)]
    Licences(licences::Licences),
    /// Apply events of the payment providers again.
    #[command(subcommand)]
    Inbox(inbox::Inbox),
    /// Measure the speed of this installation.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Work on the figures of revenue.
    #[command(subcommand)]
    Analytics(analytics::Analytics),
    /// Compare the mirror with Stripe, and apply what never arrived.
    Reconcile(reconcile::Reconcile),
    /// Print a token signed with jwt_hs256_secret.
    Token(token::Token),
    /// Print the GraphQL schema.
    Schema(schema::Schema),
    /// Delete every row of the database; refused for a production database.
    Reset(reset::Reset),
}

/// Runs the command. The exit status is 2 for wrong settings or arguments and 1 for other failures.
pub async fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<ConfigErrors>() {
            Some(errors) => {
                eprintln!("The settings are wrong:\n{errors}");
                ExitCode::from(2)
            }
            None => {
                eprintln!("tollgate: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    if let Command::Schema(schema) = &cli.command {
        return schema.run();
    }
    let config = Config::from_process(cli.config.as_deref())?;
    #[cfg(feature = "demo")]
    let config = match &cli.command {
        Command::Demo(_) => demo::hush(config),
        _ => config,
    };
    log_to_stderr(&config);
    match cli.command {
        Command::Serve(serve) => serve.run(config).await,
        Command::Worker => worker::run(config).await,
        #[cfg(feature = "demo")]
        Command::Demo(demo) => demo.run(config).await,
        Command::Migrate(migrate) => migrate.run(config).await,
        #[cfg(feature = "demo")]
        Command::Seed(seed) => seed.run(config).await,
        Command::Licences(licences) => licences.run(config).await,
        Command::Inbox(inbox) => inbox.run(config).await,
        Command::Bench(bench) => bench.run(config).await,
        Command::Analytics(analytics) => analytics.run(config).await,
        Command::Reconcile(reconcile) => reconcile.run(config).await,
        Command::Token(token) => token.run(config).await,
        Command::Reset(reset) => reset.run(config).await,
        Command::Schema(_) => unreachable!("handled above, without settings"),
    }
}

fn log_to_stderr(config: &Config) {
    let filter = EnvFilter::new(&config.log.filter);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
}
