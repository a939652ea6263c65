//! Permissions of callers, and the rows they may see.

use uuid::Uuid;

use crate::error::{Error, Result};

/// A permission beyond the caller's own rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// See every account's billing rows.
    BillingRead,
    /// Change any account's subscriptions, and decide on refunds.
    BillingWrite,
    /// Change plans, prices and what they grant.
    CatalogueWrite,
    /// Grant, spend and hold credits, and record usage, for any account.
    CreditsWrite,
    /// Create and revoke API keys and licence keys.
    KeysWrite,
    /// Read the sums over all accounts.
    AnalyticsRead,
    /// Record events of users and visitors, and nothing else.
    EventsWrite,
    /// Read the audit log and security events.
    AuditRead,
    /// Read the state of the service: `/metrics` and the requests to Stripe.
    OperationsRead,
    /// Resolve security events, replay webhooks and reconcile with Stripe.
    OperationsWrite,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Permission; 10] = [
        Permission::BillingRead,
        Permission::BillingWrite,
        Permission::CatalogueWrite,
        Permission::CreditsWrite,
        Permission::KeysWrite,
        Permission::AnalyticsRead,
        Permission::EventsWrite,
        Permission::AuditRead,
        Permission::OperationsRead,
        Permission::OperationsWrite,
    ];

    /// Returns the scope string used in tokens and API keys; it never changes.
    pub const fn scope(self) -> &'static str {
        match self {
            Permission::BillingRead => "billing:read",
            Permission::BillingWrite => "billing:write",
            Permission::CatalogueWrite => "catalogue:write",
            Permission::CreditsWrite => "credits:write",
            Permission::KeysWrite => "keys:write",
            Permission::AnalyticsRead => "analytics:read",
            Permission::EventsWrite => "events:write",
            Permission::AuditRead => "audit:read",
            Permission::OperationsRead => "operations:read",
            Permission::OperationsWrite => "operations:write",
        }
    }

    /// Returns the permission of a scope string; fails for an unknown one.
    pub fn parse(scope: &str) -> Result<Permission> {
        Permission::find(scope).ok_or_else(|| {
            let known = Permission::ALL.map(Permission::scope).join(", ");
            Error::bad_input(format!("Unknown scope. The scopes are {known}."))
        })
    }

    fn find(scope: &str) -> Option<Permission> {
        Permission::ALL.into_iter().find(|permission| permission.scope() == scope)
    }

    const fn bit(self) -> u16 {
        match self {
            Permission::BillingRead => 1,
            Permission::CatalogueWrite => 1 << 1,
            Permission::CreditsWrite => 1 << 2,
            Permission::KeysWrite => 1 << 3,
            Permission::AnalyticsRead => 1 << 4,
            Permission::AuditRead => 1 << 5,
            Permission::OperationsRead => 1 << 6,
            Permission::OperationsWrite => 1 << 7,
            Permission::BillingWrite => 1 << 8,
            Permission::EventsWrite => 1 << 9,
        }
    }
}

/// A set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u16);

impl Permissions {
    /// No permission.
    pub const NONE: Permissions = Permissions(0);
    /// Every permission.
    pub const ALL: Permissions = Permissions(0b11_1111_1111);

    /// Collects the permissions of scope strings. Unknown scopes are ignored, because a token may carry scopes of other
    /// services.
    pub fn from_scopes(scopes: impl IntoIterator<Item = impl AsRef<str>>) -> Permissions {
        scopes.into_iter().filter_map(|scope| Permission::find(scope.as_ref())).collect()
    }

    /// Returns whether the set contains `permission`.
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Returns the permissions in the set, in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.contains(*permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Permissions(permissions.into_iter().fold(0, |bits, permission| bits | permission.bit()))
    }
}

/// The rows that a caller may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All rows.
    Everything,
    /// The rows of this user and of their accounts, and public rows.
    User(Uuid),
    /// Public rows only, such as the plans on sale.
    Public,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_strings_are_stable_and_read_back() {
        let scopes = [
            "billing:read",
            "billing:write",
            "catalogue:write",
            "credits:write",
            "keys:write",
            "analytics:read",
            "events:write",
            "audit:read",
            "operations:read",
            "operations:write",
        ];
        assert_eq!(Permission::ALL.map(Permission::scope), scopes);
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.scope()).unwrap(), permission);
        }
    }

    #[test]
    fn an_unknown_scope_is_an_error_in_a_key_and_ignored_in_a_token() {
        for scope in ["", "admin", "billing:READ", "billing:read ", "billing:*"] {
            assert_eq!(Permission::parse(scope).unwrap_err().code(), "BAD_USER_INPUT", "{scope}");
            assert_eq!(Permissions::from_scopes([scope]), Permissions::NONE, "{scope}");
        }
        let some = Permissions::from_scopes(["openid", "audit:read", "audit:read"]);
        assert!(some.iter().eq([Permission::AuditRead]));
    }

    #[test]
    fn the_full_set_holds_each_permission_once() {
        assert_eq!(Permission::ALL.into_iter().collect::<Permissions>(), Permissions::ALL);
        assert!(Permissions::ALL.iter().eq(Permission::ALL));
        assert_eq!(Permissions::NONE.iter().count(), 0);
    }
}
