//! The roles of callers.

/// The kind of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A caller without credentials.
    Anonymous,
    /// A person, who sees their own rows.
    User,
    /// A machine, limited to its scopes.
    Service,
    /// A person who may see and do everything.
    Admin,
}

impl Role {
    /// Returns the role that a claim names. Unknown names mean a user, never more.
    pub fn from_claim(claim: Option<&str>) -> Role {
        match claim {
            Some("admin") => Role::Admin,
            Some("service") => Role::Service,
            _ => Role::User,
        }
    }

    /// Returns the name used in tokens and the audit log.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Anonymous => "anonymous",
            Role::User => "user",
            Role::Service => "service",
            Role::Admin => "admin",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_words_give_more_than_a_user() {
        assert_eq!(Role::from_claim(Some("admin")), Role::Admin);
        assert_eq!(Role::from_claim(Some("service")), Role::Service);
        for claim in ["user", "", "Admin", "ADMIN", " admin", "admin ", "authenticated", "service_role", "anonymous"] {
            assert_eq!(Role::from_claim(Some(claim)), Role::User, "{claim}");
        }
        assert_eq!(Role::from_claim(None), Role::User);
    }
}
