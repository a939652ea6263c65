//! The environment of a measurement.

use super::Bench;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use std::fmt;
use std::fs::read_to_string;
use std::path::Path;
use std::process::Command;

/// The machine and the programs.
pub(crate) struct Facts {
    lines: Vec<String>,
}

impl Facts {
    /// Reads the facts of this machine.
    pub(crate) fn gather() -> Facts {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let cpu = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
        let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
        let load = read_to_string("/proc/loadavg").unwrap_or_default();
        let load: Vec<&str> = load.split_whitespace().take(3).collect();
        let rustc = Command::new("rustc").arg("--version").output().map(|out| out.stdout).unwrap_or_default();
        Facts {
            lines: vec![
                format!("{cores} cores ({cpu}), {memory} of memory; load before: {}", load.join(" ")),
                format!("tollgate {}, {}", env!("CARGO_PKG_VERSION"), String::from_utf8_lossy(&rustc).trim()),
            ],
        }
    }

    /// Adds the facts of a database.
    pub(crate) async fn database(&mut self, bench: &Bench) -> anyhow::Result<()> {
        let (backend, sql) = match bench.app.db.read().get_database_backend() {
            DbBackend::Postgres => (DbBackend::Postgres, "SELECT split_part(version(), ' on ', 1) AS version"),
            backend => (backend, "SELECT 'SQLite ' || sqlite_version() AS version"),
        };
        let row = bench.app.db.read().query_one_raw(Statement::from_string(backend, sql)).await?;
        let version: String = row.map(|row| row.try_get("", "version")).transpose()?.unwrap_or_default();
        self.lines.push(format!("{version}; {}", bench.described));
        Ok(())
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "- {line}"))
    }
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Returns the type of the file system of `path`. Writes to `tmpfs` are not durable.
pub(crate) fn file_system(path: &Path) -> String {
    let mounts = read_to_string("/proc/mounts").unwrap_or_default();
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mount = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?.to_owned(), words.next()?.to_owned());
        path.starts_with(&at).then_some((at.len(), kind))
    };
    mounts.lines().filter_map(mount).max_by_key(|(length, _)| *length).map_or_else(|| "unknown".to_owned(), |(_, k)| k)
}
