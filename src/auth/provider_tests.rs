//! Tokens as the well-known identity providers make them, each with the settings it takes.

use serde_json::{Value, json};

use crate::auth::testing::{self, KeyServer, NOW, SECRET, TestKey, now};
use crate::auth::{Claims, Role, Tokens};
use crate::config::Config;

/// Tokens under these settings.
fn tokens(settings: &[(&str, &str)]) -> Tokens {
    let env = settings.iter().map(|(name, value)| (format!("TOLLGATE_{name}"), (*value).to_owned()));
    let no_file = tempfile::NamedTempFile::new().unwrap();
    testing::tokens(&Config::load(Some(no_file.path()), env).unwrap().jwt)
}

/// A server of one provider's public keys; real settings have the provider's https URL in its place.
fn serving(keys: &[Value]) -> KeyServer {
    let server = KeyServer::start();
    server.serve("cache-control: public, max-age=3600\r\n", keys);
    server
}

async fn verified(tokens: &Tokens, token: &str) -> Claims {
    tokens.verify(token, now()).await.unwrap()
}

#[tokio::test]
async fn firebase() {
    // https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com signs for all projects;
    // the issuer and the audience tell ours.
    let server = serving(&[TestKey::rsa_other().jwk("old"), TestKey::rsa().jwk("5be8")]);
    let tokens = tokens(&[
        ("JWT_JWKS", server.url.as_str()),
        ("JWT_ISSUER", "https://securetoken.google.com/shop-1"),
        ("JWT_AUDIENCE", "shop-1"),
    ]);
    let claims = |project: &str| {
        json!({
            "iss": format!("https://securetoken.google.com/{project}"), "aud": project, "auth_time": NOW - 60,
            "user_id": "Fb1", "sub": "Fb1", "iat": NOW - 60, "exp": NOW + 3540, "email": "a@example.com",
            "email_verified": true, "tollgate_role": "admin",
            "firebase": { "identities": { "email": ["a@example.com"] }, "sign_in_provider": "password" },
        })
    };
    let found = verified(&tokens, &TestKey::rsa().token("5be8", &claims("shop-1"))).await;
    assert_eq!((found.subject.as_str(), found.role), ("Fb1", Role::Admin));
    assert_eq!(found.email.as_deref(), Some("a@example.com"));
    let foreign = TestKey::rsa().token("5be8", &claims("someone-elses-project"));
    assert_eq!(tokens.verify(&foreign, now()).await.unwrap_err().code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn clerk() {
    let server = serving(&[TestKey::rsa().jwk("ins_1")]);
    let tokens = tokens(&[
        ("JWT_JWKS", server.url.as_str()),
        ("JWT_ISSUER", "https://clerk.example.com"),
        ("JWT_ROLE_CLAIM", "public_metadata.tollgate_role"),
    ]);
    let header = json!({ "alg": "RS256", "cat": "cl_B7d4PD111AAA", "kid": "ins_1", "typ": "JWT" });
    let claims = json!({
        "azp": "https://app.example.com", "exp": NOW + 60, "fva": [0, -1], "iat": NOW, "nbf": NOW - 10,
        "iss": "https://clerk.example.com", "sid": "sess_1", "sub": "user_2abc", "v": 2,
        "public_metadata": { "tollgate_role": "admin" }, "unsafe_metadata": { "tollgate_role": "user" },
    });
    let found = verified(&tokens, &TestKey::rsa().token_with(&header, &claims)).await;
    assert_eq!((found.subject.as_str(), found.role), ("user_2abc", Role::Admin));
}

#[tokio::test]
async fn auth0() {
    let server = serving(&[TestKey::rsa().jwk("NkJ")]);
    let tokens = tokens(&[
        ("JWT_JWKS", server.url.as_str()),
        ("JWT_ISSUER", "https://shop.eu.auth0.com/"),
        ("JWT_AUDIENCE", "https://billing.example.com"),
        ("JWT_ROLE_CLAIM", "https://example.com/role"),
    ]);
    let claims = json!({
        "https://example.com/role": "service", "iss": "https://shop.eu.auth0.com/", "sub": "abc@clients",
        "aud": ["https://billing.example.com", "https://shop.eu.auth0.com/userinfo"], "iat": NOW, "exp": NOW + 86_400,
        "azp": "abc", "scope": "openid credits:write", "gty": "client-credentials",
    });
    let header = json!({ "alg": "RS256", "typ": "at+jwt", "kid": "NkJ" });
    let found = verified(&tokens, &TestKey::rsa().token_with(&header, &claims)).await;
    assert_eq!((found.subject.as_str(), found.role), ("abc@clients", Role::Service));
    assert_eq!(found.scopes, ["openid", "credits:write"]);
}

fn supabase_claims(role: &str, app_metadata: Value) -> Value {
    json!({
        "aal": "aal1", "aud": "authenticated", "exp": NOW + 3600, "iat": NOW, "iss": "https://ref.supabase.co/auth/v1",
        "sub": "9f1c8a52-0000-4000-8000-000000000001", "email": "a@example.com", "phone": "", "role": role,
        "app_metadata": app_metadata, "user_metadata": { "tollgate_role": "admin" }, "is_anonymous": false,
    })
}

#[tokio::test]
async fn supabase_with_its_legacy_secret() {
    let tokens = tokens(&[
        ("JWT_HS256_SECRET", SECRET),
        ("JWT_ISSUER", "https://ref.supabase.co/auth/v1"),
        ("JWT_AUDIENCE", "authenticated"),
        ("JWT_ROLE_CLAIM", "app_metadata.tollgate_role"),
    ]);
    let key = TestKey::secret(SECRET.as_bytes());
    for (role, app_metadata, expected) in [
        ("authenticated", json!({ "provider": "email" }), Role::User),
        ("authenticated", json!({ "tollgate_role": "admin" }), Role::Admin),
        // Supabase's own role is about its database, and is never ours.
        ("service", json!({}), Role::User),
        ("admin", json!({}), Role::User),
    ] {
        let found = verified(&tokens, &key.token("k", &supabase_claims(role, app_metadata))).await;
        assert_eq!(found.role, expected, "{role}");
    }
}

#[tokio::test]
async fn supabase_with_its_key_set() {
    let server = serving(&[TestKey::es256().jwk("b1e4")]);
    let tokens = tokens(&[
        ("JWT_JWKS", server.url.as_str()),
        ("JWT_ALGORITHMS", "ES256"),
        ("JWT_ISSUER", "https://ref.supabase.co/auth/v1"),
        ("JWT_AUDIENCE", "authenticated"),
    ]);
    let found = verified(&tokens, &TestKey::es256().token("b1e4", &supabase_claims("authenticated", json!({})))).await;
    assert_eq!(found.role, Role::User);
    assert_eq!(found.issuer, "https://ref.supabase.co/auth/v1");
}
