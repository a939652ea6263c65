//! Every setting at its bounds and beyond, from the environment and from the file, and what its mistake says.

use std::io::Write as _;
use std::time::Duration;
use tollgate::config::{
    Config, CorsOrigins, CostLimits, DatabaseUrl, Environment, Introspection, JwtKeys, LogFormat, help,
};

/// A whole number, its range, and the number that the program uses for it.
struct Number {
    name: &'static str,
    range: (i128, i128),
    read: fn(&Config) -> i128,
}

const fn number(name: &'static str, range: (i128, i128), read: fn(&Config) -> i128) -> Number {
    Number { name, range, read }
}

fn millis(duration: Duration) -> i128 {
    i128::try_from(duration.as_millis()).unwrap()
}

fn seconds(duration: Duration) -> i128 {
    i128::from(duration.as_secs())
}

fn count(number: usize) -> i128 {
    i128::try_from(number).unwrap()
}

fn per_minute(limits: &CostLimits) -> i128 {
    limits.per_minute.map_or(0, |most| most.get().into())
}

const NUMBERS: &[Number] = &[
    number("database_max_connections", (1, 1_000), |c| c.database.max_connections.into()),
    number("database_statement_timeout_ms", (100, 3_600_000), |c| millis(c.database.statement_timeout)),
    number("jwt_leeway_s", (0, 300), |c| seconds(c.jwt.leeway)),
    number("body_limit_bytes", (1_024, 104_857_600), |c| count(c.limits.body_bytes)),
    number("limit_tokens", (10, 1_000_000), |c| count(c.limits.tokens)),
    number("limit_depth", (1, 100), |c| count(c.limits.depth)),
    number("limit_aliases", (0, 10_000), |c| count(c.limits.aliases)),
    number("limit_batch", (1, 100), |c| count(c.limits.batch)),
    number("limit_selections", (10, 1_000_000), |c| count(c.limits.selections)),
    number("apq_cache_bytes", (0, 1_073_741_824), |c| c.documents.registered_bytes.into()),
    number("request_head_timeout_ms", (10, 600_000), |c| millis(c.transport.head_timeout)),
    number("request_body_timeout_ms", (10, 600_000), |c| millis(c.transport.body_timeout)),
    number("keep_alive_timeout_ms", (10, 3_600_000), |c| millis(c.transport.idle_timeout)),
    number("connections_per_address", (1, 1_000_000), |c| c.transport.connections_per_address.into()),
    number("request_timeout_ms", (100, 600_000), |c| millis(c.limits.timeout)),
    number("mutation_timeout_ms", (100, 600_000), |c| millis(c.limits.mutation_timeout)),
    number("limit_cost_anonymous", (10, 10_000_000), |c| c.costs.anonymous.request.into()),
    number("limit_cost_user", (10, 10_000_000), |c| c.costs.user.request.into()),
    number("limit_cost_service", (10, 10_000_000), |c| c.costs.service.request.into()),
    number("limit_cost_running", (1_000, 10_000_000), |c| c.costs.running.into()),
    number("limit_reply_bytes", (65_536, 1_073_741_824), |c| c.costs.reply_bytes.into()),
    number("cost_per_minute_anonymous", (0, 1_000_000_000), |c| per_minute(&c.costs.anonymous)),
    number("cost_per_minute_user", (0, 1_000_000_000), |c| per_minute(&c.costs.user)),
    number("cost_per_minute_service", (0, 1_000_000_000), |c| per_minute(&c.costs.service)),
    number("stripe_webhook_tolerance_s", (1, 3_600), |c| seconds(c.providers.stripe.webhook_tolerance)),
    number("stripe_api_timeout_ms", (100, 120_000), |c| millis(c.providers.stripe.api_timeout)),
    number("stripe_requests_per_minute", (1, 100_000), |c| c.providers.stripe.requests_per_minute.get().into()),
    number("stripe_service_requests_per_minute", (1, 100_000), |c| {
        c.providers.stripe.service_requests_per_minute.get().into()
    }),
    number("max_pause_days", (0, 730), |c| c.providers.stripe.max_pause_days.into()),
    number("paddle_webhook_tolerance_s", (1, 3_600), |c| seconds(c.providers.paddle.webhook_tolerance)),
    number("webhook_body_limit_bytes", (1_024, 104_857_600), |c| count(c.providers.webhook_body_bytes)),
    number("license_checks_per_minute", (1, 100_000), |c| c.licences.checks_per_minute.get().into()),
    number("analytics_minimum_group", (1, 1_000), |c| c.analytics_minimum_group.into()),
    number("license_max_devices", (1, 10_000), |c| c.licences.max_devices.into()),
    number("ws_init_timeout_ms", (10, 60_000), |c| millis(c.live.init_timeout)),
    number("ws_operations", (1, 10_000), |c| count(c.live.operations)),
    number("live_connections", (1, 1_000_000), |c| c.live.connections.into()),
    number("live_connections_anonymous", (0, 1_000_000), |c| c.live.connections_anonymous.into()),
    number("live_connections_per_address", (1, 1_000_000), |c| c.live.connections_per_address.into()),
    number("shutdown_timeout_ms", (0, 600_000), |c| millis(c.shutdown_timeout)),
];

