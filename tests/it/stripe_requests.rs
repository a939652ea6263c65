//! The requests to Stripe, and the objects that the stand-in returns, as files, which `tests/stripe-sdk/check.mjs` compares
//! with the types of Stripe's SDK.
//!
//! The files are written anew with `TOLLGATE_TEST_UPDATE=1`.

use crate::support::{Client, Engine, Shop, run};
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use chrono::{DateTime, TimeDelta, Utc};
use sandbox::{Card, Sandbox};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tollgate::config::Config;
use tollgate::providers::http::client;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stripe-sdk");

#[test]
fn what_stripe_is_asked_for_is_what_the_file_says() {
    run(Engine::Sqlite, async |shop: &Shop| {
        Story { shop, steps: 0.into() }.told().await;
        let mut names = Names::default();
        let requests = shop.stripe.requests();
        let version = requests[0].version.clone();
        assert!(version.is_some() && requests.iter().all(|request| request.version == version));
        // A request that changes nothing needs no key.
        let asks = |path: &str| path.ends_with("/create_preview") || path.ends_with("/billing_portal/sessions");
        let mut changes = requests.iter().filter(|request| !asks(&request.path));
        assert!(changes.all(|request| request.idempotency_key.is_some()));
        let mut told = |request: &sandbox::SeenRequest| {
            let path = names.text(&request.path);
            json!({"method": request.method, "path": path, "params": names.value(&request.params)})
        };
        let requests: Vec<Value> = requests.iter().map(&mut told).collect();
        is_in_file("requests.json", &json!({"version": version, "requests": requests}));
        let objects = samples(shop);
        let objects: Vec<Value> = objects.iter().map(|object| names.value(object)).collect();
        is_in_file("objects.json", &Value::Array(objects));
    });
}

/// One object of each kind that Tollgate has Stripe write, in each state that it has in the story.
fn samples(shop: &Shop) -> Vec<Value> {
    let kinds = [
        "customer",
        "checkout.session",
        "subscription",
        "subscription_schedule",
        "invoice",
        "payment_intent",
        "refund",
    ];
    let mut samples: Vec<Value> = Vec::new();
    for kind in kinds {
        for object in shop.stripe.objects(kind) {
            let known = |sample: &&Value| sample["object"] == kind && sample["status"] == object["status"];
            if !samples.iter().any(|sample| known(&sample)) {
                samples.push(object);
            }
        }
    }
    samples
}

#[test]
fn a_webhook_is_signed_as_the_file_says() {
    crate::support::wait_for(async {
        let at: DateTime<Utc> = "2026-01-15T12:00:00Z".parse().unwrap();
        let stripe = Sandbox::new(move || at, "rk_test_webhook");
        stripe.put(json!({"id": "prod_1", "object": "product", "name": "Müsli, 500\u{202f}g", "active": true}));
        let (send, mut received) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(take)).with_state(send);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let http = client(&Config::load(None, std::iter::empty()).unwrap().outgoing).unwrap();
        let delivering = tokio::spawn(stripe.deliver(http, &url, "whsec_of_this_test", std::future::pending::<()>()));
        let (signature, body) = received.recv().await.unwrap();
        delivering.abort();
        serving.abort();
        let told = json!({"secret": "whsec_of_this_test", "at": at.timestamp(), "signature": signature, "body": body});
        is_in_file("webhook.json", &told);
    });
}

async fn take(State(send): State<mpsc::UnboundedSender<(String, String)>>, headers: HeaderMap, body: String) {
    let signature = headers["stripe-signature"].to_str().unwrap().to_owned();
    send.send((signature, body)).unwrap();
}

/// Compares with a file, or writes it where that is wanted.
#[expect(clippy::disallowed_methods, reason = "a switch of this test, and no setting")]
fn is_in_file(name: &str, told: &Value) {
    let path = format!("{DIRECTORY}/{name}");
    let told = format!("{told:#}\n");
    if std::env::var_os("TOLLGATE_TEST_UPDATE").is_some() {
        std::fs::write(path, told).unwrap();
    } else {
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == told, "{path} is out of date; run this test with TOLLGATE_TEST_UPDATE=1 and review it");
    }
}

