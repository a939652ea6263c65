//! A plan that an account has at the end of the history.

use super::calendar::At;
use super::catalogue::Version;
use uuid::Uuid;

/// The plan of a subscription that goes on.
#[derive(Clone, Copy)]
pub(super) struct Held<'w> {
    pub(super) subscription_id: Uuid,
    pub(super) plan: &'w Version,
    /// The instant from which the subscription has it.
    pub(super) since: At,
    pub(super) created_at: At,
    pub(super) period: (At, At),
    /// The instant from which nothing more is granted.
    pub(super) until: Option<At>,
    /// True while the subscription is paid for, or on trial, and not paused.
    pub(super) gives: bool,
    /// True if the subscription is paused at the provider.
    pub(super) paused: bool,
}
