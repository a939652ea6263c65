//! `tollgate token`.

use crate::auth::{MintRequest, Permission, Permissions, Role, Tokens};
use crate::clock::Clock;
use crate::config::Config;
use crate::providers::http;
use clap::{Args, ValueEnum};
use std::time::Duration;

/// Prints a token that this installation accepts. Needs TOLLGATE_JWT_HS256_SECRET; with TOLLGATE_JWT_JWKS tokens come from
/// the identity provider.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// Subject (`sub`) of the token, as the identity provider would name the user.
    #[arg(long, value_name = "SUBJECT")]
    user: String,
    /// Role of the caller.
    #[arg(long, value_enum, default_value_t = TokenRole::User)]
    role: TokenRole,
    /// Scope of a service, such as billing:read; can be repeated.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Lifetime in seconds.
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
    ttl_s: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TokenRole {
    Admin,
    Service,
    User,
}

impl From<TokenRole> for Role {
    fn from(role: TokenRole) -> Self {
        match role {
            TokenRole::Admin => Role::Admin,
            TokenRole::Service => Role::Service,
            TokenRole::User => Role::User,
        }
    }
}

impl Token {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        let permissions =
            self.scopes.iter().map(|scope| Permission::parse(scope)).collect::<Result<Permissions, _>>()?;
        let request = MintRequest {
            subject: self.user,
            role: self.role.into(),
            permissions,
            ttl: Duration::from_secs(self.ttl_s),
            now: Clock::System.now(),
        };
        println!("{}", Tokens::new(&config.jwt, http::client(&config.outgoing)?)?.mint(&request)?);
        Ok(())
    }
}
