//! Writes what is generated from the migrations.
//!
//! - `generate-entities DIR [postgres://…]` writes the entities. Without a URL the migrations run on a SQLite database
//!   in memory, with one on that (empty) PostgreSQL database; the files must be identical.
//! - `generate-entities --data-model DIR` prints the page about the tables, read from the formatted entities.

use sea_orm_migration::sea_orm::{ConnectOptions, Database};
use std::collections::BTreeSet;
use std::path::Path;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), migration::codegen::Error> {
    let mut arguments = std::env::args().skip(1);
    let target = arguments.next().ok_or("usage: generate-entities DIR [postgres://…] | --data-model DIR")?;
    if target == "--data-model" {
        let directory = arguments.next().ok_or("usage: generate-entities --data-model DIR")?;
        print!("{}", migration::codegen::data_model(Path::new(&directory))?);
        return Ok(());
    }
    let url = arguments.next().unwrap_or_else(|| "sqlite::memory:".to_owned());
    let db = Database::connect(ConnectOptions::new(url).max_connections(1).to_owned()).await?;
    migration::up(&db, None, migration::DateTime::UNIX_EPOCH).await?;
    write(Path::new(&target), &migration::codegen::entities(&db).await?)
}

/// Writes the files, and removes those whose table no longer exists.
fn write(target: &Path, files: &std::collections::BTreeMap<String, String>) -> Result<(), migration::codegen::Error> {
    std::fs::create_dir_all(target)?;
    let mut orphans = BTreeSet::new();
    for entry in std::fs::read_dir(target)? {
        orphans.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    for (name, content) in files {
        orphans.remove(name);
        std::fs::write(target.join(name), content)?;
    }
    for orphan in orphans {
        std::fs::remove_file(target.join(orphan))?;
    }
    Ok(())
}
