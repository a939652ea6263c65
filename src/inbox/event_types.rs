//! The types of the providers' events that this version knows, taken from the providers' own libraries.
//!
//! A type that is not among them may mean anything, even where its object is of a known kind, so that its events are
//! stored without effect until a version knows it.

use super::fetch::FETCHED;
use crate::providers::Provider;
use std::collections::HashSet;
use std::sync::LazyLock;

static STRIPE: LazyLock<HashSet<&str>> = LazyLock::new(|| read(include_str!("stripe/event_types.txt")));
static PADDLE: LazyLock<HashSet<&str>> = LazyLock::new(|| read(include_str!("paddle/event_types.txt")));

impl Provider {
    /// Returns the types of the provider's events.
    pub(super) fn event_types(self) -> &'static HashSet<&'static str> {
        match self {
            Provider::Stripe => &STRIPE,
            Provider::Paddle => &PADDLE,
        }
    }

    /// Returns true for a type of the provider's events, and of those that hold a fetched object.
    pub(super) fn knows(self, event_type: &str) -> bool {
        event_type == FETCHED || self.event_types().contains(event_type)
    }
}

/// Reads the lines that are not comments.
fn read(list: &'static str) -> HashSet<&'static str> {
    list.lines().filter(|line| !line.starts_with('#')).collect()
}
