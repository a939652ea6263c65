//! PostgreSQL for the tests: a private server for the test process, and a copy of a migrated template for each test.
//!
//! Two environment variables say which server:
//! - `TOLLGATE_TEST_POSTGRES_URL`: this one, and none is started;
//! - `TOLLGATE_TEST_POSTGRES=required`: no server is a failure, instead of tests that run on SQLite alone.

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement};
use std::hash::{BuildHasher, DefaultHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The exit status of `.ci/postgres` if PostgreSQL is not installed.
const NOT_INSTALLED: i32 = 69;

/// The server of this test process.
pub(super) struct PostgresServer {
    url: url::Url,
    template: String,
    /// The strategy to copy it: by file, ten times faster than through the log. PostgreSQL 14 lacks the option.
    strategy: &'static str,
    /// Tells the databases of this process from those of others on the same server.
    run: String,
    created: AtomicU32,
    /// Stops the server when its input ends, which happens however this process ends.
    _process: Option<Child>,
}

/// A database of one test, dropped with it.
pub(super) struct Lease {
    server: &'static PostgresServer,
    name: String,
}

/// Returns the server, started by the first call; `None`, reported once on stderr, if PostgreSQL is not installed.
pub(super) fn server() -> Option<&'static PostgresServer> {
    static SERVER: OnceLock<Option<PostgresServer>> = OnceLock::new();
    SERVER.get_or_init(PostgresServer::start).as_ref()
}

impl PostgresServer {
    fn start() -> Option<Self> {
        let (url, process) = match variable("TOLLGATE_TEST_POSTGRES_URL") {
            Some(url) => (url, None),
            None => {
                let Some((url, process)) = private_server() else {
                    assert!(
                        variable("TOLLGATE_TEST_POSTGRES").as_deref() != Some("required"),
                        "PostgreSQL not found, and TOLLGATE_TEST_POSTGRES=required; apt-get install postgresql"
                    );
                    // Not eprintln!, which the test harness shows for failed tests only.
                    let mut stderr = std::io::stderr();
                    let _ = writeln!(
                        stderr,
                        "PostgreSQL not found: tests run on SQLite only; apt-get install postgresql to run them on both"
                    );
                    return None;
                };
                (url, Some(process))
            }
        };
        let url = url::Url::parse(&url).expect("TOLLGATE_TEST_POSTGRES_URL is a URL");
        let (template, strategy) =
            super::wait_for(async { Ok::<_, migration::Error>((template(&url).await?, strategy(&url).await?)) })
                .unwrap();
        let run = format!("tollgate_test_{:x}", RandomState::new().build_hasher().finish());
        Some(Self { url, template, strategy, run, created: AtomicU32::new(0), _process: process })
    }

    /// Copies the template. Copies can run concurrently: PostgreSQL only requires that nobody is connected to the
    /// template, which allows no connections.
    pub(super) fn database(&'static self) -> Lease {
        let name = format!("{}_{}", self.run, self.created.fetch_add(1, Ordering::Relaxed));
        self.execute(&format!("CREATE DATABASE {name} TEMPLATE {} {}", self.template, self.strategy)).unwrap();
        Lease { server: self, name }
    }

    fn execute(&self, sql: &str) -> Result<(), DbErr> {
        super::wait_for(async {
            let db = connect(&self.url).await?;
            db.execute_unprepared(sql).await?;
            db.close().await
        })
    }
}

impl Lease {
    /// Returns the URL of the database.
    pub(super) fn url(&self) -> String {
        named(&self.server.url, &self.name).into()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // An error here would hide the test's own.
        let _ = self.server.execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// A server of one test, whose commits survive, and which can be restarted.
pub(crate) struct OwnServer {
    pub(crate) url: String,
    process: Child,
    said: BufReader<ChildStdout>,
}

impl OwnServer {
    /// Starts a server; `None` if PostgreSQL is not installed.
    pub(crate) fn start() -> Option<OwnServer> {
        server()?;
        let mut process = Command::new("sh")
            .args([concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/postgres"), "--durable"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("sh starts .ci/postgres");
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut url = String::new();
        said.read_line(&mut url).unwrap();
        Some(OwnServer { url: url.trim_end().to_owned(), process, said })
    }

    /// Ends the server as a crash does, and waits until it runs again.
    pub(crate) fn restart(&mut self) {
        self.process.stdin.as_mut().unwrap().write_all(b"restart\n").unwrap();
        let mut answer = String::new();
        self.said.read_line(&mut answer).unwrap();
        assert_eq!(answer, "restarted\n");
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Starts `.ci/postgres`, in a process group of its own so that Ctrl-C leaves it time to clean up.
fn private_server() -> Option<(String, Child)> {
    let mut process = Command::new("sh")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/postgres"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("sh starts .ci/postgres");
    let mut url = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
    if url.is_empty() {
        let status = process.wait().unwrap();
        assert_eq!(status.code(), Some(NOT_INSTALLED), ".ci/postgres could not start a server; its log is above");
        return None;
    }
    Some((url.trim_end().to_owned(), process))
}

/// The migrated database that all others are copies of, made unless the server has it from an earlier run.
async fn template(url: &url::Url) -> Result<String, migration::Error> {
    let name = format!("tollgate_template_{:x}", schema_hash());
    let server = connect(url).await?;
    // One process at a time; unlocked with the connection.
    server.execute_unprepared("SELECT pg_advisory_lock(7026041553114002)").await?;
    let found = format!("SELECT 1 FROM pg_database WHERE datname = '{name}'");
    if server.query_one_raw(Statement::from_string(DbBackend::Postgres, found)).await?.is_none() {
        // Under another name until it is whole.
        let draft = format!("{name}_draft");
        server.execute_unprepared(&format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)")).await?;
        server.execute_unprepared(&format!("CREATE DATABASE {draft}")).await?;
        let db = connect(&named(url, &draft)).await?;
        migration::up(&db, None, migration::DateTime::UNIX_EPOCH).await?;
        super::mark(&db).await?;
        db.close().await?;
        server.execute_unprepared(&format!("ALTER DATABASE {draft} ALLOW_CONNECTIONS false")).await?;
        server.execute_unprepared(&format!("ALTER DATABASE {draft} RENAME TO {name}")).await?;
    }
    server.close().await?;
    Ok(name)
}

async fn strategy(url: &url::Url) -> Result<&'static str, DbErr> {
    let server = connect(url).await?;
    let query = "SELECT current_setting('server_version_num')::int >= 150000 AS known";
    let row = server.query_one_raw(Statement::from_string(DbBackend::Postgres, query)).await?;
    let known: bool = row.expect("a SELECT without FROM has one row").try_get("", "known")?;
    server.close().await?;
    Ok(if known { "STRATEGY file_copy" } else { "" })
}

fn schema_hash() -> u64 {
    let mut hasher = DefaultHasher::new();
    migration::changes().iter().for_each(|change| hasher.write(change.checksum().as_bytes()));
    hasher.finish()
}

async fn connect(url: &url::Url) -> Result<DatabaseConnection, DbErr> {
    Database::connect(ConnectOptions::new(url.as_str()).max_connections(1).to_owned()).await
}

fn named(url: &url::Url, database: &str) -> url::Url {
    let mut url = url.clone();
    url.set_path(database);
    url
}

/// Returns an environment variable; `None` if it is not set or empty.
#[expect(clippy::disallowed_methods, reason = "these say where the tests run; the product's settings do not")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
