use std::io::Write as _;

use super::*;
use std::time::Duration;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(super) fn load(file: &str, env: &[(&str, &str)]) -> Result<Config, String> {
    let mut written = tempfile::NamedTempFile::new().unwrap();
    written.write_all(file.as_bytes()).unwrap();
    let env = env.iter().map(|(name, value)| (format!("TOLLGATE_{name}"), (*value).to_owned()));
    Config::load(Some(written.path()), env).map_err(|errors| errors.to_string())
}

#[test]
fn nothing_set_gives_the_defaults() {
    let config = load("", &[]).unwrap();
    assert_eq!(config.environment, Environment::Development);
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database.url, DatabaseUrl::Sqlite("tollgate.db".into()));
    assert!(config.database.max_connections >= 2);
    assert_eq!(config.database.statement_timeout, Duration::from_secs(30));
    assert!(matches!(config.jwt.keys, JwtKeys::None));
    assert_eq!(config.jwt.role_claim, "tollgate_role");
    assert_eq!(config.jwt.scope_claim, "scope");
    assert_eq!(config.jwt.leeway, Duration::from_secs(30));
    assert!(config.jwt.create_users_on_sign_in);
    assert_eq!(config.cors_origins, CorsOrigins::Listed(vec![]));
    assert_eq!(config.introspection, Introspection::Everyone);
    assert!(config.graphiql);
    assert_eq!(config.documents.trusted.iter().count(), 0);
    assert_eq!(config.documents.trusted_only, TrustedOnly::Nobody);
    assert_eq!(config.transport.idle_timeout, Duration::from_secs(75));
    assert!(config.live.connections_anonymous < config.live.connections);
    assert_eq!(config.limits.body_bytes, 1_048_576);
    assert_eq!(config.limits.timeout, Duration::from_secs(10));
    assert_eq!(config.log.format, LogFormat::Text);
    let Providers { livemode, webhook_body_bytes, stripe, paddle } = config.providers;
    assert!(!livemode && stripe.webhook_secrets.is_empty() && paddle.webhook_secrets.is_empty());
    assert_eq!(webhook_body_bytes, 2 * 1_048_576);
    assert_eq!(stripe.webhook_tolerance, Duration::from_secs(300));
    assert_eq!(paddle.webhook_tolerance, Duration::from_secs(5));
    assert_eq!((stripe.account, stripe.api_key), (None, None));
    assert_eq!(stripe.api_base.as_str(), "https://api.stripe.com/");
    assert_eq!(stripe.api_timeout, Duration::from_secs(10));
    assert_eq!(config.limits.mutation_timeout, Duration::from_secs(60));
}

#[test]
fn every_default_in_the_table_is_itself_allowed() {
    let written: String = settings::all()
        .filter(|setting| !setting.default.is_empty())
        .map(|setting| format!("{} = \"{}\"\n", setting.name, setting.default))
        .collect();
    load(&written, &[]).unwrap();
}

#[test]
fn production_is_careful() {
    let config = load("", &[("ENVIRONMENT", "production"), ("JWT_HS256_SECRET", SECRET)]).unwrap();
    assert_eq!(config.introspection, Introspection::Authenticated);
    assert!(!config.graphiql);
    assert!(config.providers.livemode);
    let keys = ("JWT_JWKS", "https://example.com/jwks.json");
    let error = load("", &[("ENVIRONMENT", "production"), keys]).unwrap_err();
    assert!(error.starts_with("jwt_issuer (TOLLGATE_JWT_ISSUER) is not set. Production needs it"), "{error}");
    load("", &[("ENVIRONMENT", "production"), keys, ("JWT_ISSUER", "https://example.com/")]).unwrap();
}

#[test]
fn typed_values_come_out_of_every_form() {
    let config =
        load("", &[("DATABASE_URL", "postgres://u:p%40ss@db/t"), ("JWT_JWKS", "http://127.0.0.1:9/k")]).unwrap();
    assert_eq!(config.database.url, DatabaseUrl::Postgres(Secret::new("postgres://u:p%40ss@db/t")));
    assert_eq!(config.database.max_connections, 10);
    let JwtKeys::Jwks { algorithms, .. } = &config.jwt.keys else { panic!("{:?}", config.jwt.keys) };
    assert_eq!(algorithms, &[JwtAlgorithm::Rs256]);

    let env = [("JWT_JWKS", "Cargo.toml"), ("JWT_ALGORITHMS", "ES256, EdDSA"), ("CORS_ORIGINS", "*")];
    let config = load("", &env).unwrap();
    let JwtKeys::Jwks { source, algorithms } = &config.jwt.keys else { panic!("{:?}", config.jwt.keys) };
    assert_eq!(source, &JwksSource::File("Cargo.toml".into()));
    assert_eq!(algorithms, &[JwtAlgorithm::Es256, JwtAlgorithm::EdDsa]);
    assert_eq!(config.cors_origins, CorsOrigins::Any);

    let config = load("cors_origins = [\"https://A.example.com/\", \"http://localhost:3000\"]", &[]).unwrap();
    let listed = ["https://a.example.com", "http://localhost:3000"].map(str::to_owned).to_vec();
    assert_eq!(config.cors_origins, CorsOrigins::Listed(listed));
    load("", &[("JWT_HS256_SECRET", SECRET), ("JWT_ALGORITHMS", "HS256")]).unwrap();
    for log in ["off", "DEBUG", "info,tollgate=debug,sqlx=warn", "warn,[request{id=7}]=debug"] {
        assert_eq!(load("", &[("LOG", log)]).unwrap().log.filter, log);
    }
}

