//! The script of `examples/tracking` in a browser, on pages of another origin than Tollgate's.

use crate::support::browser::Browser;
use crate::support::live::Server;
use crate::support::pages::publishable_key;
use crate::support::{SECRET, TestApp, both_engines, sql};
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{Html, IntoResponse as _, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tollgate::clock::Clock;

both_engines!(
    a_visitor_is_tracked_from_consent_to_refusal,
    a_browser_without_consent_is_tracked_as_the_page_says,
    the_script_is_small_and_sends_a_document_that_can_be_trusted,
);

const SCRIPT: &str = include_str!("../../examples/tracking/tracking.js");

/// A site whose pages have the script, and the Tollgate that they call.
struct Site {
    tollgate: TestApp,
    server: Server,
    origin: String,
}

/// The keys of a site, and the address that its pages call.
struct Pages {
    /// The key of the site.
    key: String,
    /// A key of another site.
    other_key: String,
    endpoint: String,
}

impl Site {
    async fn start(test: &TestApp) -> Site {
        // The browser has the time of the machine.
        let tollgate = test.beside_at(Arc::new(Clock::System), &[("TOLLGATE_JWT_HS256_SECRET", SECRET)]).await;
        let server = Server::start(&tollgate).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let key = async |origin: &str| publishable_key(&tollgate, &[origin]).await["key"].as_str().unwrap().to_owned();
        let pages = Pages {
            key: key(&origin).await,
            other_key: key("https://other.example").await,
            endpoint: format!("http://{}/graphql", server.address),
        };
        let router = axum::Router::new().fallback(serve).with_state(Arc::new(pages));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Site { tollgate, server, origin }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// The name, page and referrer of each event, in their order, with paths in place of addresses.
    async fn events(&self) -> Vec<String> {
        let select = "SELECT name, page, referrer FROM analytics_events ORDER BY recorded_at, id";
        let rows = sql::rows(self.tollgate.app.db.schema(), select, []).await;
        let text = |at: usize, row: &sea_orm::QueryResult| row.try_get_by_index::<Option<String>>(at).unwrap();
        let path = |url: Option<String>| url.map_or("-".to_owned(), |url| url.replace(&self.origin, ""));
        rows.iter()
            .map(|row| format!("{} {} {}", text(0, row).unwrap(), path(text(1, row)), path(text(2, row))))
            .collect()
    }

    async fn count(&self, what: &str) -> i64 {
        sql::number(self.tollgate.app.db.schema(), &format!("SELECT COUNT(*) FROM {what}")).await
    }

    /// Waits until there are this many rows.
    async fn wait_for(&self, count: i64, what: &str) {
        let start = Instant::now();
        while self.count(what).await != count {
            assert!(start.elapsed() < Duration::from_secs(20), "{count} of {what}: {:?}", self.events().await);
            tokio::task::yield_now().await;
        }
    }
}

async fn serve(State(pages): State<Arc<Pages>>, uri: Uri) -> Response {
    if uri.path() == "/tracking.js" {
        return ([(header::CONTENT_TYPE, "text/javascript")], SCRIPT).into_response();
    }
    let key = if uri.path() == "/wrong-key" { &pages.other_key } else { &pages.key };
    let endpoint = &pages.endpoint;
    let rule = if uri.path().starts_with("/open") { "data-consent=\"not-required\"" } else { "" };
    let private = match uri.path() {
        "/open-private" => "Object.defineProperty(navigator, 'globalPrivacyControl', {value: true});",
        _ => "",
    };
    Html(format!(
        "<!doctype html><title>A page</title><script>{private}
         window.calls = 0;
         const original = window.fetch;
         window.fetch = (...args) => {{ window.calls += 1; return original(...args); }};</script>
         <script src=\"/tracking.js\" data-key={key} data-endpoint=\"{endpoint}\" {rule}></script>"
    ))
    .into_response()
}

async fn a_visitor_is_tracked_from_consent_to_refusal(test: &TestApp) {
    let Some(browser) = Browser::start(test).await else { return };
    let site = Site::start(test).await;
    let stored = "return Object.keys(localStorage).sort().join(' ')";
    // Nothing is stored or sent before consent.
    browser.open(&site.url("/?source=mail#top")).await;
    browser.run("tollgate.track('early')").await;
    browser.let_pass(1_500).await;
    assert_eq!(browser.run("return [tollgate.visitor(), window.calls]").await, json!([null, 0]));
    assert_eq!(browser.run(stored).await, "");

    browser.run("tollgate.consent(true)").await;
    site.wait_for(2, "analytics_events").await;
    assert_eq!(site.events().await, ["page_view / -", "early - -"]);
    site.wait_for(1, "consent_decisions WHERE decision = 'granted'").await;
    browser.wait_for("return localStorage.getItem('tollgate.pending') === null").await;
    assert_eq!(browser.run(stored).await, "tollgate.consent tollgate.visitor");
    let visitor = browser.run("return tollgate.visitor()").await;
    assert!(visitor.as_str().unwrap().len() == 32);
    let of_visitor = format!("analytics_events WHERE anonymous_id = '{}'", visitor.as_str().unwrap());
    assert_eq!(site.count(&of_visitor).await, 2);

    // Pages that a script shows are pages.
    browser.run("history.pushState({}, '', '/shop?page=1'); history.pushState({}, '', '/shop?page=2')").await;
    browser.run("tollgate.track('click', {button: 'buy'}); history.go(-2)").await;
    site.wait_for(5, "analytics_events").await;
    assert_eq!(site.events().await[2..], ["page_view /shop /", "click - -", "page_view / /shop"]);
    let properties = "analytics_events WHERE CAST(properties AS text) LIKE '%buy%'";
    assert_eq!(site.count(properties).await, 1);

    // Events of a page that is left are sent, once.
    browser.run("tollgate.track('leaving')").await;
    browser.open(&site.url("/second")).await;
    site.wait_for(7, "analytics_events").await;
    let mut events = site.events().await.split_off(5);
    events.sort();
    assert_eq!(events, ["leaving - -", "page_view /second -"]);

    // An answer that is lost: the same event is sent again, and is a duplicate.
    browser
        .run(
            "const real = window.fetch; window.fetch = async (...args) => {
                window.fetch = real; await real(...args); throw new TypeError('lost'); };
             window.calls = 0; tollgate.track('retried')",
        )
        .await;
    browser.wait_for("return window.calls === 2").await;
    site.wait_for(8, "analytics_events").await;
    assert_eq!(site.count("analytics_events WHERE name = 'retried'").await, 1);

    // A refusal is recorded, and the id is deleted.
    browser.run("tollgate.consent(false); tollgate.track('late')").await;
    site.wait_for(1, "consent_decisions WHERE decision = 'refused'").await;
    browser.wait_for("return localStorage.getItem('tollgate.pending') === null").await;
    assert_eq!(browser.run("return tollgate.visitor()").await, Value::Null);
    assert_eq!(browser.run(stored).await, "tollgate.consent");
    browser.open(&site.url("/third")).await;
    browser.run("tollgate.track('late')").await;
    browser.let_pass(1_500).await;
    assert_eq!((browser.run("return window.calls").await, site.count("analytics_events").await), (json!(0), 8));
    // Consent again, by somebody else as far as anybody knows.
    browser.run("tollgate.consent(true); tollgate.track('again')").await;
    site.wait_for(9, "analytics_events").await;
    assert_ne!(browser.run("return tollgate.visitor()").await, visitor);
    drop(browser);
    site.server.stop().await;
}

async fn a_browser_without_consent_is_tracked_as_the_page_says(test: &TestApp) {
    let Some(browser) = Browser::start(test).await else { return };
    let site = Site::start(test).await;
    // Global Privacy Control is a refusal, until there is consent.
    browser.open(&site.url("/open-private")).await;
    browser.run("tollgate.track('private')").await;
    browser.let_pass(1_500).await;
    let nothing = browser.run("return [window.calls, localStorage.length]").await;
    assert_eq!((nothing, site.count("analytics_events").await), (json!([0, 0]), 0));
    // Otherwise the page can say that none is required.
    browser.open(&site.url("/open")).await;
    site.wait_for(1, "analytics_events").await;
    assert_eq!(site.count("consent_decisions").await, 0);
    // A key that is refused is not tried again.
    browser.open(&site.url("/wrong-key")).await;
    browser.run("tollgate.consent(true); tollgate.track('refused')").await;
    browser.wait_for("return window.calls === 1").await;
    browser.let_pass(1_000).await;
    browser.run("tollgate.track('refused')").await;
    browser.let_pass(2_500).await;
    assert_eq!((browser.run("return window.calls").await, site.count("analytics_events").await), (json!(1), 1));
    // Another page has another key, and what is left to say.
    browser.open(&site.url("/")).await;
    site.wait_for(1, "consent_decisions").await;
    site.wait_for(2, "analytics_events").await;
    drop(browser);
    site.server.stop().await;
}

async fn the_script_is_small_and_sends_a_document_that_can_be_trusted(test: &TestApp) {
    let mut gzip = std::process::Command::new("gzip");
    let mut gzip =
        gzip.arg("-9").stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut gzip.stdin.take().unwrap(), SCRIPT.as_bytes()).unwrap();
    let bytes = gzip.wait_with_output().unwrap().stdout.len();
    assert!(bytes < 3_000, "{bytes} bytes");
    let document = include_str!("../../examples/tracking/track.graphql");
    assert!(SCRIPT.contains(&format!("`{document}`")));
    let key = publishable_key(test, &["https://a.example"]).await;
    let page = crate::support::pages::page(test, &key, "https://a.example");
    let event = json!({"name": "a", "anonymousId": "v", "dedupeKey": "1"});
    for (decides, codes) in [(true, json!([])), (false, Value::Null)] {
        let consent = json!({"anonymousId": "v", "decision": "GRANTED"});
        let variables = json!({"decides": decides, "consent": consent, "events": {"events": [event]}});
        let data = page.data(document, variables).await;
        assert_eq!(data["recordConsent"]["userErrors"], codes);
        assert_eq!(data["trackEvents"]["results"], json!([{"userErrors": []}]));
    }
}
