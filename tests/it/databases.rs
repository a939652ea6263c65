//! The ground that every other test stands on.

use crate::support::{Engine, TestDatabase, both_engines};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};

both_engines!(a_test_starts_with_every_migration_applied);

async fn a_test_starts_with_every_migration_applied(db: &DatabaseConnection) {
    let steps = migration::status(db).await.unwrap();
    assert!(steps.iter().all(|step| step.state == migration::State::Applied), "{steps:?}");
}

#[test]
fn databases_made_at_once_do_not_share_rows_on_sqlite() {
    databases_made_at_once_do_not_share_rows(Engine::Sqlite);
}

#[test]
fn databases_made_at_once_do_not_share_rows_on_postgres() {
    databases_made_at_once_do_not_share_rows(Engine::Postgres);
}

fn databases_made_at_once_do_not_share_rows(engine: Engine) {
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let Some(database) = TestDatabase::create(engine) else { return };
                // Fails where another thread made the table before.
                crate::support::wait_for(async {
                    let db = Database::connect(database.url()).await.unwrap();
                    db.execute_unprepared("CREATE TABLE mine (id BIGINT)").await.unwrap();
                    db.close().await.unwrap();
                });
            });
        }
    });
}