#[test]
fn the_providers_are_read() {
    let file = "stripe_webhook_secrets = [\"whsec_0123456789abcdef\", \"whsec_fedcba9876543210\"]\nlivemode = true";
    let env = [
        ("PADDLE_WEBHOOK_SECRETS", "pdl_ntfset_0123456789"),
        ("STRIPE_ACCOUNT", "acct_1"),
        ("STRIPE_API_KEY", "rk_live_1"),
        ("STRIPE_API_BASE", "http://127.0.0.1:9"),
    ];
    let providers = load(file, &env).unwrap().providers;
    assert!(providers.livemode);
    let secrets = ["whsec_0123456789abcdef", "whsec_fedcba9876543210"].map(Secret::new);
    assert_eq!(providers.stripe.webhook_secrets, secrets);
    assert_eq!(providers.paddle.webhook_secrets, [Secret::new("pdl_ntfset_0123456789")]);
    assert_eq!(providers.stripe.account.as_deref(), Some("acct_1"));
    assert_eq!(providers.stripe.api_key, Some(Secret::new("rk_live_1")));
    assert_eq!(providers.stripe.api_base.as_str(), "http://127.0.0.1:9/");
}

#[test]
fn every_wrong_value_is_refused_with_its_reason() {
    for (name, value, expected) in [
        ("ENVIRONMENT", "prod", "is \"prod\". It must be one of development, production"),
        ("LISTEN", "8080", "is \"8080\". It must be an IP address and a port"),
        ("DATABASE_URL", "mysql://root:hunter2@db", "It must be sqlite://<path> or postgres://"),
        ("DATABASE_URL", "sqlite://", "It must be sqlite://<path>"),
        ("DATABASE_URL", "sqlite::memory:", "loses everything"),
        ("DATABASE_URL", "sqlite://:memory:", "loses everything"),
        ("DATABASE_URL", "sqlite://t.db?mode=rwc", "sets SQLite's options itself"),
        ("DATABASE_URL", "postgres://u:hunter2@[db/t", "special characters in the password"),
        ("DATABASE_MAX_CONNECTIONS", "0", "whole number from 1 to 1000"),
        ("DATABASE_STATEMENT_TIMEOUT_MS", "1", "from 100 to 3600000"),
        ("JWT_HS256_SECRET", "hunter2", "It is 7 bytes long and must be at least 32"),
        ("JWT_JWKS", "no-such-file.json", "The file cannot be read"),
        ("JWT_JWKS", "src", "It is not a file"),
        ("JWT_JWKS", "http://example.com/jwks", "anyone on the network path could replace the keys"),
        ("JWT_JWKS", "http://127.0.0.1.example.com/jwks", "anyone on the network path could replace the keys"),
        ("JWT_JWKS", "ftp://example.com/jwks", "Give a file or an https URL"),
        ("JWT_JWKS", "https://", "It is not a URL"),
        ("JWT_JWKS", "https://u:p@example.com/", "must not contain a user name"),
        ("JWT_ALGORITHMS", "none", "Each must be RS256, ES256 or EdDSA"),
        ("JWT_ALGORITHMS", "rs256", "Each must be RS256, ES256 or EdDSA"),
        ("JWT_LEEWAY_S", "301", "from 0 to 300"),
        ("JWT_LEEWAY_S", "-1", "from 0 to 300"),
        ("JWT_LEEWAY_S", "1.5", "from 0 to 300"),
        ("JWT_ROLE_CLAIM", "user_metadata.role", "Users can write that object themselves"),
        ("JWT_ROLE_CLAIM", "unsafe_metadata.role", "Users can write that object themselves"),
        ("CREATE_USERS_ON_SIGN_IN", "yes", "one of true, false"),
        ("CORS_ORIGINS", "*,https://a.example", "or `*` alone"),
        ("CORS_ORIGINS", "https://a.example/path", "without a path"),
        ("CORS_ORIGINS", "app.example.com", "Each must be an origin"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, proxy", "Each must be an address or a network"),
        ("CLIENT_IP_HEADER", "x forwarded", "the name of a header"),
        ("HTTPS_PROXY", "ftp://me:hunter2@proxy", "the URL of an HTTP proxy"),
        ("HTTPS_PROXY", "http://", "the URL of an HTTP proxy"),
        ("CA_FILE", "src", "a file of certificates in PEM format"),
        ("REPORTS_DIRECTORY", "Cargo.toml", "a directory that exists"),
        ("LICENSE_CHECKS_PER_MINUTE", "0", "a whole number from 1 to 100000"),
        ("ANALYTICS_MINIMUM_GROUP", "0", "a whole number from 1 to 1000"),
        ("LICENSE_MAX_DEVICES", "0", "a whole number from 1 to 10000"),
        ("INTROSPECTION", "yes", "one of everyone, authenticated, nobody"),
        ("BODY_LIMIT_BYTES", "1MB", "from 1024 to 104857600"),
        ("LIMIT_DEPTH", "99999999999999999999999", "from 1 to 100"),
        ("LIVEMODE", "yes", "one of true, false"),
        ("STRIPE_WEBHOOK_SECRETS", "whsec_0123456789abcdef,hunter2", "One is 7 bytes long; each must have at least 16"),
        ("STRIPE_WEBHOOK_TOLERANCE_S", "0", "from 1 to 3600"),
        ("STRIPE_ACCOUNT", "cus_1", "It must be the id of an account"),
        ("STRIPE_API_KEY", "pk_hunter2", "begins with sk_ or rk_"),
        ("STRIPE_API_KEY", "rk_live_hunter2", "a key of live mode, and livemode is false"),
        ("STRIPE_API_BASE", "http://api.stripe.com", "anyone on the network path could read the key"),
        ("STRIPE_API_BASE", "https://u:p@api.stripe.com", "must not contain a user name"),
        ("STRIPE_API_BASE", "https://api.stripe.com/v1", "a scheme and a host alone"),
        ("STRIPE_API_BASE", "api.stripe.com", "a URL such as https://api.stripe.com"),
        ("STRIPE_API_BASE", "ftp://api.stripe.com", "an https URL"),
        ("STRIPE_API_TIMEOUT_MS", "99", "from 100 to 120000"),
        ("PADDLE_WEBHOOK_SECRETS", "hunter2", "One is 7 bytes long"),
        ("PADDLE_WEBHOOK_TOLERANCE_S", "3601", "from 1 to 3600"),
        ("WEBHOOK_BODY_LIMIT_BYTES", "1023", "from 1024 to 104857600"),
        ("LOG", "tollgate=loud", "It must be off, error"),
        ("LOG", "inof", "It must be off, error"),
        ("LOG", "info,tollgate", "It must be off, error"),
        ("LOG_FORMAT", "xml", "one of text, json"),
    ] {
        let error = load("", &[(name, value)]).unwrap_err();
        assert!(error.contains(expected), "{name}={value}: {error}");
        let both = format!("{} (TOLLGATE_{name}) ", name.to_lowercase());
        assert!(error.starts_with(&both), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let secret = ("JWT_HS256_SECRET", SECRET);
    let jwks = ("JWT_JWKS", "https://example.com/jwks");
    for (env, expected) in [
        (vec![secret, jwks], "either jwt_jwks or jwt_hs256_secret, not both"),
        (vec![secret, ("JWT_ALGORITHMS", "RS256")], "the only algorithm is HS256"),
        (vec![jwks, ("JWT_ALGORITHMS", "RS256,HS256")], "A key set holds public keys only"),
        (vec![("ENVIRONMENT", "production")], "Nobody could sign in"),
        (vec![("LIVEMODE", "true"), ("STRIPE_API_KEY", "sk_test_1")], "a key of test mode, and livemode is true"),
    ] {
        let error = load("", &env).unwrap_err();
        assert!(error.contains(expected), "{env:?}: {error}");
        assert!(!error.contains(SECRET), "{error}");
    }
}

#[test]
fn secrets_are_not_shown_by_debug() {
    let env = [("JWT_HS256_SECRET", SECRET), ("DATABASE_URL", "postgres://u:hunter2@db/t")];
    let shown = format!("{:?}", load("", &env).unwrap());
    assert!(!shown.contains(SECRET) && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn the_example_file_is_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(written, example(), "write .env.example anew from tollgate::config::example()");
    for setting in settings::all() {
        assert!(help().contains(&setting.variable()), "{}", setting.name);
    }
}
