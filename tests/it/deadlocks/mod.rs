//! Two nodes that change the same accounts in every way at once, on PostgreSQL: nobody is refused because of a deadlock.
//!
//! By default some hundred operations. `TOLLGATE_TEST_DEADLOCK_OPERATIONS=20000` takes minutes.

mod credits;

use crate::checkouts::{CHECKOUT, CREATE, PURCHASE, order};
use crate::support::refunds::{APPROVE, DENY, REQUEST};
use crate::support::{Client, Engine, Shop, TestApp, global_id, licences, local_id, run, sql, webhooks};
use chrono::TimeDelta;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sandbox::Card;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tollgate::auth::Permission;
use tollgate::providers::Provider;
use tollgate::worker::worker;
use tracing::Level;

const PEOPLE: [&str; 3] = ["ann", "bob", "eve"];
/// Callers at once: half of them at each node.
const CALLERS: usize = 8;
/// Settings with which a slow machine refuses nothing: time limits that no operation reaches, and connections enough that
/// none waits for one. The stand-in for Stripe and both nodes share the machine.
const PATIENT: [(&str, &str); 3] = [
    ("TOLLGATE_STRIPE_API_TIMEOUT_MS", "15000"),
    ("TOLLGATE_DATABASE_STATEMENT_TIMEOUT_MS", "600000"),
    ("TOLLGATE_DATABASE_MAX_CONNECTIONS", "24"),
];
/// Codes of errors that a request gets because of another one.
const FORBIDDEN: [&str; 2] = ["INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE"];

const GRANT: &str = "mutation($input: GrantCreditsInput!) { grantCredits(input: $input) { userErrors { code } } }";
const CANCEL: &str =
    "mutation($input: CancelSubscriptionInput!) { cancelSubscription(input: $input) { userErrors { code } } }";
const RESUME: &str =
    "mutation($input: ResumeSubscriptionInput!) { resumeSubscription(input: $input) { userErrors { code } } }";
const CHANGE: &str = "mutation($input: ChangePlanInput!) { changePlan(input: $input) { userErrors { code } } }";
const REGISTER: &str =
    "mutation($input: RegisterDeviceInput!) { registerDevice(input: $input) { userErrors { code } } }";
const REVOKE: &str = "mutation($input: RevokeDeviceInput!) { revokeDevice(input: $input) { userErrors { code } } }";
const STATUS: &str = "query($input: String!) { licenseStatus(key: $input, fingerprint: \"f1\") { valid } }";
const CREATE_KEY: &str =
    "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret userErrors { code } } }";
const REVOKE_KEY: &str = "mutation($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { userErrors { code } } }";
const DRAFT: &str = "mutation($input: CreatePlanVersionInput!) { createPlanVersion(input: $input) {
    planVersion { id } userErrors { code } } }";
const PUBLISH: &str =
    "mutation($input: PublishPlanVersionInput!) { publishPlanVersion(input: $input) { userErrors { code } } }";

#[expect(clippy::disallowed_methods, reason = "a switch of the tests, not a setting")]
fn operations() -> usize {
    let asked = std::env::var("TOLLGATE_TEST_DEADLOCK_OPERATIONS").ok();
    asked.map_or(600, |asked| asked.parse().unwrap())
}

#[test]
fn two_nodes_that_change_the_same_accounts_never_refuse_a_request_for_a_deadlock() {
    // Fails if another test was faster, whose log has the causes then.
    let _ = tracing_subscriber::fmt().with_max_level(Level::WARN).with_ansi(false).with_writer(|| Log).try_init();
    run(Engine::Postgres, async |shop: &Shop| {
        let storm = &Storm::gather(shop).await;
        let (one, other) = (shop.node_with(&PATIENT).await, shop.node_with(&PATIENT).await);
        let left = AtomicUsize::new(operations());
        let callers = (0..CALLERS).map(|number| {
            let (left, node) = (&left, if number % 2 == 0 { &one } else { &other });
            async move {
                let mut rng = ChaCha8Rng::seed_from_u64(u64::try_from(number).unwrap());
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    storm.act(node, &mut rng).await;
                }
            }
        });
        futures_util::future::join_all(callers).await;
        let refused = storm.refused.lock().unwrap().clone();
        assert_eq!(refused, [""; 0], "{}", causes(&refused));
        // All that was put off is done, and none of it was given up.
        for _ in 0..5 {
            storm.deliver(&one).await;
            shop.test.advance(TimeDelta::hours(1));
        }
        let left = sql::column::<String>(
            shop.test.app.db.read(),
            "SELECT kind || ': ' || coalesce(error, '') FROM jobs WHERE state = 'parked' \
             UNION ALL SELECT object_id || ': ' || coalesce(error, '') FROM inbox_events \
             WHERE state IN ('failed', 'parked')",
            [],
        );
        assert_eq!(left.await, [""; 0]);
        let done = storm.done.lock().unwrap().clone();
        assert!(done.len() >= 22, "every verb had its turn: {done:?}");
        let counted = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        let deadlocks = sql::number(shop.test.app.db.read(), counted).await;
        println!("{} operations, {deadlocks} deadlocks, all of them retried: {done:?}", operations());
    });
}

