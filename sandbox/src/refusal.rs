//! How requests are refused, in Stripe's words.

use serde_json::{Value, json};

/// What a request comes to.
pub(super) type Outcome<T> = Result<T, Box<Refusal>>;

/// A request that is refused.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// The status of HTTP.
    pub(super) status: u16,
    /// What stands under `error`.
    pub(super) error: Value,
    /// Whether the answer is kept under the request's key: all but those to malformed requests are.
    pub(super) saved: bool,
    /// Whether what the request has done so far is undone.
    pub(super) undo: bool,
}

impl Refusal {
    /// The sentence that says why.
    pub(super) fn message(&self) -> &str {
        self.error["message"].as_str().unwrap_or_default()
    }
}

fn refusal(status: u16, error: Value, saved: bool) -> Box<Refusal> {
    Box::new(Refusal { status, error, saved, undo: true })
}

/// A refusal of another type than that of wrong requests.
pub(super) fn of_type(status: u16, kind: &str, code: &str, message: &str) -> Box<Refusal> {
    let mut error = json!({"type": kind, "message": message});
    if !code.is_empty() {
        error["code"] = json!(code);
    }
    refusal(status, error, false)
}

/// A parameter that does not exist.
pub(super) fn unknown(param: &str) -> Box<Refusal> {
    malformed("parameter_unknown", param, &format!("Received unknown parameter: {param}"))
}

/// A parameter that has to be there.
pub(super) fn missing(param: &str) -> Box<Refusal> {
    malformed("parameter_missing", param, &format!("Missing required param: {param}."))
}

/// A parameter whose value makes no sense.
pub(super) fn malformed(code: &str, param: &str, message: &str) -> Box<Refusal> {
    let error = json!({"type": "invalid_request_error", "code": code, "message": message, "param": param});
    refusal(400, error, false)
}

/// A request that is well-formed and cannot be done.
pub(super) fn refused(code: &str, param: &str, message: &str) -> Box<Refusal> {
    let mut error = json!({"type": "invalid_request_error", "message": message});
    for (name, value) in [("code", code), ("param", param)] {
        if !value.is_empty() {
            error[name] = json!(value);
        }
    }
    refusal(400, error, true)
}

/// An object that does not exist.
pub(super) fn no_such(kind: &str, id: &str, param: &str) -> Box<Refusal> {
    let message = format!("No such {}: '{id}'", kind.replace(['.', '_'], " "));
    let mut refusal = refused("resource_missing", if param.is_empty() { "id" } else { param }, &message);
    refusal.status = if param.is_empty() { 404 } else { 400 };
    refusal
}

/// A card that did not pay; what was tried stays.
pub(super) fn of_card(error: &Value, intent: &Value) -> Box<Refusal> {
    let mut error = error.clone();
    error["payment_intent"] = intent.clone();
    Box::new(Refusal { status: 402, error, saved: true, undo: false })
}
