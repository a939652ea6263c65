use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::auth::testing::{
    KeyServer, NOW, SECRET, TestClock, TestKey, claims, config, jwks_config, key_file, now, part, secret_config,
};
use crate::config::JwksSource;

const ALL: [JwtAlgorithm; 3] = [JwtAlgorithm::Rs256, JwtAlgorithm::Es256, JwtAlgorithm::EdDsa];

/// The message of a refusal.
async fn refusal(tokens: &Tokens, token: &str) -> String {
    match tokens.verify(token, now()).await {
        Err(Error::Unauthenticated(message)) => message.into_owned(),
        other => panic!("{other:?}"),
    }
}

fn hs256(changes: Value) -> String {
    TestKey::secret(SECRET.as_bytes()).token("any", &claims(&changes))
}

/// Tokens that trust a key set in a file, which is read at once.
fn trusting(keys: &[Value], algorithms: &[JwtAlgorithm]) -> Tokens {
    let file = key_file(keys);
    Tokens::new(&jwks_config(JwksSource::File(file.path().into()), algorithms)).unwrap()
}

#[tokio::test]
async fn a_valid_token_says_who_calls() {
    let tokens = Tokens::new(&secret_config()).unwrap();
    let token = hs256(json!({
        "iss": "https://issuer.example", "tollgate_role": "service", "scope": "openid credits:write",
        "email": "a@example.com", "name": "Ada", "nbf": NOW, "exp": NOW + 5,
    }));
    let expected = Claims {
        issuer: "https://issuer.example".to_owned(),
        subject: "user-1".to_owned(),
        role: Role::Service,
        scopes: vec!["openid".to_owned(), "credits:write".to_owned()],
        email: Some("a@example.com".to_owned()),
        name: Some("Ada".to_owned()),
        expires_at: DateTime::from_timestamp(NOW + 5, 0).unwrap(),
    };
    assert_eq!(tokens.verify(&token, now()).await.unwrap(), expected);
    assert_eq!(tokens.verify(&token, now()).await.unwrap(), expected);
}

#[tokio::test]
async fn every_wrong_claim_is_refused_with_its_reason() {
    let strict = JwtConfig {
        issuer: Some("https://issuer.example".to_owned()),
        audience: vec!["api".to_owned(), "web".to_owned()],
        ..secret_config()
    };
    let tokens = Tokens::new(&strict).unwrap();
    let good = json!({ "iss": "https://issuer.example", "aud": "api" });
    for (changes, expected) in [
        (json!({}), None),
        (json!({ "aud": ["other", "web"] }), None),
        (json!({ "exp": NOW - 29 }), None),
        (json!({ "exp": 1_790_000_000.5 }), None),
        (json!({ "nbf": NOW + 30, "iat": NOW + 30 }), None),
        (json!({ "sub": "x".repeat(255) }), None),
        (json!({ "exp": null }), Some("the token has no expiry (exp)")),
        (json!({ "exp": NOW - 30 }), Some("the token has expired")),
        (json!({ "exp": -1 }), Some("the token has expired")),
        (json!({ "exp": (NOW + 600).to_string() }), Some("a time in the token")),
        (json!({ "exp": 1e300 }), Some("a time in the token")),
        (json!({ "exp": u64::MAX }), Some("a time in the token")),
        (json!({ "exp": i64::MAX }), Some("a time in the token")),
        (json!({ "exp": [] }), Some("a time in the token")),
        (json!({ "nbf": NOW + 31 }), Some("the token is not valid yet (nbf)")),
        (json!({ "nbf": "soon" }), Some("a time in the token")),
        (json!({ "iat": NOW + 31 }), Some("the token was issued in the future (iat)")),
        (json!({ "iat": false }), Some("a time in the token")),
        (json!({ "sub": null }), Some("the token has no subject (sub)")),
        (json!({ "sub": "" }), Some("the token's subject (sub) is empty")),
        (json!({ "sub": "x".repeat(256) }), Some("the token's subject (sub) is over 255 bytes long")),
        (json!({ "sub": "a\0b" }), Some("the token's subject (sub) is malformed")),
        (json!({ "sub": "a\nb" }), Some("the token's subject (sub) is malformed")),
        (json!({ "sub": 7 }), Some("the token's subject (sub) is malformed")),
        (json!({ "iss": null }), Some("the token names no issuer (iss)")),
        (json!({ "iss": "" }), Some("the token names no issuer (iss)")),
        (json!({ "iss": "https://issuer.example/" }), Some("the token is from another issuer (iss)")),
        (json!({ "iss": "HTTPS://ISSUER.EXAMPLE" }), Some("the token is from another issuer (iss)")),
        (json!({ "iss": ["https://issuer.example"] }), Some("the token's issuer (iss) is malformed")),
        (json!({ "iss": "https://issuer.example\0" }), Some("the token's issuer (iss) is malformed")),
        (json!({ "aud": null }), Some("the token names no audience (aud)")),
        (json!({ "aud": "other" }), Some("the token is for another audience (aud)")),
        (json!({ "aud": [] }), Some("the token is for another audience (aud)")),
        (json!({ "aud": "api web" }), Some("the token is for another audience (aud)")),
        (json!({ "aud": [["api"]] }), Some("the token is for another audience (aud)")),
        (json!({ "aud": { "api": true } }), Some("the token is for another audience (aud)")),
    ] {
        let mut all = good.clone();
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let token = hs256(all);
        match expected {
            None => assert!(tokens.verify(&token, now()).await.is_ok(), "{changes}"),
            Some(expected) => {
                let message = refusal(&tokens, &token).await;
                assert!(message.starts_with(expected), "{changes}: {message}");
            }
        }
    }
}

