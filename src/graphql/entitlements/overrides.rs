//! Overrides of entitlements.

use crate::entitlements::Overrides;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{BigInt, Instant, Row, StoredEnum, global_id, optional_text, to_exactly_one};
use crate::graphql::plans::parts::{Feature, LimitWindow};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::entitlement_overrides;

pub struct EntitlementOverride(pub(crate) Row<entitlement_overrides::Entity>);

/// A feature given to or taken from one account, whatever its plan says. Visible to the account's members, and to callers
/// with the scope `billing:read` or `billing:write`.
#[Object]
impl EntitlementOverride {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<EntitlementOverride>(self.0.id)
    }

    /// The account.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The feature.
    async fn feature(&self, ctx: &Context<'_>) -> Result<Feature> {
        to_exactly_one(ctx, self.0.feature_id).await
    }

    /// True if it gives the feature, false if it takes it away.
    async fn granted(&self) -> bool {
        self.0.granted
    }

    /// The value of a feature of the kind CONFIG; null for other kinds.
    async fn value(&self) -> Option<&str> {
        self.0.value.as_deref()
    }

    /// The limit, in the feature's unit; null for unlimited.
    async fn limit(&self) -> Option<BigInt> {
        self.0.limit_units.map(BigInt)
    }

    /// The window in which the limit counts; null for all windows of the plan, and for a limit on each use.
    async fn window(&self) -> Result<Option<LimitWindow>> {
        Ok(LimitWindow::read_option(self.0.limit_window.as_deref())?)
    }

    /// An explanation for display; never null.
    async fn reason(&self) -> Option<&str> {
        Some(&self.0.reason)
    }

    /// The actor who set it, in the form of the audit log.
    async fn created_by(&self) -> &str {
        &self.0.created_by
    }

    /// Time from which it is in force.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// Time at which it ends; null for no end.
    async fn expires_at(&self) -> Option<Instant> {
        self.0.expires_at.map(Instant::from)
    }

    /// Time at which it was revoked or replaced; null if it was not.
    async fn revoked_at(&self) -> Option<Instant> {
        self.0.revoked_at.map(Instant::from)
    }
}

/// Conditions on overrides; an override must meet all that are given.
#[derive(InputObject, Default)]
pub struct EntitlementOverrideFilter {
    /// Overrides of the feature with this code.
    feature: Option<String>,
    /// True for those that were revoked or replaced, false for the others.
    revoked: Option<bool>,
}

impl EntitlementOverrideFilter {
    pub(crate) fn list(filter: Option<Self>) -> crate::error::Result<Overrides> {
        let filter = filter.unwrap_or_default();
        Ok(Overrides { feature: optional_text("feature", filter.feature)?, revoked: filter.revoked })
    }
}
