//! GraphiQL, compiled into the binary so that it works without a network, and the schema as text.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest as _, Sha256};

use super::{Http, graphql::authentication_failed, negotiate::Media, observe::RequestId, problem::problem};
use crate::graphql::engine::errors::code;

/// Only our own scripts run, and no other page may frame ours; styles are written inline by GraphiQL's editor.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'";

/// The page of GraphiQL.
pub(super) fn graphiql() -> Response {
    let mut response = include_bytes!("../../web/dist/graphiql.html").into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Media::Html.content_type()));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// GraphiQL's script.
pub(super) async fn script(headers: HeaderMap) -> Response {
    asset(&headers, include_bytes!("../../web/dist/graphiql.js"), "text/javascript; charset=utf-8")
}

/// GraphiQL's styles.
pub(super) async fn styles(headers: HeaderMap) -> Response {
    asset(&headers, include_bytes!("../../web/dist/graphiql.css"), "text/css; charset=utf-8")
}

/// The schema in its definition language, for tools and people; as plain text, which browsers show and tools accept.
/// Open to whom introspection is.
pub(super) async fn schema(
    State(http): State<Arc<Http>>,
    axum::Extension(request_id): axum::Extension<RequestId>,
    headers: HeaderMap,
) -> Response {
    match (http.authenticate)(&headers, None).await {
        Err(error) => authentication_failed(&error, &request_id, Media::Json),
        Ok(caller) if !http.settings.introspection.allows(&caller) => {
            problem(StatusCode::FORBIDDEN, code::FORBIDDEN, "the schema is not open to this caller")
        }
        Ok(_) => {
            let sdl = http.engine.sdl().to_owned();
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], sdl)
                .into_response()
        }
    }
}

/// An asset that browsers keep for a day and then ask for by its tag: the addresses carry no version.
fn asset(request: &HeaderMap, bytes: &'static [u8], content_type: &'static str) -> Response {
    let digest = Sha256::digest(bytes);
    let tag = format!("\"{}\"", hex::encode(&digest[..8]));
    let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CACHE_CONTROL, "public, max-age=86400".to_owned()),
        (header::ETAG, tag.clone()),
    ];
    // Compression makes the tag a weak one.
    if known.is_some_and(|known| known.split(',').any(|it| it.trim().trim_start_matches("W/") == tag)) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, bytes).into_response()
}