/// The warnings and errors that this process has logged.
static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl io::Write for Log {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        LOGGED.lock().unwrap().extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the lines of the log with the causes of refusals: those with the request id of one, or about the database.
fn causes(refused: &[String]) -> String {
    let logged = LOGGED.lock().unwrap();
    let is_cause = |line: &&str| {
        let id = line.split_once("request_id=\"").and_then(|(_, rest)| rest.split('"').next());
        line.contains("unavailable") || id.is_some_and(|id| refused.iter().any(|refused| refused.contains(id)))
    };
    String::from_utf8_lossy(&logged).lines().filter(is_cause).collect::<Vec<_>>().join("\n")
}

/// The shared accounts, and what happens to them.
struct Storm<'a> {
    shop: &'a Shop,
    accounts: Vec<String>,
    prices: BTreeMap<&'static str, String>,
    /// A licence key.
    licence: String,
    plan: String,
    number: AtomicUsize,
    refused: Mutex<Vec<String>>,
    done: Mutex<BTreeMap<&'static str, usize>>,
}

impl<'a> Storm<'a> {
    async fn gather(shop: &'a Shop) -> Self {
        let mut accounts = Vec::new();
        for person in PEOPLE {
            let query = "{ viewer { account { id } } }";
            let id = shop.test.user(person).data(query, json!({})).await["viewer"]["account"]["id"].take();
            accounts.push(id.as_str().unwrap().to_owned());
            let portal = "mutation { openBillingPortal(input: {returnUrl: \"https://a.example/\"}) { url } }";
            shop.test.user(person).data(portal, json!({})).await;
        }
        shop.deliver().await;
        for customer in shop.stripe.objects("customer") {
            shop.stripe.set_card(customer["id"].as_str().unwrap(), Card::Good).unwrap();
        }
        shop.deliver().await;
        for unit in credits::UNITS {
            let create =
                "mutation($input: CreateCreditUnitInput!) { createCreditUnit(input: $input) { userErrors { code } } }";
            shop.ask(&shop.test.admin(), create, json!({"code": unit, "name": unit})).await;
        }
        credits::prepare(&shop.test, &accounts).await;
        let plan = "mutation($input: CreatePlanInput!) { createPlan(input: $input) { plan { id } } }";
        let input = json!({"code": "stormy", "kind": "PLAN", "name": "Stormy", "rank": 5});
        let plan = shop.ask(&shop.test.admin(), plan, input).await["plan"]["id"].as_str().unwrap().to_owned();
        let (_, key) = licences::issued(&shop.test.app, local_id(&accounts[0]).1).await;
        let mut prices = BTreeMap::new();
        for name in ["price_basic", "price_pro", "price_credits"] {
            prices.insert(name, shop.price(name).await);
        }
        Storm {
            shop,
            accounts,
            prices,
            licence: key.expose(),
            plan,
            number: AtomicUsize::new(0),
            refused: Mutex::default(),
            done: Mutex::default(),
        }
    }

    /// Does something at random.
    async fn act(&self, node: &TestApp, rng: &mut ChaCha8Rng) {
        let key = format!("storm {}", self.number.fetch_add(1, Ordering::Relaxed));
        let plan = self.prices[*["price_basic", "price_pro"].choose(rng).unwrap()].clone();
        match rng.random_range(0..9) {
            0..3 => self.buy(node, rng, &plan, &key).await,
            3 | 4 => self.change(node, rng, &plan, &key).await,
            5 => self.publish(node).await,
            _ => self.use_credits(node, rng, &key).await,
        }
    }

    /// Buys or is given something, or does what follows from that.
    async fn buy(&self, node: &TestApp, rng: &mut ChaCha8Rng, plan: &str, key: &str) {
        let user = node.user(PEOPLE.choose(rng).unwrap());
        let pack = &self.prices["price_credits"];
        match rng.random_range(0..8) {
            0 => {
                let expires = rng.random_bool(0.5).then(|| node.app.now() + TimeDelta::minutes(rng.random_range(1..9)));
                let account = self.accounts.choose(rng).unwrap();
                let unit = credits::UNITS.choose(rng);
                let input = json!({"accountId": account, "unit": unit, "amount": "10",
                    "expiresAt": expires.map(|at| at.to_rfc3339()), "idempotencyKey": key});
                self.send(&node.admin(), GRANT, input).await;
            }
            1 => self.send(&user, CHECKOUT, order(plan, key)).await,
            2 => self.send(&user, CHECKOUT, order(pack, key)).await,
            3 => {
                let sessions = self.shop.stripe.objects("checkout.session");
                for session in sessions.iter().filter(|session| session["status"] == "open") {
                    // Another caller may have been faster.
                    let _ = self.shop.stripe.pay(session["id"].as_str().unwrap(), Card::Good);
                }
                self.deliver(node).await;
            }
            4 => self.send(&user, CREATE, json!({"priceId": plan, "idempotencyKey": key})).await,
            5 => self.send(&user, PURCHASE, json!({"priceId": pack, "idempotencyKey": key})).await,
            6 => self.deliver(node).await,
            _ => {
                node.advance(TimeDelta::minutes(1));
                self.work(node).await;
            }
        }
    }

