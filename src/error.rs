//! The errors, one variant for each case that a client handles differently.

use std::borrow::Cow;
use std::time::Duration;

/// The result of verbs and queries.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure, with a stable [`code`](Error::code) that clients may switch on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is malformed: an id, a cursor or a date that does not parse.
    #[error("{0}")]
    BadInput(Cow<'static, str>),
    /// A business rule refuses a well-formed request; the caller can correct it.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// Credentials are missing, malformed, expired or revoked.
    #[error("{0}")]
    Unauthenticated(Cow<'static, str>),
    /// The caller is known, but lacks a permission.
    #[error("{0}")]
    Forbidden(Cow<'static, str>),
    /// The row does not exist, or the caller may not see it.
    #[error("{0} not found.")]
    NotFound(&'static str),
    /// The idempotency key was used before with different input.
    #[error("This idempotency key was used before with different input: use a new key.")]
    IdempotencyKeyReused,
    /// The caller exceeds a rate limit.
    #[error("Too many requests: try again in {} s.", whole_seconds(.retry_after))]
    RateLimited {
        /// The time to wait.
        retry_after: Duration,
    },
    /// A dependency is unavailable; the same request may succeed later.
    #[error("{0} is not available at the moment: try again.")]
    Unavailable(&'static str, #[source] anyhow::Error),
    /// The payment provider did not answer, so the outcome of the request is unknown.
    #[error("{}", if *.will_retry { WILL_RETRY } else { WILL_NOT_RETRY })]
    ProviderUnavailable {
        /// True if a worker repeats the request.
        will_retry: bool,
    },
    /// The outcome of a request to the payment provider is unknown, and repeating it under its key would not show it.
    #[error(
        "The outcome of this request is unknown and will not be answered any more: check it, and use a new key to repeat it."
    )]
    Unresolved,
    /// A setting that the operator has not set.
    #[error("This needs the setting `{0}`: ask the operator of Tollgate to set it.")]
    NotConfigured(&'static str),
    /// A fault of the server: logged with its cause, shown to clients as [`INTERNAL_MESSAGE`] alone.
    #[error("internal error")]
    Internal(#[source] anyhow::Error),
}

/// The message of a fault of the server for clients, who learn nothing of its cause.
pub const INTERNAL_MESSAGE: &str = "An internal error occurred: the log has its cause under the request id.";

const WILL_RETRY: &str = "Stripe does not answer: the request is stored, and sent again until it does.";
const WILL_NOT_RETRY: &str =
    "Stripe does not answer: repeat the request with the same idempotency key, so that nothing is done twice.";

/// A refusal by a business rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The value of the mutation's error enum, such as `CODE_TAKEN`.
    pub code: &'static str,
    /// The path of the input field at fault, outermost first; empty if no single field is.
    pub field: &'static [&'static str],
    /// The rule and the way out, as a sentence.
    pub message: Cow<'static, str>,
    /// The provider's code for the reason a bank declined a card; `None` if no card was declined.
    pub decline_code: Option<String>,
}

impl Error {
    /// Returns the stable code that clients see in `extensions.code`.
    pub fn code(&self) -> &'static str {
        match self {
            Error::BadInput(_) => "BAD_USER_INPUT",
            Error::Refused(refusal) => refusal.code,
            Error::Unauthenticated(_) => "UNAUTHENTICATED",
            Error::Forbidden(_) => "FORBIDDEN",
            Error::NotFound(_) => "NOT_FOUND",
            Error::IdempotencyKeyReused => "IDEMPOTENCY_KEY_REUSED",
            Error::RateLimited { .. } => "RATE_LIMITED",
            Error::Unavailable(..) => "SERVICE_UNAVAILABLE",
            Error::ProviderUnavailable { .. } => "PROVIDER_UNAVAILABLE",
            Error::Unresolved => "UNRESOLVED",
            Error::NotConfigured(_) => "NOT_CONFIGURED",
            Error::Internal(_) => "INTERNAL_SERVER_ERROR",
        }
    }

    /// Creates an error for a malformed request.
    pub fn bad_input(message: impl Into<Cow<'static, str>>) -> Self {
        Error::BadInput(message.into())
    }

    /// Creates the refusal of `field` of the input by the rule `code`.
    pub fn refused(code: &'static str, field: &'static [&'static str], message: impl Into<Cow<'static, str>>) -> Self {
        Error::Refused(Refusal { code, field, message: message.into(), decline_code: None })
    }

    /// Returns the error of an idempotency key as the refusal of one of many operations, and other errors as they are.
    pub fn as_refusal_of_key(self) -> Self {
        let field: &[&str] = &["idempotencyKey"];
        match self {
            Error::IdempotencyKeyReused => Error::refused("IDEMPOTENCY_KEY_REUSED", field, self.to_string()),
            Error::BadInput(message) => Error::refused("IDEMPOTENCY_KEY_INVALID", field, message),
            error => error,
        }
    }

    /// Returns a malformed value as the refusal of `field` by the rule `code`, and other errors as they are.
    pub fn as_refusal_of(self, code: &'static str, field: &'static [&'static str]) -> Self {
        match self {
            Error::BadInput(message) => Error::refused(code, field, message),
            error => error,
        }
    }

    /// Returns the refusal of a malformed value as an error of the whole request, and other errors as they are.
    pub fn as_bad_input(self) -> Self {
        match self {
            Error::Refused(refusal) => Error::BadInput(refusal.message),
            error => error,
        }
    }

    /// Creates an error for a fault of the server.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Error::Internal(cause.into())
    }
}

/// Returns a wait in whole seconds for clients: rounded up, and at least one.
pub fn whole_seconds(wait: &Duration) -> u64 {
    let begun = u64::from(wait.subsec_nanos() > 0);
    (wait.as_secs() + begun).max(1)
}
