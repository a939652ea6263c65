//! The caller of a request.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::claims::Claims;
use super::role::Role;
use super::scope::{Permission, Permissions, Scope};
use crate::error::{Error, Result};

/// The origin of a caller's permissions. An API key that the caller creates ends with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authority {
    /// The caller's API key.
    pub key_id: Option<Uuid>,
    /// The user whose permissions they are; behind an API key, the user who created the first key of its line.
    pub user_id: Option<Uuid>,
    /// True if this user is an admin by their row in the database, and not by their token.
    pub requires_admin: bool,
    /// Time of expiry of the credential, where no user stands behind it or it is an API key.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A page in a browser that sends a publishable key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The publishable key.
    pub key_id: Uuid,
    /// The events that all pages together may record with the key in a minute.
    pub events_per_minute: u32,
    /// True if the browser says by `Sec-GPC` that its user does not want to be tracked.
    pub opts_out: bool,
}

/// The caller of a request, with their permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    role: Role,
    user_id: Option<Uuid>,
    actor: String,
    permissions: Permissions,
    address: Option<IpAddr>,
    authority: Authority,
    page: Option<Page>,
}

impl Viewer {
    /// Creates a caller without credentials.
    pub fn anonymous() -> Viewer {
        Viewer::new(Role::Anonymous, None, "anonymous".to_owned(), Permissions::NONE)
    }

    /// Creates the caller of a verified token. `user_id` is the user of its issuer and subject, if there is one; it is
    /// ignored for a service.
    pub fn from_claims(claims: &Claims, user_id: Option<Uuid>) -> Viewer {
        let subject = &claims.subject;
        // Never `user:<subject>`: some providers use UUIDs as subjects, which could equal another user's id.
        let person = |word| user_id.map_or_else(|| format!("{word}:{subject}"), |id| format!("user:{id}"));
        let viewer = match claims.role {
            Role::Anonymous => Viewer::anonymous(),
            Role::User => Viewer::new(Role::User, user_id, person("subject"), Permissions::NONE),
            Role::Service => {
                let permissions = Permissions::from_scopes(&claims.scopes);
                Viewer::new(Role::Service, None, format!("service:{subject}"), permissions)
            }
            Role::Admin => Viewer::new(Role::Admin, user_id, person("admin"), Permissions::ALL),
        };
        let user_id = viewer.user_id;
        let expires_at = user_id.is_none().then_some(claims.expires_at);
        viewer.with_authority(Authority { user_id, expires_at, ..Authority::default() })
    }

    /// Creates the holder of an API key, named by the key's public prefix.
    pub fn from_api_key(prefix: &str, permissions: Permissions) -> Viewer {
        Viewer::new(Role::Service, None, format!("key:{prefix}"), permissions)
    }

    /// Creates the caller for a page with a publishable key: an anonymous one, who may record events of visitors.
    pub fn from_page(page: Page) -> Viewer {
        let actor = format!("publishable_key:{}", page.key_id);
        Viewer { page: Some(page), ..Viewer::new(Role::Anonymous, None, actor, Permissions::NONE) }
    }

    /// Creates the caller for Tollgate itself: a job, a webhook or a command. `part` names it in the audit log.
    pub fn system(part: &str) -> Viewer {
        Viewer::new(Role::Admin, None, format!("system:{part}"), Permissions::ALL)
    }

    fn new(role: Role, user_id: Option<Uuid>, actor: String, permissions: Permissions) -> Viewer {
        Viewer { role, user_id, actor, permissions, address: None, authority: Authority::default(), page: None }
    }

    /// Sets the origin of the caller's permissions.
    pub fn with_authority(self, authority: Authority) -> Viewer {
        Viewer { authority, ..self }
    }

    /// Returns the origin of the caller's permissions.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Sets the address of the caller.
    pub fn calling_from(self, address: Option<IpAddr>) -> Viewer {
        Viewer { address, ..self }
    }

    /// Returns the address of the caller; `None` if it is unknown, as for a job.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Returns the page that sends the request; `None` unless it sends a publishable key.
    pub fn page(&self) -> Option<Page> {
        self.page
    }

    /// Returns the kind of the caller.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Returns the user; `None` for anonymous callers, services, and admins without a user.
    pub fn user_id(&self) -> Option<Uuid> {
        self.user_id
    }

    /// Returns a stable label for the audit log, such as `user:<uuid>`, `service:<subject>` or `key:<prefix>`.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Returns the permissions beyond their own rows.
    pub fn permissions(&self) -> Permissions {
        self.permissions
    }

    /// Returns whether the caller has valid credentials of any kind.
    pub fn is_signed_in(&self) -> bool {
        self.role != Role::Anonymous
    }

