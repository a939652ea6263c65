//! Pages of other web origins that send publishable keys. Such a page may send its key to `/graphql` and read the reply;
//! for everything else its origin is admitted by `cors_origins`, as any other is.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{
    respond::problem,
    state::{Http, bearer},
    ws::is_same_origin,
};
use crate::{
    accounts::{self, PageRequest},
    auth::{PublishableKey, Viewer},
    error::Result,
    graphql::engine::errors::code,
};

/// The root fields that a publishable key opens.
pub(super) const PAGE_ROOTS: &[&str] = &["recordConsent", "trackEvents"];

/// The path to which pages send their keys.
const PATH: &str = "/graphql";
/// Time for which browsers may cache the response to a preflight, in seconds: short, because keys can be revoked.
const PREFLIGHT_MAX_AGE: &str = "600";
/// The header by which a browser says that its user does not want to be tracked (Global Privacy Control).
const GLOBAL_PRIVACY_CONTROL: HeaderName = HeaderName::from_static("sec-gpc");

impl Http {
    /// Authenticates the caller of a request that is answered once: by a publishable key, or as any other.
    pub(super) async fn sign_in_once(&self, headers: &HeaderMap, address: Option<IpAddr>) -> Result<Viewer> {
        let Some(key) = publishable_key(headers) else { return self.sign_in(headers, address).await };
        let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let opts_out = headers.get(GLOBAL_PRIVACY_CONTROL).is_some_and(|value| value == "1");
        let request = PageRequest { key, origin, opts_out };
        Ok(accounts::sign_in_page(&self.app, request).await?.calling_from(address))
    }

    /// Returns whether pages of this origin may send publishable keys; not while the database is unavailable.
    async fn is_page_origin(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        accounts::is_page_origin(&self.app, origin).await.unwrap_or_else(|error| {
            tracing::warn!(cause = format!("{:#}", anyhow::Error::from(error)), "an origin cannot be checked");
            false
        })
    }
}

/// Lets pages send publishable keys, and nothing else, where `cors_origins` does not admit their origin.
pub(super) async fn admit_pages(State(http): State<Arc<Http>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let foreign =
        headers.get(header::ORIGIN).filter(|origin| request.uri().path() == PATH && !http.settings.admits(origin));
    let Some(origin) = foreign.cloned() else { return next.run(request).await };
    if request.method() == Method::OPTIONS {
        let is_preflight = headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        return match is_preflight && http.is_page_origin(&origin).await {
            true => preflight(origin),
            false => next.run(request).await,
        };
    }
    if publishable_key(headers).is_some() {
        // A key that was refused can be read too, so that the page stops.
        let is_readable = http.is_page_origin(&origin).await;
        let mut response = next.run(request).await;
        if is_readable {
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        return response;
    }
    // The answer to the preflight of a page lets browsers send any credential, also that of a user.
    let was_asked = request.method() != Method::GET || headers.contains_key(header::AUTHORIZATION);
    let is_same = origin.to_str().is_ok_and(|origin| is_same_origin(origin, headers));
    if was_asked && !is_same && http.is_page_origin(&origin).await {
        let message =
            "Pages of this origin may send publishable keys only. Add the origin to `cors_origins` for others.";
        return problem(StatusCode::FORBIDDEN, code::FORBIDDEN, message);
    }
    next.run(request).await
}

/// Returns the publishable key of a request, valid or not; `None` if it has another credential or none.
pub(super) fn publishable_key(headers: &HeaderMap) -> Option<&str> {
    bearer(headers).ok().flatten().filter(|credential| PublishableKey::is_meant_by(credential))
}

/// Creates the response to the preflight of a page.
fn preflight(origin: HeaderValue) -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin),
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST")),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization,content-type")),
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_MAX_AGE)),
        (header::VARY, HeaderValue::from_static("origin, access-control-request-method")),
    ];
    (StatusCode::OK, headers).into_response()
}
