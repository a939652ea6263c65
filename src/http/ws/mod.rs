//! GraphQL over WebSocket, by the protocol graphql-transport-ws.

mod protocol;
mod session;

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts as _, WebSocketUpgrade},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::Response,
};
use tower_http::request_id::RequestId;
use url::Url;

use self::session::Session;
use super::{respond::problem, state::Http};
use crate::graphql::engine::errors::code;

/// Messages up to this multiple of the limit are refused with a reason; longer ones end the connection.
const READ_FACTOR: usize = 2;

/// Returns whether a request asks for a WebSocket.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    let mut asked = headers.get_all(header::UPGRADE).iter().filter_map(|value| value.to_str().ok());
    asked.any(|value| value.split(',').any(|it| it.trim().eq_ignore_ascii_case("websocket")))
}

/// Opens a WebSocket.
pub(super) async fn upgrade(http: Arc<Http>, request_id: RequestId, mut parts: Parts) -> Response {
    if !is_allowed(&parts.headers, &http.settings.origins) {
        let message = "Pages of this origin may not call the API. Add the origin to `cors_origins`.";
        return problem(StatusCode::FORBIDDEN, code::FORBIDDEN, message);
    }
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return problem(rejection.status(), code::BAD_REQUEST, &rejection.body_text()),
    };
    let permit = match http.connections.acquire(http.settings.proxies.client(&parts)) {
        Ok(permit) => permit,
        Err(limit) => return http.refuse_connection(limit),
    };
    let max_bytes = http.settings.body_bytes.saturating_mul(READ_FACTOR);
    upgrade
        .protocols([protocol::NAME])
        .max_message_size(max_bytes)
        .max_frame_size(max_bytes)
        .on_upgrade(move |socket| Session::new(socket, http, parts, request_id, permit).run())
}

/// Checks the origin of a page: browsers open WebSockets to other origins without a preflight, but they send the origin.
fn is_allowed(headers: &HeaderMap, origins: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    origins.iter().any(|allowed| allowed == "*" || allowed == origin) || is_same_origin(origin, headers)
}

/// Returns whether a page is from the host that it calls. The scheme is not compared, because a proxy may terminate TLS.
pub(super) fn is_same_origin(origin: &str, headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let Ok(page) = Url::parse(origin) else { return false };
    let Ok(called) = Url::parse(&format!("{}://{host}", page.scheme())) else { return false };
    page.has_host() && page.host() == called.host() && page.port_or_known_default() == called.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_admitted_by_their_origin() {
        let origins = ["https://a.example".to_owned()];
        for (origin, host, allowed) in [
            (None, "api.example", true),
            (Some("https://a.example"), "api.example", true),
            (Some("https://b.example"), "api.example", false),
            (Some("https://a.example:8443"), "api.example", false),
            (Some("https://api.example"), "api.example", true),
            (Some("https://api.example"), "api.example:443", true),
            (Some("http://api.example"), "api.example:8080", false),
            (Some("http://127.0.0.1:8080"), "127.0.0.1:8080", true),
            (Some("https://api.example.evil.example"), "api.example", false),
            (Some("null"), "api.example", false),
            (Some("file://"), "api.example", false),
            (Some(""), "", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(is_allowed(&headers, &origins), allowed, "{origin:?} {host}");
        }
    }
}
