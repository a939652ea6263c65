//! Support for the tests of this module: keys, tokens, a clock moved by hand, and a server of key sets.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};
use url::Url;

use super::jwks::Monotonic;
use super::token::Tokens;
use crate::config::{Config, JwksSource, JwtAlgorithm, JwtConfig, JwtKeys, Secret};
use crate::error::Error;
use crate::providers;

pub(super) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(super) const NOW: i64 = 1_790_000_000;

pub(super) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).unwrap()
}

/// A private key for tests, with its algorithm.
pub(super) struct TestKey {
    algorithm: Algorithm,
    key: EncodingKey,
}

macro_rules! pem {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keys/", $name))
    };
}

impl TestKey {
    pub(super) fn rsa() -> Self {
        TestKey { algorithm: Algorithm::RS256, key: EncodingKey::from_rsa_pem(pem!("rsa.pem")).unwrap() }
    }

    pub(super) fn rsa_other() -> Self {
        TestKey { algorithm: Algorithm::RS256, key: EncodingKey::from_rsa_pem(pem!("rsa-other.pem")).unwrap() }
    }

    pub(super) fn rsa_1024() -> Self {
        TestKey { algorithm: Algorithm::RS256, key: EncodingKey::from_rsa_pem(pem!("rsa-1024.pem")).unwrap() }
    }

    pub(super) fn es256() -> Self {
        TestKey { algorithm: Algorithm::ES256, key: EncodingKey::from_ec_pem(pem!("es256.pem")).unwrap() }
    }

    pub(super) fn ed25519() -> Self {
        TestKey { algorithm: Algorithm::EdDSA, key: EncodingKey::from_ed_pem(pem!("ed25519.pem")).unwrap() }
    }

    pub(super) fn secret(secret: &[u8]) -> Self {
        TestKey { algorithm: Algorithm::HS256, key: EncodingKey::from_secret(secret) }
    }

    /// Returns the public key as an entry of a key set.
    pub(super) fn jwk(&self, kid: &str) -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap()).unwrap();
        jwk["kid"] = kid.into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// Returns a token with the usual header.
    pub(super) fn token(&self, kid: &str, claims: &Value) -> String {
        self.token_with(&json!({ "alg": format!("{:?}", self.algorithm), "typ": "JWT", "kid": kid }), claims)
    }

    /// Returns a token with any header.
    pub(super) fn token_with(&self, header: &Value, claims: &Value) -> String {
        self.sign(&format!("{}.{}", part(header), part(claims)))
    }

    pub(super) fn sign(&self, message: &str) -> String {
        format!("{message}.{}", crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap())
    }
}

/// Encodes one part of a token.
pub(super) fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

/// Returns claims that are valid at [`now`], with changes; a change to null removes the claim.
pub(super) fn claims(changes: &Value) -> Value {
    let mut claims = json!({ "sub": "user-1", "iat": NOW - 10, "exp": NOW + 600 });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

pub(super) fn config(keys: JwtKeys) -> JwtConfig {
    JwtConfig {
        keys,
        issuer: None,
        audience: vec![],
        leeway: Duration::from_secs(30),
        role_claim: "tollgate_role".to_owned(),
        scope_claim: "scope".to_owned(),
        create_users_on_sign_in: true,
    }
}

pub(super) fn secret_config() -> JwtConfig {
    config(JwtKeys::Secret(Secret::new(SECRET)))
}

pub(super) fn jwks_config(source: JwksSource, algorithms: &[JwtAlgorithm]) -> JwtConfig {
    config(JwtKeys::Jwks { source, algorithms: algorithms.to_vec() })
}

/// Creates a client without proxy.
pub(super) fn http() -> reqwest::Client {
    providers::http::client(&Config::load(None, std::iter::empty()).unwrap().outgoing).unwrap()
}

/// Creates a verifier.
pub(super) fn tokens(config: &JwtConfig) -> Tokens {
    Tokens::new(config, http()).unwrap()
}

/// Returns the message of a refusal.
pub(super) async fn refusal(tokens: &Tokens, token: &str) -> String {
    match tokens.verify(token, now()).await {
        Err(Error::Unauthenticated(message)) => message.into_owned(),
        other => panic!("{other:?}"),
    }
}

/// Returns a valid HS256 token with changed claims.
pub(super) fn hs256(changes: Value) -> String {
    TestKey::secret(SECRET.as_bytes()).token("any", &claims(&changes))
}

/// Returns a verifier that trusts a key set in a file.
pub(super) fn trusting(keys: &[Value], algorithms: &[JwtAlgorithm]) -> Tokens {
    let file = key_file(keys);
    tokens(&jwks_config(JwksSource::File(file.path().into()), algorithms))
}

/// Writes a key set into a temporary file.
pub(super) fn key_file(keys: &[Value]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    file
}

/// A monotonic clock moved by the test.
#[derive(Clone, Default)]
pub(super) struct TestClock(Arc<AtomicU64>);

impl TestClock {
    pub(super) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(super) fn monotonic(&self) -> Monotonic {
        let clock = self.clone();
        Arc::new(move || Duration::from_secs(clock.0.load(Ordering::SeqCst)))
    }
}

/// A server that gives every caller the same answer, which the test can change.
pub(super) struct KeyServer {
    pub(super) url: Url,
    answer: Arc<Mutex<String>>,
    hits: Arc<AtomicUsize>,
}

impl KeyServer {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
        let server = KeyServer { url, answer: Arc::default(), hits: Arc::default() };
        let (answer, hits) = (Arc::clone(&server.answer), Arc::clone(&server.hits));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                hits.fetch_add(1, Ordering::SeqCst);
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).unwrap_or(0) == 0 {
                        break;
                    }
                    request.push(byte[0]);
                }
                let answer = answer.lock().unwrap().clone();
                _ = stream.write_all(answer.as_bytes());
            }
        });
        server
    }

    /// Sets the answer to a key set.
    pub(super) fn serve(&self, headers: &str, keys: &[Value]) {
        self.answer("200 OK", headers, &json!({ "keys": keys }).to_string());
    }

    /// Sets the answer.
    pub(super) fn answer(&self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n");
        *self.answer.lock().unwrap() = format!("{head}{body}");
    }

    /// Returns the number of requests.
    pub(super) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}