/// A setting with a closed set of words, which is told in its mistake.
const WORDS: &[(&str, &[&str])] = &[
    ("environment", &["development", "production"]),
    ("create_users_on_sign_in", &["true", "false"]),
    ("introspection", &["everyone", "authenticated", "nobody"]),
    ("graphiql", &["true", "false"]),
    ("paddle_require_reference", &["true", "false"]),
    ("livemode", &["true", "false"]),
    ("report_cost", &["true", "false"]),
    ("log_format", &["text", "json"]),
];

fn variable(name: &str) -> String {
    format!("TOLLGATE_{}", name.to_uppercase())
}

fn from_env(settings: &[(&str, &str)]) -> Result<Config, String> {
    let env = settings.iter().map(|(name, value)| (variable(name), (*value).to_owned()));
    Config::load(None, env).map_err(|mistakes| mistakes.to_string())
}

fn from_file(text: &str) -> Result<Config, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Config::load(Some(file.path()), std::iter::empty()).map_err(|mistakes| mistakes.to_string())
}

/// Groups the digits of a number, as TOML and people write it.
fn grouped(number: i128) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join("_")
}

#[test]
fn a_number_is_read_from_its_least_to_its_greatest() {
    for Number { name, range: (least, greatest), read } in NUMBERS {
        for value in [*least, least + 1, greatest - 1, *greatest] {
            for text in [value.to_string(), grouped(value)] {
                let config = from_env(&[(name, &text)]).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(read(&config), value, "{name}={text}");
            }
            for text in [format!("{name} = {value}"), format!("{name} = \"{value}\"")] {
                let config = from_file(&text).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(read(&config), value, "{text}");
            }
        }
    }
}

#[test]
fn a_number_beyond_its_range_or_none_is_refused_with_the_range() {
    for Number { name, range: (least, greatest), .. } in NUMBERS {
        let rule = format!("It must be a whole number from {least} to {greatest}.");
        let beyond = [(least - 1).to_string(), (greatest + 1).to_string(), i128::from(u64::MAX).to_string()];
        let none = ["-1000000", "1.5", "1e3", "0x10", "ten", "10 ", " 10", "1,000", "１０", "10ms", "--", "NaN"];
        for value in beyond.iter().map(String::as_str).chain(none) {
            let error = from_env(&[(name, value)]).map(|_| ()).unwrap_err();
            assert_eq!(error, format!("{name} ({}) is {value:?}. {rule}", variable(name)));
        }
        for (value, shown) in [("1.5", "a table, a date or a fraction"), ("{}", "a table, a date or a fraction")] {
            let error = from_file(&format!("{name} = {value}")).map(|_| ()).unwrap_err();
            let form = "Write a text, a whole number or a list.";
            assert_eq!(error, format!("{name} ({}) is {shown:?}. {form}", variable(name)));
        }
        let error = from_file(&format!("{name} = [\"1\", \"2\"]")).map(|_| ()).unwrap_err();
        assert_eq!(error, format!("{name} ({}) is \"1,2\". Write one value, not a list.", variable(name)));
    }
}

