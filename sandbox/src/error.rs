//! Errors of requests, in Stripe's words.

use serde_json::{Value, json};

/// The result of a request.
pub(crate) type StripeResult<T> = Result<T, Box<StripeError>>;

/// An error reply.
#[derive(Debug, Clone)]
pub(crate) struct StripeError {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The value of `error` in the body.
    pub(crate) error: Value,
    /// True if the reply is stored under the request's idempotency key. Replies to malformed requests are not.
    pub(crate) stored: bool,
    /// True if the changes that the request has made so far are rolled back.
    pub(crate) rolls_back: bool,
}

impl StripeError {
    /// Returns the sentence that explains the error.
    pub(crate) fn message(&self) -> &str {
        self.error["message"].as_str().unwrap_or_default()
    }
}

fn boxed(status: u16, error: Value, stored: bool) -> Box<StripeError> {
    Box::new(StripeError { status, error, stored, rolls_back: true })
}

/// Returns an error of a type other than `invalid_request_error`; an empty code is left out.
pub(crate) fn error_of_type(status: u16, kind: &str, code: &str, message: &str) -> Box<StripeError> {
    let mut error = json!({"type": kind, "message": message});
    if !code.is_empty() {
        error["code"] = json!(code);
    }
    boxed(status, error, false)
}

/// Returns the error for a parameter that does not exist.
pub(crate) fn unknown_parameter(param: &str) -> Box<StripeError> {
    malformed_parameter("parameter_unknown", param, &format!("Received unknown parameter: {param}"))
}

/// Returns the error for a required parameter that is missing.
pub(crate) fn missing_parameter(param: &str) -> Box<StripeError> {
    malformed_parameter("parameter_missing", param, &format!("Missing required param: {param}."))
}

/// Returns the error for a parameter whose value cannot be parsed.
pub(crate) fn malformed_parameter(code: &str, param: &str, message: &str) -> Box<StripeError> {
    let error = json!({"type": "invalid_request_error", "code": code, "message": message, "param": param});
    boxed(400, error, false)
}

/// Returns the error for a well-formed request that breaks a rule; an empty code or parameter is left out.
pub(crate) fn invalid_request(code: &str, param: &str, message: &str) -> Box<StripeError> {
    let mut error = json!({"type": "invalid_request_error", "message": message});
    for (name, value) in [("code", code), ("param", param)] {
        if !value.is_empty() {
            error[name] = json!(value);
        }
    }
    boxed(400, error, true)
}

/// Returns the error for an object that does not exist: 404 if the path names it, 400 if a parameter does.
pub(crate) fn not_found(kind: &str, id: &str, param: &str) -> Box<StripeError> {
    let message = format!("No such {}: '{id}'", kind.replace(['.', '_'], " "));
    let mut error = invalid_request("resource_missing", if param.is_empty() { "id" } else { param }, &message);
    error.status = if param.is_empty() { 404 } else { 400 };
    error
}

/// Returns the error for a card that did not pay. The changes made so far are kept.
pub(crate) fn card_error(error: &Value, intent: &Value) -> Box<StripeError> {
    let mut error = error.clone();
    error["payment_intent"] = intent.clone();
    Box::new(StripeError { status: 402, error, stored: true, rolls_back: false })
}

/// Returns the error for a card that did not pay. The changes made so far are rolled back.
pub(crate) fn card_error_with_rollback(error: &Value, intent: &Value) -> Box<StripeError> {
    let mut error = card_error(error, intent);
    error.rolls_back = true;
    error
}

/// Returns the error for a customer without a payment method.
pub(crate) fn no_payment_method() -> Box<StripeError> {
    let message = "This customer has no attached payment source or default payment method. Please consider adding a \
        default payment method.";
    invalid_request("resource_missing", "", message)
}