    /// Changes any row that there is.
    async fn change(&self, node: &TestApp, rng: &mut ChaCha8Rng, plan: &str, key: &str) {
        match rng.random_range(0..6) {
            0 => {
                let Some(payment) = self.any(node, "Payment", "payments", "status = 'succeeded'").await else { return };
                let input = json!({"paymentId": payment, "amount": 100, "reason": "x", "idempotencyKey": key});
                self.send(&node.admin(), REQUEST, input).await;
            }
            1 => {
                let Some(refund) = self.any(node, "Refund", "refunds", "status = 'requested'").await else { return };
                let input = json!({"refundId": refund, "idempotencyKey": key});
                let verb = *[APPROVE, DENY].choose(rng).unwrap();
                self.send(&node.admin(), verb, input).await;
            }
            2 => {
                let open = "ended_at IS NULL";
                let Some(subscription) = self.any(node, "Subscription", "subscriptions", open).await else { return };
                let mut input = json!({"subscriptionId": subscription, "idempotencyKey": key});
                let verb = *[CANCEL, RESUME, CHANGE].choose(rng).unwrap();
                if verb == CHANGE {
                    input["priceId"] = json!(plan);
                }
                self.send(&node.admin(), verb, input).await;
            }
            3 => {
                let fingerprint = format!("f{}", rng.random_range(0..4));
                let input = json!({"key": self.licence, "fingerprint": fingerprint});
                self.send(&node.anonymous(), REGISTER, input).await;
                self.send(&node.anonymous(), STATUS, json!(self.licence)).await;
                node.flush().await;
            }
            4 => {
                let Some(device) = self.any(node, "Device", "devices", "revoked_at IS NULL").await else { return };
                self.send(&node.admin(), REVOKE, json!({"deviceId": device})).await;
            }
            _ => self.keys(node, rng).await,
        }
    }

    /// Publishes another version of the plan.
    async fn publish(&self, node: &TestApp) {
        let price = json!({"currency": "USD", "unitAmount": 700, "interval": "MONTH"});
        let draft = self.ask(&node.admin(), DRAFT, json!({"planId": self.plan, "prices": [price]})).await;
        let version = draft["data"]["createPlanVersion"]["planVersion"]["id"].clone();
        if version.is_string() {
            self.send(&node.admin(), PUBLISH, json!({"planVersionId": version})).await;
        }
    }

    /// Creates a key, a key with it, and revokes any.
    async fn keys(&self, node: &TestApp, rng: &mut ChaCha8Rng) {
        let input = json!({"name": "storm", "scopes": [Permission::KeysWrite.scope()]});
        let made = self.ask(&node.admin(), CREATE_KEY, input.clone()).await;
        let secret = made["data"]["createApiKey"]["secret"].as_str().map(str::to_owned);
        if rng.random_bool(0.5) {
            self.ask(&node.bearer(secret.as_deref()), CREATE_KEY, input).await;
        }
        if let Some(key) = self.any(node, "ApiKey", "api_keys", "revoked_at IS NULL").await {
            self.send(&node.admin(), REVOKE_KEY, json!({"apiKeyId": key})).await;
        }
    }

    /// Any row of a table, as a global id.
    async fn any(&self, node: &TestApp, ty: &str, table: &str, which: &str) -> Option<String> {
        let sql = format!("SELECT id FROM {table} WHERE {which} ORDER BY random() LIMIT 1");
        sql::ids(node.app.db.read(), &sql, []).await.first().map(|id| global_id(ty, *id))
    }

    async fn send(&self, caller: &Client<'_>, query: &'static str, input: Value) {
        self.ask(caller, query, input).await;
    }

    async fn ask(&self, caller: &Client<'_>, query: &'static str, input: Value) -> Value {
        let reply = caller.post(query, json!({"input": input})).await.json();
        let name =
            query.split_once(['{', '(']).and_then(|(_, rest)| rest.split_once("{ ")).map_or(query, |(_, rest)| rest);
        let name = name.split_once('(').map_or(name, |(name, _)| name);
        *self.done.lock().unwrap().entry(name).or_default() += 1;
        for error in reply["errors"].as_array().into_iter().flatten() {
            if FORBIDDEN.iter().any(|code| error["extensions"]["code"] == *code) {
                self.refused.lock().unwrap().push(format!("{name}: {error}"));
            }
        }
        reply
    }

    /// Delivers what happened at Stripe, and does the work that follows.
    async fn deliver(&self, node: &TestApp) {
        for event in self.shop.stripe.take_events() {
            let reply = webhooks::deliver(node, Provider::Stripe, &event).await;
            if reply.status != 200 {
                self.refused.lock().unwrap().push(format!("webhook: {}", reply.body));
            }
        }
        self.work(node).await;
    }

    /// Does what is due. A job whose transaction was chosen to end a deadlock is tried again by itself.
    async fn work(&self, node: &TestApp) {
        worker(&node.app.config).run_due(&node.app).await.unwrap();
    }
}
