//! Where the two providers are told apart.

use super::object::{Object, Ties};
use super::{paddle, stripe};
use crate::providers::Provider;
use serde_json::Value;
use uuid::Uuid;

impl Provider {
    /// What an object is tied to. `kind` is that of the object.
    pub(super) fn ties(self, kind: &str, object: &Value) -> Ties {
        match self {
            Provider::Stripe => stripe::ties(kind, object),
            Provider::Paddle => paddle::ties(kind, object),
        }
    }

    /// How near the state of an object is to its end.
    pub(super) fn progress(self, kind: &str, object: &Value) -> u8 {
        match self {
            Provider::Stripe => stripe::progress(kind, object),
            Provider::Paddle => u8::from(paddle::is_terminal(kind, object)),
        }
    }

    /// The kinds of events that tell no more of an object than that it is gone.
    pub(super) fn obituaries(self) -> &'static [&'static str] {
        match self {
            Provider::Stripe => &stripe::OBITUARIES,
            Provider::Paddle => &[],
        }
    }

    /// Whether events of this kind say that their object is gone.
    pub(super) fn is_obituary(self, kind: &str) -> bool {
        match self {
            Provider::Stripe => stripe::is_obituary(kind),
            Provider::Paddle => false,
        }
    }

    /// The account here that an object names by itself, as those do that we made.
    pub(super) fn account(self, object: &Object) -> Option<Uuid> {
        match self {
            Provider::Stripe => stripe::account(&object.payload),
            Provider::Paddle => None,
        }
    }

    /// The user that an object names by itself.
    pub(super) fn user(self, object: &Object) -> Option<String> {
        match self {
            Provider::Stripe => stripe::user(&object.payload).map(str::to_owned),
            Provider::Paddle => paddle::user(&object.payload),
        }
    }
}