#[test]
fn the_help_tells_the_range_of_every_number() {
    let help = help().replace("\n      ", " ");
    for Number { name, range: (least, greatest), .. } in NUMBERS {
        let about = help.split(&format!("  {}", variable(name))).nth(1).unwrap_or_else(|| panic!("{name}"));
        let about = about.split("\n\n").next().unwrap();
        assert!(about.contains(&format!("{least} to {greatest}")), "{name}: {about}");
    }
    for (name, words) in WORDS {
        let about = help.split(&format!("  {}", variable(name))).nth(1).unwrap();
        let about = about.split("\n\n").next().unwrap();
        for word in *words {
            assert!(about.contains(word), "{name}: {about}");
        }
    }
}

#[test]
fn callers_of_mutations_wait_longer_than_a_request_to_stripe_takes() {
    let key = ("stripe_api_key", "sk_test_1");
    let longest =
        |timeout: &str| from_env(&[("stripe_api_timeout_ms", timeout)]).unwrap().providers.stripe.longest_request();
    // Three tries, and two pauses that Stripe may ask for: as long as a try, and five seconds at most.
    assert_eq!((millis(longest("1000")), millis(longest("10000"))), (5_000, 40_000));
    for (timeout, wait, starts) in [
        ("1000", "5001", true),
        ("1000", "5000", false),
        ("10000", "40000", false),
        ("10000", "40001", true),
        ("20000", "60000", false),
    ] {
        let settings = [key, ("stripe_api_timeout_ms", timeout), ("mutation_timeout_ms", wait)];
        let config = from_env(&settings);
        assert_eq!(config.is_ok(), starts, "{timeout} {wait}");
        if let Err(error) = config {
            let rule = format!(
                "mutation_timeout_ms (TOLLGATE_MUTATION_TIMEOUT_MS) is {wait:?}. A change at Stripe takes up to {} ms: three \
                 tries of stripe_api_timeout_ms, and two pauses. Set it to more than that, or lower stripe_api_timeout_ms.",
                longest(timeout).as_millis(),
            );
            assert_eq!(error, rule);
        }
        // Without a key nothing is asked of Stripe.
        assert!(from_env(&settings[1..]).is_ok());
    }
    assert!(from_env(&[key]).is_ok(), "the defaults fit each other");
}

#[test]
fn a_word_is_one_of_those_that_are_told() {
    let secret = ("jwt_hs256_secret", crate::support::SECRET);
    for (name, words) in WORDS {
        for word in *words {
            from_env(&[(name, word), secret]).unwrap_or_else(|error| panic!("{error}"));
            from_file(&format!("{name} = \"{word}\"\njwt_hs256_secret = \"{}\"", secret.1)).unwrap();
        }
        for wrong in [words[0].to_uppercase(), format!("{} ", words[0]), "1".to_owned(), "yes".to_owned()] {
            let error = from_env(&[(name, &wrong), secret]).map(|_| ()).unwrap_err();
            let rule = format!("It must be one of {}.", words.join(", "));
            assert_eq!(error, format!("{name} ({}) is {wrong:?}. {rule}", variable(name)));
        }
    }
    let config = from_env(&[("environment", "production"), secret, ("livemode", "false"), ("log_format", "json")]);
    let config = config.unwrap();
    assert_eq!((config.environment, config.log.format), (Environment::Production, LogFormat::Json));
    assert_eq!((config.introspection, config.providers.livemode), (Introspection::Authenticated, false));
    let config = from_env(&[("introspection", "nobody"), ("create_users_on_sign_in", "false")]).unwrap();
    assert_eq!((config.introspection, config.jwt.create_users_on_sign_in), (Introspection::Nobody, false));
    let truths = from_file("livemode = true\ncreate_users_on_sign_in = false").unwrap();
    assert!(truths.providers.livemode && !truths.jwt.create_users_on_sign_in);
}

