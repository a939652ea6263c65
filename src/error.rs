//! What can go wrong, in the terms a client acts on.

use std::borrow::Cow;
use std::time::Duration;

/// The result of every verb and query.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure, with a stable [`code`](Error::code) that clients may switch on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request itself is wrong: a malformed id, a foreign cursor, a date that does not exist.
    #[error("{0}")]
    BadInput(Cow<'static, str>),
    /// A well-formed request that a business rule refuses; the caller can mend it.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// Credentials are missing, malformed, expired or revoked.
    #[error("{0}")]
    Unauthenticated(Cow<'static, str>),
    /// The caller is known, and may not do this.
    #[error("{0}")]
    Forbidden(Cow<'static, str>),
    /// There is no such row, or the caller may not know that there is.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The idempotency key was used before, with other input.
    #[error("this idempotency key was used before with different input; use a new key")]
    IdempotencyKeyReused,
    /// The caller asked too often.
    #[error("too many requests; try again in {} s", whole_seconds(.retry_after))]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Something needed to answer is away for the moment; the same request may succeed later.
    #[error("{0} is not available at the moment; try again")]
    Unavailable(&'static str, #[source] anyhow::Error),
    /// The payment provider is away, so that it is not known whether a change was made.
    #[error("{}", if *.kept { KEPT } else { NOT_KEPT })]
    ProviderAway {
        /// Whether the change will be asked for again without the caller.
        kept: bool,
    },
    /// What became of a change at the payment provider is not known, and it is too late to ask again.
    #[error("what became of this request a day ago is not known; look whether it was carried out, and use a new key")]
    Unresolved,
    /// A part that the operator has not set up.
    #[error("this needs the setting {0}")]
    NotConfigured(&'static str),
    /// A fault of ours: logged with its cause, shown to clients as "internal error" alone.
    #[error("internal error")]
    Internal(#[source] anyhow::Error),
}

/// What a caller is told whose change is kept.
const KEPT: &str = "Stripe does not answer; the request is kept and carried out as soon as it does";
/// What a caller is told whose change is not kept.
const NOT_KEPT: &str = "Stripe does not answer; ask again with the same idempotency key, so that nothing is done twice";

/// A business rule that said no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule, in the words of the mutation's error enum, e.g. `CODE_TAKEN`.
    pub code: &'static str,
    /// The input field at fault, from the outermost in; empty where no single one is.
    pub field: &'static [&'static str],
    /// What is wrong and what to do about it.
    pub message: Cow<'static, str>,
    /// Why the bank of a card declined, in the provider's word; `None` where no card was declined.
    pub decline_code: Option<String>,
}

impl Error {
    /// The stable code that clients see in `extensions.code`.
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
            Error::ProviderAway { .. } => "PROVIDER_UNAVAILABLE",
            Error::Unresolved => "UNRESOLVED",
            Error::NotConfigured(_) => "NOT_CONFIGURED",
            Error::Internal(_) => "INTERNAL_SERVER_ERROR",
        }
    }

    /// A request that is wrong in itself.
    pub fn bad_input(message: impl Into<Cow<'static, str>>) -> Self {
        Error::BadInput(message.into())
    }

    /// A business rule that says no to `field` of the input.
    pub fn refused(code: &'static str, field: &'static [&'static str], message: impl Into<Cow<'static, str>>) -> Self {
        Error::Refused(Refusal { code, field, message: message.into(), decline_code: None })
    }

    /// A fault of ours.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Self {
        Error::Internal(cause.into())
    }
}

/// A wait in whole seconds, as clients are told: never too short, and at least one.
pub fn whole_seconds(wait: &Duration) -> u64 {
    let begun = u64::from(wait.subsec_nanos() > 0);
    (wait.as_secs() + begun).max(1)
}
