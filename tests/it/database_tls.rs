//! The protection of the connection to PostgreSQL.

use crate::support::SECRET;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tollgate::app::App;
use tollgate::clock::Clock;
use tollgate::config::{Config, DatabaseUrl};

/// Loads the settings of an environment with this URL.
fn load(environment: &str, url: &str) -> Result<Config, String> {
    let issuer = "https://id.example.com";
    let settings = [
        ("TOLLGATE_ENVIRONMENT", environment),
        ("TOLLGATE_DATABASE_URL", url),
        ("TOLLGATE_JWT_HS256_SECRET", SECRET),
        ("TOLLGATE_JWT_ISSUER", issuer),
    ];
    let env = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(None, env).map_err(|errors| errors.to_string())
}

fn loaded(environment: &str, url: &str) -> String {
    match load(environment, url).unwrap().database.url {
        DatabaseUrl::Postgres(url) => url.expose().to_owned(),
        DatabaseUrl::Sqlite(path) => path.display().to_string(),
    }
}

#[test]
fn another_host_is_verified_in_production_unless_the_url_says_otherwise() {
    for (url, expected) in [
        ("postgres://u:p@db/t", "postgres://u:p@db/t?sslmode=verify-full"),
        ("postgresql://u:p@db.example.com:6432/t", "postgresql://u:p@db.example.com:6432/t?sslmode=verify-full"),
        (
            "postgres://u:p@10.0.0.5/t?sslrootcert=/ca.pem",
            "postgres://u:p@10.0.0.5/t?sslrootcert=/ca.pem&sslmode=verify-full",
        ),
        ("postgres://u:p@[2001:db8::1]/t", "postgres://u:p@[2001:db8::1]/t?sslmode=verify-full"),
        (
            "postgres://u:p@localhost/t?host=db.example.com",
            "postgres://u:p@localhost/t?host=db.example.com&sslmode=verify-full",
        ),
        ("postgres://u:p@localhost.example.com/t", "postgres://u:p@localhost.example.com/t?sslmode=verify-full"),
        ("postgres://u:p%40ss@128.0.0.1/t", "postgres://u:p%40ss@128.0.0.1/t?sslmode=verify-full"),
    ] {
        assert_eq!(loaded("production", url), expected);
        assert_eq!(loaded("development", url), url);
    }
    for url in [
        "postgres://u:p@localhost/t",
        "postgres://u:p@LOCALHOST:5433/t",
        "postgres://u:p@127.0.0.1/t",
        "postgres://u:p@127.8.8.8/t",
        "postgres://u:p@[::1]/t",
        "postgres://u:p@db/t?host=/run/postgresql",
        "postgres://u:p@%2Frun%2Fpostgresql/t",
        "postgres://u:p@db/t?sslmode=disable",
        "postgres://u:p@db/t?sslmode=prefer",
        "postgres://u:p@db/t?sslmode=require",
        "postgres://u:p@db/t?ssl-mode=verify-ca",
        "postgres://u:p@db/t?application_name=x&sslmode=verify-full",
    ] {
        assert_eq!(loaded("production", url), url);
    }
    let wrong = load("production", "postgres://u:hunter2@db/t?sslmode=strict").unwrap_err();
    assert!(wrong.contains("`sslmode` must be disable") && !wrong.contains("hunter2"), "{wrong}");
}

/// A server that has no TLS, as it or somebody between says: its URL, and the first message after that of each client.
async fn without_tls() -> (String, Arc<AtomicUsize>, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://u:hunter2@{}/t", listener.local_addr().unwrap());
    let (asked, plain) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<u8>>>::default());
    let (counter, text) = (Arc::clone(&asked), Arc::clone(&plain));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut request = [0; 8];
            client.read_exact(&mut request).await.unwrap();
            assert_eq!(request, [0, 0, 0, 8, 4, 210, 22, 47], "a request for TLS");
            counter.fetch_add(1, Ordering::Relaxed);
            client.write_all(b"N").await.unwrap();
            let mut rest = [0; 256];
            let length = client.read(&mut rest).await.unwrap_or(0);
            text.lock().unwrap().extend(&rest[..length]);
        }
    });
    (url, asked, plain)
}

async fn ping(url: &str) -> String {
    let app = App::new(load("production", url).unwrap(), Clock::System).await.unwrap();
    let error = anyhow::Error::new(app.db.ping().await.unwrap_err());
    format!("{error:#}")
}

#[tokio::test]
async fn a_server_without_tls_learns_nothing_where_tls_is_required() {
    for mode in ["require", "verify-ca", "verify-full"] {
        let (url, asked, plain) = without_tls().await;
        let error = ping(&format!("{url}?sslmode={mode}")).await;
        assert!(error.contains("cannot be protected by TLS") && error.contains("sslmode=disable"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        assert!(asked.load(Ordering::Relaxed) > 0);
        assert_eq!(*plain.lock().unwrap(), [0_u8; 0], "{mode}");
    }
    // The difference: libpq's default goes on in plain text.
    let (url, _, plain) = without_tls().await;
    ping(&format!("{url}?sslmode=prefer")).await;
    assert!(!plain.lock().unwrap().is_empty());
}
