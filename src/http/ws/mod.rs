//! GraphQL over WebSocket, by the protocol graphql-transport-ws.

mod protocol;
mod session;

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts as _, WebSocketUpgrade},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::Response,
};
use url::Url;

use self::session::Session;
use super::{Http, Settings, graphql::full, observe::RequestId, problem::problem};
use crate::graphql::engine::errors::code;

/// How much longer than allowed a message may be to be refused in words instead of by hanging up.
const READ_OF_TOO_LONG: usize = 2;

/// Whether a request asks for a WebSocket.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
    let mut asked = headers.get_all(header::UPGRADE).iter().filter_map(|value| value.to_str().ok());
    asked.any(|value| value.split(',').any(|it| it.trim().eq_ignore_ascii_case("websocket")))
}

/// Opens a socket.
pub(super) async fn upgrade(http: Arc<Http>, request_id: RequestId, mut parts: Parts) -> Response {
    if !is_let_in(&parts.headers, &http.settings) {
        let message = "pages of this origin may not call; cors_origins names those that may";
        return problem(StatusCode::FORBIDDEN, code::FORBIDDEN, message);
    }
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return problem(rejection.status(), code::BAD_REQUEST, &rejection.body_text()),
    };
    let Some(guest) = http.connections.enter() else { return full() };
    let most = http.settings.body_bytes.saturating_mul(READ_OF_TOO_LONG);
    upgrade
        .protocols([protocol::NAME])
        .max_message_size(most)
        .max_frame_size(most)
        .on_upgrade(move |socket| Session::new(socket, http, parts, request_id, guest).run())
}

/// Browsers ask nobody before they open a socket from a page of another origin, but they say which it is.
fn is_let_in(headers: &HeaderMap, settings: &Settings) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    settings.origins.iter().any(|allowed| allowed == "*" || allowed == origin) || is_ours(origin, headers)
}

/// Whether a page is from the host that it calls. Only the scheme is the page's word, as a proxy may have ended TLS.
fn is_ours(origin: &str, headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let Ok(page) = Url::parse(origin) else { return false };
    let Ok(called) = Url::parse(&format!("{}://{host}", page.scheme())) else { return false };
    page.has_host() && page.host() == called.host() && page.port_or_known_default() == called.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_let_in_by_their_origin() {
        let settings = Settings { origins: vec!["https://a.example".to_owned()], ..Settings::default() };
        for (origin, host, let_in) in [
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
            assert_eq!(is_let_in(&headers, &settings), let_in, "{origin:?} {host}");
        }
    }
}
