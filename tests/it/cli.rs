//! The program as an operator runs it.

use crate::support::{Engine, TestDatabase};
use std::path::Path;
use std::process::Command;

/// The output of a run, and its exit status.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program in an empty directory with these variables and no others.
pub(crate) fn tollgate(args: &[&str], env: &[(&str, &str)]) -> Run {
    let directory = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    tollgate_in(directory.path(), args, env)
}

pub(crate) fn tollgate_in(directory: &Path, args: &[&str], env: &[(&str, &str)]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(args).env_clear().envs(env.iter().copied()).current_dir(directory);
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs with a database of this engine; passes where it is not installed.
fn on(engine: Engine, body: impl Fn(&dyn Fn(&[&str], &[(&str, &str)]) -> Run)) {
    let Some(database) = TestDatabase::create(engine) else { return };
    body(&|args, env| tollgate(args, &[&[("TOLLGATE_DATABASE_URL", database.url())], env].concat()));
}

#[test]
fn every_wrong_setting_is_named_in_one_message() {
    let env = [
        ("TOLLGATE_LISTEN", "nowhere"),
        ("TOLLGATE_DATABASE_URL", "mysql://root:hunter2@localhost/db"),
        ("TOLLGATE_JWT_HS256_SECRET", "hunter2"),
        ("TOLLGATE_LIMIT_DEPTH", "0"),
        ("TOLLGATE_LISTEM", "127.0.0.1:80"),
    ];
    for command in [&["serve"][..], &["migrate", "up"], &["token", "--user", "a"]] {
        let run = tollgate(command, &env);
        assert_eq!(run.status, 2, "{}", run.err);
        for setting in ["LISTEN", "DATABASE_URL", "JWT_HS256_SECRET", "LIMIT_DEPTH", "LISTEM"] {
            assert!(run.err.contains(&format!("TOLLGATE_{setting}")), "{setting}: {}", run.err);
        }
        assert!(!run.err.contains("hunter2"), "{}", run.err);
        assert!(run.out.is_empty());
    }
    let run = tollgate(&["--config", "missing.toml", "migrate", "status"], &[]);
    assert_eq!(run.status, 2);
    assert!(run.err.contains("missing.toml"), "{}", run.err);
}

#[test]
fn the_schema_is_the_committed_one() {
    // Also where the settings are wrong: it needs none.
    let run = tollgate(&["schema"], &[("TOLLGATE_LISTEN", "nowhere")]);
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(run.out == include_str!("../../schema.graphql"), "schema.graphql is out of date; run .ci/update");
}

#[test]
fn a_token_is_printed_alone_and_needs_a_secret() {
    let secret = [("TOLLGATE_JWT_HS256_SECRET", crate::support::SECRET)];
    let args = &["token", "--user", "ann"];
    let run = tollgate(args, &secret);
    assert_eq!(run.status, 0, "{}", run.err);
    assert_eq!(run.out.trim_end().split('.').count(), 3, "{}", run.out);
    assert_eq!(run.out.lines().count(), 1);
    let run = tollgate(args, &[]);
    assert_eq!(run.status, 1);
    assert!(run.err.contains("TOLLGATE_JWT_HS256_SECRET"), "{}", run.err);
}

#[test]
fn a_schema_goes_down_and_up_again() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        on(engine, |tollgate| {
            assert_eq!(tollgate(&["migrate", "check"], &[]).out, "the schema is up to date\n");
            assert_eq!(tollgate(&["migrate", "up"], &[]).out, "nothing to do\n");
            let run = tollgate(&["migrate", "down", "--count", "2"], &[]);
            assert_eq!(run.out.lines().count(), 2, "{}{}", run.out, run.err);
            let run = tollgate(&["migrate", "check"], &[]);
            assert_eq!(
                (run.status, run.err.as_str()),
                (1, "tollgate: 2 migrations are pending. Run `tollgate migrate up`.\n")
            );
            let status = tollgate(&["migrate", "status"], &[]).out;
            assert_eq!(status.lines().filter(|line| line.starts_with("pending")).count(), 2, "{status}");
            let run = tollgate(&["migrate", "down", "--count", "100"], &[]);
            assert_eq!(run.status, 0, "{}", run.err);
            let run = tollgate(&["migrate", "up"], &[]);
            assert_eq!(run.out.lines().count(), migration::changes().len(), "{}{}", run.out, run.err);
            assert_eq!(tollgate(&["migrate", "check"], &[]).status, 0);
        });
    }
}

