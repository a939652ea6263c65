//! Execution of requests: once for each idempotency key, with the stored reply after that.

use serde_json::json;

use crate::error::{StripeError, error_of_type};
use crate::http::requests::{Reply, SeenRequest};
use crate::http::routes;
use crate::params::Params;
use crate::sandbox::World;

/// Executes a request, or returns its stored reply.
pub(crate) fn reply(world: &mut World, request: &SeenRequest) -> Reply {
    let id = world.requests.next_id();
    let rejected = |error: Box<StripeError>| error_reply(&error, &id);
    let Some(key) = request.effective_key().map(str::to_owned) else { return execute(world, request, &id).0 };
    if world.requests.in_use.contains(&key) {
        let message = "There is currently another in-progress request using this Idempotent Key (that probably means \
            you submitted twice, and the other request is still going through). Please try again later.";
        return rejected(error_of_type(409, "idempotency_error", "idempotency_key_in_use", message));
    }
    let now = world.store.now;
    if let Some(stored) = world.requests.stored(&key, now) {
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try \
             using a key other than '{key}' if you meant to execute a different request."
        );
        let mismatch = || rejected(error_of_type(400, "idempotency_error", "", &message));
        return stored.for_request(request).unwrap_or_else(mismatch);
    }
    let (reply, is_stored) = execute(world, request, &id);
    if is_stored {
        world.requests.store(request, &reply, now);
    }
    reply
}

/// Returns the reply for a failure at Stripe.
pub(crate) fn server_error(world: &mut World, status: u16) -> Reply {
    let (kind, code) = match status {
        401 => ("invalid_request_error", "api_key_expired"),
        403 => ("invalid_request_error", "more_permissions_required"),
        409 => ("invalid_request_error", "lock_timeout"),
        429 => ("invalid_request_error", "rate_limit"),
        _ => ("api_error", ""),
    };
    let id = world.requests.next_id();
    error_reply(&error_of_type(status, kind, code, "Something went wrong on Stripe's end."), &id)
}

/// Returns the reply for a wrong API key.
pub(crate) fn unauthorized(world: &mut World) -> Reply {
    let id = world.requests.next_id();
    error_reply(&error_of_type(401, "invalid_request_error", "invalid_api_key", "Invalid API Key provided."), &id)
}

fn error_reply(error: &StripeError, id: &str) -> Reply {
    Reply { status: error.status, body: json!({"error": error.error}), request_id: id.to_owned(), replayed: false }
}

/// Executes a request. Returns the reply, and true if it is to be stored.
fn execute(world: &mut World, request: &SeenRequest, id: &str) -> (Reply, bool) {
    world.store.request = json!({"id": id, "idempotency_key": request.effective_key()});
    let path: Vec<&str> = request.path.trim_start_matches("/v1/").split('/').filter(|part| !part.is_empty()).collect();
    let params = Params(request.params.clone());
    match world.store.atomically(|store| routes::respond(store, &request.method, &path, params)) {
        Ok(body) => (Reply { status: 200, body, request_id: id.to_owned(), replayed: false }, true),
        Err(error) => (error_reply(&error, id), error.stored),
    }
}
