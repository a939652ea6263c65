//! A fresh, migrated database for each test, and the macro that runs a test on both engines.

mod app;
pub(crate) mod browser;
pub(crate) mod chores;
pub(crate) mod company;
pub(crate) mod credits;
mod discounts;
pub(crate) mod entitlements;
pub(crate) mod definitions;
pub(crate) mod experiments;
pub(crate) mod host_reports;
pub(crate) mod gifts;
mod held;
mod introspection;
pub(crate) mod licences;
pub(crate) mod lists;
pub(crate) mod live;
pub(crate) mod pages;
pub(crate) mod parts;
pub(crate) mod postgres;
pub(crate) mod refunds;
pub(crate) mod rows;
pub(crate) mod server;
pub(crate) mod shop;
pub(crate) mod sql;
mod sqlite;
pub(crate) mod stripe;
pub(crate) mod usage;
pub(crate) mod webhooks;
mod world;

pub(crate) use app::{Client, Reply, SECRET, TestApp, clock};
pub(crate) use company::Company;
pub(crate) use held::HeldTable;
pub(crate) use introspection::{Schema, Slot};
pub(crate) use rows::{event, insert_security_events};
pub(crate) use shop::Shop;
pub(crate) use world::{World, global_id, local_id, theirs};

use chrono::DateTime;
use entity::installation;
use sea_orm::{ActiveValue::Set, Database, DatabaseConnection, DbErr, EntityTrait};
use uuid::Uuid;

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// A migrated database without rows, removed when this is dropped.
pub(crate) struct TestDatabase {
    url: String,
    _kept: Kept,
}

/// The guard that removes the database when dropped.
enum Kept {
    Sqlite { _directory: tempfile::TempDir },
    Postgres { _database: postgres::Lease },
}

impl TestDatabase {
    /// Creates a database; `None` for PostgreSQL if it is not installed.
    pub(crate) fn create(engine: Engine) -> Option<Self> {
        Some(match engine {
            Engine::Sqlite => {
                let (directory, url) = sqlite::database();
                Self { url, _kept: Kept::Sqlite { _directory: directory } }
            }
            Engine::Postgres => {
                let database = postgres::server()?.database();
                Self { url: database.url(), _kept: Kept::Postgres { _database: database } }
            }
        })
    }

    /// Returns the URL of the database, in the form of the setting.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// Marks a fresh database as one of development, as `tollgate migrate` does.
async fn mark(db: &DatabaseConnection) -> Result<(), DbErr> {
    let row = installation::ActiveModel {
        id: Set(Uuid::from_u128(7)),
        environment: Set("development".to_owned()),
        created_at: Set(DateTime::UNIX_EPOCH.fixed_offset()),
        reference_key: Set(None),
    };
    installation::Entity::insert(row).exec_without_returning(db).await.map(drop)
}

/// The subject that a test's body receives.
pub(crate) trait Subject: Sized {
    /// Makes it, over a fresh database that lives until after [`Subject::finish`].
    async fn start(database: &TestDatabase) -> Self;

    /// Ends it after a body that did not panic: the place for checks that hold after every test.
    async fn finish(self);
}

impl Subject for DatabaseConnection {
    async fn start(database: &TestDatabase) -> Self {
        Database::connect(database.url()).await.unwrap()
    }

    async fn finish(self) {
        self.close().await.unwrap();
    }
}

/// Makes each `async fn name(subject: &S)` named in the list, with `S` any [`Subject`], into the two tests
/// `name::sqlite` and `name::postgres`. A function that is not in the list draws a dead-code warning.
macro_rules! both_engines {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::support::{Engine, run};

            #[test]
            fn sqlite() {
                run(Engine::Sqlite, super::$name);
            }

            #[test]
            fn postgres() {
                run(Engine::Postgres, super::$name);
            }
        }
    )+};
}
pub(crate) use both_engines;

/// Runs a test's body over a fresh database, in a runtime of its own; passes without running it where the engine is
/// not installed.
pub(crate) fn run<S: Subject>(engine: Engine, body: impl AsyncFnOnce(&S)) {
    let Some(database) = TestDatabase::create(engine) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // Locals go in reverse order, also after a panic: first the runtime with its connections, then the database.
    runtime.block_on(async {
        let subject = S::start(&database).await;
        body(&subject).await;
        subject.finish().await;
    });
}

/// Returns the document of a mutation that takes an input of its own type as `$input`.
pub(crate) fn mutation(name: &str, payload: &str) -> String {
    let mut ty = name.to_owned();
    ty[..1].make_ascii_uppercase();
    format!("mutation($input: {ty}Input!) {{ {name}(input: $input) {{ {payload} }} }}")
}

/// Waits for a future on a thread of its own, so that this may be called inside a runtime and outside.
pub(crate) fn wait_for<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let on_this_thread =
        || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
    std::thread::scope(|scope| scope.spawn(on_this_thread).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
