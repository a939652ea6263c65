//! From a credential to a caller: what does not hold is refused, and never taken for anonymous.

use crate::support::{Reply, SECRET, TestApp, both_engines, local_id};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use entity::{account_members, accounts, user_identities, users};
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use sea_orm::ActiveValue::Set;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};
use tollgate::auth::Permission;
use uuid::Uuid;

both_engines!(
    a_credential_that_does_not_hold_is_refused,
    a_token_holds_from_its_beginning_to_its_end,
    of_many_first_requests_at_once_one_makes_the_user,
    nobody_is_made_where_that_is_switched_off,
    an_erased_user_is_refused,
    the_role_in_the_database_counts_within_half_a_minute,
    a_service_is_nobodys_user_and_may_do_what_its_scopes_say,
);

const ROLE: &str = "{ viewer { role scopes user { id } } }";

/// Claims that hold at the start of a test.
pub(crate) fn claims(test: &TestApp, changes: Value) -> Value {
    let now = test.app.now().timestamp();
    let mut claims =
        json!({"iss": "https://id.example.com", "aud": "billing", "sub": "ann", "iat": now, "exp": now + 600});
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// A token with this header and these claims, signed whatever they say.
pub(crate) fn token(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

pub(crate) fn hs256(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    token(&json!({"alg": "HS256", "typ": "JWT"}), claims, &key, Algorithm::HS256)
}

/// Asks who one is with these Authorization headers.
pub(crate) async fn ask(test: &TestApp, authorization: &[&str]) -> Reply {
    let mut request = Request::post("/graphql").header("content-type", "application/json");
    for value in authorization {
        request = request.header("authorization", *value);
    }
    test.send(request.body(Body::from(json!({"query": ROLE}).to_string())).unwrap()).await
}

/// Fails unless the reply refuses the credential, by the book.
pub(crate) fn refused(reply: &Reply, case: &str) {
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{case}: {}", reply.body);
    assert!(reply.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"), "{case}");
    let body = reply.json();
    assert_eq!(body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{case}");
    assert!(body["data"].is_null(), "{case}: {body}");
}

async fn a_credential_that_does_not_hold_is_refused(test: &TestApp) {
    let test = &test
        .beside(&[
            ("TOLLGATE_JWT_HS256_SECRET", SECRET),
            ("TOLLGATE_JWT_ISSUER", "https://id.example.com"),
            ("TOLLGATE_JWT_AUDIENCE", "billing,shop"),
        ])
        .await;
    let now = test.app.now().timestamp();
    let with = |changes| format!("Bearer {}", hs256(&claims(test, changes)));
    let good = with(json!({}));
    assert_eq!(ask(test, &[&good]).await.json()["data"]["viewer"]["role"], "USER");

    let secret = EncodingKey::from_secret(SECRET.as_bytes());
    let other = EncodingKey::from_secret(b"another secret, of someone else entirely");
    let sign =
        |header: Value, key, algorithm| format!("Bearer {}", token(&header, &claims(test, json!({})), key, algorithm));
    let unsigned = good.rsplit_once('.').unwrap().0;
    let none = URL_SAFE_NO_PAD.encode(json!({"alg": "none"}).to_string());
    let (_, rest) = good.split_once('.').unwrap();
    let cases = [
        ("another scheme", "Basic YWRtaW46YWRtaW4=".to_owned()),
        ("no scheme", good["Bearer ".len()..].to_owned()),
        ("nothing after the scheme", "Bearer".to_owned()),
        ("an empty credential", "Bearer ".to_owned()),
        ("no token", "Bearer hello".to_owned()),
        ("two parts", unsigned.to_owned()),
        ("no signature", format!("{unsigned}.")),
        ("alg none", format!("Bearer {none}.{}.", rest.rsplit_once('.').unwrap().0)),
        ("alg none over a signature", format!("Bearer {none}.{rest}")),
        ("another algorithm", sign(json!({"alg": "HS512"}), &secret, Algorithm::HS512)),
        ("another key", sign(json!({"alg": "HS256"}), &other, Algorithm::HS256)),
        ("a changed claim", format!("{}x{}", &good[..60], &good[61..])),
        ("an expiry in the past", with(json!({"exp": now - 31}))),
        ("no expiry", with(json!({"exp": null}))),
        ("an expiry that is no time", with(json!({"exp": "tomorrow"}))),
        ("not valid yet", with(json!({"nbf": now + 31}))),
        ("issued in the future", with(json!({"iat": now + 31}))),
        ("another audience", with(json!({"aud": "someone-else"}))),
        ("no audience", with(json!({"aud": null}))),
        ("another issuer", with(json!({"iss": "https://id.example.com/"}))),
        ("no issuer", with(json!({"iss": null}))),
        ("no subject", with(json!({"sub": null}))),
        ("an empty subject", with(json!({"sub": ""}))),
        ("a subject with NUL", with(json!({"sub": "a\u{0}b"}))),
        ("an over-long subject", with(json!({"sub": "x".repeat(256)}))),
        ("an over-long token", with(json!({"pad": "x".repeat(9_000)}))),
        ("an API key of no one", format!("Bearer tg_AAAAAAAA_{}", "A".repeat(43))),
        ("a malformed API key", "Bearer tg_short".to_owned()),
    ];
    for (case, header) in &cases {
        refused(&ask(test, &[header]).await, case);
    }
    refused(&ask(test, &[&good, &good]).await, "two headers");
    refused(&ask(test, &["Basic x", &good]).await, "two headers of two schemes");
    assert_eq!(ask(test, &[]).await.json()["data"]["viewer"]["role"], "ANONYMOUS");
    let odd = with(json!({"sub": "odd", "name": "a\u{0}b", "email": "a\u{0}@example.com", "picture": 7}));
    assert_eq!(ask(test, &[&odd]).await.json()["data"]["viewer"]["role"], "USER", "odd texts are left out");
}

async fn a_token_holds_from_its_beginning_to_its_end(test: &TestApp) {
    let now = test.app.now().timestamp();
    let token = format!("bearer {}", hs256(&claims(test, json!({"nbf": now + 60, "exp": now + 120}))));
    refused(&ask(test, &[&token]).await, "before its time");
    for (seconds, holds) in [(30, true), (60, true), (59, true), (1, false)] {
        test.advance(TimeDelta::seconds(seconds));
        let reply = ask(test, &[&token]).await;
        if holds {
            assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
        } else {
            refused(&reply, "after its time");
        }
    }
}

async fn of_many_first_requests_at_once_one_makes_the_user(test: &TestApp) {
    let query = "{ viewer { user { id } account { id holderKind owner { id } } } }";
    let requests = (0..16).map(async |_| test.user("newcomer").data(query, json!({})).await);
    let answers = join_all(requests).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0]["viewer"]["account"]["holderKind"], "INDIVIDUAL");
    assert_eq!(answers[0]["viewer"]["account"]["owner"], answers[0]["viewer"]["user"]);
    let db = test.app.db.schema();
    assert_eq!(users::Entity::find().count(db).await.unwrap(), 1);
    assert_eq!(user_identities::Entity::find().count(db).await.unwrap(), 1);
    assert_eq!(accounts::Entity::find().count(db).await.unwrap(), 1);
    assert_eq!(account_members::Entity::find().count(db).await.unwrap(), 1);
}

async fn nobody_is_made_where_that_is_switched_off(test: &TestApp) {
    let closed =
        &test.beside(&[("TOLLGATE_JWT_HS256_SECRET", SECRET), ("TOLLGATE_CREATE_USERS_ON_SIGN_IN", "false")]).await;
    refused(&closed.user("dora").post(ROLE, json!({})).await, "unknown");
    assert_eq!(users::Entity::find().count(test.app.db.schema()).await.unwrap(), 0);
    let made = test.user("dora").data(ROLE, json!({})).await;
    assert_eq!(closed.user("dora").data(ROLE, json!({})).await, made);
    assert_eq!(closed.admin().data(ROLE, json!({})).await["viewer"]["role"], "ADMIN", "an admin need not be a user");
}

async fn user_of(test: &TestApp, subject: &str) -> Uuid {
    let data = test.user(subject).data(ROLE, json!({})).await;
    local_id(data["viewer"]["user"]["id"].as_str().unwrap()).1
}

async fn change(test: &TestApp, user: users::ActiveModel) {
    users::Entity::update(user).exec(test.app.db.schema()).await.unwrap();
}

async fn an_erased_user_is_refused(test: &TestApp) {
    let id = user_of(test, "ann").await;
    let erased_at = Set(Some(test.app.now().fixed_offset()));
    change(test, users::ActiveModel { id: Set(id), erased_at, ..Default::default() }).await;
    test.advance(TimeDelta::seconds(30));
    refused(&test.user("ann").post(ROLE, json!({})).await, "erased");
    assert_eq!(users::Entity::find().count(test.app.db.schema()).await.unwrap(), 1, "and not made anew");
}

async fn the_role_in_the_database_counts_within_half_a_minute(test: &TestApp) {
    let id = user_of(test, "ann").await;
    let roles = async || test.user("ann").data(ROLE, json!({})).await["viewer"]["role"].as_str().unwrap().to_owned();
    for (role, before, after) in [("admin", "USER", "ADMIN"), ("user", "ADMIN", "USER")] {
        change(test, users::ActiveModel { id: Set(id), role: Set(role.to_owned()), ..Default::default() }).await;
        test.advance(TimeDelta::seconds(29));
        assert_eq!(roles().await, before);
        test.advance(TimeDelta::seconds(1));
        assert_eq!(roles().await, after);
    }
}

async fn a_service_is_nobodys_user_and_may_do_what_its_scopes_say(test: &TestApp) {
    let service = test.service(&[Permission::BillingRead, Permission::AuditRead]);
    let data = service.data(ROLE, json!({})).await;
    assert_eq!(data["viewer"], json!({"role": "SERVICE", "scopes": ["billing:read", "audit:read"], "user": null}));
    assert_eq!(service.code("{ apiKeys { totalCount } }", json!({})).await, "FORBIDDEN");
    assert_eq!(users::Entity::find().count(test.app.db.schema()).await.unwrap(), 0);
    // The scopes of a person's token are about something else.
    let changes = json!({"scope": "billing:read credits:write", "role": "admin", "is_admin": true});
    let person = ask(test, &[&format!("Bearer {}", hs256(&claims(test, changes)))]).await.json();
    assert_eq!(person["data"]["viewer"]["scopes"], json!([]));
    assert_eq!(person["data"]["viewer"]["role"], "USER");
}
