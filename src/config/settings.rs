//! The table of all settings, from which the defaults, the help text and `.env.example` are made.

pub(super) use super::setting::{CONFIG_VARIABLE, CONVENTIONAL_VARIABLES, PREFIX, Setting};
use super::setting::{plain, secret};
use super::settings_of_analytics::ANALYTICS;
use super::settings_of_providers::PROVIDERS;

/// Every setting, in the order of the documentation.
const SETTINGS: [&[Setting]; 4] = [REQUESTS, PROVIDERS, OPERATION, ANALYTICS];

/// The settings of the database, of tokens and of requests.
const REQUESTS: &[Setting] = &[
    plain(
        "environment",
        "development",
        "`development` or `production`. Production refuses to start if nobody could sign in, shows the schema to \
         signed-in callers only, and has no GraphiQL.",
    ),
    plain(
        "listen",
        "127.0.0.1:8080",
        "IP address and port of the server. `0.0.0.0:8080` listens on every IPv4 interface.",
    ),
    secret(
        "database_url",
        "sqlite://tollgate.db",
        "`sqlite://<path>` for a file on this machine, or `postgres://<user>:<password>@<host>/<database>`. In production \
         the connection to another host uses TLS with a verified certificate, unless the URL says otherwise: \
         `?sslmode=require` does not verify it, `?sslmode=disable` uses plain text. `sslrootcert=<file>` names your own \
         certificate authority.",
    ),
    plain(
        "database_max_connections",
        "",
        "Maximum number of database connections, 1 to 1000. If not set: 10 on PostgreSQL; on SQLite one reader for each \
         core, at least 2.",
    ),
    plain(
        "database_statement_timeout_ms",
        "30000",
        "Time limit for one statement on PostgreSQL, in milliseconds, 100 to 3600000.",
    ),
    secret(
        "jwt_hs256_secret",
        "",
        "Shared secret that users' tokens are signed with (HS256), at least 32 bytes. Set either this or jwt_jwks. If \
         neither is set, no token is accepted.",
    ),
    plain(
        "jwt_jwks",
        "",
        "Public keys of your identity provider (a JSON Web Key Set): a file, or an https URL (http for this machine only). \
         Set either this or jwt_hs256_secret.",
    ),
    plain(
        "jwt_algorithms",
        "",
        "Accepted signature algorithms, separated by commas: any of RS256, ES256 and EdDSA with jwt_jwks (if not set: \
         RS256), HS256 alone with jwt_hs256_secret.",
    ),
    plain(
        "jwt_issuer",
        "",
        "Exact issuer (`iss`) that a token must name. If not set: any. Production requires it with jwt_jwks, because some \
         providers sign the tokens of all their customers with the same keys.",
    ),
    plain(
        "jwt_audience",
        "",
        "Accepted audiences, separated by commas; a token's `aud` must contain one of them. If not set: any, even tokens \
         meant for your other applications.",
    ),
    plain(
        "jwt_leeway_s",
        "30",
        "Tolerated difference between the clocks of the identity provider and of this machine, in seconds, 0 to 300.",
    ),
    plain(
        "jwt_role_claim",
        "tollgate_role",
        "Claim with the caller's role: `user`, `service` or `admin`; a token without it is a user's. A dot leads into an \
         object (`app_metadata.tollgate_role`), unless a claim has the whole name (`https://example.com/role`).",
    ),
    plain(
        "jwt_scope_claim",
        "scope",
        "Claim with a service's scopes: words separated by spaces, or a list. Dots work as in jwt_role_claim.",
    ),
    plain(
        "create_users_on_sign_in",
        "true",
        "`true` creates the user when somebody signs in for the first time; `false` refuses unknown users.",
    ),
    plain(
        "cors_origins",
        "",
        "Web origins that may call from a browser, such as `https://app.example.com`, separated by commas, or `*` for all. \
         If not set: none.",
    ),
    plain(
        "introspection",
        "",
        "Callers who may read the schema through the API: `everyone`, `authenticated` or `nobody`. If not set: everyone in \
         development, authenticated in production.",
    ),
    plain(
        "graphiql",
        "",
        "`true` shows GraphiQL to browsers that open /graphql; `false` does not. If not set: true in development, false in \
         production.",
    ),
    plain(
        "trusted_documents",
        "",
        "GraphQL documents that clients may run by id: a directory with `*.graphql` files, or a JSON manifest (Apollo's \
         persisted query manifest, or an object of ids and documents as Relay and GraphQL Code Generator write). If not \
         set: none.",
    ),
    plain(
        "trusted_documents_only",
        "nobody",
        "Callers for whom nothing but trusted_documents runs: `nobody`, `anonymous` or `everyone`.",
    ),
    plain(
        "apq_cache_bytes",
        "4194304",
        "Memory for documents that clients register by their hash (automatic persisted queries), in bytes, 0 to 1073741824. \
         The least used are forgotten first; 0 turns this off.",
    ),
    plain("body_limit_bytes", "1048576", "Maximum size of a request body, in bytes, 1024 to 104857600."),
    plain("limit_tokens", "2000", "Maximum number of tokens in a GraphQL document, 10 to 1000000."),
    plain("limit_depth", "12", "Maximum nesting of fields in a GraphQL operation, 1 to 100."),
    plain("limit_aliases", "30", "Maximum number of aliases in a GraphQL operation, 0 to 10000."),
    plain("limit_batch", "10", "Maximum number of GraphQL operations in one request, 1 to 100."),
    plain(
        "limit_selections",
        "5000",
        "Maximum number of fields in a GraphQL operation after its fragments are expanded, 10 to 1000000.",
    ),
    plain("limit_cost_anonymous", "9000", "Maximum cost of a request without credentials, in objects, 10 to 10000000."),
    plain("limit_cost_user", "15000", "Maximum cost of a user's request, in objects, 10 to 10000000."),
    plain("limit_cost_service", "30000", "Maximum cost of a request of a service or an admin, 10 to 10000000."),
    plain("limit_cost_running", "60000", "Maximum cost of all that runs on this node at once, 1000 to 10000000."),
    plain("limit_reply_bytes", "8388608", "Maximum length of the reply to a request, in bytes, 65536 to 1073741824."),
    plain(
        "cost_per_minute_anonymous",
        "1000000",
        "Cost that requests without credentials may have in a minute, for each client address and on each node, 0 to \
         1000000000; 0 for no limit.",
    ),
    plain(
        "cost_per_minute_user",
        "2000000",
        "Cost that a user may spend in a minute, 0 to 1000000000; 0 for no limit.",
    ),
    plain(
        "cost_per_minute_service",
        "0",
        "Cost that a service or an admin may spend in a minute, 0 to 1000000000; 0 for no limit.",
    ),
    plain(
        "report_cost",
        "true",
        "`true` adds the cost of each operation to the `extensions` of its reply, `false` does not.",
    ),
    plain(
        "request_timeout_ms",
        "10000",
        "Time limit for a GraphQL query and for an event of a subscription, in milliseconds, 100 to 600000.",
    ),
    plain(
        "mutation_timeout_ms",
        "60000",
        "Time that the caller of a mutation waits, in milliseconds, 100 to 600000. The mutation goes on to its end; a charge \
         that was not sent to Stripe by then is given up. With stripe_api_key it must exceed the time of one change at \
         Stripe: three tries of stripe_api_timeout_ms, and two pauses.",
    ),
    plain(
        "request_head_timeout_ms",
        "10000",
        "Time limit for the head of a new connection's first request, in milliseconds, 10 to 600000.",
    ),
    plain(
        "request_body_timeout_ms",
        "15000",
        "Time limit for the arrival of a request body, in milliseconds, 10 to 600000.",
    ),
    plain(
        "keep_alive_timeout_ms",
        "75000",
        "Time after which a connection without a request in progress is closed, in milliseconds, 10 to 3600000. A proxy in \
         front should close its connections earlier.",
    ),
    plain(
        "connections_per_address",
        "256",
        "Maximum number of connections from one client address on this node, 1 to 1000000; silent ones make room for new \
         ones. WebSockets are counted by live_connections_per_address instead, and trusted_proxies not at all.",
    ),
];