#[tokio::test]
async fn every_wrong_form_is_refused_with_its_reason() {
    let tokens = Tokens::new(&secret_config()).unwrap();
    let key = TestKey::secret(SECRET.as_bytes());
    let good = claims(&json!({}));
    let token = hs256(json!({}));
    let header = json!({ "alg": "HS256" });
    let with = |header: Value| key.token_with(&header, &good);
    assert!(tokens.verify(&with(header.clone()), now()).await.is_ok());
    assert!(tokens.verify(&with(json!({ "alg": "HS256", "typ": "at+jwt" })), now()).await.is_ok());
    assert!(tokens.verify(&with(json!({ "alg": "HS256", "typ": "application/JWT" })), now()).await.is_ok());
    let (unsigned, _) = token.rsplit_once('.').unwrap();
    for (token, expected) in [
        (String::new(), "the token is not a JWT"),
        ("a.b".to_owned(), "the token is not a JWT"),
        ("a.b.c.d.e".to_owned(), "the token is not a signed JWT"),
        ("..".to_owned(), "the token's header is malformed"),
        ("\0.\0.\0".to_owned(), "the token's header is malformed"),
        (format!("{token}\0"), "the token's signature is wrong"),
        (format!("{token}="), "the token's signature is wrong"),
        (format!(" {token}"), "the token's header is malformed"),
        (format!("{unsigned}."), "the token's signature is wrong"),
        (key.sign(&format!("{}.{}", part(&header), "e30=")), "the token's claims are malformed"),
        (key.token_with(&header, &json!([1])), "the token's claims are malformed"),
        (key.token_with(&json!("x"), &good), "the token's header is malformed"),
        (with(json!({ "typ": "JWT" })), "the token's header is malformed"),
        (with(json!({ "alg": "HS256", "kid": 7 })), "the token's header is malformed"),
        (with(json!({ "alg": "HS256", "crit": ["exp"] })), "the token's header has critical extensions"),
        (with(json!({ "alg": "HS256", "crit": ["b64"], "b64": false })), "the token's header has critical extensions"),
        (with(json!({ "alg": "HS256", "typ": "logout+jwt" })), "the token is of a type"),
        (with(json!({ "alg": "HS256", "typ": "dpop+jwt" })), "the token is of a type"),
        (with(json!({ "alg": "HS512" })), "the token's algorithm (alg) is not accepted; use HS256"),
        (with(json!({ "alg": "hs256" })), "the token's algorithm (alg) is not accepted"),
        (with(json!({ "alg": "RS256" })), "the token's algorithm (alg) is not accepted"),
        (with(json!({ "alg": "none" })), "the token's algorithm (alg) is not accepted"),
        (
            format!("{}.{}.", part(&json!({ "alg": "none" })), part(&good)),
            "the token's algorithm (alg) is not accepted",
        ),
        (TestKey::secret(b"another secret, also long enough").token("", &good), "the token's signature is wrong"),
        (hs256(json!({ "pad": "x".repeat(8 * 1024) })), "the token is over 8 KB long"),
    ] {
        let message = refusal(&tokens, &token).await;
        assert!(message.starts_with(expected), "{token}: {message}");
    }
}

