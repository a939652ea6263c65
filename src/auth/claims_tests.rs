use serde_json::{Value, json};

use crate::auth::Role;
use crate::auth::testing::{NOW, SECRET, TestKey, claims, hs256, now, part, refusal, secret_config, tokens};
use crate::config::JwtConfig;

#[tokio::test]
async fn every_wrong_claim_is_refused_with_its_reason() {
    let strict = JwtConfig {
        issuer: Some("https://issuer.example".to_owned()),
        audience: vec!["api".to_owned(), "web".to_owned()],
        ..secret_config()
    };
    let tokens = tokens(&strict);
    let good = json!({ "iss": "https://issuer.example", "aud": "api" });
    for (changes, expected) in [
        (json!({}), None),
        (json!({ "aud": ["other", "web"] }), None),
        (json!({ "exp": NOW - 29 }), None),
        (json!({ "exp": 1_790_000_000.5 }), None),
        (json!({ "nbf": NOW + 30, "iat": NOW + 30 }), None),
        (json!({ "sub": "x".repeat(255) }), None),
        (json!({ "exp": null }), Some("The token has no expiry (exp)")),
        (json!({ "exp": NOW - 30 }), Some("The token has expired")),
        (json!({ "exp": -1 }), Some("The token has expired")),
        (json!({ "exp": (NOW + 600).to_string() }), Some("A time in the token")),
        (json!({ "exp": 1e300 }), Some("A time in the token")),
        (json!({ "exp": u64::MAX }), Some("A time in the token")),
        (json!({ "exp": i64::MAX }), Some("A time in the token")),
        (json!({ "exp": [] }), Some("A time in the token")),
        (json!({ "nbf": NOW + 31 }), Some("The token is not valid yet (nbf)")),
        (json!({ "nbf": "soon" }), Some("A time in the token")),
        (json!({ "iat": NOW + 31 }), Some("The token was issued in the future (iat)")),
        (json!({ "iat": false }), Some("A time in the token")),
        (json!({ "sub": null }), Some("The token has no subject (sub)")),
        (json!({ "sub": "" }), Some("The token's subject (sub) is empty")),
        (json!({ "sub": "x".repeat(256) }), Some("The token's subject (sub) is over 255 bytes long")),
        (json!({ "sub": "a\0b" }), Some("The token's subject (sub) is malformed")),
        (json!({ "sub": "a\nb" }), Some("The token's subject (sub) is malformed")),
        (json!({ "sub": 7 }), Some("The token's subject (sub) is malformed")),
        (json!({ "iss": null }), Some("The token names no issuer (iss)")),
        (json!({ "iss": "" }), Some("The token names no issuer (iss)")),
        (json!({ "iss": "https://issuer.example/" }), Some("The token is from another issuer (iss)")),
        (json!({ "iss": "HTTPS://ISSUER.EXAMPLE" }), Some("The token is from another issuer (iss)")),
        (json!({ "iss": ["https://issuer.example"] }), Some("The token's issuer (iss) is malformed")),
        (json!({ "iss": "https://issuer.example\0" }), Some("The token's issuer (iss) is malformed")),
        (json!({ "aud": null }), Some("The token names no audience (aud)")),
        (json!({ "aud": "other" }), Some("The token is for another audience (aud)")),
        (json!({ "aud": [] }), Some("The token is for another audience (aud)")),
        (json!({ "aud": "api web" }), Some("The token is for another audience (aud)")),
        (json!({ "aud": [["api"]] }), Some("The token is for another audience (aud)")),
        (json!({ "aud": { "api": true } }), Some("The token is for another audience (aud)")),
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
    let tokens = tokens(&secret_config());
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
        (String::new(), "The token is not a JWT"),
        ("a.b".to_owned(), "The token is not a JWT"),
        ("a.b.c.d.e".to_owned(), "The token is not a signed JWT"),
        ("..".to_owned(), "The token's header is malformed"),
        ("\0.\0.\0".to_owned(), "The token's header is malformed"),
        (format!("{token}\0"), "The token's signature is wrong"),
        (format!("{token}="), "The token's signature is wrong"),
        (format!(" {token}"), "The token's header is malformed"),
        (format!("{unsigned}."), "The token's signature is wrong"),
        (key.sign(&format!("{}.{}", part(&header), "e30=")), "The token's claims are malformed"),
        (key.token_with(&header, &json!([1])), "The token's claims are malformed"),
        (key.token_with(&json!("x"), &good), "The token's header is malformed"),
        (with(json!({ "typ": "JWT" })), "The token's header is malformed"),
        (with(json!({ "alg": "HS256", "kid": 7 })), "The token's header is malformed"),
        (with(json!({ "alg": "HS256", "crit": ["exp"] })), "The token's header has critical extensions"),
        (with(json!({ "alg": "HS256", "crit": ["b64"], "b64": false })), "The token's header has critical extensions"),
        (with(json!({ "alg": "HS256", "typ": "logout+jwt" })), "The token is of a type"),
        (with(json!({ "alg": "HS256", "typ": "dpop+jwt" })), "The token is of a type"),
        (with(json!({ "alg": "HS512" })), "The token's algorithm (alg) is not accepted. Use HS256"),
        (with(json!({ "alg": "hs256" })), "The token's algorithm (alg) is not accepted"),
        (with(json!({ "alg": "RS256" })), "The token's algorithm (alg) is not accepted"),
        (with(json!({ "alg": "none" })), "The token's algorithm (alg) is not accepted"),
        (
            format!("{}.{}.", part(&json!({ "alg": "none" })), part(&good)),
            "The token's algorithm (alg) is not accepted",
        ),
        (TestKey::secret(b"another secret, also long enough").token("", &good), "The token's signature is wrong"),
        (hs256(json!({ "pad": "x".repeat(8 * 1024) })), "The token is over 8 KB long"),
    ] {
        let message = refusal(&tokens, &token).await;
        assert!(message.starts_with(expected), "{token}: {message}");
    }
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
        let tokens = tokens(&JwtConfig { role_claim: claim.to_owned(), ..secret_config() });
        let found = tokens.verify(&hs256(changes.clone()), now()).await.unwrap().role;
        assert_eq!(found, expected, "{claim}: {changes}");
    }
}

#[tokio::test]
async fn scopes_and_texts_are_read_leniently() {
    let tokens = tokens(&secret_config());
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
