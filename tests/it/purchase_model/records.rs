//! Comparison of our records with what Stripe has, after everything is delivered.

use super::Play;
use crate::support::{local_id, sql};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Play<'_> {
    /// Compares what is here with what Stripe has.
    pub(super) async fn compare(&self) -> Result<(), TestCaseError> {
        let stripe = &self.shop.stripe;
        let db = self.node.app.db.read();
        let pending = sql::number(db, "SELECT COUNT(*) FROM outbox_calls WHERE state = 'pending'").await;
        prop_assert_eq!(pending, 0, "nothing is left to be asked");
        for one in stripe.objects("subscription") {
            let trial = one["trial_start"].as_i64().map(|start| one["trial_end"].as_i64().unwrap() - start);
            prop_assert!(trial.is_none_or(|seconds| seconds == 14 * 86_400), "the trial was cut: {one:#}");
        }
        let removed = stripe.events().into_iter().find(|event| event["type"] == "customer.discount.deleted");
        prop_assert!(removed.is_none(), "a discount was lost: {removed:#?}");
        for who in 0..2 {
            let subject = self.subject(who);
            let query = "{ viewer { account { id subscriptions(first: 50) { nodes { externalId status cancelAt
                plan { code } trialStart } } payments(first: 100) { nodes { externalId chargeStatus amount { amount } } }
                creditBalances { available } creditGrants(first: 100) { nodes { credits } }
                providerCustomers { nodes { externalId } } } } }";
            let mine = self.node.user(&subject).data(query, json!({})).await["viewer"]["account"].take();
            let customers = mine["providerCustomers"]["nodes"].as_array().unwrap();
            prop_assert_eq!(customers.len(), 1, "an account is one customer: {}", mine);
            let of_customer = |kind: &str| {
                let mut objects = stripe.objects(kind);
                objects.retain(|object| object["customer"] == customers[0]["externalId"]);
                objects
            };
            // One plan, and one trial.
            let subscriptions = of_customer("subscription");
            let over = ["canceled", "incomplete_expired", "incomplete"];
            let live = subscriptions.iter().filter(|one| !over.contains(&one["status"].as_str().unwrap())).count();
            prop_assert!(live <= 1, "{} has {live} plans: {subscriptions:#?}", subject);
            let tried = subscriptions.iter().filter(|one| !one["trial_start"].is_null()).count();
            prop_assert!(tried <= 1, "{} had {tried} trials", subject);
            let wanted: BTreeMap<String, Value> = subscriptions
                .iter()
                .map(|one| {
                    let price = one["items"]["data"][0]["price"]["id"].as_str().unwrap();
                    let plan = if price == "price_basic" { "basic" } else { "pro" };
                    let status = one["status"].as_str().unwrap().to_uppercase();
                    (one["id"].as_str().unwrap().to_owned(), json!([status, plan, one["cancel_at"].is_null()]))
                })
                .collect();
            let here = mine["subscriptions"]["nodes"].as_array().unwrap().iter();
            let here: BTreeMap<String, Value> = here
                .map(|one| {
                    let state = json!([one["status"], one["plan"]["code"], one["cancelAt"].is_null()]);
                    (one["externalId"].as_str().unwrap().to_owned(), state)
                })
                .collect();
            prop_assert_eq!(&here, &wanted, "subscriptions of {}", &subject);
            let account = local_id(mine["id"].as_str().unwrap()).1;
            let asked = "SELECT id FROM outbox_calls WHERE operation = 'credits.purchase' AND account_id = $1";
            let calls = sql::ids(db, asked, [account.into()]).await.len();
            let (intents, sessions) = (of_customer("payment_intent"), of_customer("checkout.session"));
            compare_money(&mine, &intents, &sessions, calls)?;
        }
        Ok(())
    }
}

fn compare_money(mine: &Value, intents: &[Value], sessions: &[Value], calls: usize) -> Result<(), TestCaseError> {
    let paid: BTreeMap<&str, String> = intents
        .iter()
        .filter(|intent| intent["status"] == "succeeded")
        .map(|intent| (intent["id"].as_str().unwrap(), intent["amount"].to_string()))
        .collect();
    let payments = mine["payments"]["nodes"].as_array().unwrap().iter();
    let payments: BTreeMap<&str, String> = payments
        .filter(|payment| payment["chargeStatus"] == "SUCCEEDED")
        .map(|payment| {
            let amount = payment["amount"]["amount"].as_str().unwrap().to_owned();
            (payment["externalId"].as_str().unwrap(), amount)
        })
        .collect();
    prop_assert_eq!(&payments, &paid);
    // Each request buys credits once, and what was paid is granted once.
    let bought: Vec<&Value> =
        intents.iter().filter(|intent| !intent["metadata"]["tollgate_credits"].is_null()).collect();
    prop_assert!(bought.len() <= calls, "{} purchases by {calls} requests", bought.len());
    let bought: Vec<&Value> = bought.into_iter().filter(|intent| intent["status"] == "succeeded").collect();
    prop_assert!(sessions.iter().all(|session| session["mode"] == "subscription"));
    let grants = mine["creditGrants"]["nodes"].as_array().unwrap().len();
    prop_assert_eq!(grants, bought.len());
    let available = mine["creditBalances"].as_array().unwrap().iter();
    let available = available.map(|one| one["available"].as_str().unwrap().parse::<usize>().unwrap()).sum::<usize>();
    prop_assert_eq!(available, bought.len() * 100);
    Ok(())
}
