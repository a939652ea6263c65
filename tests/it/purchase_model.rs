//! Buying and changing at random, with Stripe failing in every way and processes that end at any point, against what the
//! sandbox says: nothing is charged, begun or granted twice, and in the end our records are what Stripe has.

use crate::support::{Shop, TestApp, both_engines, local_id, sql, webhooks};
use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use sandbox::{Card, Fault};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use tollgate::providers::Provider;

both_engines!(whatever_fails_nothing_is_done_twice_and_our_records_are_stripes);

/// A purchase or change that a person requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Checkout { price: usize },
    Create,
    Credits,
    Change { price: usize, now: bool },
    Cancel { now: bool },
    Resume,
}

/// A failure during the request.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    None,
    /// So many requests fail in this way.
    Fails {
        fault: Fault,
        times: usize,
    },
    /// The process ends before Stripe is reached, or after it acted and before anything is written down.
    Killed {
        after: bool,
    },
    /// Another node gets the request concurrently.
    TwoNodes,
    /// The person sends a concurrent request under another key.
    TwoKeys,
}

#[derive(Debug, Clone)]
enum Step {
    Ask {
        who: usize,
        key: usize,
        wish: Wish,
        trouble: Trouble,
    },
    /// Every open checkout is paid.
    Pay,
    /// Delivers the events of Stripe: shuffled by this seed, and some of them twice.
    Deliver {
        seed: u64,
    },
    Wait {
        minutes: i64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wish = prop_oneof![
        3 => (0..2usize).prop_map(|price| Wish::Checkout { price }),
        2 => Just(Wish::Create),
        3 => Just(Wish::Credits),
        2 => (0..2usize, any::<bool>()).prop_map(|(price, now)| Wish::Change { price, now }),
        1 => any::<bool>().prop_map(|now| Wish::Cancel { now }),
        1 => Just(Wish::Resume),
    ];
    let fault = prop_oneof![
        4 => proptest::sample::select(&Fault::QUICK[..]),
        1 => Just(Fault::HangAfter),
        1 => Just(Fault::HangBefore),
    ];
    let trouble = prop_oneof![
        3 => Just(Trouble::None),
        4 => (fault, 1..4usize).prop_map(|(fault, times)| Trouble::Fails { fault, times }),
        2 => any::<bool>().prop_map(|after| Trouble::Killed { after }),
        1 => Just(Trouble::TwoNodes),
        1 => Just(Trouble::TwoKeys),
    ];
    let ask = (0..2usize, 0..5usize, wish, trouble).prop_map(|(who, key, wish, trouble)| Step::Ask {
        who,
        key,
        wish,
        trouble,
    });
    let step = prop_oneof![
        6 => ask,
        2 => Just(Step::Pay),
        2 => any::<u64>().prop_map(|seed| Step::Deliver { seed }),
        1 => (1..200i64).prop_map(|minutes| Step::Wait { minutes }),
    ];
    proptest::collection::vec(step, 4..14)
}

async fn whatever_fails_nothing_is_done_twice_and_our_records_are_stripes(shop: &Shop) {
    let prices = [shop.price("price_basic").await, shop.price("price_pro").await];
    let credits = shop.price("price_credits").await;
    let cases = AtomicUsize::new(0);
    let config = Config { cases: 8, max_shrink_iters: 24, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        let case = cases.fetch_add(1, Ordering::Relaxed);
        let play = async {
            let mut play = Play { shop, node: shop.another_node().await, case, prices: &prices, credits: &credits };
            play.all(&steps).await
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(play))
    });
    outcome.unwrap();
}

struct Play<'a> {
    shop: &'a Shop,
    node: TestApp,
    case: usize,
    prices: &'a [String; 2],
    credits: &'a str,
}