#[test]
fn a_list_is_a_text_with_commas_or_an_array() {
    let audience = |config: Config| config.jwt.audience;
    for (text, expected) in
        [("a", &["a"][..]), ("a,b", &["a", "b"]), (" a , b ,, c,", &["a", "b", "c"]), ("a b", &["a b"]), (",", &[])]
    {
        assert_eq!(audience(from_env(&[("jwt_audience", text)]).unwrap()), expected, "{text:?}");
        assert_eq!(audience(from_file(&format!("jwt_audience = \"{text}\"")).unwrap()), expected, "{text:?}");
    }
    for (array, expected) in [("[]", &[][..]), ("[\"a\"]", &["a"]), ("[\"a,b\", \" c \", \"\"]", &["a,b", "c"])] {
        assert_eq!(audience(from_file(&format!("jwt_audience = {array}")).unwrap()), expected, "{array}");
    }
    for array in ["[1, 2]", "[[\"a\"]]", "[true]", "[\"a\", 1]"] {
        let error = from_file(&format!("jwt_audience = {array}")).map(|_| ()).unwrap_err();
        assert!(error.starts_with("jwt_audience (TOLLGATE_JWT_AUDIENCE) is "), "{array}: {error}");
        assert!(error.ends_with("Write a text, a whole number or a list."), "{array}: {error}");
    }
}

