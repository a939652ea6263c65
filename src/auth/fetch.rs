//! Fetching of key sets.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use reqwest::header::{ACCEPT, CACHE_CONTROL, HeaderMap};
use reqwest::{Client, StatusCode};
use url::Url;

use crate::config::is_loopback;
use crate::providers::http::read_body;

/// A document with its lifetime.
pub(super) struct Fetched {
    pub(super) body: Vec<u8>,
    /// The `max-age` of the response; `None` if it has none.
    pub(super) max_age: Option<Duration>,
}

/// Fetches `url` within `timeout`; fails if the body exceeds `max_bytes`. Plain http is for this machine only.
pub(super) async fn get(http: &Client, url: &Url, timeout: Duration, max_bytes: usize) -> anyhow::Result<Fetched> {
    ensure!(url.scheme() == "https" || is_loopback(url), "only https is safe beyond this machine");
    match tokio::time::timeout(timeout, get_without_limit(http, url, max_bytes)).await {
        Ok(fetched) => fetched,
        Err(_) => bail!("no answer within {timeout:?}"),
    }
}

async fn get_without_limit(http: &Client, url: &Url, max_bytes: usize) -> anyhow::Result<Fetched> {
    let response = http.get(url.clone()).header(ACCEPT, "application/json").send().await;
    let response = response.map_err(reqwest::Error::without_url).context("the request failed")?;
    ensure!(response.status() == StatusCode::OK, "the server answered {}, not 200", response.status());
    let max_age = max_age(response.headers());
    let body = read_body(response, max_bytes).await.context("the response cannot be read")?;
    Ok(Fetched { body, max_age })
}

/// Returns the lifetime from `Cache-Control`; zero if the response must not be cached.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives = values.flat_map(|value| value.split(',')).map(|directive| directive.trim().to_ascii_lowercase());
    let ages = directives.filter_map(|directive| match directive.as_str() {
        "no-store" | "no-cache" => Some(0),
        other => other.strip_prefix("max-age=")?.trim_matches('"').parse().ok(),
    });
    ages.min().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn the_shortest_lifetime_counts() {
        for (value, seconds) in [
            ("max-age=600", Some(600)),
            ("public, Max-Age=15, must-revalidate", Some(15)),
            ("max-age=600, no-cache", Some(0)),
            ("max-age=-1", None),
            ("max-age=soon", None),
            ("s-maxage=600", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static(value))]);
            assert_eq!(max_age(&headers), seconds.map(Duration::from_secs), "{value}");
        }
        assert_eq!(max_age(&HeaderMap::new()), None);
    }
}