/// The settings of proxies, licences, live connections and logs.
const OPERATION: &[Setting] = &[
    plain(
        "trusted_proxies",
        "",
        "Proxies in front of Tollgate, as addresses or networks such as `10.0.0.0/8`, separated by commas. Their \
         client_ip_header is trusted. If not set: none, and the client is the peer of the connection.",
    ),
    plain(
        "client_ip_header",
        "x-forwarded-for",
        "Header in which trusted_proxies pass on the client's address. The client is the last address in it that is not a \
         trusted proxy.",
    ),
    secret(
        "https_proxy",
        "",
        "HTTP proxy for requests to Stripe and to identity providers, as a URL such as `http://proxy.example.com:3128`, with \
         user and password if needed. If not set: the environment variable HTTPS_PROXY, or none.",
    ),
    plain(
        "no_proxy",
        "",
        "Hosts, domains, addresses and networks that are connected without https_proxy, separated by commas. If not set: \
         the environment variable NO_PROXY, or none.",
    ),
    plain(
        "ca_file",
        "",
        "File of certificate authorities in PEM format, trusted in addition to the system's for requests to Stripe and to \
         identity providers. If not set: the system's alone (Mozilla's on a system without any).",
    ),
    plain(
        "subscription_metadata_fields",
        "",
        "Fields of a subscription's metadata at the provider that members of its account may see, separated by commas. If \
         not set: none; only callers with the scope `billing:read` see the metadata.",
    ),
    plain(
        "license_checks_per_minute",
        "60",
        "Checks in a minute with each licence key, and wrong keys in a minute from each client address, on each node, 1 to \
         100000. An address can make ten times as many requests with right keys.",
    ),
    plain(
        "license_max_devices",
        "3",
        "Default number of devices for a licence, 1 to 10000. Licences keep the number that they were issued with.",
    ),
    plain(
        "refund_spent_credits",
        "forgive",
        "Purchased credits that were spent before their money is returned: `forgive` takes back those that are left, `owe` \
         makes the others a debt that the next grants repay, `refuse` refuses such a refund here; one that is made at the \
         provider forgives them.",
    ),
    plain(
        "ws_init_timeout_ms",
        "3000",
        "Time limit for the `connection_init` message of a WebSocket, in milliseconds, 10 to 60000.",
    ),
    plain("ws_operations", "50", "Maximum number of concurrent operations on one WebSocket, 1 to 10000."),
    plain("live_connections", "1000", "Maximum number of open WebSockets and streams on this node, 1 to 1000000."),
    plain(
        "live_connections_anonymous",
        "200",
        "Maximum number of open WebSockets and streams of callers without a credential on this node, 0 to 1000000.",
    ),
    plain(
        "live_connections_per_address",
        "50",
        "Maximum number of open WebSockets and streams of one client address on this node, 1 to 1000000; those without a \
         credential make room for new ones. The address is the one that trusted_proxies pass on.",
    ),
    plain(
        "shutdown_timeout_ms",
        "10000",
        "Time that running requests and jobs get to finish after a signal to stop, in milliseconds, 0 to 600000.",
    ),
    plain("log", "info", "Level of the log, or a tracing filter such as `info,tollgate=debug`."),
    plain("log_format", "text", "Format of the log: `text` for people, `json` for machines."),
];

/// Returns every setting, in the order of the documentation.
pub(super) fn all() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.into_iter().flatten()
}

/// Returns the setting called `name` in the file.
pub(super) fn named(name: &str) -> Option<&'static Setting> {
    all().find(|setting| setting.name == name)
}
