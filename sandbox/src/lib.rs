//! A stand-in for the part of Stripe that Tollgate calls: it keeps objects, charges test cards, sends events, and moves
//! no money. `tollgate demo` sells through it, and the tests call it instead of Stripe.
//!
//! It speaks the version of the API that we ask in, and refuses parameters that it does not know. Objects are the JSON
//! that Stripe shows; one file for each kind of object says what requests and time do to it.
//!
//! A request is done whole or not at all, except that a card's refusal stays on record. What is due by the clock is done
//! before anything else, each thing at its own time.

mod basket;
mod cancel;
mod cards;
mod catalogue;
mod changes;
mod checkout;
mod clock;
mod customers;
mod desk;
mod discounts;
mod expand;
mod faults;
mod form;
mod http;
mod invoices;
mod items;
mod lines;
mod page;
mod pages;
mod payments;
mod portal;
mod previews;
mod refunds;
mod refusal;
mod renewals;
mod routes;
mod schedules;
mod state;
mod subscriptions;
mod terms;
mod webhooks;

#[cfg(test)]
mod tests;

pub use cards::Card;
pub use desk::SeenRequest;
pub use faults::Fault;

use chrono::{DateTime, Utc};
use desk::Desk;
use refusal::{Outcome, Refusal};
use serde_json::Value;
use state::{State, no_request};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A Stripe of one account, in test mode. Clones are the same one.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    now: Box<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    key: String,
    held: Mutex<Held>,
}

struct Held {
    state: State,
    desk: Desk,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

impl Sandbox {
    /// An empty one, which takes the time from `now` and takes this API key. Those with other keys have other ids.
    pub fn new(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static, key: &str) -> Sandbox {
        Sandbox::seeded(now, key, key)
    }

    /// The same with ids of another seed.
    pub fn seeded(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static, key: &str, seed: &str) -> Sandbox {
        let held = Mutex::new(Held { state: State::new(seed), desk: Desk::default() });
        Sandbox { inner: Arc::new(Inner { now: Box::new(now), key: key.to_owned(), held }) }
    }

    /// Where its pages are, such as `http://127.0.0.1:4000`. Without this, where the last request was sent.
    pub fn set_base(&self, url: &str) {
        let mut held = self.held();
        held.desk.base = Some(url.trim_end_matches('/').to_owned());
        held.state.base = url.trim_end_matches('/').to_owned();
    }

    /// Brings about all that is due by now: ends of trials and periods, retries, phases of schedules, ends of
    /// subscriptions, sessions that expire, first payments that did not come. Every other call does so first.
    pub fn time_passes(&self) {
        drop(self.held());
    }

    /// An object as it is now.
    pub fn object(&self, id: &str) -> Option<Value> {
        let held = self.held();
        let object = held.state.get(id);
        (!object.is_null()).then(|| held.state.shown(object))
    }

    /// The objects of a kind in Stripe's words, oldest first.
    pub fn objects(&self, kind: &str) -> Vec<Value> {
        let held = self.held();
        held.state.of_kind(kind).map(|object| held.state.shown(object)).collect()
    }

    /// The events that were not taken yet, oldest first.
    pub fn take_events(&self) -> Vec<Value> {
        let mut held = self.held();
        let fresh = held.state.events[held.state.taken..].to_vec();
        held.state.taken = held.state.events.len();
        fresh
    }

    /// All events, oldest first.
    pub fn events(&self) -> Vec<Value> {
        self.held().state.events.clone()
    }

    /// The requests that may have changed something, oldest first, whatever was answered.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.held().desk.seen.clone()
    }

    /// Makes the next request that would change something fail; several wait for one request each.
    pub fn fail_next(&self, fault: Fault) {
        self.held().desk.faults.push_back(fault);
    }

    /// Nothing fails any more that was to fail.
    pub fn clear_faults(&self) {
        let mut held = self.held();
        held.desk.faults.clear();
        held.desk.dice = faults::Dice::default();
    }

    /// From now on makes so many of a hundred requests that would change something fail, in ways that take no time.
    pub fn fail_with(&self, percent: u32, seed: u64) {
        self.fail_among(percent, seed, &Fault::QUICK);
    }

