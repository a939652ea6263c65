use serde_json::Value;

use super::*;
use crate::auth::testing::{KeyServer, TestClock, TestKey, http, key_file};

const RS256: [JwtAlgorithm; 1] = [JwtAlgorithm::Rs256];

fn at_url(server: &KeyServer, clock: &TestClock) -> Jwks {
    Jwks::new(JwksSource::Url(server.url.clone()), RS256.to_vec(), http(), clock.monotonic()).unwrap()
}

fn has(set: &KeySet, id: &str) -> bool {
    set.pick(JwtAlgorithm::Rs256, Some(id)).is_ok()
}

fn key(id: &str) -> Value {
    TestKey::rsa().jwk(id)
}

/// Lets what runs behind go on until `done`.
async fn until(done: impl Fn() -> bool) {
    let waited = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waited).await.unwrap();
}

#[tokio::test]
async fn a_set_is_fetched_when_first_needed_and_kept_for_as_long_as_its_server_says_within_bounds() {
    for (headers, life) in [
        ("cache-control: public, max-age=300\r\n", 300),
        ("cache-control: max-age=1\r\n", 60),
        ("cache-control: no-store\r\n", 60),
        ("cache-control: max-age=99999\r\n", 3600),
        ("", 600),
    ] {
        let (server, clock) = (KeyServer::start(), TestClock::default());
        server.serve(headers, &[key("a")]);
        let jwks = at_url(&server, &clock);
        assert_eq!(server.hits(), 0);
        assert!(has(&jwks.current().await.unwrap(), "a"));
        clock.advance(life - 1);
        jwks.current().await.unwrap();
        assert_eq!(server.hits(), 1, "{headers}");
        server.serve(headers, &[key("b")]);
        clock.advance(1);
        let set = jwks.current().await.unwrap();
        assert!(has(&set, "b") && !has(&set, "a"), "{headers}");
        assert_eq!(server.hits(), 2, "{headers}");
    }
}

#[tokio::test]
async fn callers_at_the_same_time_share_one_fetch() {
    let (server, clock) = (KeyServer::start(), TestClock::default());
    server.serve("", &[key("a")]);
    let jwks = at_url(&server, &clock);
    let sets = futures_util::future::join_all((0..50).map(|_| jwks.current())).await;
    assert!(sets.into_iter().all(|set| has(&set.unwrap(), "a")));
    clock.advance(10);
    let sets = futures_util::future::join_all((0..50).map(|_| jwks.refreshed())).await;
    assert!(sets.into_iter().all(|set| set.is_ok()));
    assert_eq!(server.hits(), 2);
}

#[tokio::test]
async fn looking_for_newer_keys_is_done_at_most_every_ten_seconds() {
    let (server, clock) = (KeyServer::start(), TestClock::default());
    server.serve("", &[key("a")]);
    let jwks = at_url(&server, &clock);
    jwks.current().await.unwrap();
    server.serve("", &[key("a"), key("b")]);
    clock.advance(9);
    assert!(!has(&jwks.refreshed().await.unwrap(), "b"));
    clock.advance(1);
    assert!(has(&jwks.refreshed().await.unwrap(), "b"));
    for _ in 0..20 {
        jwks.refreshed().await.unwrap();
    }
    assert_eq!(server.hits(), 2);
}

#[tokio::test]
async fn a_server_that_is_away_at_the_start_is_tried_again() {
    let (server, clock) = (KeyServer::start(), TestClock::default());
    server.answer("503 Service Unavailable", "", "");
    let jwks = at_url(&server, &clock);
    for _ in 0..5 {
        assert_eq!(jwks.current().await.err().unwrap().code(), "SERVICE_UNAVAILABLE");
    }
    assert_eq!(server.hits(), 1);
    server.serve("", &[key("a")]);
    clock.advance(10);
    assert!(has(&jwks.current().await.unwrap(), "a"));
}

#[tokio::test]
async fn known_keys_are_kept_for_a_day_while_the_server_is_away() {
    let (server, clock) = (KeyServer::start(), TestClock::default());
    server.serve("", &[key("a")]);
    let jwks = at_url(&server, &clock);
    jwks.current().await.unwrap();
    server.answer("500 Internal Server Error", "", "");
    clock.advance(23 * 3600);
    assert!(has(&jwks.current().await.unwrap(), "a"));
    assert_eq!(server.hits(), 2);
    // From now on nobody waits for the server; it is tried behind the callers' backs, every ten seconds.
    clock.advance(10);
    assert!(has(&jwks.current().await.unwrap(), "a"));
    until(|| server.hits() == 3).await;
    assert!(has(&jwks.current().await.unwrap(), "a"));
    clock.advance(3600);
    until(|| jwks.0.refreshing.try_lock().is_ok()).await;
    assert_eq!(jwks.current().await.err().unwrap().code(), "SERVICE_UNAVAILABLE");
    server.serve("", &[key("b")]);
    clock.advance(10);
    assert!(has(&jwks.current().await.unwrap(), "b"));
}

