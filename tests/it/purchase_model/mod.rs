//! Buying and changing at random, with Stripe failing in every way, callers who hang up and processes that end at any
//! point, against what the sandbox says: nothing is charged, begun or granted twice, nothing is charged after its caller was
//! told that it failed, discounts and trials are as before, and in the end our records are what Stripe has.

mod records;

use crate::support::{Shop, TestApp, both_engines, webhooks};
use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use sandbox::{Card, Fault};
use serde_json::{Value, json};
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
    Promo,
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
    /// The caller hangs up when Stripe has got a request, of which the first ones fail in this way.
    HangsUp {
        fault: Fault,
        times: usize,
    },
    /// The request is slower than its caller waits, since Stripe answers late or not at all.
    Slow {
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
    /// Months pass, in which trials end, subscriptions renew and scheduled changes begin.
    Months {
        months: usize,
    },
}

/// The setting of a node that waits for Stripe for as long as a loaded machine takes: the production default.
const PATIENT: (&str, &str) = ("TOLLGATE_STRIPE_API_TIMEOUT_MS", "10000");

/// Refusals of the API key, and of too many requests.
const REFUSALS: [Fault; 3] = [answer(401), answer(403), answer(429)];

const fn answer(status: u16) -> Fault {
    Fault::Answer { status, should_retry: None, acted: false, saved: false }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wish = prop_oneof![
        3 => (0..2usize).prop_map(|price| Wish::Checkout { price }),
        2 => Just(Wish::Create),
        3 => Just(Wish::Credits),
        2 => (0..2usize, any::<bool>()).prop_map(|(price, now)| Wish::Change { price, now }),
        1 => any::<bool>().prop_map(|now| Wish::Cancel { now }),
        1 => Just(Wish::Resume),
        2 => Just(Wish::Promo),
    ];
    let fault = prop_oneof![
        4 => proptest::sample::select(&Fault::QUICK[..]),
        2 => proptest::sample::select(&REFUSALS[..]),
        1 => Just(Fault::HangAfter),
        1 => Just(Fault::HangBefore),
    ];
    let trouble = prop_oneof![
        3 => Just(Trouble::None),
        4 => (fault.clone(), 1..4usize).prop_map(|(fault, times)| Trouble::Fails { fault, times }),
        3 => (fault, 0..4usize).prop_map(|(fault, times)| Trouble::HangsUp { fault, times }),
        1 => (1..7usize).prop_map(|times| Trouble::Slow { times }),
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
        1 => (1..3usize).prop_map(|months| Step::Months { months }),
    ];
    proptest::collection::vec(step, 4..14)
}

