//! A migrated, seeded and analysed database on either engine.

use super::file_system;
use anyhow::{Context, bail};
use clap::ValueEnum;
use sea_orm::{ConnectionTrait, DbBackend};
use seed::{self, Plan};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tollgate::app::App;
use tollgate::clock::Clock;
use tollgate::config::Config;

/// The secret of the tokens of a run.
const SECRET: &str = "a secret of the benchmarks, which is no secret";
/// The secret of the webhooks.
pub(crate) const STRIPE_SECRET: &str = "whsec_of_the_benchmarks";
/// The exit status of `.ci/postgres` if PostgreSQL is not installed.
const NOT_INSTALLED: i32 = 69;

/// A database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

/// The place of the databases.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The directory in which the SQLite file is kept and reused.
    pub(crate) keep: Option<PathBuf>,
    /// The URL of an empty PostgreSQL database, or of that of an earlier run.
    pub(crate) url: Option<String>,
}

/// A database that is ready to be measured. It is removed when dropped, unless it is kept.
pub(crate) struct Bench {
    /// An app over the database.
    pub(crate) app: App,
    /// The URL for other processes.
    pub(crate) url: String,
    /// A description of its place.
    pub(crate) described: String,
    /// The path of the SQLite file.
    pub(crate) file: Option<PathBuf>,
    _lives: Lives,
}

/// The resources that live as long as the database.
enum Lives {
    Nothing,
    Directory {
        _directory: tempfile::TempDir,
    },
    /// The process of the server, which stops when its input ends.
    Server {
        _process: Child,
    },
}

/// Returns the settings of an app over the database at `url`, in the form of environment variables.
pub(crate) fn config(url: &str, pool: Option<u32>) -> anyhow::Result<(Config, Vec<(String, String)>)> {
    let mut env = vec![
        ("TOLLGATE_DATABASE_URL".to_owned(), url.to_owned()),
        ("TOLLGATE_JWT_HS256_SECRET".to_owned(), SECRET.to_owned()),
        ("TOLLGATE_STRIPE_WEBHOOK_SECRETS".to_owned(), STRIPE_SECRET.to_owned()),
        ("TOLLGATE_LOG".to_owned(), "warn".to_owned()),
    ];
    if let Some(pool) = pool {
        env.push(("TOLLGATE_DATABASE_MAX_CONNECTIONS".to_owned(), pool.to_string()));
    }
    Ok((Config::load(None, env.clone().into_iter())?, env))
}

impl Bench {
    /// Prepares a database with `users` users. Returns `None` if the engine is not installed.
    pub(crate) async fn prepare(engine: Engine, place: &Place, users: u64) -> anyhow::Result<Option<Bench>> {
        let (url, file, lives) = match engine {
            Engine::Sqlite => sqlite(place, users)?,
            Engine::Postgres => match postgres(place)? {
                Some((url, lives)) => (url, None, lives),
                None => return Ok(None),
            },
        };
        let app = App::new(config(&url, None)?.0, Clock::System).await?;
        app.db.migrate(app.new_id(), app.now(), "development").await?;
        if seed::is_empty(app.db.schema()).await? {
            fill(&app, users).await?;
        }
        let described = match &file {
            Some(file) => format!("a file on {}", file_system(file)),
            None if place.url.is_some() => "the server that was named".to_owned(),
            None => "a private server with durable commits, 512 MB of shared buffers, on the same machine".to_owned(),
        };
        Ok(Some(Bench { app, url, described, file, _lives: lives }))
    }
}

async fn fill(app: &App, users: u64) -> anyhow::Result<()> {
    eprintln!("Generating {users} users");
    let start = Instant::now();
    let issuer = app.config.jwt.issuer.clone().unwrap_or_default();
    let plan = Plan { users, seed: 1, now: app.now(), issuer };
    let db = app.db.schema();
    let totals = seed::seed(db, &plan, |_| ()).await?;
    // Maintenance that a server does by itself in time: statistics for the planner, and the visibility map for index-only scans.
    let tidy = if db.get_database_backend() == DbBackend::Postgres { "VACUUM ANALYZE" } else { "ANALYZE" };
    db.execute_unprepared(tidy).await?;
    eprintln!("{} rows in {:.0} s", totals.rows(), start.elapsed().as_secs_f64());
    Ok(())
}

fn sqlite(place: &Place, users: u64) -> anyhow::Result<(String, Option<PathBuf>, Lives)> {
    let (directory, lives) = match &place.keep {
        Some(keep) => {
            std::fs::create_dir_all(keep)?;
            (keep.canonicalize()?, Lives::Nothing)
        }
        // Beside the build, which is on a disk; the system's temporary directory may be in memory.
        None => {
            let directory = tempfile::Builder::new().prefix("bench-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
            (directory.path().to_owned(), Lives::Directory { _directory: directory })
        }
    };
    let file = directory.join(format!("tollgate-{users}.db"));
    let url = format!("sqlite://{}", file.display());
    Ok((url, Some(file), lives))
}

fn postgres(place: &Place) -> anyhow::Result<Option<(String, Lives)>> {
    if let Some(url) = &place.url {
        return Ok(Some((url.clone(), Lives::Nothing)));
    }
    let mut process = Command::new("sh")
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/postgres"), "--durable"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context(".ci/postgres could not be run.")?;
    let mut url = String::new();
    let output = process.stdout.take().context(".ci/postgres has no output.")?;
    BufReader::new(output).read_line(&mut url)?;
    if url.is_empty() {
        let status = process.wait()?;
        if status.code() == Some(NOT_INSTALLED) {
            eprintln!("PostgreSQL is not installed; only SQLite is measured.");
            return Ok(None);
        }
        bail!(".ci/postgres could not start a server. Its log is above.");
    }
    Ok(Some((url.trim_end().to_owned(), Lives::Server { _process: process })))
}
