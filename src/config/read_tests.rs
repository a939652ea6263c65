use std::io::Write as _;
use std::path::Path;

use super::tests::load;
use super::*;

#[test]
fn the_environment_wins_over_the_file_and_an_empty_variable_counts_as_unset() {
    let file = "listen = \"127.0.0.1:1\"\nlimit_depth = 5\njwt_audience = [\"a\", \"b\"]\nbody_limit_bytes = 1_000_000";
    let config = load(file, &[("LISTEN", "[::1]:2"), ("LIMIT_DEPTH", ""), ("LIMIT_TOKENS", "3_000")]).unwrap();
    assert_eq!(config.listen.to_string(), "[::1]:2");
    assert_eq!(config.limits.depth, 5);
    assert_eq!(config.limits.tokens, 3000);
    assert_eq!(config.limits.body_bytes, 1_000_000);
    assert_eq!(config.jwt.audience, ["a", "b"]);
    assert_eq!(load(file, &[("JWT_AUDIENCE", "c, d,")]).unwrap().jwt.audience, ["c", "d"]);
}

#[test]
fn every_mistake_is_named_at_once() {
    let file = "lisen = \"0.0.0.0:1\"\nlimit_depth = 0\nlog = [\"info\"]\nlimit_batch = { a = 1 }\nentirely_else = 1";
    let error = load(file, &[("JWT_LEEWAY", "3"), ("LOG_FORMAT", "xml")]).unwrap_err();
    assert_eq!(error.lines().count(), 7, "{error}");
    for expected in [
        "\"lisen\" in the file ",
        "is not a setting. Did you mean listen?",
        "limit_depth (TOLLGATE_LIMIT_DEPTH) is \"0\"",
        "log (TOLLGATE_LOG) is \"info\". Write one value, not a list",
        "limit_batch (TOLLGATE_LIMIT_BATCH) is \"a table",
        "TOLLGATE_JWT_LEEWAY\" is not a setting. Did you mean TOLLGATE_JWT_LEEWAY_S?",
        "log_format (TOLLGATE_LOG_FORMAT)",
    ] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let line = error.lines().find(|line| line.contains("entirely_else")).unwrap();
    assert!(line.ends_with("is not a setting."), "{line}");
}

#[test]
fn a_file_that_is_not_toml_is_refused_without_quoting_it() {
    for file in ["listen = \"a:1\"\njwt_hs256_secret = \"hunter2", "\njwt_hs256_secret = hunter2", "\na=1\na=1"] {
        let error = load(file, &[]).unwrap_err();
        assert!(error.contains("is not TOML: line "), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let missing = Config::load(Some(Path::new("/no/such/tollgate.toml")), std::iter::empty()).unwrap_err();
    assert!(missing.to_string().contains("/no/such/tollgate.toml cannot be read"), "{missing}");
}

#[test]
fn the_file_may_be_named_by_the_environment() {
    let named = ("TOLLGATE_CONFIG".to_owned(), "/no/such/file.toml".to_owned());
    let error = Config::load(None, std::iter::once(named)).unwrap_err();
    assert!(error.to_string().contains("/no/such/file.toml"), "{error}");
}

#[test]
fn the_conventional_variables_of_proxies_count_unless_the_settings_are_set() {
    let outgoing = |file: &str, env: &[(&str, &str)]| {
        let mut written = tempfile::NamedTempFile::new().unwrap();
        written.write_all(file.as_bytes()).unwrap();
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let outgoing = Config::load(Some(written.path()), env).unwrap().outgoing;
        (outgoing.https_proxy.map(|url| url.expose().to_owned()), outgoing.no_proxy.join(" "))
    };
    let env = [("HTTPS_PROXY", "proxy:3128"), ("NO_PROXY", "localhost, .internal,10.0.0.0/8"), ("no_proxy", "")];
    assert_eq!(
        outgoing("", &env),
        (Some("http://proxy:3128/".to_owned()), "localhost .internal 10.0.0.0/8".to_owned())
    );
    assert_eq!(outgoing("https_proxy = \"http://other:1\"", &env).0, Some("http://other:1/".to_owned()));
    let ours = [env[0], ("https_proxy", "https://u:p@lower:2"), ("TOLLGATE_NO_PROXY", "none")];
    assert_eq!(outgoing("", &ours), (Some("https://u:p@lower:2/".to_owned()), "none".to_owned()));
    assert_eq!(outgoing("", &[("HTTPS_PROXY", "")]).0, None);
}

#[test]
fn what_the_test_suite_is_told_is_no_mistake() {
    let env = [("TOLLGATE_TEST_POSTGRES", "required"), ("TOLLGATE_TEST_POSTGRES_URL", "postgres://localhost/x")];
    assert!(Config::load(None, env.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter()).is_ok());
}

#[test]
fn what_kubernetes_sets_beside_a_service_called_tollgate_is_no_mistake() {
    let env = [
        ("SERVICE_HOST", "10.0.0.1"),
        ("SERVICE_PORT", "8080"),
        ("SERVICE_PORT_HTTP", "8080"),
        ("PORT", "tcp://10.0.0.1:8080"),
        ("PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("DB_PORT_5432_TCP_PROTO", "tcp"),
    ];
    load("", &env).unwrap();
    load("", &[("PORT", "8080")]).unwrap_err();
}
