//! The files of deploy/: every setting exists and has an accepted value, every command and path is right.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use tollgate::config::{Config, DatabaseUrl, Environment};

const COMPOSE: &str = include_str!("../../deploy/compose.yaml");
const UNIT: &str = include_str!("../../deploy/tollgate.service");
const DOCKERFILE: &str = include_str!("../../Dockerfile");

/// The program's path in the image and in the unit.
const PROGRAM: &str = "/usr/local/bin/tollgate";

/// Returns the values of a key of the unit, in order.
fn unit(key: &str) -> Vec<&'static str> {
    let lines = UNIT.lines().filter_map(|line| line.split_once('='));
    lines.filter(|(name, _)| *name == key).map(|(_, value)| value).collect()
}

/// Returns the values of a key anywhere in the compose file, in order.
fn compose(key: &str) -> Vec<&'static str> {
    let lines = COMPOSE.lines().map(str::trim).filter_map(|line| line.split_once(": "));
    lines.filter(|(name, _)| *name == key).map(|(_, value)| value).collect()
}

/// Returns the settings that a text sets, its own and those of the operator.
fn load(set: &[(String, String)], operator: &[(&str, &str)]) -> Config {
    let operator = operator.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut env: BTreeMap<String, String> = set.iter().cloned().collect();
    env.extend(operator);
    Config::load(None, env.into_iter()).unwrap()
}

/// Fails unless the program knows the command.
fn assert_command(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate")).args(arguments).arg("--help").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains(&format!("tollgate {}", arguments.join(" "))), "{arguments:?} is no command: {help}");
}

/// Returns the variables with our prefix that a text names.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    words.filter(|word| word.starts_with("TOLLGATE_") && word.len() > "TOLLGATE_".len())
}

#[test]
fn every_setting_that_a_file_names_exists() {
    let example = include_str!("../../.env.example");
    for (file, text) in [("compose.yaml", COMPOSE), ("tollgate.service", UNIT), ("Dockerfile", DOCKERFILE)] {
        for name in named(text) {
            assert!(example.contains(&format!("#{name}=")), "{file} names {name}, which is no setting");
        }
    }
}

#[test]
fn the_unit_starts_a_production_server_in_its_own_directory() {
    let set: Vec<_> = unit("Environment").iter().filter_map(|pair| pair.split_once('=')).collect();
    let set: Vec<_> = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let config = load(&set, &[("TOLLGATE_JWT_HS256_SECRET", crate::support::SECRET)]);
    assert_eq!(config.environment, Environment::Production);
    assert!(config.listen.ip().is_loopback());
    let state = format!("/var/lib/{}", unit("StateDirectory")[0]);
    assert_eq!(unit("WorkingDirectory"), [state.as_str()]);
    let DatabaseUrl::Sqlite(file) = &config.database.url else { panic!("{:?}", config.database.url) };
    assert_eq!(file.parent(), Some(Path::new(&state)));
    let stop: u64 = unit("TimeoutStopSec")[0].parse().unwrap();
    assert!(stop > config.shutdown_timeout.as_secs());
}

#[test]
fn the_units_commands_and_files_are_those_that_its_head_installs() {
    for command in unit("ExecStartPre").into_iter().chain(unit("ExecStart")) {
        let words: Vec<_> = command.split(' ').collect();
        assert_eq!(words[0], PROGRAM);
        assert_command(&words[1..]);
    }
    let target = |source: &str| {
        let mut installs = UNIT.lines().filter(|line| line.contains("install -D"));
        let line = installs.find(|line| line.contains(&format!(" {source} "))).unwrap();
        line.split_whitespace().skip_while(|word| *word != source).nth(1).unwrap()
    };
    assert_eq!(target("target/release/tollgate"), PROGRAM);
    assert_eq!(target(".env.example"), unit("EnvironmentFile")[0]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(root.join(".env.example").exists() && root.join("deploy/tollgate.service").exists());
    assert_eq!(target("deploy/tollgate.service"), "/etc/systemd/system/tollgate.service");
}

#[test]
fn the_compose_file_starts_a_production_server_on_its_database() {
    let operator = [
        ("POSTGRES_PASSWORD", "pass-word"),
        ("TOLLGATE_JWT_ISSUER", "https://clerk.example.com"),
        ("TOLLGATE_JWT_JWKS", "https://clerk.example.com/.well-known/jwks.json"),
    ];
    let set = COMPOSE.lines().map(str::trim).filter_map(|line| line.split_once(": "));
    let set = set.filter(|(name, _)| name.starts_with("TOLLGATE_")).map(|(name, value)| {
        let value = operator
            .iter()
            .fold(value.to_owned(), |value, (variable, given)| value.replace(&format!("${{{variable}:?}}"), given));
        let optional = value.starts_with("${") && value.ends_with(":-}");
        (name.to_owned(), if optional { String::new() } else { value })
    });
    let config = load(&set.collect::<Vec<_>>(), &[]);
    assert_eq!(config.environment, Environment::Production);
    let DatabaseUrl::Postgres(url) = &config.database.url else { panic!("{:?}", config.database.url) };
    let url = url::Url::parse(url.expose()).unwrap();
    assert_eq!(url.password(), Some("pass-word"));
    assert_eq!([url.username()], compose("POSTGRES_USER")[..]);
    assert_eq!([url.path().trim_start_matches('/')], compose("POSTGRES_DB")[..]);
    assert!(COMPOSE.contains(&format!("\n  {}:\n", url.host_str().unwrap())), "the host is a service of the file");
    let grace: u64 = compose("stop_grace_period")[0].trim_end_matches('s').parse().unwrap();
    assert!(grace > config.shutdown_timeout.as_secs());
}

#[test]
fn the_compose_files_commands_and_files_are_those_of_the_image() {
    for command in compose("command") {
        let words: Vec<String> = serde_json::from_str(command).unwrap();
        assert_command(&words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let context = deploy.join(compose("context")[0]);
    assert!(context.join(compose("dockerfile")[0]).is_file());
    assert!(DOCKERFILE.contains(&format!("COPY --from=build {PROGRAM} {PROGRAM}")));
    // The port that the image listens on is the one that is published.
    let port = DOCKERFILE.lines().find_map(|line| line.strip_prefix("EXPOSE ")).unwrap();
    assert!(DOCKERFILE.contains(&format!("TOLLGATE_LISTEN=0.0.0.0:{port} ")));
    assert!(COMPOSE.contains(&format!("\"127.0.0.1:8080:{port}\"")));
}