    /// The same in these ways.
    pub fn fail_among(&self, percent: u32, seed: u64, faults: &[Fault]) {
        self.held().desk.dice = faults::Dice::new(percent, seed, faults);
    }

    /// Pays on the page of a checkout session. Gives the payment intent that the holder of the card has to confirm, if
    /// they have to. The error is Stripe's.
    pub fn pay(&self, session: &str, card: Card) -> Result<Option<String>, Value> {
        self.act(|state| checkout::pay(state, session, card))
    }

    /// Puts a promotion code on a checkout session, as customers do on its page.
    pub fn use_code(&self, session: &str, code: &str) -> Result<(), Value> {
        self.act(|state| checkout::use_code(state, session, code))
    }

    /// Ends a checkout session that was not paid.
    pub fn expire(&self, session: &str) -> Result<(), Value> {
        self.act(|state| checkout::open(state, session).map(|_| checkout::expire(state, session)))
    }

    /// Pays a payment intent in the browser. Gives whether it is paid, and not waiting for the holder of the card.
    pub fn confirm(&self, payment_intent: &str, card: Card) -> Result<bool, Value> {
        self.act(|state| {
            let intent = state.find("payment_intent", payment_intent, "")?;
            let method = cards::make(state, card, intent["customer"].as_str());
            let params = form::Params(serde_json::json!({"payment_method": method}));
            Ok(payments::confirm(state, payment_intent, &params)?["status"] == "succeeded")
        })
    }

    /// Ends 3-D Secure: the holder of the card has confirmed that it is them, or has not.
    pub fn authenticate(&self, payment_intent: &str, succeed: bool) -> Result<(), Value> {
        self.act(|state| payments::authenticated(state, payment_intent, succeed))
    }

    /// Makes a new card the one that a customer pays with, and gives its payment method.
    pub fn set_card(&self, customer: &str, card: Card) -> Result<String, Value> {
        self.act(|state| {
            state.find("customer", customer, "")?;
            Ok(cards::set_default(state, customer, card))
        })
    }

    /// Makes a refund fail that has succeeded.
    pub fn fail_refund(&self, refund: &str) -> Result<(), Value> {
        self.act(|state| refunds::fail(state, refund))
    }

    /// Keeps an object as if it had been made or changed in Stripe's dashboard, and tells of it.
    pub fn put(&self, object: Value) {
        let kind = object["object"].as_str().unwrap_or_default().to_owned();
        let name = match kind.as_str() {
            "subscription" | "discount" => format!("customer.{kind}"),
            "dispute" => "charge.dispute".to_owned(),
            other => other.to_owned(),
        };
        let mut held = self.held();
        let id = object["id"].as_str().unwrap_or_default().to_owned();
        if held.state.get(&id).is_null() {
            held.state.create(&format!("{name}.created"), object);
        } else {
            held.state.update(&id, &format!("{name}.updated"), |old| *old = object);
        }
    }

    /// Keeps an object that was there before anyone listened: nobody is told.
    pub fn keep(&self, object: Value) {
        let mut held = self.held();
        held.state.put(object);
        held.state.settle();
    }

    /// Tells of an object as it is now, in an event of this type.
    pub fn tell(&self, event: &str, id: &str) {
        self.held().state.tell(event, id);
    }

    fn now(&self) -> DateTime<Utc> {
        (self.inner.now)()
    }

    /// What there is, in the present.
    fn held(&self) -> MutexGuard<'_, Held> {
        let mut held = self.inner.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.state.request = no_request();
        clock::pass(&mut held.state, self.now().timestamp());
        held
    }

    fn act<T>(&self, deed: impl FnOnce(&mut State) -> Outcome<T>) -> Result<T, Value> {
        let mut held = self.held();
        whole(&mut held.state, deed).map_err(|refusal| refusal.error)
    }
}

/// Does something, and undoes it if it is refused half way.
fn whole<T>(state: &mut State, deed: impl FnOnce(&mut State) -> Outcome<T>) -> Result<T, Box<Refusal>> {
    let mark = state.mark();
    let outcome = deed(state);
    if outcome.as_ref().is_err_and(|refusal| refusal.undo) {
        state.undo(&mark);
    }
    state.settle();
    outcome
}
