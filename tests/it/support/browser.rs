//! Chromium, driven through chromedriver by the WebDriver protocol (<https://www.w3.org/TR/webdriver2/>).
//!
//! `TOLLGATE_TEST_BROWSER=required` makes a missing browser a failure, instead of tests that do nothing.

use super::TestApp;
use super::postgres::variable;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tollgate::providers::http;

/// Switches of a browser that calls nobody but the pages that it is told to open.
const SWITCHES: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
];

/// After this long nothing will change any more.
const PATIENCE: Duration = Duration::from_secs(20);

/// A browser with an empty profile.
pub(crate) struct Browser {
    http: reqwest::Client,
    driver: Child,
    port: u16,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts a browser; `None` where none is installed.
    pub(crate) async fn start(test: &TestApp) -> Option<Browser> {
        let mut driver = match Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn() {
            Ok(driver) => driver,
            Err(error) => {
                let is_required = variable("TOLLGATE_TEST_BROWSER").as_deref() == Some("required");
                assert!(!is_required, "chromedriver: {error}; apt-get install chromium chromium-driver");
                eprintln!("Chromium is not installed, so nothing is tested in a browser.");
                return None;
            }
        };
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
        });
        let (profile, http) = (tempfile::tempdir().unwrap(), http::client(&test.app.config.outgoing).unwrap());
        let port = port.expect("chromedriver says its port");
        let mut browser = Browser { http, driver, port, session: String::new(), _profile: profile };
        let mut switches = SWITCHES.map(str::to_owned).to_vec();
        switches.push(format!("--user-data-dir={}", browser._profile.path().display()));
        let options = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": switches}}}});
        let session = browser.command("", options).await;
        browser.session = format!("/{}", session["sessionId"].as_str().unwrap());
        Some(browser)
    }

    /// Opens a page, and waits until it is loaded.
    pub(crate) async fn open(&self, url: &str) {
        self.command("/url", json!({"url": url})).await;
    }

    /// Runs the body of a function in the page, and returns its result.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.command("/execute/sync", json!({"script": script, "args": []})).await
    }

    /// Waits until the body of a function returns true in the page.
    pub(crate) async fn wait_for(&self, script: &str) {
        let start = Instant::now();
        while self.run(script).await != true {
            assert!(start.elapsed() < PATIENCE, "{script}");
        }
    }

    /// Lets the page go on for some time.
    pub(crate) async fn let_pass(&self, milliseconds: u64) {
        let script = format!("setTimeout(arguments[arguments.length - 1], {milliseconds})");
        self.command("/execute/async", json!({"script": script, "args": []})).await;
    }

    async fn command(&self, path: &str, body: Value) -> Value {
        let url = format!("http://127.0.0.1:{}/session{}{path}", self.port, self.session);
        let request = self.http.post(url).header("content-type", "application/json").body(body.to_string());
        let reply: Value = serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
        assert_eq!(reply["value"].get("error"), None, "{path} {body}: {reply}");
        reply["value"].clone()
    }
}

impl Drop for Browser {
    /// Ends the session, and with it the browser, also after a test that failed.
    fn drop(&mut self) {
        let ended = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            write!(stream, "DELETE /session{} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", self.session)?;
            // The driver answers once the browser has ended, and keeps the connection.
            stream.read(&mut [0; 1_024])
        });
        let killed = self.driver.kill().and_then(|()| self.driver.wait());
        if let (Err(error), _) | (_, Err(error)) = (ended, killed) {
            eprintln!("the browser did not end: {error}");
        }
    }
}
