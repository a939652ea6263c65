//! The table of every setting: `.env.example`, the help text and the defaults are all read from here.

use std::fmt::Write as _;

/// One setting, as the operator knows it.
pub(super) struct Setting {
    /// Its name in the file; the environment variable is `TOLLGATE_` and this in upper case.
    pub(super) name: &'static str,
    /// What holds when it is not set, in the form it would be written; empty where nothing does.
    pub(super) default: &'static str,
    /// What it does, with its unit, what is allowed, and what leaving it out means.
    pub(super) about: &'static str,
    /// Whether its value must never be shown, not even in a message about a mistake.
    pub(super) secret: bool,
}

impl Setting {
    /// Its name in the environment.
    pub(super) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_uppercase())
    }
}

/// What every environment variable of ours begins with.
pub(super) const PREFIX: &str = "TOLLGATE_";

const fn plain(name: &'static str, default: &'static str, about: &'static str) -> Setting {
    Setting { name, default, about, secret: false }
}

const fn secret(name: &'static str, default: &'static str, about: &'static str) -> Setting {
    Setting { name, default, about, secret: true }
}

/// Every setting there is, in the order an operator would want to read them.
pub(super) const SETTINGS: &[Setting] = &[
    plain(
        "environment",
        "development",
        "`development` or `production`. Production refuses to start when nobody could sign in, and shows the schema to \
         signed-in callers only.",
    ),
    plain("listen", "127.0.0.1:8080", "The IP address and port to serve on. `0.0.0.0:8080` serves every interface."),
    secret(
        "database_url",
        "sqlite://tollgate.db",
        "`sqlite://<path>` for a file on this machine, or `postgres://<user>:<password>@<host>/<database>`.",
    ),
    plain(
        "database_max_connections",
        "",
        "The most connections to hold, 1 to 1000. Left out: 10 on PostgreSQL; on SQLite, one reader for each core, at \
         least 2.",
    ),
    plain(
        "database_statement_timeout_ms",
        "30000",
        "How long one statement may run on PostgreSQL, in milliseconds, 100 to 3600000.",
    ),
    secret(
        "jwt_hs256_secret",
        "",
        "The shared secret that users' tokens are signed with (HS256), at least 32 bytes. Either this or jwt_jwks.",
    ),
    plain(
        "jwt_jwks",
        "",
        "Where the public keys of your identity provider are: a file, or an https URL (http for this machine only). \
         Either this or jwt_hs256_secret.",
    ),
    plain(
        "jwt_algorithms",
        "",
        "The signature algorithms that are accepted, separated by commas: any of RS256, ES256 and EdDSA with jwt_jwks \
         (left out: RS256), HS256 alone with jwt_hs256_secret.",
    ),
    plain(
        "jwt_issuer",
        "",
        "The exact `iss` a token must carry. Left out: any. Production asks for it with jwt_jwks, because some providers \
         sign for all their customers with the same keys.",
    ),
    plain(
        "jwt_audience",
        "",
        "The audiences we answer to, separated by commas; a token's `aud` must hold one of them. Left out: any, even \
         tokens meant for your other applications.",
    ),
    plain("jwt_leeway_s", "30", "How far other machines' clocks may differ from ours, in seconds, 0 to 300."),
    plain(
        "jwt_role_claim",
        "tollgate_role",
        "The claim that says `user`, `service` or `admin`; without it a caller is a user. A dot leads into an object \
         (`app_metadata.tollgate_role`), unless a claim has the whole name (`https://example.com/role`).",
    ),
    plain(
        "jwt_scope_claim",
        "scope",
        "The claim with a service's scopes: words separated by spaces, or a list. Dots as in jwt_role_claim.",
    ),
    plain(
        "create_users_on_sign_in",
        "true",
        "Whether a valid token of someone not seen before creates the user: `true` or `false`.",
    ),
    plain(
        "cors_origins",
        "",
        "The web origins that browsers may call from, such as `https://app.example.com`, separated by commas, or `*` for \
         all. Left out: none.",
    ),
    plain(
        "introspection",
        "",
        "Who may read the schema over the API: `everyone`, `authenticated` or `nobody`. Left out: everyone in \
         development, authenticated in production.",
    ),
    plain("body_limit_bytes", "1048576", "The largest request body, in bytes, 1024 to 104857600."),
    plain("limit_tokens", "2000", "The most tokens in one GraphQL document, 10 to 1000000."),
    plain("limit_depth", "12", "The deepest nesting of fields in one GraphQL operation, 1 to 100."),
    plain("limit_aliases", "30", "The most aliases in one GraphQL operation, 0 to 10000."),
    plain("limit_batch", "10", "The most operations in one request, 1 to 100."),
    plain(
        "limit_selections",
        "5000",
        "The most fields one GraphQL operation may select once its fragments are expanded, 10 to 1000000.",
    ),
    plain("request_timeout_ms", "10000", "How long one operation may take, in milliseconds, 100 to 600000."),
    secret(
        "stripe_webhook_secrets",
        "",
        "The signing secrets (`whsec_…`) of your Stripe webhook endpoint, separated by commas: two while one is replaced. \
         Left out: `/webhooks/stripe` takes nothing.",
    ),
    plain(
        "stripe_webhook_tolerance_s",
        "300",
        "How far the time in a signature of Stripe may lie from ours, in seconds, 1 to 3600.",
    ),
    plain(
        "stripe_account",
        "",
        "The Stripe account (`acct_…`) whose events are ours where an event names an account. Left out: an event that \
         names one belongs to someone else, and is kept without effect.",
    ),
    secret(
        "stripe_api_key",
        "",
        "The key to call Stripe with, secret (`sk_…`) or better restricted (`rk_…`). Left out: Stripe is not called.",
    ),
    plain(
        "stripe_api_base",
        "https://api.stripe.com",
        "Where Stripe's API is: an https URL without a path (http for this machine only).",
    ),
    plain("stripe_api_timeout_ms", "20000", "How long one call to Stripe may take, in milliseconds, 100 to 120000."),
    secret(
        "paddle_webhook_secrets",
        "",
        "The secret keys (`pdl_ntfset_…`) of your Paddle notification destination, separated by commas: two while one is \
         replaced. Left out: `/webhooks/paddle` takes nothing.",
    ),
    plain(
        "paddle_webhook_tolerance_s",
        "5",
        "How far the time in a signature of Paddle may lie from ours, in seconds, 1 to 3600. Paddle's own libraries take \
         5; more suits a clock that is not kept exact.",
    ),
    plain(
        "livemode",
        "",
        "Whether events of real money are ours (`true`) or those of Stripe's test mode (`false`); the others are kept \
         without effect. Left out: false in development, true in production.",
    ),
    plain("webhook_body_limit_bytes", "2097152", "The largest body of a webhook, in bytes, 1024 to 104857600."),
    plain(
        "trusted_proxies",
        "",
        "The proxies in front of Tollgate, as addresses or networks such as `10.0.0.0/8`, separated by commas. Their \
         word is taken for where a request comes from. Left out: none, and a client is whoever connects.",
    ),
    plain(
        "client_ip_header",
        "x-forwarded-for",
        "The header in which trusted_proxies say where a request comes from. Of several addresses in it, the last one \
         that is no trusted proxy counts.",
    ),
    plain(
        "license_checks_per_minute",
        "60",
        "How often in a minute one address may try licence keys, and how often one key may be tried, on each node, 1 to \
         100000.",
    ),
    plain(
        "license_max_devices",
        "3",
        "On how many devices a licence may be used at once where nothing else is said, 1 to 10000. Licences keep the \
         number that they were issued with.",
    ),
    plain(
        "ws_init_timeout_ms",
        "3000",
        "How long a WebSocket may take to send its `connection_init`, in milliseconds, 10 to 60000.",
    ),
    plain("ws_operations", "50", "The most operations that run on one WebSocket at a time, 1 to 10000."),
    plain("live_connections", "1000", "The most WebSockets and event streams this node holds at a time, 1 to 1000000."),
    plain(
        "shutdown_timeout_ms",
        "10000",
        "How long running requests may take to finish after a signal to stop, in milliseconds, 0 to 600000.",
    ),
    plain("log", "info", "What is logged: a level, or a tracing filter such as `info,tollgate=debug`."),
    plain("log_format", "text", "`text` for people, `json` for machines."),
];