/// Ids that are other ones each time, by the order in which they are met.
#[derive(Default)]
struct Names(HashMap<String, String>, HashMap<String, usize>);

impl Names {
    fn text(&mut self, text: &str) -> String {
        text.split('/').map(|part| self.part(part)).collect::<Vec<_>>().join("/")
    }

    fn part(&mut self, part: &str) -> String {
        let kind = match part.rsplit_once('_') {
            Some((kind, letters)) if matches!(letters.len(), 24 | 32) => kind,
            _ if uuid::Uuid::parse_str(part).is_ok() => "uuid",
            _ if part.starts_with("127.0.0.1:") => return "127.0.0.1".to_owned(),
            _ => return part.to_owned(),
        };
        let Names(known, counts) = self;
        let named = known.entry(part.to_owned()).or_insert_with(|| {
            let count = counts.entry(kind.to_owned()).or_default();
            *count += 1;
            format!("{kind}_{count}")
        });
        named.clone()
    }

    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) if text.starts_with("http://127.0.0.1:") => json!(self.text(text)),
            Value::String(text) => json!(self.part(text)),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.clone(), self.value(value)));
                Value::Object(fields.collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }
}

/// Results of mutations that later requests need.
const MADE: [(&str, &str); 6] = [
    ("createCoupon", "coupon { id }"),
    ("createPromoCode", "promoCode { id }"),
    ("createPlan", "plan { id }"),
    ("createPlanVersion", "planVersion { id }"),
    ("requestRefund", "refund { id }"),
    ("buyGift", "code"),
];

/// Mutations that take no idempotency key.
const WITHOUT_KEY: [&str; 4] = ["openBillingPortal", "createPlan", "createPlanVersion", "publishPlanVersion"];

/// Every request to Stripe that the API can cause.
struct Story<'s> {
    shop: &'s Shop,
    steps: std::cell::Cell<usize>,
}