impl Play<'_> {
    async fn all(&mut self, steps: &[Step]) -> Result<(), TestCaseError> {
        for who in 0..2 {
            // Everyone has a customer at Stripe with a card, so that every wish can be granted.
            let subject = self.subject(who);
            let portal = "mutation { openBillingPortal(input: {returnUrl: \"https://a.example/\"}) { url } }";
            self.node.user(&subject).data(portal, json!({})).await;
        }
        self.deliver(None).await;
        for customer in self.shop.stripe.objects("customer") {
            self.shop.stripe.set_card(customer["id"].as_str().unwrap(), Card::Good).unwrap();
        }
        for step in steps {
            match step {
                Step::Ask { who, key, wish, trouble } => self.ask(*who, *key, *wish, *trouble).await,
                Step::Pay => self.pay(),
                Step::Deliver { seed } => self.deliver(Some(*seed)).await,
                Step::Wait { minutes } => {
                    self.shop.test.advance(TimeDelta::minutes(*minutes));
                    self.renew().await;
                }
            }
        }
        self.settle().await;
        self.compare().await
    }

    fn subject(&self, who: usize) -> String {
        format!("person-{}-{who}", self.case)
    }

    /// Another process: the old one remembers that Stripe was away.
    async fn renew(&mut self) {
        self.node = self.shop.another_node().await;
    }

    async fn ask(&mut self, who: usize, key: usize, wish: Wish, trouble: Trouble) {
        let subject = self.subject(who);
        let Some(document) = self.document(&subject, wish, &format!("key-{key}")).await else { return };
        let seen = self.shop.stripe.requests().len();
        match trouble {
            Trouble::None => drop(self.node.user(&subject).post(&document, json!({})).await),
            Trouble::Fails { fault, times } => {
                (0..times).for_each(|_| self.shop.stripe.fail_next(fault));
                self.node.user(&subject).post(&document, json!({})).await;
            }
            Trouble::Killed { after } => {
                self.shop.stripe.fail_next(if after { Fault::HangAfter } else { Fault::HangBefore });
                let caller = self.node.user(&subject);
                let asked = caller.post(&document, json!({}));
                tokio::pin!(asked);
                loop {
                    tokio::select! {
                        biased;
                        _ = &mut asked => break,
                        () = tokio::task::yield_now() => {
                            // Dropped with the connection, as when the process ends.
                            if self.shop.stripe.requests().len() > seen { break; }
                        }
                    }
                }
            }
            Trouble::TwoNodes => {
                let other = self.shop.another_node().await;
                let (one, two) = (self.node.user(&subject), other.user(&subject));
                tokio::join!(one.post(&document, json!({})), two.post(&document, json!({})));
            }
            Trouble::TwoKeys => {
                let Some(again) = self.document(&subject, wish, &format!("other-{key}")).await else { return };
                let (one, two) = (self.node.user(&subject), self.node.user(&subject));
                tokio::join!(one.post(&document, json!({})), two.post(&again, json!({})));
            }
        }
        self.shop.stripe.clear_faults();
        self.renew().await;
    }

    /// The mutation that grants a wish; `None` where there is nothing that it could be about.
    async fn document(&self, subject: &str, wish: Wish, key: &str) -> Option<String> {
        let url = "successUrl: \"https://a.example/\"";
        let key = format!("idempotencyKey: \"{key}\"");
        let (name, input) = match wish {
            Wish::Checkout { price } => ("startCheckout", format!("priceId: \"{}\", {url}", self.prices[price])),
            Wish::Create => ("createSubscription", format!("priceId: \"{}\"", self.prices[0])),
            Wish::Credits => ("purchaseCredits", format!("priceId: \"{}\"", self.credits)),
            Wish::Change { .. } | Wish::Cancel { .. } | Wish::Resume => {
                let query = "{ viewer { subscription { id } } }";
                let found = self.node.user(subject).data(query, json!({})).await;
                let id = found["viewer"]["subscription"]["id"].as_str()?.to_owned();
                let of = format!("subscriptionId: \"{id}\"");
                match wish {
                    Wish::Change { price, now } => {
                        let timing = if now { "NOW" } else { "PERIOD_END" };
                        ("changePlan", format!("{of}, priceId: \"{}\", timing: {timing}", self.prices[price]))
                    }
                    Wish::Cancel { now } => {
                        let timing = if now { "NOW" } else { "PERIOD_END" };
                        ("cancelSubscription", format!("{of}, timing: {timing}"))
                    }
                    _ => ("resumeSubscription", of),
                }
            }
        };
        Some(format!("mutation {{ {name}(input: {{{input}, {key}}}) {{ userErrors {{ code }} }} }}"))
    }

    fn pay(&self) {
        for session in self.shop.stripe.objects("checkout.session") {
            if session["status"] == "open" {
                self.shop.stripe.pay(session["id"].as_str().unwrap(), Card::Good).unwrap();
            }
        }
        for intent in self.shop.stripe.objects("payment_intent") {
            if intent["status"] == "requires_payment_method" {
                // Refused where what it was for is over.
                let _ = self.shop.stripe.confirm(intent["id"].as_str().unwrap(), Card::Good);
            }
        }
    }

    async fn deliver(&self, seed: Option<u64>) {
        let mut events = self.shop.stripe.take_events();
        if let Some(seed) = seed {
            let mut dice = ChaCha8Rng::seed_from_u64(seed);
            let again: Vec<Value> =
                events.iter().filter(|_| rand::RngExt::random_bool(&mut dice, 0.3)).cloned().collect();
            events.extend(again);
            events.shuffle(&mut dice);
        }
        for event in events {
            assert_eq!(webhooks::deliver(&self.node, Provider::Stripe, &event).await.status, 200);
        }
        self.node.run_jobs().await;
    }

    /// Stripe answers again, and all that was left is done.
    async fn settle(&mut self) {
        for round in 0..3 {
            self.shop.test.advance(TimeDelta::minutes(30));
            self.renew().await;
            self.node.run_jobs().await;
            self.deliver(Some(round)).await;
        }
    }

    /// Compares what is here with what Stripe has.
    async fn compare(&self) -> Result<(), TestCaseError> {
        let stripe = &self.shop.stripe;
        let db = self.node.app.db.read();
        let pending = sql::number(db, "SELECT COUNT(*) FROM outbox_calls WHERE state = 'pending'").await;
        prop_assert_eq!(pending, 0, "nothing is left to be asked");
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