/// Changes rows behind the program's back.
fn tamper(url: &str, sql: &str) {
    use sea_orm::{ConnectionTrait, Database};
    crate::support::wait_for(async {
        let db = Database::connect(url).await.unwrap();
        db.execute_unprepared(sql).await.unwrap();
        db.close().await.unwrap();
    });
}

#[test]
fn a_change_that_was_edited_after_it_was_applied_is_refused() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let Some(database) = TestDatabase::create(engine) else { continue };
        let env = [("TOLLGATE_DATABASE_URL", database.url())];
        tamper(database.url(), "UPDATE schema_migrations SET checksum = 'other' WHERE name = 'm0002_catalogue'");
        for command in
            [["migrate", "up"], ["migrate", "down"], ["migrate", "status"], ["migrate", "check"], ["reset", "--yes"]]
        {
            let run = tollgate(&command, &env);
            assert_eq!(run.status, 1, "{command:?}: {}", run.out);
            let told =
                run.err.contains("m0002_catalogue was edited after it was applied") && run.err.contains("restore");
            assert!(told, "{command:?}: {}", run.err);
        }
        tamper(database.url(), "UPDATE schema_migrations SET name = 'm9999_later' WHERE name = 'm0002_catalogue'");
        let run = tollgate(&["migrate", "up"], &env);
        assert!(run.status == 1 && run.err.contains("m9999_later") && run.err.contains("newer version"), "{}", run.err);
    }
}

#[test]
fn a_database_is_emptied_on_the_word_alone_and_never_in_production() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let Some(database) = TestDatabase::create(engine) else { continue };
        let url = ("TOLLGATE_DATABASE_URL", database.url());
        let unit = "INSERT INTO credit_units (id, code, name, decimals, created_at) VALUES (ID, 'a', 'A', 0, '2026-01-01T00:00:00Z')";
        let id = if engine == Engine::Postgres { "gen_random_uuid()" } else { "randomblob(16)" };
        tamper(database.url(), &unit.replace("ID", id));
        let run = tollgate(&["reset"], &[url]);
        assert!(run.status == 1 && run.err.contains("--yes"), "{}", run.err);
        let run = tollgate(&["reset", "--yes"], &[url, ("TOLLGATE_ENVIRONMENT", "production"), SECRET]);
        assert!(run.status == 1 && run.err.contains("production"), "{}", run.err);
        // Once more, to see that it is there still: the code is unique.
        let again = std::panic::catch_unwind(|| tamper(database.url(), &unit.replace("ID", id)));
        assert!(again.is_err());
        let run = tollgate(&["reset", "--yes"], &[url]);
        assert_eq!((run.status, run.out.as_str()), (0, "the database is empty\n"), "{}", run.err);
        tamper(database.url(), &unit.replace("ID", id));

        tamper(database.url(), "UPDATE installation SET environment = 'production'");
        for command in [&["reset", "--yes"][..], &["migrate", "down"]] {
            let run = tollgate(command, &[url]);
            assert!(run.status == 1 && run.err.contains("marked as one for production"), "{command:?}: {}", run.err);
        }
    }
}

const SECRET: (&str, &str) = ("TOLLGATE_JWT_HS256_SECRET", crate::support::SECRET);

#[test]
fn a_failure_to_reach_the_database_is_told_without_its_password() {
    let url = [("TOLLGATE_DATABASE_URL", "postgres://tollgate:hunter2@127.0.0.1:1/tollgate")];
    let commands = [&["migrate", "up"][..], &["migrate", "status"], &["migrate", "check"], &["reset", "--yes"]];
    // At the same time, since each tries for a while.
    std::thread::scope(|scope| {
        for command in commands {
            scope.spawn(move || {
                let run = tollgate(command, &url);
                assert_eq!(run.status, 1, "{command:?}");
                assert!(!run.err.contains("hunter2") && !run.err.is_empty(), "{command:?}: {}", run.err);
                assert!(!run.err.contains("panicked"), "{}", run.err);
            });
        }
    });
}