impl Story<'_> {
    async fn told(&self) {
        let shop = self.shop;
        shop.stripe.put(json!({"id": "HALF", "object": "coupon", "percent_off": 50, "duration": "forever",
            "valid": true, "times_redeemed": 0}));
        for code in ["HALF", "OTHER"] {
            shop.stripe.put(json!({"id": format!("promo_{code}"), "object": "promotion_code", "code": code,
                "coupon": "HALF", "active": true, "restrictions": {}, "times_redeemed": 0, "customer": null}));
        }
        shop.deliver().await;
        let url = "https://app.example.com/";
        let order = |price: &str| json!({"priceId": price, "successUrl": url, "cancelUrl": url});

        self.ask("ann", "startCheckout", order("price:price_basic")).await;
        self.ask("ann", "startCheckout", json!({"priceId": "price:price_pro", "successUrl": url, "promoCode": "HALF"}))
            .await;
        self.pay().await;
        self.ask("ann", "startCheckout", order("price:price_credits")).await;
        self.pay().await;
        self.ask("ann", "startCheckout", order("price:price_setup")).await;
        self.ask("ann", "openBillingPortal", json!({"returnUrl": url})).await;
        self.ask("ann", "purchaseCredits", json!({"priceId": "price:price_credits", "quantity": 3})).await;
        self.ask("ann", "addAddon", json!({"subscriptionId": "", "priceId": "price:price_seats", "quantity": 2})).await;
        self.ask("ann", "removeAddon", json!({"subscriptionItemId": "item:price_seats"})).await;
        let until = shop.test.app.now() + TimeDelta::days(9);
        self.ask("ann", "pauseSubscription", json!({"subscriptionId": "", "until": until})).await;
        self.ask("ann", "resumeSubscription", json!({"subscriptionId": ""})).await;
        let why = json!({"subscriptionId": "", "feedback": "TOO_EXPENSIVE", "comment": "A pity"});
        self.ask("ann", "cancelSubscription", why).await;
        self.ask("ann", "resumeSubscription", json!({"subscriptionId": ""})).await;

        let new = json!({"priceId": "price:price_pro", "quantity": 2, "promoCode": "OTHER"});
        self.ask("bob", "createSubscription", new).await;
        let customer = shop.stripe.objects("customer")[1]["id"].as_str().unwrap().to_owned();
        shop.stripe.set_card(&customer, Card::Good).unwrap();
        let until = shop.test.app.now() + TimeDelta::days(40);
        let trialing = with(&self.own("bob").await, json!({"until": until}));
        self.ask("admin", "extendTrial", trialing).await;
        self.ask("bob", "cancelSubscription", json!({"subscriptionId": "", "timing": "NOW"})).await;
        self.ask("bob", "createSubscription", json!({"priceId": "price:price_basic"})).await;
        let intent = shop.stripe.objects("payment_intent").pop().unwrap()["id"].as_str().unwrap().to_owned();
        shop.stripe.confirm(&intent, Card::Good).unwrap();
        shop.deliver().await;
        self.preview("bob", "NOW").await;
        self.preview("bob", "PERIOD_END").await;
        self.ask("bob", "applyPromoCode", json!({"subscriptionId": "", "promoCode": "HALF"})).await;
        let pro = json!({"subscriptionId": "", "priceId": "price:price_pro"});
        self.ask("bob", "changePlan", with(&pro, json!({"timing": "PERIOD_END"}))).await;
        self.ask("bob", "undoScheduledChange", json!({"subscriptionId": ""})).await;
        self.ask("bob", "changePlan", with(&pro, json!({"prorationAt": shop.test.app.now()}))).await;
        self.catalogue().await;
        self.gifts_and_refunds().await;
    }

    async fn gifts_and_refunds(&self) {
        let url = "https://app.example.com/";
        let gift = json!({"priceId": "price:price_basic", "message": "Enjoy", "successUrl": url, "cancelUrl": url});
        let code = self.ask("ann", "buyGift", gift).await["code"].take();
        self.pay().await;
        self.ask("cat", "redeemGift", json!({"code": code})).await;
        let document = "{ viewer { account { payments(first: 1) { nodes { id } } } } }";
        let paid = self.shop.test.user("ann").data(document, json!({})).await;
        let payment = &paid["viewer"]["account"]["payments"]["nodes"][0]["id"];
        let wish = json!({"paymentId": payment, "amount": "300", "reason": "not for me"});
        let refund = self.ask("ann", "requestRefund", wish).await["refund"]["id"].take();
        self.ask("admin", "approveRefund", json!({"refundId": refund})).await;
    }

    /// The mutations of the catalogue.
    async fn catalogue(&self) {
        let spring = json!({"code": "SPRING", "name": "Spring", "percentBasisPoints": 2550, "duration": "REPEATING",
            "durationMonths": 3, "maxRedemptions": 100, "oncePerAccount": true});
        let coupon = self.ask("admin", "createCoupon", spring).await["coupon"]["id"].take();
        let ten = json!({"code": "TEN", "name": "Ten", "amountOff": {"amount": "1000", "currency": "USD"},
            "duration": "ONCE", "redeemBy": self.shop.test.app.now() + TimeDelta::days(90), "plans": ["pro"]});
        self.ask("admin", "createCoupon", ten).await;
        let code = json!({"couponId": coupon, "code": "SPRING25", "maxRedemptions": 10, "firstPurchaseOnly": true,
            "expiresAt": self.shop.test.app.now() + TimeDelta::days(30)});
        let code = self.ask("admin", "createPromoCode", code).await["promoCode"]["id"].take();
        self.ask("admin", "deactivatePromoCode", json!({"promoCodeId": code})).await;
        let plan = json!({"code": "team", "kind": "PLAN", "name": "Team", "description": "For all", "rank": 30});
        let plan = self.ask("admin", "createPlan", plan).await["plan"]["id"].take();
        for amount in ["4900", "5900"] {
            let prices = json!([{"currency": "USD", "unitAmount": amount, "interval": "MONTH"}]);
            let version = json!({"planId": plan, "prices": prices});
            let version = self.ask("admin", "createPlanVersion", version).await["planVersion"]["id"].take();
            self.ask("admin", "publishPlanVersion", json!({"planVersionId": version})).await;
            self.ask("admin", "publishPlanToStripe", json!({"planVersionId": version})).await;
        }
    }

    /// Asks for one change, which must not be refused. In the input an empty `subscriptionId` is the caller's own, and
    /// `price:` and `item:` stand before ids at Stripe.
    async fn ask(&self, caller: &str, mutation: &str, mut input: Value) -> Value {
        let test = &self.shop.test;
        let caller = if caller == "admin" { test.admin() } else { test.user(caller) };
        self.steps.set(self.steps.get() + 1);
        let fields = input.as_object_mut().unwrap();
        for value in fields.values_mut() {
            *value = match value.as_str().unwrap_or_default().split_once(':') {
                Some(("price", id)) => json!(self.shop.price(id).await),
                Some(("item", price)) => self.item(&caller, price).await,
                _ => continue,
            };
        }
        if fields.get("subscriptionId").is_some_and(|id| id == "") {
            fields.insert("subscriptionId".to_owned(), self.subscription(&caller).await["id"].clone());
        }
        let made = MADE.iter().find(|(name, _)| *name == mutation).map_or("", |(_, made)| made);
        if !WITHOUT_KEY.contains(&mutation) {
            fields.insert("idempotencyKey".to_owned(), json!(format!("step {}", self.steps.get())));
        }
        let name = format!("{}{}", mutation[..1].to_uppercase(), &mutation[1..]);
        let document = format!(
            "mutation Go($input: {name}Input!) {{ {mutation}(input: $input) {{ {made} userErrors {{ code message }} }} }}"
        );
        let done = self.shop.ask(&caller, &document, input).await;
        assert_eq!(done["userErrors"], json!([]), "{mutation}");
        self.shop.deliver().await;
        done
    }

    async fn preview(&self, caller: &str, timing: &str) {
        let caller = self.shop.test.user(caller);
        let document = "query Q($id: ID!, $price: ID!, $timing: PlanChangeTiming!) {
            previewPlanChange(subscriptionId: $id, priceId: $price, timing: $timing) { dueNow { amount } } }";
        let id = self.subscription(&caller).await["id"].clone();
        let variables = json!({"id": id, "price": self.shop.price("price_pro").await, "timing": timing});
        caller.data(document, variables).await;
    }

    /// Pays the checkout that was begun last.
    async fn pay(&self) {
        let session = self.shop.stripe.objects("checkout.session").pop().unwrap();
        self.shop.stripe.pay(session["id"].as_str().unwrap(), Card::Good).unwrap();
        self.shop.deliver().await;
        let customer = session["customer"].as_str().unwrap();
        self.shop.stripe.set_card(customer, Card::Good).unwrap();
        self.shop.deliver().await;
    }

    /// The subscription of a caller, as input.
    async fn own(&self, caller: &str) -> Value {
        json!({"subscriptionId": self.subscription(&self.shop.test.user(caller)).await["id"]})
    }

    async fn subscription(&self, caller: &Client<'_>) -> Value {
        let document = "{ viewer { subscription { id items { id priceExternalId } } } }";
        caller.data(document, json!({})).await["viewer"]["subscription"].take()
    }

    async fn item(&self, caller: &Client<'_>, price: &str) -> Value {
        let subscription = self.subscription(caller).await;
        let mut items = subscription["items"].as_array().unwrap().iter();
        items.find(|item| item["priceExternalId"] == price).unwrap()["id"].clone()
    }
}

fn with(input: &Value, more: Value) -> Value {
    let mut input = input.clone();
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}
