//! Control of the stand-in: actions of customers and of the dashboard, faults, and a look at the objects.

use serde_json::{Value, json};

use crate::billing::{checkout, payments};
use crate::error::StripeResult;
use crate::http::faults::{Dice, Fault};
use crate::http::requests::SeenRequest;
use crate::objects::cards::{self, Card};
use crate::objects::{refunds, sessions};
use crate::params::Params;
use crate::sandbox::Sandbox;
use crate::store::Store;

impl Sandbox {
    /// Sets the base URL of the pages, such as `http://127.0.0.1:4000`; by default the host of the last request.
    pub fn set_base_url(&self, url: &str) {
        let mut world = self.lock();
        world.requests.base_url = Some(url.trim_end_matches('/').to_owned());
        world.store.base_url = url.trim_end_matches('/').to_owned();
    }

    /// Does the work that is due by now: renewals, ends of trials, retries, phases of schedules, cancellations,
    /// expirations. Every other call does so first.
    pub fn run_due(&self) {
        drop(self.lock());
    }

    /// Returns an object.
    pub fn object(&self, id: &str) -> Option<Value> {
        let world = self.lock();
        let object = world.store.get(id);
        (!object.is_null()).then(|| world.store.render(object))
    }

    /// Returns the objects of a kind, such as `checkout.session`, oldest first.
    pub fn objects(&self, kind: &str) -> Vec<Value> {
        let world = self.lock();
        world.store.all(kind).map(|object| world.store.render(object)).collect()
    }

    /// Returns the events that were not delivered yet, oldest first, and marks them as delivered.
    pub fn take_events(&self) -> Vec<Value> {
        let mut world = self.lock();
        let fresh = world.store.events[world.store.delivered..].to_vec();
        world.store.delivered = world.store.events.len();
        fresh
    }

    /// Returns all events, oldest first.
    pub fn events(&self) -> Vec<Value> {
        self.lock().store.events.clone()
    }

    /// Returns the requests other than `GET`, oldest first, whatever the reply.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.lock().requests.seen.clone()
    }

    /// Makes the next request other than `GET` fail. Several faults apply to one request each.
    pub fn fail_next(&self, fault: Fault) {
        self.lock().requests.faults.push_back(fault);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        let mut world = self.lock();
        world.requests.faults.clear();
        world.requests.dice = Dice::default();
    }

    /// Like [`fail_among`](Sandbox::fail_among), with the faults that take no time.
    pub fn fail_with(&self, percent: u32, seed: u64) {
        self.fail_among(percent, seed, &Fault::QUICK);
    }

    /// Makes this percentage of the requests other than `GET` fail, with one of these faults.
    pub fn fail_among(&self, percent: u32, seed: u64, faults: &[Fault]) {
        self.lock().requests.dice = Dice::new(percent, seed, faults);
    }

    /// Pays a checkout session on its page. Returns the payment intent if the cardholder has to confirm it. The error is
    /// Stripe's.
    pub fn pay(&self, session: &str, card: Card) -> Result<Option<String>, Value> {
        self.act(|store| checkout::pay(store, session, card))
    }

    /// Applies a promotion code to a checkout session on its page.
    pub fn apply_code(&self, session: &str, code: &str) -> Result<(), Value> {
        self.act(|store| checkout::apply_code(store, session, code))
    }

    /// Expires a checkout session that was not paid.
    pub fn expire(&self, session: &str) -> Result<(), Value> {
        self.act(|store| sessions::find_open(store, session).map(|_| sessions::expire(store, session)))
    }

    /// Confirms a payment intent in the browser. Returns true if it is paid, and false if it waits for 3-D Secure.
    pub fn confirm(&self, payment_intent: &str, card: Card) -> Result<bool, Value> {
        self.act(|store| {
            let intent = store.find("payment_intent", payment_intent, "")?;
            let method = cards::create(store, card, intent["customer"].as_str());
            let params = Params(json!({"payment_method": method}));
            Ok(payments::confirm_request(store, payment_intent, &params)?["status"] == "succeeded")
        })
    }

    /// Ends 3-D Secure with success or failure.
    pub fn authenticate(&self, payment_intent: &str, succeed: bool) -> Result<(), Value> {
        self.act(|store| payments::authenticate(store, payment_intent, succeed))
    }

    /// Makes a new card the default of a customer. Returns its payment method.
    pub fn set_card(&self, customer: &str, card: Card) -> Result<String, Value> {
        self.act(|store| {
            store.find("customer", customer, "")?;
            Ok(cards::set_default(store, customer, card))
        })
    }

    /// Makes a succeeded refund fail.
    pub fn fail_refund(&self, refund: &str) -> Result<(), Value> {
        self.act(|store| refunds::fail(store, refund))
    }

    /// Creates or changes an object with an event, as in Stripe's dashboard.
    pub fn put(&self, object: Value) {
        let kind = object["object"].as_str().unwrap_or_default().to_owned();
        let name = match kind.as_str() {
            "subscription" | "discount" => format!("customer.{kind}"),
            "dispute" => "charge.dispute".to_owned(),
            other => other.to_owned(),
        };
        let mut world = self.lock();
        let id = object["id"].as_str().unwrap_or_default().to_owned();
        if world.store.get(&id).is_null() {
            let happened = match (kind.as_str(), object["status"].as_str()) {
                // Stripe has no event of a charge's creation.
                ("charge", Some(status @ ("succeeded" | "failed" | "pending"))) => status,
                _ => "created",
            };
            world.store.create(&format!("{name}.{happened}"), object);
        } else {
            world.store.update(&id, &format!("{name}.updated"), |old| *old = object);
        }
    }

    /// Inserts an object without an event.
    pub fn load(&self, object: Value) {
        let mut world = self.lock();
        world.store.insert(object);
        world.store.commit();
    }

    fn act<T>(&self, action: impl FnOnce(&mut Store) -> StripeResult<T>) -> Result<T, Value> {
        self.lock().store.atomically(action).map_err(|error| error.error)
    }
}
