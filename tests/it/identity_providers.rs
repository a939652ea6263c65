//! Key sets in a file, and the tokens of the well-known providers with the settings that they take.

use crate::sign_in::{ask, claims, refused, token};
use crate::support::{Reply, TestApp, both_engines};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use std::io::Write as _;

both_engines!(a_token_names_a_key_of_the_set, clerk, auth0, firebase, supabase);

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_pem(include_bytes!("../fixtures/keys/rsa.pem")).unwrap()
}

fn rsa_other() -> EncodingKey {
    EncodingKey::from_rsa_pem(include_bytes!("../fixtures/keys/rsa-other.pem")).unwrap()
}

fn es256() -> EncodingKey {
    EncodingKey::from_ec_pem(include_bytes!("../fixtures/keys/es256.pem")).unwrap()
}

/// A Tollgate with the key of a provider under `kid` and these settings.
async fn serving(test: &TestApp, key: &EncodingKey, algorithm: Algorithm, settings: &[(&str, &str)]) -> TestApp {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, algorithm).unwrap()).unwrap();
    jwk["kid"] = "k1".into();
    jwk["use"] = "sig".into();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
    let algorithm = format!("{algorithm:?}");
    let keys = [("TOLLGATE_JWT_JWKS", file.path().to_str().unwrap()), ("TOLLGATE_JWT_ALGORITHMS", &algorithm)];
    test.beside(&[&keys, settings].concat()).await
}

async fn with(test: &TestApp, header: Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> Reply {
    ask(test, &[&format!("Bearer {}", token(&header, claims, key, algorithm))]).await
}

async fn role(test: &TestApp, claims: &Value) -> Value {
    let reply = with(test, json!({"alg": "RS256", "kid": "k1"}), claims, &rsa(), Algorithm::RS256).await;
    reply.json()["data"]["viewer"]["role"].take()
}

async fn a_token_names_a_key_of_the_set(test: &TestApp) {
    let test = &serving(test, &rsa(), Algorithm::RS256, &[]).await;
    let claims = claims(test, json!({}));
    assert_eq!(role(test, &claims).await, "USER");
    let header = |alg: &str, kid: &str| json!({"alg": alg, "kid": kid});
    refused(&with(test, header("RS256", "k2"), &claims, &rsa(), Algorithm::RS256).await, "unknown kid");
    refused(&with(test, header("RS256", "k1"), &claims, &rsa_other(), Algorithm::RS256).await, "another's key");
    refused(&with(test, header("RS512", "k1"), &claims, &rsa(), Algorithm::RS512).await, "algorithm not accepted");
    // The classic: the public key, which everyone knows, taken for a shared secret.
    let public = serde_json::to_vec(&Jwk::from_encoding_key(&rsa(), Algorithm::RS256).unwrap()).unwrap();
    let public = EncodingKey::from_secret(&public);
    refused(&with(test, header("HS256", "k1"), &claims, &public, Algorithm::HS256).await, "public key as secret");
}

async fn clerk(test: &TestApp) {
    let settings = [
        ("TOLLGATE_JWT_ISSUER", "https://clerk.example.com"),
        ("TOLLGATE_JWT_ROLE_CLAIM", "public_metadata.tollgate_role"),
    ];
    let test = &serving(test, &rsa(), Algorithm::RS256, &settings).await;
    let claims = |public: Value| {
        claims(
            test,
            json!({
                "azp": "https://app.example.com", "iss": "https://clerk.example.com", "aud": null, "sid": "sess_1",
                "sub": "user_2abc", "public_metadata": public, "unsafe_metadata": {"tollgate_role": "admin"},
            }),
        )
    };
    assert_eq!(role(test, &claims(json!({"tollgate_role": "admin"}))).await, "ADMIN");
    assert_eq!(role(test, &claims(json!({}))).await, "USER", "what users write themselves gives nothing");
}

async fn auth0(test: &TestApp) {
    let settings = [
        ("TOLLGATE_JWT_ISSUER", "https://shop.eu.auth0.com/"),
        ("TOLLGATE_JWT_AUDIENCE", "https://billing.example.com"),
        ("TOLLGATE_JWT_ROLE_CLAIM", "https://example.com/role"),
    ];
    let test = &serving(test, &rsa(), Algorithm::RS256, &settings).await;
    let claims = claims(
        test,
        json!({
            "https://example.com/role": "service", "iss": "https://shop.eu.auth0.com/", "sub": "abc@clients",
            "aud": ["https://billing.example.com", "https://shop.eu.auth0.com/userinfo"],
            "scope": "openid credits:write", "gty": "client-credentials",
        }),
    );
    let header = json!({"alg": "RS256", "typ": "at+jwt", "kid": "k1"});
    let reply = with(test, header, &claims, &rsa(), Algorithm::RS256).await.json();
    assert_eq!(reply["data"]["viewer"], json!({"role": "SERVICE", "scopes": ["credits:write"], "user": null}));
}

async fn firebase(test: &TestApp) {
    let settings =
        [("TOLLGATE_JWT_ISSUER", "https://securetoken.google.com/shop-1"), ("TOLLGATE_JWT_AUDIENCE", "shop-1")];
    let test = &serving(test, &rsa(), Algorithm::RS256, &settings).await;
    let claims = |project: &str| {
        claims(
            test,
            json!({
                "iss": format!("https://securetoken.google.com/{project}"), "aud": project, "user_id": "Fb1", "sub": "Fb1",
                "email": "a@example.com", "email_verified": true, "firebase": {"sign_in_provider": "password"},
            }),
        )
    };
    assert_eq!(role(test, &claims("shop-1")).await, "USER");
    let foreign = with(test, json!({"alg": "RS256", "kid": "k1"}), &claims("shop-2"), &rsa(), Algorithm::RS256).await;
    refused(&foreign, "Google signs for all projects with the same keys");
}

async fn supabase(test: &TestApp) {
    let settings = [
        ("TOLLGATE_JWT_ISSUER", "https://ref.supabase.co/auth/v1"),
        ("TOLLGATE_JWT_AUDIENCE", "authenticated"),
        ("TOLLGATE_JWT_ROLE_CLAIM", "app_metadata.tollgate_role"),
    ];
    let test = &serving(test, &es256(), Algorithm::ES256, &settings).await;
    let claims = |role: &str, app: Value| {
        claims(
            test,
            json!({
                "iss": "https://ref.supabase.co/auth/v1", "aud": "authenticated", "role": role, "app_metadata": app,
                "sub": "9f1c8a52-0000-4000-8000-000000000001", "user_metadata": {"tollgate_role": "admin"},
            }),
        )
    };
    for (claims, expected) in [
        (claims("authenticated", json!({"provider": "email"})), "USER"),
        (claims("authenticated", json!({"tollgate_role": "admin"})), "ADMIN"),
        (claims("service_role", json!({})), "USER"),
    ] {
        let reply = with(test, json!({"alg": "ES256", "kid": "k1"}), &claims, &es256(), Algorithm::ES256).await;
        assert_eq!(reply.json()["data"]["viewer"]["role"], expected, "{claims}");
    }
}
