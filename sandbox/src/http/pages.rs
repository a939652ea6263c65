//! The pages over HTTP: checkout, confirmation of a payment, and the portal.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use maud::Markup;
use serde_json::Value;

use crate::billing::portal::{self, PortalAction};
use crate::billing::{checkout, payments};
use crate::error::{StripeError, StripeResult};
use crate::http::views;
use crate::objects::cards::Card;
use crate::objects::{intents, sessions};
use crate::params::{Params, parse};
use crate::sandbox::Sandbox;
use crate::store::text;

/// Loads nothing from elsewhere, and forbids framing. `form-action` is left open, since forms lead to the seller.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/// Returns the routes of the pages.
pub(crate) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/pay/{session}", get(show_checkout).post(pay))
        .route("/confirm/{payment_intent}", get(show_confirmation).post(confirm))
        .route("/portal/{session}", get(show_portal).post(change))
        .route("/paid", get(|| async { html(StatusCode::OK, views::paid()) }))
}

fn html(status: StatusCode, page: Markup) -> Response {
    let mut response = (status, page.into_string()).into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Returns the response with a page, or with the error as a page.
fn show(page: StripeResult<Markup>) -> Response {
    match page {
        Ok(page) => html(StatusCode::OK, page),
        Err(error) => html(StatusCode::NOT_FOUND, views::message("Not found", error.message())),
    }
}

async fn show_checkout(State(sandbox): State<Sandbox>, Path(session): Path<String>) -> Response {
    let world = sandbox.lock();
    show(sessions::find_open(&world.store, &session).map(|session| views::checkout(&world.store, &session, None)))
}

async fn pay(State(sandbox): State<Sandbox>, Path(id): Path<String>, body: String) -> Response {
    let form = Params(parse(body.as_bytes()));
    let mut world = sandbox.lock();
    let result = world.store.atomically(|store| match form.text("code") {
        Some(code) => checkout::apply_code(store, &id, code).map(|()| None),
        None => checkout::pay(store, &id, card(&form)),
    });
    match result {
        Ok(Some(intent)) => Redirect::to(&format!("/confirm/{intent}")).into_response(),
        Ok(None) => redirect_from(world.store.get(&id)),
        Err(error) => match sessions::find_open(&world.store, &id) {
            Ok(session) => html(status(&error), views::checkout(&world.store, &session, Some(error.message()))),
            Err(gone) => show(Err(gone)),
        },
    }
}

fn status(error: &StripeError) -> StatusCode {
    StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST)
}

fn card(form: &Params) -> Card {
    match form.text("card") {
        Some("declined") => Card::Declined,
        Some("authenticate") => Card::NeedsAuthentication,
        _ => Card::Good,
    }
}

/// Redirects to the seller after a complete session, and otherwise to the session's page.
fn redirect_from(session: &Value) -> Response {
    let id = text(session, "id");
    if session["status"] == "complete" {
        return Redirect::to(&text(session, "success_url").replace("{CHECKOUT_SESSION_ID}", id)).into_response();
    }
    Redirect::to(&format!("/pay/{id}")).into_response()
}

async fn show_confirmation(State(sandbox): State<Sandbox>, Path(intent): Path<String>) -> Response {
    let world = sandbox.lock();
    show(intents::find_requiring_action(&world.store, &intent).map(|intent| views::confirmation(&intent)))
}

async fn confirm(State(sandbox): State<Sandbox>, Path(intent): Path<String>, body: String) -> Response {
    let is_confirmed = Params(parse(body.as_bytes())).text("action") == Some("confirm");
    let mut world = sandbox.lock();
    // Looked up first, since a complete session does not name its payment intent.
    let session = sessions::open_session_of(&world.store, &intent);
    if let Err(error) = world.store.atomically(|store| payments::authenticate(store, &intent, is_confirmed)) {
        return show(Err(error));
    }
    match session {
        Some(session) => redirect_from(world.store.get(&session)),
        None if is_confirmed => html(StatusCode::OK, views::message("Thank you", "The payment is confirmed.")),
        None => html(StatusCode::OK, views::message("Not paid", "The payment is not confirmed.")),
    }
}

async fn show_portal(State(sandbox): State<Sandbox>, Path(session): Path<String>) -> Response {
    let world = sandbox.lock();
    let session = world.store.find("billing_portal.session", &session, "");
    show(session.map(|session| views::portal(&world.store, &session, None)))
}

async fn change(State(sandbox): State<Sandbox>, Path(id): Path<String>, body: String) -> Response {
    let form = Params(parse(body.as_bytes()));
    let subscription = form.text("subscription").unwrap_or_default().to_owned();
    let action = match form.text("action") {
        Some("cancel") => PortalAction::Cancel(subscription),
        Some("keep") => PortalAction::Keep(subscription),
        _ => PortalAction::Card(card(&form)),
    };
    let mut world = sandbox.lock();
    let result = world.store.atomically(|store| portal::perform(store, &id, &action));
    match (result, world.store.find("billing_portal.session", &id, "")) {
        (Ok(()), _) => Redirect::to(&format!("/portal/{id}")).into_response(),
        (Err(error), Ok(session)) => html(status(&error), views::portal(&world.store, &session, Some(error.message()))),
        (Err(_), Err(gone)) => show(Err(gone)),
    }
}