/// The setting called `name` in the file.
pub(super) fn named(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The text of `.env.example`: every setting, with its default, commented out.
pub fn example() -> String {
    let mut text = String::from(
        "# Every setting of Tollgate. Each may also stand in tollgate.toml, in lower case and without TOLLGATE_:\n\
         #     listen = \"127.0.0.1:8080\"\n\
         # The environment wins over the file, and an empty variable counts as not set.\n",
    );
    for setting in SETTINGS {
        text.push('\n');
        for line in wrapped(setting.about, 110) {
            _ = writeln!(text, "# {line}");
        }
        _ = writeln!(text, "#{}={}", setting.variable(), setting.default);
    }
    text
}

/// The settings section of `tollgate serve --help`.
pub fn help() -> String {
    let mut text = String::from(
        "Settings, from the environment or in tollgate.toml (there in lower case and without TOLLGATE_):\n",
    );
    for setting in SETTINGS {
        let default =
            if setting.default.is_empty() { String::new() } else { format!(" [default: {}]", setting.default) };
        _ = writeln!(text, "\n  {}{default}", setting.variable());
        for line in wrapped(setting.about, 90) {
            _ = writeln!(text, "      {line}");
        }
    }
    text
}

/// `text` in lines of at most `width` characters, broken at spaces.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
