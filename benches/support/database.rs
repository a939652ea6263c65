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

/// The secret that the tokens of a run are signed with; it guards made-up people.
const SECRET: &str = "a secret of the benchmarks, which is no secret";
/// What webhooks are signed with.
pub(crate) const STRIPE_SECRET: &str = "whsec_of_the_benchmarks";
/// What `.ci/postgres` exits with where PostgreSQL is not installed.
const NOT_INSTALLED: i32 = 69;

/// A database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

/// Where databases are put.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Keep the SQLite file here, and use it again.
    pub(crate) keep: Option<PathBuf>,
    /// An empty database of a PostgreSQL server, or one of an earlier run.
    pub(crate) url: Option<String>,
}

/// A database that is ready to be measured; gone when dropped, unless it was to be kept.
pub(crate) struct Bench {
    /// An app over it.
    pub(crate) app: App,
    /// Its URL, for other processes.
    pub(crate) url: String,
    /// A word on where it is.
    pub(crate) described: String,
    /// Where the SQLite file is.
    pub(crate) file: Option<PathBuf>,
    _lives: Lives,
}

/// What must live as long as the database.
enum Lives {
    Nothing,
    Directory {
        _directory: tempfile::TempDir,
    },
    /// Stops when its input ends.
    Server {
        _process: Child,
    },
}

/// The settings of an app over the database at `url`, as the environment would have them.
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
    /// Prepares one with `users` people; `None` where the engine is not installed.
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
    eprintln!("making up {users} users");
    let start = Instant::now();
    let issuer = app.config.jwt.issuer.clone().unwrap_or_default();
    let plan = Plan { users, seed: 1, now: app.now(), issuer };
    let db = app.db.schema();
    let totals = seed::seed(db, &plan, |_| ()).await?;
    // What a server does by itself in time: figures for the planner, and what makes index-only reads possible.
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
        // Beside the build, which is on a disk, while the system's directory for such files may be in memory.
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
        .context("sh does not start .ci/postgres")?;
    let mut url = String::new();
    let output = process.stdout.take().context("the output of .ci/postgres")?;
    BufReader::new(output).read_line(&mut url)?;
    if url.is_empty() {
        let status = process.wait()?;
        if status.code() == Some(NOT_INSTALLED) {
            eprintln!("PostgreSQL is not installed: measuring SQLite alone");
            return Ok(None);
        }
        bail!(".ci/postgres could not start a server; its log is above");
    }
    Ok(Some((url.trim_end().to_owned(), Lives::Server { _process: process })))
}
