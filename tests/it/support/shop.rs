//! A Tollgate whose Stripe is the sandbox, with something on sale, so that tests can buy.

use super::webhooks::{self, PADDLE_SECRET, STRIPE_SECRET};
use super::{Client, SECRET, Subject, TestApp, TestDatabase, clock};
use chrono::TimeDelta;
use sandbox::Sandbox;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::net::TcpListener;
use tollgate::clock::Clock;
use tollgate::providers::Provider;

/// The key that the sandbox takes.
const KEY: &str = "rk_test_shop_8Jq2";

/// A product on sale: its code, kind, rank, and for each price its id at Stripe, amount, currency, interval and
/// days of trial.
type Goods = (&'static str, &'static str, i64, &'static [(&'static str, i64, &'static str, &'static str, i64)]);

const GOODS: &[Goods] = &[
    ("basic", "plan", 10, &[("price_basic", 900, "usd", "month", 0)]),
    ("pro", "plan", 20, &[("price_pro", 2900, "usd", "month", 14), ("price_pro_year", 29_000, "usd", "year", 0)]),
    ("seats", "addon", 0, &[("price_seats", 500, "usd", "month", 0)]),
    ("setup", "addon", 0, &[("price_setup", 9900, "usd", "once", 0)]),
    ("100", "credits", 0, &[("price_credits", 1000, "usd", "once", 0)]),
];

/// A shop. Its Tollgate receives Stripe's events when [`Shop::deliver`] is called, and not before.
pub(crate) struct Shop {
    pub(crate) test: TestApp,
    pub(crate) stripe: Sandbox,
    url: String,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Subject for Shop {
    async fn start(database: &TestDatabase) -> Self {
        let clock = clock();
        let stripe = stand_in(&clock, KEY);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = stripe.router();
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let database_url = [("TOLLGATE_DATABASE_URL", database.url()), ("TOLLGATE_DATABASE_MAX_CONNECTIONS", "8")];
        let settings = [&database_url[..], &settings(&url)].concat();
        let shop = Shop { test: TestApp::at(clock, &settings).await, stripe, url: url.clone(), serving };
        shop.stock();
        shop.deliver().await;
        shop
    }

    async fn finish(self) {
        self.test.app.detached.idle().await;
        let left: Vec<String> = self.stripe.take_events().iter().map(|event| event["type"].to_string()).collect();
        assert!(left.is_empty(), "what happened at Stripe was not delivered: {left:?}");
    }
}

/// An empty stand-in for Stripe that goes by the clock of the test.
fn stand_in(clock: &Arc<Clock>, key: &str) -> Sandbox {
    let clock = Arc::clone(clock);
    Sandbox::new(move || clock.now(), key)
}

fn settings(url: &str) -> [(&str, &str); 6] {
    [
        ("TOLLGATE_JWT_HS256_SECRET", SECRET),
        ("TOLLGATE_STRIPE_WEBHOOK_SECRETS", STRIPE_SECRET),
        ("TOLLGATE_PADDLE_WEBHOOK_SECRETS", PADDLE_SECRET),
        ("TOLLGATE_STRIPE_API_KEY", KEY),
        ("TOLLGATE_STRIPE_API_BASE", url),
        ("TOLLGATE_STRIPE_API_TIMEOUT_MS", "400"),
    ]
}

impl Shop {
    /// Puts what is on sale into Stripe, as someone does in its dashboard.
    fn stock(&self) {
        for (code, kind, rank, prices) in GOODS {
            let product = format!("prod_{code}");
            let metadata = json!({*kind: code, "tier": rank.to_string()});
            self.stripe.put(json!({
                "id": product, "object": "product", "name": code, "active": true, "metadata": metadata,
            }));
            for (id, amount, currency, interval, trial) in *prices {
                let recurring = json!({"interval": interval, "interval_count": 1, "usage_type": "licensed",
                    "trial_period_days": (*trial > 0).then_some(*trial), "meter": null});
                let once = *interval == "once";
                self.stripe.put(json!({
                    "id": id, "object": "price", "product": product, "active": true, "currency": currency,
                    "unit_amount": amount, "type": if once { "one_time" } else { "recurring" },
                    "recurring": if once { Value::Null } else { recurring }, "metadata": {},
                    "unit_amount_decimal": amount.to_string(), "billing_scheme": "per_unit", "livemode": false,
                    "created": self.test.app.now().timestamp(), "custom_unit_amount": null, "lookup_key": null,
                    "nickname": null, "tax_behavior": "unspecified", "tiers_mode": null, "transform_quantity": null,
                }));
            }
        }
    }

    /// A second Tollgate over the same database and the same Stripe.
    pub(crate) async fn another_node(&self) -> TestApp {
        self.test.beside_at(Arc::clone(&self.test.app.clock), &settings(&self.url)).await
    }

    /// Like the function above, with more settings.
    pub(crate) async fn node_with(&self, more: &[(&str, &str)]) -> TestApp {
        let settings = [&settings(&self.url)[..], more].concat();
        self.test.beside_at(Arc::clone(&self.test.app.clock), &settings).await
    }

    /// Sends a request, and hangs up as soon as Stripe has got another one. What goes on is ended by the caller.
    pub(crate) async fn hang_up(&self, caller: &Client<'_>, query: &str, input: Value) {
        let seen = self.stripe.requests().len();
        let asked = caller.post(query, json!({"input": input}));
        tokio::pin!(asked);
        loop {
            tokio::select! {
                biased;
                reply = &mut asked => panic!("answered before the caller hung up: {}", reply.body),
                () = tokio::task::yield_now() => {
                    if self.stripe.requests().len() > seen {
                        return;
                    }
                }
            }
        }
    }

    /// Tells of all that happened at Stripe, in order, and does the work that follows.
    pub(crate) async fn deliver(&self) {
        self.deliver_to(&self.test).await;
    }

    /// Delivers to another node: one that found Stripe unavailable does not call it for a while.
    pub(crate) async fn deliver_to(&self, node: &TestApp) {
        for event in self.stripe.take_events() {
            let reply = webhooks::deliver(node, Provider::Stripe, &event).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
        }
        node.run_jobs().await;
    }

    /// Advances the time, at Stripe too, and delivers the events.
    pub(crate) async fn advance(&self, by: TimeDelta) {
        self.test.advance(by);
        self.stripe.run_due();
        self.deliver().await;
    }

    /// The global id of our price that Stripe sells under this id.
    pub(crate) async fn price(&self, external_id: &str) -> String {
        use entity::provider_prices::{Column, Entity};
        use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
        let row = Entity::find().filter(Column::ExternalId.eq(external_id)).one(self.test.app.db.read()).await.unwrap();
        super::global_id("Price", row.unwrap().price_id.unwrap())
    }

    /// The only value that a mutation with one root field gives, which must have no errors of the request.
    pub(crate) async fn ask(&self, caller: &Client<'_>, query: &str, input: Value) -> Value {
        let mut data = caller.data(query, json!({"input": input})).await;
        let fields = data.as_object_mut().unwrap();
        assert_eq!(fields.len(), 1, "{query}");
        fields.values_mut().next().unwrap().take()
    }

    /// Returns the number of objects of a kind at Stripe.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.stripe.objects(kind).len()
    }
}
