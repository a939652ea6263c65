//! The pages over HTTP: checkout, confirmation of a payment, and the portal.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use serde_json::Value;

use super::cards::Card;
use super::form::{Params, parse};
use super::portal::{self, Wish};
use super::refusal::{Outcome, Refusal};
use super::state::text;
use super::{Sandbox, checkout, page, payments, whole};

/// Nothing is loaded from anywhere, and no page may frame ours. Where forms lead is left open: they lead to the seller.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

pub(super) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/pay/{session}", get(show_checkout).post(pay))
        .route("/confirm/{payment_intent}", get(show_confirmation).post(confirm))
        .route("/portal/{session}", get(show_portal).post(change))
        .route("/paid", get(|| async { html(StatusCode::OK, page::paid()) }))
}

fn html(status: StatusCode, page: String) -> Response {
    let mut response = (status, page).into_response();
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

/// A page, or the refusal as one.
fn shown(page: Outcome<String>) -> Response {
    match page {
        Ok(page) => html(StatusCode::OK, page),
        Err(refusal) => html(StatusCode::NOT_FOUND, page::message("There is nothing here", refusal.message())),
    }
}

async fn show_checkout(State(sandbox): State<Sandbox>, Path(session): Path<String>) -> Response {
    let held = sandbox.held();
    shown(checkout::open(&held.state, &session).map(|session| page::checkout(&held.state, &session, None)))
}

async fn pay(State(sandbox): State<Sandbox>, Path(id): Path<String>, body: String) -> Response {
    let form = Params(parse(body.as_bytes()));
    let mut held = sandbox.held();
    let done = match form.text("code") {
        Some(code) => whole(&mut held.state, |state| checkout::use_code(state, &id, code).map(|()| None)),
        None => whole(&mut held.state, |state| checkout::pay(state, &id, card(&form))),
    };
    match done {
        Ok(Some(intent)) => Redirect::to(&format!("/confirm/{intent}")).into_response(),
        Ok(None) => after(held.state.get(&id)),
        Err(refusal) => match checkout::open(&held.state, &id) {
            Ok(session) => html(refused(&refusal), page::checkout(&held.state, &session, Some(refusal.message()))),
            Err(gone) => shown(Err(gone)),
        },
    }
}

fn refused(refusal: &Refusal) -> StatusCode {
    StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST)
}

fn card(form: &Params) -> Card {
    match form.text("card") {
        Some("declined") => Card::Declined,
        Some("authenticate") => Card::NeedsAuthentication,
        _ => Card::Good,
    }
}

/// Back to the seller once a session is complete, else to its page.
fn after(session: &Value) -> Response {
    let id = text(session, "id");
    if session["status"] == "complete" {
        return Redirect::to(&text(session, "success_url").replace("{CHECKOUT_SESSION_ID}", id)).into_response();
    }
    Redirect::to(&format!("/pay/{id}")).into_response()
}

async fn show_confirmation(State(sandbox): State<Sandbox>, Path(intent): Path<String>) -> Response {
    let held = sandbox.held();
    shown(payments::asking(&held.state, &intent).map(|intent| page::confirmation(&intent)))
}

async fn confirm(State(sandbox): State<Sandbox>, Path(intent): Path<String>, body: String) -> Response {
    let agrees = Params(parse(body.as_bytes())).text("deed") == Some("yes");
    let mut held = sandbox.held();
    // Looked for first: a session that is complete does not say with what it was paid.
    let session = checkout::session_of(&held.state, &intent);
    if let Err(refusal) = whole(&mut held.state, |state| payments::authenticated(state, &intent, agrees)) {
        return shown(Err(refusal));
    }
    match session {
        Some(session) => after(held.state.get(&session)),
        None if agrees => html(StatusCode::OK, page::message("Thank you", "The payment is confirmed.")),
        None => html(StatusCode::OK, page::message("Not paid", "The payment is not confirmed.")),
    }
}

async fn show_portal(State(sandbox): State<Sandbox>, Path(session): Path<String>) -> Response {
    let held = sandbox.held();
    let session = held.state.find("billing_portal.session", &session, "");
    shown(session.map(|session| page::portal(&held.state, &session, None)))
}

async fn change(State(sandbox): State<Sandbox>, Path(id): Path<String>, body: String) -> Response {
    let form = Params(parse(body.as_bytes()));
    let subscription = form.text("subscription").unwrap_or_default().to_owned();
    let wish = match form.text("deed") {
        Some("cancel") => Wish::Cancel(subscription),
        Some("keep") => Wish::Keep(subscription),
        _ => Wish::Card(card(&form)),
    };
    let mut held = sandbox.held();
    let done = whole(&mut held.state, |state| portal::act(state, &id, &wish));
    match (done, held.state.find("billing_portal.session", &id, "")) {
        (Ok(()), _) => Redirect::to(&format!("/portal/{id}")).into_response(),
        (Err(refusal), Ok(session)) => {
            html(refused(&refusal), page::portal(&held.state, &session, Some(refusal.message())))
        }
        (Err(_), Err(gone)) => shown(Err(gone)),
    }
}