#[test]
fn origins_are_read_as_browsers_write_them() {
    let origins = |text: &str| from_env(&[("cors_origins", text)]).map(|config| config.cors_origins);
    for (written, read) in [
        ("https://app.example.com", "https://app.example.com"),
        ("https://APP.example.com/", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ] {
        assert_eq!(origins(written).unwrap(), CorsOrigins::Listed(vec![read.to_owned()]), "{written}");
    }
    assert_eq!(origins("*").unwrap(), CorsOrigins::Any);
    for wrong in [
        "app.example.com",
        "https://",
        "https://a.example/app",
        "https://a.example?x=1",
        "https://a.example/#top",
        "https://me@a.example",
        "https://me:pass@a.example",
        "ws://a.example",
        "file:///a",
        "null",
        "https://*.example.com",
    ] {
        let Err(error) = origins(wrong) else {
            // A star is an ordinary letter of a host to the library, which no browser sends.
            assert_eq!(wrong, "https://*.example.com");
            continue;
        };
        let rule = "Each must be an origin such as https://app.example.com, without a path, or `*` alone.";
        assert_eq!(error, format!("cors_origins (TOLLGATE_CORS_ORIGINS) is {wrong:?}. {rule}"));
    }
    let error = origins("https://a.example, *").unwrap_err();
    assert!(error.contains("is \"*\""), "only the entry at fault is shown: {error}");
}

#[test]
fn a_database_url_is_shown_without_its_password() {
    for (written, shown) in [
        ("sqlite://data/tollgate.db", "sqlite://data/tollgate.db"),
        ("sqlite:///var/lib/tollgate.db", "sqlite:///var/lib/tollgate.db"),
        ("postgres://me:hunter2@db:5432/tollgate", "postgres://me@db:5432/tollgate"),
        ("postgresql://me:hunter2@db/tollgate?sslmode=require", "postgresql://me@db/tollgate?sslmode=require"),
        ("postgres://db/tollgate", "postgres://db/tollgate"),
    ] {
        let url = from_env(&[("database_url", written)]).unwrap().database.url;
        assert_eq!(url.to_string(), shown);
        assert!(!format!("{url:?}").contains("hunter2"), "{url:?}");
        assert_eq!(matches!(url, DatabaseUrl::Sqlite(_)), written.starts_with("sqlite"), "{written}");
    }
    for (written, rule) in [
        ("tollgate.db", "It must be sqlite://<path> or postgres://<user>:<password>@<host>/<database>."),
        ("sqlite:tollgate.db", "It must be sqlite://<path> or postgres://<user>:<password>@<host>/<database>."),
        ("POSTGRES://db/t", "It must be sqlite://<path> or postgres://<user>:<password>@<host>/<database>."),
        ("sqlite://a.db?cache=shared", "Tollgate sets SQLite's options itself. Leave out everything from the `?`."),
    ] {
        let error = from_env(&[("database_url", written)]).map(|_| ()).unwrap_err();
        let hidden = "has a value that is not allowed (not shown, as it may hold a secret)";
        assert_eq!(error, format!("database_url (TOLLGATE_DATABASE_URL) {hidden}. {rule}"));
    }
}

#[test]
fn a_setting_that_does_not_exist_is_answered_with_the_nearest_one() {
    for (wrong, near) in [
        ("TOLLGATE_LISTN", Some("TOLLGATE_LISTEN")),
        ("TOLLGATE_DATABASEURL", Some("TOLLGATE_DATABASE_URL")),
        ("TOLLGATE_JWT_ISUER", Some("TOLLGATE_JWT_ISSUER")),
        ("TOLLGATE_STRIPE_WEBHOOK_SECRET", Some("TOLLGATE_STRIPE_WEBHOOK_SECRETS")),
        ("TOLLGATE_limit_depth", Some("TOLLGATE_LIMIT_DEPTH")),
        ("TOLLGATE_COLOUR", None),
        ("TOLLGATE_", Some("TOLLGATE_LOG")),
    ] {
        let error = Config::load(None, std::iter::once((wrong.to_owned(), "1".to_owned()))).unwrap_err().to_string();
        let hint = near.map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
        assert_eq!(error, format!("The environment variable {wrong:?} is not a setting.{hint}"));
    }
    for (wrong, near) in [("listn = 1", Some("listen")), ("LISTEN = \"a\"", Some("listen")), ("colour = 1", None)] {
        let error = from_file(wrong).map(|_| ()).unwrap_err();
        let hint = near.map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
        assert!(error.ends_with(&format!("is not a setting.{hint}")), "{error}");
    }
    // A table of the file is not a way to group settings.
    let error = from_file("[jwt]\nissuer = \"a\"").map(|_| ()).unwrap_err();
    assert!(error.starts_with("\"jwt\" in the file ") && error.contains("is not a setting."), "{error}");
}

#[test]
fn keys_of_tokens_are_from_one_source() {
    let secret = "s".repeat(32);
    let keys = |settings: &[(&str, &str)]| from_env(settings).map(|config| config.jwt.keys);
    assert!(matches!(keys(&[]).unwrap(), JwtKeys::None));
    assert!(
        matches!(keys(&[("jwt_hs256_secret", &secret)]).unwrap(), JwtKeys::Secret(found) if found.expose() == secret)
    );
    for length in [0, 1, 31] {
        let short = "s".repeat(length);
        let found = keys(&[("jwt_hs256_secret", &short)]);
        if length == 0 {
            assert!(matches!(found.unwrap(), JwtKeys::None), "an empty variable is not set");
            continue;
        }
        let error = found.map(|_| ()).unwrap_err();
        assert!(error.ends_with(&format!("It is {length} bytes long and must be at least 32.")), "{error}");
    }
    for url in ["https://id.example.com/jwks", "http://localhost/jwks", "http://127.0.0.1:8080/k", "http://[::1]/k"] {
        assert!(matches!(keys(&[("jwt_jwks", url)]).unwrap(), JwtKeys::Jwks { .. }), "{url}");
    }
    for url in ["http://localhost.example.com/k", "http://10.0.0.1/k", "http://0.0.0.0/k", "HTTP://example.com/k"] {
        let error = keys(&[("jwt_jwks", url)]).map(|_| ()).unwrap_err();
        let rule = "Over http, anyone on the network path could replace the keys. Use https.";
        assert_eq!(error, format!("jwt_jwks (TOLLGATE_JWT_JWKS) is {url:?}. {rule}"));
    }
}