#[tokio::test]
async fn a_public_key_is_never_taken_for_a_secret() {
    let tokens = trusting(&[TestKey::rsa().jwk("a"), TestKey::es256().jwk("c")], &ALL);
    let good = claims(&json!({}));
    let modulus = TestKey::rsa().jwk("a")["n"].as_str().unwrap().to_owned();
    let pem = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keys/rsa.pem"));
    for secret in [modulus.as_bytes(), &URL_SAFE_NO_PAD.decode(&modulus).unwrap(), pem, b""] {
        let forged = TestKey::secret(secret);
        assert!(refusal(&tokens, &forged.token("a", &good)).await.contains("(alg) is not accepted; use RS256 or"));
        let lying = forged.token_with(&json!({ "alg": "RS256", "kid": "a" }), &good);
        assert_eq!(refusal(&tokens, &lying).await, "the token's signature is wrong");
    }
}

#[tokio::test]
async fn the_key_must_fit_what_the_token_says() {
    let keys = [
        TestKey::rsa().jwk("a"),
        TestKey::rsa_other().jwk("b"),
        TestKey::es256().jwk("c"),
        TestKey::ed25519().jwk("d"),
    ];
    let tokens = trusting(&keys, &ALL);
    let good = claims(&json!({}));
    for (key, kid) in
        [(TestKey::rsa(), "a"), (TestKey::rsa_other(), "b"), (TestKey::es256(), "c"), (TestKey::ed25519(), "d")]
    {
        assert!(tokens.verify(&key.token(kid, &good), now()).await.is_ok(), "{kid}");
    }
    assert!(tokens.verify(&TestKey::es256().token_with(&json!({ "alg": "ES256" }), &good), now()).await.is_ok());
    for (token, expected) in [
        (TestKey::rsa().token("b", &good), "the token's signature is wrong"),
        (TestKey::rsa().token("c", &good), "the token's algorithm (alg) is not that of its key"),
        (TestKey::ed25519().token("c", &good), "the token's algorithm (alg) is not that of its key"),
        (TestKey::rsa().token("z", &good), "the token is signed with a key (kid) that is not in the key set"),
        (TestKey::rsa().token_with(&json!({ "alg": "RS256" }), &good), "the token does not say which key"),
        (TestKey::rsa().token_with(&json!({ "alg": "ES256", "kid": "c" }), &good), "the token's signature is wrong"),
    ] {
        let message = refusal(&tokens, &token).await;
        assert!(message.starts_with(expected), "{message}");
    }
    let narrow = trusting(&keys, &[JwtAlgorithm::Es256]);
    let message = refusal(&narrow, &TestKey::rsa().token("a", &good)).await;
    assert_eq!(message, "the token's algorithm (alg) is not accepted; use ES256");
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it_and_a_withdrawn_key_ends_its_tokens() {
    let (server, clock) = (KeyServer::start(), TestClock::default());
    let config = jwks_config(JwksSource::Url(server.url.clone()), &[JwtAlgorithm::Rs256]);
    let tokens = Tokens::with_clock(&config, clock.monotonic()).unwrap();
    let (old, new) = (TestKey::rsa(), TestKey::rsa_other());
    let (old_token, new_token) = (old.token("a", &claims(&json!({}))), new.token("b", &claims(&json!({}))));
    server.answer("500 Internal Server Error", "", "");
    assert_eq!(tokens.verify(&old_token, now()).await.unwrap_err().code(), "SERVICE_UNAVAILABLE");
    server.serve("", &[old.jwk("a")]);
    clock.advance(10);
    assert!(tokens.verify(&old_token, now()).await.is_ok());
    server.serve("", &[new.jwk("b")]);
    assert!(refusal(&tokens, &new_token).await.contains("not in the key set"));
    assert!(tokens.verify(&old_token, now()).await.is_ok());
    clock.advance(10);
    assert!(tokens.verify(&new_token, now()).await.is_ok());
    assert!(refusal(&tokens, &old_token).await.contains("not in the key set"));
    assert_eq!(server.hits(), 3);
}

#[tokio::test]
async fn a_remembered_token_still_expires() {
    let tokens = Tokens::new(&secret_config()).unwrap();
    let token = hs256(json!({ "exp": NOW + 100 }));
    let at = |seconds| DateTime::from_timestamp(NOW + seconds, 0).unwrap();
    for (seconds, holds) in [(0, true), (129, true), (130, false), (129, true), (-100, false)] {
        assert_eq!(tokens.verify(&token, at(seconds)).await.is_ok(), holds, "{seconds}");
    }
    assert_eq!(tokens.verified.len(), 1);
    tokens.verify("a.b.c", now()).await.unwrap_err();
    assert_eq!(tokens.verified.len(), 1);
}

#[tokio::test]
async fn the_role_is_read_from_the_configured_claim_alone() {
    for (claim, changes, expected) in [
        ("tollgate_role", json!({ "tollgate_role": "admin" }), Role::Admin),
        ("tollgate_role", json!({ "tollgate_role": "service" }), Role::Service),
        ("tollgate_role", json!({ "tollgate_role": "root" }), Role::User),
        ("tollgate_role", json!({ "tollgate_role": ["admin"] }), Role::User),
        ("tollgate_role", json!({ "tollgate_role": true }), Role::User),
        ("tollgate_role", json!({ "role": "admin", "scope": "admin", "sub": "admin" }), Role::User),
        ("a.b", json!({ "a": { "b": "admin" } }), Role::Admin),
        ("a.b", json!({ "a": { "b": "user" }, "a.b": "admin" }), Role::Admin),
        ("a.b", json!({ "a": { "b": "admin" }, "a.b": "user" }), Role::User),
        ("a.b", json!({ "a": "admin", "b": "admin" }), Role::User),
        ("https://example.com/role", json!({ "https://example.com/role": "admin" }), Role::Admin),
        ("https://example.com/role", json!({ "https://evil.example/role": "admin" }), Role::User),
    ] {
        let tokens = Tokens::new(&JwtConfig { role_claim: claim.to_owned(), ..secret_config() }).unwrap();
        let found = tokens.verify(&hs256(changes.clone()), now()).await.unwrap().role;
        assert_eq!(found, expected, "{claim}: {changes}");
    }
}

#[tokio::test]
async fn scopes_and_texts_are_read_leniently() {
    let tokens = Tokens::new(&secret_config()).unwrap();
    let read = |changes| {
        let token = hs256(changes);
        let tokens = &tokens;
        async move { tokens.verify(&token, now()).await.unwrap() }
    };
    assert_eq!(read(json!({ "scope": ["a", 1, "b c"] })).await.scopes, ["a", "b c"]);
    assert_eq!(read(json!({ "scope": "  a  b " })).await.scopes, ["a", "b"]);
    assert!(read(json!({ "scope": 5 })).await.scopes.is_empty());
    assert_eq!(read(json!({ "email": "a@b.c", "email_verified": true })).await.email.as_deref(), Some("a@b.c"));
    assert_eq!(read(json!({ "email": "a@b.c", "email_verified": false })).await.email, None);
    assert_eq!(read(json!({ "email": "a\0@b.c", "name": "x".repeat(321) })).await.email, None);
    assert_eq!(read(json!({ "name": "x".repeat(321) })).await.name, None);
}

#[tokio::test]
async fn no_keys_means_no_tokens() {
    let tokens = Tokens::new(&config(JwtKeys::None)).unwrap();
    assert!(refusal(&tokens, &hs256(json!({}))).await.contains("accepts no tokens"));
}

#[tokio::test]
async fn a_minted_token_verifies_where_it_was_made() {
    for config in [
        secret_config(),
        JwtConfig {
            issuer: Some("https://issuer.example".to_owned()),
            audience: vec!["a".to_owned(), "b".to_owned()],
            role_claim: "https://example.com/role".to_owned(),
            scope_claim: "app_metadata.scopes".to_owned(),
            ..secret_config()
        },
    ] {
        let tokens = Tokens::new(&config).unwrap();
        let permissions = Permissions::from_scopes(["credits:write", "audit:read"]);
        let request = MintRequest {
            subject: "backend".to_owned(),
            role: Role::Service,
            permissions,
            ttl: Duration::from_secs(60),
            now: now(),
        };
        let claims = tokens.verify(&tokens.mint(&request).unwrap(), now()).await.unwrap();
        assert_eq!(claims.issuer, config.issuer.clone().unwrap_or_default());
        assert_eq!((claims.subject.as_str(), claims.role), ("backend", Role::Service));
        assert_eq!(Permissions::from_scopes(&claims.scopes), permissions);
        assert_eq!(claims.expires_at.timestamp(), NOW + 60);

        for wrong in [
            MintRequest { subject: String::new(), ..request.clone() },
            MintRequest { subject: "x".repeat(256), ..request.clone() },
            MintRequest { subject: "a\0".to_owned(), ..request.clone() },
            MintRequest { role: Role::Anonymous, ..request.clone() },
            MintRequest { ttl: Duration::ZERO, ..request.clone() },
            MintRequest { ttl: Duration::MAX, ..request.clone() },
        ] {
            assert_eq!(tokens.mint(&wrong).unwrap_err().code(), "BAD_USER_INPUT", "{wrong:?}");
        }
        let trusting = trusting(&[TestKey::rsa().jwk("a")], &ALL);
        assert!(trusting.mint(&request).unwrap_err().to_string().contains("identity provider"));
    }
}

/// One byte of a token replaced, taken out or added, or the token cut.
fn mutated(token: &str, at: usize, kind: u8, byte: u8) -> Vec<u8> {
    let mut bytes = token.as_bytes().to_vec();
    let at = at % bytes.len();
    match kind % 4 {
        0 => bytes[at] = byte,
        1 => _ = bytes.remove(at),
        2 => bytes.insert(at, byte),
        _ => bytes.truncate(at),
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_changed_token_never_verifies(at in any::<usize>(), kind in any::<u8>(), byte in any::<u8>(), which in 0..3) {
        let good = claims(&json!({ "tollgate_role": "user" }));
        let (token, tokens) = match which {
            0 => (TestKey::secret(SECRET.as_bytes()).token("a", &good), Tokens::new(&secret_config()).unwrap()),
            1 => (TestKey::es256().token("a", &good), trusting(&[TestKey::es256().jwk("a")], &ALL)),
            _ => (TestKey::ed25519().token("a", &good), trusting(&[TestKey::ed25519().jwk("a")], &ALL)),
        };
        let changed = String::from_utf8_lossy(&mutated(&token, at, kind, byte)).into_owned();
        prop_assume!(changed != token);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let verified = runtime.block_on(tokens.verify(&changed, now()));
        prop_assert!(matches!(verified, Err(Error::Unauthenticated(_))), "{verified:?}");
    }
}

#[tokio::test]
async fn tokens_are_shared_between_tasks() {
    let tokens = Arc::new(Tokens::new(&secret_config()).unwrap());
    let token = hs256(json!({}));
    let task = tokio::spawn(async move { tokens.verify(&token, now()).await });
    assert!(task.await.unwrap().is_ok());
}