    /// Fails for a caller without credentials.
    pub fn require_signed_in(&self) -> Result<()> {
        if self.is_signed_in() {
            Ok(())
        } else {
            Err(Error::Unauthenticated("Sign in first: send a token or an API key.".into()))
        }
    }

    /// Returns the user; fails for callers who are not users.
    pub fn require_user(&self) -> Result<Uuid> {
        self.require_signed_in()?;
        self.user_id.ok_or(Error::Forbidden("This needs the token of a user.".into()))
    }

    /// Fails for a caller without `permission`, naming the required scope.
    pub fn require(&self, permission: Permission) -> Result<()> {
        self.require_signed_in()?;
        if self.permissions.contains(permission) {
            return Ok(());
        }
        Err(Error::Forbidden(format!("This needs the scope {}.", permission.scope()).into()))
    }

    /// Returns the rows that the caller may see.
    pub fn scope(&self) -> Scope {
        if self.permissions.contains(Permission::BillingRead) {
            return Scope::Everything;
        }
        self.user_id.map_or(Scope::Public, Scope::User)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: Uuid = Uuid::from_u128(7);

    fn claims(role: Role, scopes: &[&str]) -> Claims {
        Claims {
            issuer: "https://issuer.example".to_owned(),
            subject: "sub-1".to_owned(),
            role,
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            email: None,
            name: None,
            expires_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn each_kind_of_caller_sees_and_may_do_what_it_should() {
        let every = ["billing:read", "credits:write"];
        let read = Permissions::from_scopes(["billing:read"]);
        let user = format!("user:{USER}");
        let page = Page { key_id: USER, events_per_minute: 1_000, opts_out: false };
        let page_actor = format!("publishable_key:{USER}");
        for (viewer, scope, may_read, actor, user_id) in [
            (Viewer::anonymous(), Scope::Public, false, "anonymous", None),
            (Viewer::from_claims(&claims(Role::User, &every), Some(USER)), Scope::User(USER), false, &user, Some(USER)),
            (Viewer::from_claims(&claims(Role::User, &every), None), Scope::Public, false, "subject:sub-1", None),
            (
                Viewer::from_claims(&claims(Role::Service, &every), Some(USER)),
                Scope::Everything,
                true,
                "service:sub-1",
                None,
            ),
            (Viewer::from_claims(&claims(Role::Service, &[]), Some(USER)), Scope::Public, false, "service:sub-1", None),
            (Viewer::from_claims(&claims(Role::Admin, &[]), Some(USER)), Scope::Everything, true, &user, Some(USER)),
            (Viewer::from_claims(&claims(Role::Admin, &[]), None), Scope::Everything, true, "admin:sub-1", None),
            (Viewer::from_api_key("abcd1234", Permissions::NONE), Scope::Public, false, "key:abcd1234", None),
            (Viewer::from_api_key("abcd1234", read), Scope::Everything, true, "key:abcd1234", None),
            (Viewer::from_page(page), Scope::Public, false, &page_actor, None),
            (Viewer::system("worker"), Scope::Everything, true, "system:worker", None),
        ] {
            assert_eq!(viewer.scope(), scope, "{viewer:?}");
            assert_eq!(viewer.require(Permission::BillingRead).is_ok(), may_read, "{viewer:?}");
            assert_eq!(viewer.actor(), actor);
            assert_eq!(viewer.user_id(), user_id);
            assert_eq!(viewer.require_user().ok(), user_id);
            assert_eq!(viewer.require_signed_in().is_ok(), viewer.role() != Role::Anonymous);
        }
    }

    #[test]
    fn a_refusal_asks_to_sign_in_or_names_the_missing_scope() {
        let anonymous = Viewer::anonymous().require(Permission::AuditRead).unwrap_err();
        assert_eq!(anonymous.code(), "UNAUTHENTICATED");
        let service = Viewer::from_api_key("abcd1234", Permissions::from_scopes(["billing:read"]));
        let forbidden = service.require(Permission::AuditRead).unwrap_err();
        assert_eq!(forbidden.code(), "FORBIDDEN");
        assert!(forbidden.to_string().contains("audit:read"), "{forbidden}");
    }

    #[test]
    fn an_admin_may_do_everything_and_a_service_what_its_scopes_allow() {
        for permission in Permission::ALL {
            assert!(Viewer::from_claims(&claims(Role::Admin, &[]), None).require(permission).is_ok());
            let other = Permission::ALL.into_iter().filter(|other| *other != permission).map(Permission::scope);
            let others: Vec<&str> = other.collect();
            let service = Viewer::from_claims(&claims(Role::Service, &others), None);
            assert!(service.require(permission).is_err(), "{permission:?}");
        }
    }
}
