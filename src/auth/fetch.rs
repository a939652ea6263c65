//! Fetches one small document over HTTPS.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CACHE_CONTROL, HeaderMap, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use url::Url;

use crate::config::is_loopback;

/// A document, and for how long its server says it holds.
pub(super) struct Fetched {
    /// The bytes of the document.
    pub(super) body: Bytes,
    /// The `max-age` of the answer; `None` where it has none.
    pub(super) max_age: Option<Duration>,
}

/// Gets `url` within `timeout`, at most `max_bytes` long. Redirects are not followed, so that no server can pass the
/// question on to another; http is for this machine only.
pub(super) async fn get(url: &Url, timeout: Duration, max_bytes: usize) -> anyhow::Result<Fetched> {
    ensure!(url.scheme() == "https" || is_loopback(url), "only https is safe beyond this machine");
    match tokio::time::timeout(timeout, get_unhurried(url, max_bytes)).await {
        Ok(fetched) => fetched,
        Err(_) => bail!("no answer within {timeout:?}"),
    }
}

async fn get_unhurried(url: &Url, max_bytes: usize) -> anyhow::Result<Fetched> {
    let connector =
        hyper_rustls::HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let request = Request::get(url.as_str())
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("tollgate/", env!("CARGO_PKG_VERSION")))
        .body(Empty::new())?;
    let response = client.request(request).await.context("the request failed")?;
    ensure!(response.status() == StatusCode::OK, "the server answered {}, not 200", response.status());
    let max_age = max_age(response.headers());
    let body = Limited::new(response.into_body(), max_bytes).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("the answer broke off or is over {max_bytes} bytes: {error}"))?;
    Ok(Fetched { body: body.to_bytes(), max_age })
}

/// The lifetime that `Cache-Control` gives; zero where the answer must not be kept.
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
    use hyper::header::HeaderValue;

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