#[tokio::test]
async fn only_a_plain_answer_of_moderate_size_is_taken() {
    let huge = format!("{{\"keys\": [], \"x\": \"{}\"}}", "x".repeat(MAX_BYTES));
    for (status, headers, body) in [
        ("302 Found", "location: http://127.0.0.1:1/\r\n", ""),
        ("404 Not Found", "", "{\"keys\": []}"),
        ("200 OK", "", "<html>"),
        ("200 OK", "", huge.as_str()),
    ] {
        let (server, clock) = (KeyServer::start(), TestClock::default());
        server.answer(status, headers, body);
        let error = at_url(&server, &clock).current().await.err().unwrap();
        assert_eq!(error.code(), "SERVICE_UNAVAILABLE", "{status}");
        assert_eq!(server.hits(), 1);
    }
}

#[tokio::test]
async fn an_empty_set_is_believed() {
    let (server, clock) = (KeyServer::start(), TestClock::default());
    server.serve("", &[key("a")]);
    let jwks = at_url(&server, &clock);
    jwks.current().await.unwrap();
    server.serve("", &[]);
    clock.advance(600);
    assert!(jwks.current().await.unwrap().is_empty());
}

#[tokio::test]
async fn http_beyond_this_machine_is_refused_even_if_the_configuration_lets_it_through() {
    let url = "http://example.com/keys".parse().unwrap();
    let error = fetch::get(&http(), &url, FETCH_TIMEOUT, MAX_BYTES).await.err().unwrap();
    assert!(error.to_string().contains("only https"), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_on() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let error = fetch::get(&http(), &url, Duration::from_millis(50), MAX_BYTES).await.err().unwrap();
    assert!(error.to_string().contains("no answer within 50ms"), "{error}");
}

#[tokio::test]
async fn a_changed_file_is_noticed_within_seconds_and_a_lost_one_is_borne() {
    let clock = TestClock::default();
    let file = key_file(&[key("a")]);
    let jwks = Jwks::new(JwksSource::File(file.path().into()), RS256.to_vec(), http(), clock.monotonic()).unwrap();
    std::fs::write(file.path(), serde_json::json!({ "keys": [key("b")] }).to_string()).unwrap();
    assert!(has(&jwks.current().await.unwrap(), "a"));
    clock.advance(5);
    assert!(has(&jwks.current().await.unwrap(), "b"));
    std::fs::write(file.path(), "half a file").unwrap();
    clock.advance(5);
    assert!(has(&jwks.current().await.unwrap(), "b"));
    let path = file.path().to_owned();
    drop(file);
    clock.advance(5);
    assert!(has(&jwks.current().await.unwrap(), "b"));
    std::fs::write(&path, serde_json::json!({ "keys": [key("c")] }).to_string()).unwrap();
    clock.advance(5);
    until(|| jwks.0.refreshing.try_lock().is_ok()).await;
    assert!(has(&jwks.refreshed().await.unwrap(), "c"));
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn a_wrong_file_is_refused_at_the_start() {
    let clock = TestClock::default();
    for keys in [vec![], vec![TestKey::es256().jwk("a")], vec![TestKey::rsa_1024().jwk("a")]] {
        let file = key_file(&keys);
        let source = JwksSource::File(file.path().into());
        let error = Jwks::new(source, RS256.to_vec(), http(), clock.monotonic()).err().unwrap();
        assert!(error.to_string().contains("no public key"), "{error}");
    }
    assert!(Jwks::new(JwksSource::File("/no/such".into()), RS256.to_vec(), http(), clock.monotonic()).is_err());
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_an_error_under_https() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap()).parse().unwrap();
    std::thread::spawn(move || {
        std::io::Write::write_all(&mut listener.accept().unwrap().0, b"HTTP/1.1 400 Bad\r\n\r\n")
    });
    let error = fetch::get(&http(), &url, FETCH_TIMEOUT, MAX_BYTES).await.err().unwrap();
    assert!(error.to_string().contains("the request failed"), "{error}");
}
