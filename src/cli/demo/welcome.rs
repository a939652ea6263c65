//! The text that the demo prints when it is ready.

use super::callers::{CUSTOMER, NEWCOMER, token};
use super::shop::{CustomerSubscription, local_address};
use crate::app::App;
use crate::auth::Role;
use crate::graphql::global_id_of;
use seed::samples;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// The contents of the text.
pub(super) struct Welcome<'a> {
    pub(super) app: &'a App,
    pub(super) address: SocketAddr,
    /// True if there is a stand-in for Stripe.
    pub(super) sells: bool,
    /// The subscription of the customer.
    pub(super) subscribed: Option<CustomerSubscription>,
    /// The page of the newcomer's checkout.
    pub(super) checkout_url: Option<String>,
    /// The effect of ctrl-c besides stopping.
    pub(super) forgets: &'a str,
}

const QUERIES: &str = "\
Four queries to paste:

  # Products and prices (no token needed)
  { plans { nodes { code name currentVersion { prices { id amount { amount currency } interval } } } } }

  # My plan, my balances, my last payments (customer)
  { viewer { user { fullName subscription { status plan { name } currentPeriodEnd } }
    account { creditBalances { unit { code } available }
              payments(first: 3) { nodes { amount { amount currency } chargeStatus paidAt } } } } }

  # My entitlements (customer)
  { viewer { entitlements { feature { code } allowed reason limit used remaining resetsAt } } }

  # Recurring revenue today (admin)
  { analytics { recurringRevenue { mrr { amount currency } customerCount subscriptionCount } } }
";

impl Welcome<'_> {
    pub(super) async fn text(&self) -> anyhow::Result<String> {
        let address = local_address(self.address);
        let header = |subject: &str, role| {
            anyhow::Ok(format!("  {{\"Authorization\": \"Bearer {}\"}}", token(self.app, subject, role)?))
        };
        let customer = header(CUSTOMER, Role::User)?;
        let mut text = format!(
            "\nTollgate serves a made-up company at http://{address}/graphql\n\
             Open it in a browser for GraphiQL, and paste this into its headers to be a customer:\n\n{customer}\n\n"
        );
        if self.sells {
            let newcomer = header(NEWCOMER, Role::User)?;
            _ = write!(text, "or this to be a newcomer without a plan:\n\n{newcomer}\n\n");
        }
        _ = write!(text, "or this to be an admin:\n\n{}\n\n", header("user_admin", Role::Admin)?);
        if let Some(url) = &self.checkout_url {
            _ = write!(
                text,
                "The newcomer is about to buy a plan. Open the page of the checkout, and pay: it belongs to a \
                 stand-in\nfor Stripe, and no money moves.\n\n  {url}\n\n\
                 The newcomer's plan after that (newcomer):\n\n  \
                 {{ viewer {{ trialAvailable plan {{ status plan {{ name }} trialEnd }} }} }}\n\n"
            );
        }
        text.push_str(QUERIES);
        text.push_str(&self.uses().await?);
        if self.sells {
            text.push_str(&self.mutations(address).await?);
        }
        _ = write!(text, "\nctrl-c stops the demo{}.", self.forgets);
        Ok(text)
    }

    /// Returns what a back end does when the customer uses something.
    async fn uses(&self) -> anyhow::Result<String> {
        let Some(account) = samples::account(self.app.db.schema(), CUSTOMER).await? else { return Ok(String::new()) };
        let id = global_id_of("Account", account);
        Ok(format!(
            "\nMutations to paste (admin), as your back end sends them:\n\n  \
             # The customer spends 5 credits\n  \
             mutation {{ spendCredits(input: {{accountId: \"{id}\",\n    unit: \"credit\", amount: \"5\", \
             idempotencyKey: \"demo-3\"}}) {{\n    \
             transaction {{ operation effectiveAt }} available userErrors {{ code message }} }} }}\n\n  \
             # The customer uses one of the plan's messages, if the day and the month have one left\n  \
             mutation {{ consume(input: {{accountId: \"{id}\",\n    feature: \"ai_messages\", amount: \"1\", \
             idempotencyKey: \"demo-4\"}}) {{\n    \
             consumed entitlement {{ reason windows {{ window limit used resetsAt }} }} \
             userErrors {{ code message }} }} }}\n",
            id = *id
        ))
    }

    async fn mutations(&self, address: SocketAddr) -> anyhow::Result<String> {
        let mut text = "\nMutations to paste (customer):\n".to_owned();
        let currency = self.subscribed.as_ref().map_or("USD", |it| &it.currency);
        if let Some(pack) = samples::price(self.app.db.schema(), "credits_small", (currency, "one_time")).await? {
            let id = global_id_of("Price", pack);
            _ = write!(
                text,
                "\n  # Buy 100 credits: open the URL in the answer, pay, and query the balances again\n  \
                 mutation {{ startCheckout(input: {{priceId: \"{}\", idempotencyKey: \"demo-1\",\n    \
                 successUrl: \"http://{address}/paid\"}}) {{ checkout {{ url }} userErrors {{ code message }} }} }}\n",
                *id
            );
        }
        if let Some(subscribed) = &self.subscribed {
            let id = global_id_of("Subscription", subscribed.id);
            _ = write!(
                text,
                "\n  # Cancel my plan at the end of the period; resumeSubscription reverts that\n  \
                 mutation {{ cancelSubscription(input: {{subscriptionId: \"{}\", idempotencyKey: \"demo-2\"}}) {{\n    \
                 subscription {{ status cancelAt }} userErrors {{ code message }} }} }}\n",
                *id
            );
        }
        Ok(text)
    }
}