async fn whatever_fails_nothing_is_done_twice_and_our_records_are_stripes(shop: &Shop) {
    let prices = [shop.price("price_basic").await, shop.price("price_pro").await];
    let credits = shop.price("price_credits").await;
    shop.stripe
        .put(json!({"id": "MODEL", "object": "coupon", "percent_off": 50, "duration": "forever", "name": "Model",
        "valid": true, "times_redeemed": 0}));
    shop.stripe.put(json!({"id": "promo_model", "object": "promotion_code", "code": "MODEL", "coupon": "MODEL",
        "active": true, "restrictions": {}, "times_redeemed": 0, "customer": null}));
    shop.deliver().await;
    let cases = AtomicUsize::new(0);
    let config = Config { cases: 8, max_shrink_iters: 24, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        let case = cases.fetch_add(1, Ordering::Relaxed);
        let play = async {
            let node = shop.node_with(&[PATIENT]).await;
            let mut play = Play { shop, node, case, prices: &prices, credits: &credits };
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
                step => {
                    let before = self.begun();
                    self.pass(step).await;
                    prop_assert_eq!(self.begun(), before, "nobody asked for it any more: {:?}", step);
                }
            }
        }
        let before = self.begun();
        self.settle().await;
        prop_assert_eq!(self.begun(), before, "nobody asked for it any more");
        self.compare().await
    }

    /// Lets time pass, or events arrive.
    async fn pass(&mut self, step: &Step) {
        match step {
            Step::Deliver { seed } => self.deliver(Some(*seed)).await,
            Step::Wait { minutes } => {
                self.shop.test.advance(TimeDelta::minutes(*minutes));
                self.renew().await;
            }
            Step::Months { months } => {
                for _ in 0..*months {
                    self.shop.test.advance(TimeDelta::days(31));
                    self.shop.stripe.run_due();
                    self.renew().await;
                    self.deliver(None).await;
                }
            }
            Step::Ask { .. } | Step::Pay => {}
        }
    }

    /// The numbers of things that customers asked for and Stripe began or charged: purchases of credits, checkouts,
    /// subscriptions, and bills for immediate changes. Renewals do not count.
    fn begun(&self) -> [usize; 4] {
        let stripe = &self.shop.stripe;
        let count =
            |kind: &str, holds: &dyn Fn(&Value) -> bool| stripe.objects(kind).iter().filter(|it| holds(it)).count();
        [
            count("payment_intent", &|intent| !intent["metadata"]["tollgate_credits"].is_null()),
            count("checkout.session", &|_| true),
            count("subscription", &|_| true),
            count("invoice", &|invoice| invoice["billing_reason"] == "subscription_update"),
        ]
    }

    fn subject(&self, who: usize) -> String {
        format!("person-{}-{who}", self.case)
    }

    /// Another process: the old one remembers that Stripe was away.
    async fn renew(&mut self) {
        self.node = self.shop.node_with(&[PATIENT]).await;
    }

    /// Another process, whose requests to Stripe end soon where `fault` leaves them without a reply.
    async fn renew_for(&mut self, fault: Fault) {
        if matches!(fault, Fault::HangAfter | Fault::HangBefore) {
            self.node = self.shop.another_node().await;
        }
    }

    async fn ask(&mut self, who: usize, key: usize, wish: Wish, trouble: Trouble) {
        let subject = self.subject(who);
        let Some(document) = self.document(&subject, wish, &format!("key-{key}")).await else { return };
        let seen = self.shop.stripe.requests().len();
        match trouble {
            Trouble::None => drop(self.node.user(&subject).post(&document, json!({})).await),
            Trouble::Fails { fault, times } => {
                self.renew_for(fault).await;
                (0..times).for_each(|_| self.shop.stripe.fail_next(fault));
                self.node.user(&subject).post(&document, json!({})).await;
            }
            Trouble::HangsUp { fault, times } => {
                self.renew_for(fault).await;
                (0..times).for_each(|_| self.shop.stripe.fail_next(fault));
                self.hang_up(&subject, &document, seen).await;
                self.node.app.detached.idle().await;
            }
            Trouble::Slow { times } => {
                let wait = [("TOLLGATE_STRIPE_API_TIMEOUT_MS", "200"), ("TOLLGATE_MUTATION_TIMEOUT_MS", "1010")];
                self.node = self.shop.node_with(&wait).await;
                let faults = [Fault::HangAfter, Fault::HangBefore];
                (0..times).for_each(|at| self.shop.stripe.fail_next(faults[at % 2]));
                self.node.user(&subject).post(&document, json!({})).await;
                let told = self.begun();
                self.node.app.detached.idle().await;
                assert_eq!(self.begun(), told, "what its caller was told to have failed goes on");
            }
            Trouble::Killed { after } => {
                self.shop.stripe.fail_next(if after { Fault::HangAfter } else { Fault::HangBefore });
                self.hang_up(&subject, &document, seen).await;
                self.node.app.detached.abort();
                self.node.app.detached.idle().await;
            }
            Trouble::TwoNodes => {
                let other = self.shop.node_with(&[PATIENT]).await;
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

    /// Sends a request, and drops it as soon as Stripe has got more requests than `seen`.
    async fn hang_up(&self, subject: &str, document: &str, seen: usize) {
        let caller = self.node.user(subject);
        let asked = caller.post(document, json!({}));
        tokio::pin!(asked);
        loop {
            tokio::select! {
                biased;
                _ = &mut asked => break,
                () = tokio::task::yield_now() => {
                    if self.shop.stripe.requests().len() > seen { break; }
                }
            }
        }
    }

    /// The mutation that grants a wish; `None` where there is nothing that it could be about.
    async fn document(&self, subject: &str, wish: Wish, key: &str) -> Option<String> {
        let url = "successUrl: \"https://a.example/\"";
        let key = format!("idempotencyKey: \"{key}\"");
        let (name, input) = match wish {
            Wish::Checkout { price } => ("startCheckout", format!("priceId: \"{}\", {url}", self.prices[price])),
            Wish::Create => ("createSubscription", format!("priceId: \"{}\"", self.prices[0])),
            Wish::Credits => ("purchaseCredits", format!("priceId: \"{}\"", self.credits)),
            Wish::Change { .. } | Wish::Cancel { .. } | Wish::Resume | Wish::Promo => {
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
                    Wish::Promo => ("applyPromoCode", format!("{of}, promoCode: \"MODEL\"")),
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
            if intent["status"] == "requires_payment_method" || intent["status"] == "requires_confirmation" {
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
}
