//! `tollgate demo`.

use crate::app::App;
use crate::auth::{MintRequest, Permissions, Role};
use crate::config::{Config, DatabaseUrl, JwtKeys, Secret};
use anyhow::Context;
use clap::Args;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Makes up a company in a temporary database, prints how to ask about it, and serves it until ctrl-c.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// How many people sign up.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    users: u64,
    /// The same number makes the same company, up to the present time.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A database to keep, sqlite://… or postgres://…; a temporary file where it is left out. One that has users
    /// already is served as it is.
    #[arg(long, value_name = "URL")]
    database_url: Option<DatabaseUrl>,
    /// Where to listen; as configured, where it is left out.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

/// How long the tokens of the welcome are valid.
const TOKEN_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Demo {
    pub(super) async fn run(self, mut config: Config) -> anyhow::Result<()> {
        let temporary = tempfile::Builder::new().prefix("tollgate-demo-").tempdir()?;
        let file = temporary.path().join("demo.db");
        let forgets = if self.database_url.is_none() { " and forgets the company" } else { "" };
        config.database.url = self.database_url.unwrap_or(DatabaseUrl::Sqlite(file));
        config.listen = self.listen.unwrap_or(config.listen);
        if !matches!(config.jwt.keys, JwtKeys::Secret(_)) {
            config.jwt.keys = JwtKeys::Secret(Secret::new(random_secret()?));
        }
        let app = Arc::new(super::app(config).await?);
        // Taken first, so that a busy port is told before the wait.
        let listener = super::serve::bind(&app.config).await?;
        app.db.migrate(app.new_id(), app.now(), super::mark(&app.config)).await?;
        if crate::seed::is_empty(app.db.schema()).await? {
            super::seed::fill(&app, self.users, self.seed).await.context("the company could not be made up")?;
        }
        println!("{}", welcome(&app, listener.local_addr()?, forgets)?);
        super::serve::accept(app, listener, true).await
    }
}

fn random_secret() -> anyhow::Result<String> {
    use rand::TryRng;
    let mut bytes = [0; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn welcome(app: &App, address: SocketAddr, forgets: &str) -> anyhow::Result<String> {
    let token = |subject: &str, role| {
        let permissions = Permissions::NONE;
        let request = MintRequest { subject: subject.to_owned(), role, permissions, ttl: TOKEN_LIFE, now: app.now() };
        app.tokens.mint(&request)
    };
    let (user, admin) = (token("user_1", Role::User)?, token("user_admin", Role::Admin)?);
    Ok(format!(
        r#"
Tollgate serves a made-up company at http://{address}/graphql
Open it in a browser for GraphiQL, and paste this into its headers to be a customer:

  {{"Authorization": "Bearer {user}"}}

or this to be an admin:

  {{"Authorization": "Bearer {admin}"}}

Three queries to paste:

  # What is sold (no token needed)
  {{ plans {{ nodes {{ code name currentVersion {{ prices {{ amount {{ amount currency }} interval }} }} }} }} }}

  # My plan, my balances, my last payments (customer)
  {{ viewer {{ user {{ fullName subscription {{ status plan {{ name }} currentPeriodEnd }} }}
    account {{ creditBalances {{ unit {{ code }} available }}
              payments(first: 3) {{ nodes {{ amount {{ amount currency }} paymentStatus paidAt }} }} }} }} }}

  # Recurring revenue today (admin)
  {{ analytics {{ recurringRevenue {{ mrr {{ amount currency }} customerCount subscriptionCount }} }} }}

ctrl-c stops the demo{forgets}."#
    ))
}
