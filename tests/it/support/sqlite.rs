//! SQLite for the tests: migrated once, copied for each test.

use sea_orm::Database;
use std::sync::OnceLock;
use tempfile::TempDir;

/// A migrated file in a directory of its own, and its URL.
pub(super) fn database() -> (TempDir, String) {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    let template = TEMPLATE.get_or_init(migrated);
    let directory = directory();
    let file = directory.path().join("test.db");
    std::fs::write(&file, template).unwrap();
    let url = format!("sqlite://{}", file.display());
    (directory, url)
}

/// The bytes of a migrated database.
fn migrated() -> Vec<u8> {
    let directory = directory();
    let file = directory.path().join("template.db");
    super::wait_for(async {
        let db = Database::connect(format!("sqlite://{}?mode=rwc", file.display())).await.unwrap();
        migration::up(&db, None, migration::DateTime::UNIX_EPOCH).await.unwrap();
        super::mark(&db).await.unwrap();
        db.close().await.unwrap();
    });
    std::fs::read(&file).unwrap()
}

/// A directory under `target/`, where what a killed process leaves behind is in nobody's way.
fn directory() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}