#[test]
fn help_says_what_each_command_and_each_option_does() {
    let top = tollgate(&["--help"], &[]).out;
    let commands: Vec<&str> = section(&top, "Commands:").filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() >= 7, "{top}");
    for command in commands.iter().filter(|command| **command != "help") {
        let help = tollgate(&[command, "--help"], &[]);
        assert_eq!(help.status, 0);
        complete(&help.out);
        for inner in section(&help.out, "Commands:").filter_map(|line| line.split_whitespace().next()) {
            complete(&tollgate(&[command, inner, "--help"], &[]).out);
        }
    }
    let serve = tollgate(&["serve", "--help"], &[]).out;
    for (setting, _) in tollgate::config::example().lines().filter_map(|line| line.strip_prefix('#')?.split_once('=')) {
        assert!(setting.starts_with(' ') || serve.contains(setting), "{setting}");
    }
    let version = tollgate(&["--version"], &[]);
    assert_eq!(version.out, format!("tollgate {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(tollgate(&["no-such-command"], &[]).status, 2);
}

/// The lines below a heading, up to the next empty one.
fn section<'a>(help: &'a str, heading: &str) -> impl Iterator<Item = &'a str> {
    let lines = help.lines().skip_while(move |line| *line != heading).skip(1);
    lines.take_while(|line| !line.is_empty())
}

/// Each command of a help text has its sentence beside it, and each option below it.
fn complete(help: &str) {
    for line in section(help, "Commands:") {
        assert!(line.split_whitespace().count() > 2, "{line}: {help}");
    }
    let lines: Vec<&str> = help.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let option = line.trim_start();
        if option.starts_with("--") || option.starts_with("-h, ") {
            let told =
                option.split_once("  ").map(|(_, told)| told).or(lines.get(number + 1).copied()).unwrap_or_default();
            assert!(told.split_whitespace().count() > 1, "{line}: {help}");
        }
    }
}

/// A run that lasts until it is stopped.
struct Running {
    process: std::process::Child,
    log: std::io::Lines<std::io::BufReader<std::process::ChildStderr>>,
}

impl Running {
    /// Starts the program, and waits until its log contains `word`.
    fn start(args: &[&str], url: &str, word: &str) -> Running {
        use std::io::BufRead;
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.args(args).env_clear().env("TOLLGATE_DATABASE_URL", url).env("TOLLGATE_LISTEN", "127.0.0.1:0");
        let mut process = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        let mut log = std::io::BufReader::new(process.stderr.take().unwrap()).lines();
        assert!(log.by_ref().any(|line| line.unwrap().contains(word)), "{args:?} does not say {word}");
        Running { process, log }
    }

    /// Stops the program, and returns its exit status.
    fn stop(mut self) -> i32 {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.log.for_each(drop);
        self.process.wait().unwrap().code().unwrap()
    }
}

fn jobs(url: &str) -> i64 {
    crate::support::wait_for(async {
        let db = sea_orm::Database::connect(url).await.unwrap();
        let count = crate::support::sql::number(&db, "SELECT COUNT(*) FROM jobs").await;
        db.close().await.unwrap();
        count
    })
}

#[test]
fn the_background_work_is_done_by_serve_or_by_a_worker_of_its_own() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let Some(database) = TestDatabase::create(engine) else { continue };
        let url = database.url();
        let server = Running::start(&["serve", "--no-worker"], url, "listening on");
        assert_eq!(server.stop(), 0);
        assert_eq!(jobs(url), 0, "no schedule was set up");
        let worker = Running::start(&["worker"], url, "working");
        while jobs(url) == 0 {}
        assert_eq!(worker.stop(), 0);
    }
}
