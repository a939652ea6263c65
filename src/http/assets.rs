//! GraphiQL, compiled into the binary so that it works offline, and the schema as text.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest as _, Sha256};
use tower_http::request_id::RequestId;

use super::{
    negotiate::Media,
    observe::id_text,
    respond::{authentication_failed, problem},
    state::Http,
};
use crate::graphql::engine::errors::code;

/// Allows our own scripts only, and no framing by other pages. GraphiQL's editor needs inline styles.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'";

/// Serves the page of GraphiQL.
pub(super) fn graphiql() -> Response {
    let mut response = include_bytes!("../../web/dist/graphiql.html").into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Media::Html.content_type()));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// Serves GraphiQL's script.
pub(super) async fn script(headers: HeaderMap) -> Response {
    asset(&headers, include_bytes!("../../web/dist/graphiql.js"), "text/javascript; charset=utf-8")
}

/// Serves GraphiQL's styles.
pub(super) async fn styles(headers: HeaderMap) -> Response {
    asset(&headers, include_bytes!("../../web/dist/graphiql.css"), "text/css; charset=utf-8")
}

/// Serves the schema in its definition language as plain text, which browsers show and tools accept, to callers who may
/// use introspection.
pub(super) async fn schema(
    State(http): State<Arc<Http>>,
    axum::Extension(request_id): axum::Extension<RequestId>,
    headers: HeaderMap,
) -> Response {
    match http.sign_in(&headers, None).await {
        Err(error) => authentication_failed(&error, id_text(&request_id), Media::Json),
        Ok(viewer) if !http.settings.allows_introspection(&viewer) => {
            let message = "The schema is not available to this caller. See the setting `introspection`.";
            problem(StatusCode::FORBIDDEN, code::FORBIDDEN, message)
        }
        Ok(_) => {
            let sdl = http.engine.sdl().to_owned();
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")], sdl)
                .into_response()
        }
    }
}

/// Serves an asset that browsers cache for a day and then revalidate by its tag, because its URL has no version.
fn asset(request: &HeaderMap, bytes: &'static [u8], content_type: &'static str) -> Response {
    let digest = Sha256::digest(bytes);
    let tag = format!("\"{}\"", hex::encode(&digest[..8]));
    let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CACHE_CONTROL, "public, max-age=86400".to_owned()),
        (header::ETAG, tag.clone()),
    ];
    // Compression turns the tag into a weak one.
    if known.is_some_and(|known| known.split(',').any(|it| it.trim().trim_start_matches("W/") == tag)) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, bytes).into_response()
}
