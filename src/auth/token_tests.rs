use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::auth::testing::{
    KeyServer, NOW, SECRET, TestClock, TestKey, claims, config, hs256, http, jwks_config, now, refusal, secret_config,
    tokens, trusting,
};
use crate::config::JwksSource;

const ALL: [JwtAlgorithm; 3] = [JwtAlgorithm::Rs256, JwtAlgorithm::Es256, JwtAlgorithm::EdDsa];

#[tokio::test]
async fn a_valid_token_says_who_calls() {
    let tokens = tokens(&secret_config());
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
async fn a_public_key_is_never_taken_for_a_secret() {
    let tokens = trusting(&[TestKey::rsa().jwk("a"), TestKey::es256().jwk("c")], &ALL);
    let good = claims(&json!({}));
    let modulus = TestKey::rsa().jwk("a")["n"].as_str().unwrap().to_owned();
    let pem = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keys/rsa.pem"));
    for secret in [modulus.as_bytes(), &URL_SAFE_NO_PAD.decode(&modulus).unwrap(), pem, b""] {
        let forged = TestKey::secret(secret);
        assert!(refusal(&tokens, &forged.token("a", &good)).await.contains("(alg) is not accepted. Use RS256 or"));
        let lying = forged.token_with(&json!({ "alg": "RS256", "kid": "a" }), &good);
        assert_eq!(refusal(&tokens, &lying).await, "The token's signature is wrong.");
    }
}

#[tokio::test]
async fn the_key_must_match_the_token() {
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
        (TestKey::rsa().token("b", &good), "The token's signature is wrong"),
        (TestKey::rsa().token("c", &good), "The token's algorithm (alg) is not that of its key"),
        (TestKey::ed25519().token("c", &good), "The token's algorithm (alg) is not that of its key"),
        (TestKey::rsa().token("z", &good), "The token is signed with a key (kid) that is not in the key set"),
        (TestKey::rsa().token_with(&json!({ "alg": "RS256" }), &good), "The token does not name the key"),
        (TestKey::rsa().token_with(&json!({ "alg": "ES256", "kid": "c" }), &good), "The token's signature is wrong"),
    ] {
        let message = refusal(&tokens, &token).await;
        assert!(message.starts_with(expected), "{message}");
    }
    let narrow = trusting(&keys, &[JwtAlgorithm::Es256]);
    let message = refusal(&narrow, &TestKey::rsa().token("a", &good)).await;
    assert_eq!(message, "The token's algorithm (alg) is not accepted. Use ES256.");
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it_and_a_withdrawn_key_ends_its_tokens() {
    let (server, clock) = (KeyServer::start(), TestClock::default());
    let config = jwks_config(JwksSource::Url(server.url.clone()), &[JwtAlgorithm::Rs256]);
    let tokens = Tokens::with_clock(&config, http(), clock.monotonic()).unwrap();
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
async fn a_cached_token_still_expires() {
    let tokens = tokens(&secret_config());
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
async fn no_keys_means_no_tokens() {
    let tokens = tokens(&config(JwtKeys::None));
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
        let tokens = tokens(&config);
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
            0 => (TestKey::secret(SECRET.as_bytes()).token("a", &good), tokens(&secret_config())),
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
    let tokens = Arc::new(tokens(&secret_config()));
    let token = hs256(json!({}));
    let task = tokio::spawn(async move { tokens.verify(&token, now()).await });
    assert!(task.await.unwrap().is_ok());
}
