//! Makes our records what the providers' objects say.
//!
//! A record is made from all the objects that say something about it, each in its newest state. What it refers to may
//! not be here yet; then it is made without, and made again when that comes.

use super::object::{Object, Ties};
use super::order::{Sighting, newest};
use super::owner::Owner;
use super::store::{Store, Tie};
use super::waiting::Waiting;
use super::{paddle, stripe};
use crate::accounts::project_customer;
use crate::db::{Bell, Mirror};
use crate::error::Result;
use crate::payments::{self, ObservedPayment};
use crate::plans::{self, project_price};
use crate::providers::Provider;
use crate::subscriptions::{self, ObservedState};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// A record of ours, by the id at the provider of the object that it is made from; in the order in which they refer to
/// each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Record {
    Customer(String),
    Price(String),
    Coupon(String),
    PromoCode(String),
    Subscription(String),
    Redemption(String),
    Invoice(String),
    Payment(String),
    Purchase(String),
    Licences(String),
}

/// What became of the records behind an object.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// What has to be here before the object can be made a record of.
    pub(super) waits_for: Option<String>,
    /// What an admin should know.
    pub(super) note: Option<String>,
}

/// What became of one record.
pub(super) enum Step {
    Made,
    Waits(String),
}

/// Records being made, in one transaction.
pub(super) struct Records<'a, 'm> {
    pub(super) store: Store<'a>,
    pub(super) mirror: &'m mut Mirror<'a>,
    pub(super) waiting: Waiting<'a>,
    /// On how many devices a licence that was bought may be used.
    pub(super) max_devices: i64,
    /// What is still to be made.
    pub(super) queue: BTreeSet<Record>,
    /// The payments made so far, for what hangs on them.
    pub(super) payments: HashMap<String, (Uuid, ObservedPayment)>,
    note: Option<String>,
}

impl<'a, 'm> Records<'a, 'm> {
    pub(super) fn new(store: Store<'a>, mirror: &'m mut Mirror<'a>, bell: &Arc<Bell>, max_devices: i64) -> Self {
        let waiting = Waiting { store, clock: mirror.clock, bell: Arc::clone(bell) };
        let (queue, payments) = (BTreeSet::new(), HashMap::new());
        Records { store, mirror, waiting, max_devices, queue, payments, note: None }
    }

    /// Makes every record that `object` says something about, and those that hang on them.
    pub(super) async fn follow(&mut self, object: &Object) -> Result<Outcome> {
        let own = self.records_of(object).await?;
        self.queue.extend(own.iter().cloned());
        let mut waits_for = None;
        while let Some(record) = self.queue.pop_first() {
            let step = self.make(&record).await?;
            if let Step::Waits(key) = step
                && own.contains(&record)
            {
                waits_for = waits_for.or(Some(key));
            }
        }
        Ok(Outcome { waits_for, note: self.note.take() })
    }

    async fn records_of(&self, object: &Object) -> Result<Vec<Record>> {
        let (own, ties) = (|| object.external_id.clone(), &object.ties);
        let payment = |record: fn(String) -> Record| ties.payment.clone().map(record);
        Ok(match object.kind.as_str() {
            "customer" => vec![Record::Customer(own())],
            "price" => vec![Record::Price(own())],
            "product" => {
                let prices = plans::prices_of(self.store.txn, self.store.provider.name(), &object.external_id).await?;
                prices.into_iter().map(Record::Price).collect()
            }
            "coupon" => vec![Record::Coupon(own())],
            "promotion_code" => vec![Record::PromoCode(own())],
            "discount" if self.store.provider == Provider::Stripe => ties
                .subscription
                .clone()
                .map(Record::Subscription)
                .into_iter()
                .chain([Record::Redemption(own())])
                .collect(),
            "subscription" => vec![Record::Subscription(own())],
            "subscription_schedule" => ties.subscription.clone().map(Record::Subscription).into_iter().collect(),
            "invoice" => vec![Record::Invoice(own())],
            "invoice_payment" => {
                ties.invoice.clone().map(Record::Invoice).into_iter().chain(payment(Record::Payment)).collect()
            }
            "payment_intent" | "charge" | "refund" | "dispute" => payment(Record::Payment).into_iter().collect(),
            "checkout.session" => vec![Record::Purchase(own())],
            "transaction" => [Record::Invoice, Record::Payment, Record::Purchase, Record::Licences]
                .map(|record| record(own()))
                .to_vec(),
            "adjustment" => {
                [Record::Payment, Record::Purchase, Record::Licences].into_iter().filter_map(payment).collect()
            }
            _ => Vec::new(),
        })
    }

    async fn make(&mut self, record: &Record) -> Result<Step> {
        let (Record::Customer(id)
        | Record::Price(id)
        | Record::Coupon(id)
        | Record::PromoCode(id)
        | Record::Subscription(id)
        | Record::Redemption(id)
        | Record::Invoice(id)
        | Record::Payment(id)
        | Record::Purchase(id)
        | Record::Licences(id)) = record;
        self.store.lock(&BTreeSet::from([id.clone()])).await?;
        match record {
            Record::Customer(id) => self.customer(id).await,
            Record::Price(id) => self.price(id).await,
            Record::Coupon(id) => self.coupon(id).await,
            Record::PromoCode(id) => self.promo_code(id).await,
            Record::Subscription(id) => self.subscription(id).await,
            Record::Redemption(id) => self.redemption(id).await,
            Record::Invoice(id) => self.invoice(id).await,
            Record::Payment(id) => self.payment(id).await,
            Record::Purchase(id) => self.purchase(id).await,
            Record::Licences(id) => self.licences(id).await,
        }
    }

    async fn customer(&mut self, id: &str) -> Result<Step> {
        let Some(object) = self.store.object(id).await? else { return Ok(Step::waits(id)) };
        let read = match self.store.provider {
            Provider::Stripe => stripe::customer(&object),
            Provider::Paddle => paddle::customer(&object),
        };
        let Some(customer) = read else { return Ok(Step::Made) };
        let named_by = self.store.tied(Tie::Customer, id, &["checkout.session", "subscription"]).await?;
        let objects: Vec<&Object> = [&object].into_iter().chain(&named_by).collect();
        let account_id = match self.owner(&objects, None).await? {
            Owner::Account(account_id) => account_id,
            Owner::Unknown(Some(user)) => return Ok(Step::Waits(user)),
            // Nobody is named: it is told again when a session or a subscription names someone.
            Owner::Unknown(None) => return Ok(Step::Waits(format!("customer:{id}"))),
        };
        if project_customer(self.mirror, account_id, &customer).await?.changed {
            self.waiting.wake(&format!("customer:{id}")).await?;
        }
        Ok(Step::Made)
    }

    async fn price(&mut self, id: &str) -> Result<Step> {
        // A product's price that was seen inside a subscription alone says nothing that the product could change.
        if let Some(object) = self.store.object(id).await? {
            self.make_price(&object).await?;
        }
        Ok(Step::Made)
    }

    async fn make_price(&mut self, object: &Object) -> Result<()> {
        let product = match self.store.provider {
            Provider::Stripe => object.payload["product"].as_str(),
            Provider::Paddle => object.payload["product_id"].as_str(),
        };
        let product = match product {
            Some(id) => self.store.object(id).await?,
            None => None,
        };
        let read = match self.store.provider {
            Provider::Stripe => stripe::price(object, product.as_ref()),
            Provider::Paddle => paddle::price(object, product.as_ref()),
        };
        let Some(price) = read else { return Ok(()) };
        if project_price(self.mirror, &price).await?.changed {
            self.waiting.price_changed(&object.external_id).await?;
        }
        Ok(())
    }

    async fn coupon(&mut self, id: &str) -> Result<Step> {
        let Some(object) = self.store.object(id).await? else { return Ok(Step::waits(id)) };
        if let Some(coupon) = stripe::coupon(&object)
            && payments::project_coupon(self.mirror, &coupon).await?.new
        {
            self.made(id).await?;
        }
        Ok(Step::Made)
    }

    async fn promo_code(&mut self, id: &str) -> Result<Step> {
        let Some(object) = self.store.object(id).await? else { return Ok(Step::waits(id)) };
        let Some(promo_code) = stripe::promo_code(&object) else { return Ok(Step::Made) };
        match payments::project_promo_code(self.mirror, &promo_code).await? {
            Some(_) => Ok(Step::Made),
            None => Ok(Step::waits(&promo_code.coupon_external_id)),
        }
    }

    async fn redemption(&mut self, id: &str) -> Result<Step> {
        let Some(object) = self.store.object(id).await? else { return Ok(Step::waits(id)) };
        let Some(redemption) = stripe::redemption(&object) else { return Ok(Step::Made) };
        let subscription = match &redemption.subscription_external_id {
            Some(id) => self.store.object(id).await?,
            None => None,
        };
        let objects: Vec<&Object> = [&object].into_iter().chain(&subscription).collect();
        let account_id = match self.owner(&objects, object.ties.customer.as_deref()).await? {
            Owner::Account(account_id) => account_id,
            Owner::Unknown(key) => return Ok(Step::unowned(key, id)),
        };
        if payments::project_redemption(self.mirror, account_id, &redemption).await? {
            return Ok(Step::Made);
        }
        let subscription_is_missing = redemption.subscription_external_id.filter(|_| subscription.is_none());
        Ok(Step::waits(&subscription_is_missing.unwrap_or(redemption.coupon_external_id)))
    }

    async fn subscription(&mut self, id: &str) -> Result<Step> {
        let Some(object) = self.store.object(id).await? else { return Ok(Step::waits(id)) };
        let related = self.related(id).await?;
        let read = match self.store.provider {
            Provider::Stripe => stripe::subscription(&object, &related),
            Provider::Paddle => paddle::subscription(&object),
        };
        let Some(mut subscription) = read else { return Ok(Step::Made) };
        let sessions = self.store.tied(Tie::Subscription, id, &["checkout.session"]).await?;
        let objects: Vec<&Object> = [&object].into_iter().chain(&sessions).collect();
        let account_id = match self.owner(&objects, object.ties.customer.as_deref()).await? {
            Owner::Account(account_id) => account_id,
            Owner::Unknown(key) => return Ok(Step::unowned(key, id)),
        };
        self.embedded_prices(&object).await?;
        let history = self.history(id, &related).await?;
        let since = history.iter().rev().take_while(|state| state.paused).last().map(|state| state.effective_at);
        subscription.paused_at = subscription.paused_at.or(since);
        let mirrored = subscriptions::project_subscription(self.mirror, account_id, &subscription, &history).await?;
        if mirrored.row.product_version_id.is_none() {
            let prices = subscription.items.iter().map(|item| item.price_external_id.as_str()).collect::<Vec<_>>();
            self.note = Some(format!("no plan is known by the price {}; nothing is granted", prices.join(", ")));
        }
        if mirrored.new {
            let invoices = self.store.tied(Tie::Subscription, id, &["invoice", "transaction"]).await?;
            self.queue.extend(invoices.into_iter().map(|invoice| Record::Invoice(invoice.external_id)));
            self.made(id).await?;
        }
        Ok(Step::Made)
    }

    /// Wakes what waits for a record that was not there before.
    pub(super) async fn made(&self, id: &str) -> Result<()> {
        self.waiting.wake(&format!("object:{id}")).await?;
        self.waiting.wake(&format!("owner:{id}")).await
    }

    /// What else says something about a subscription: its schedules, its discounts, and their coupons.
    async fn related(&self, id: &str) -> Result<Vec<Object>> {
        if self.store.provider == Provider::Paddle {
            return Ok(Vec::new());
        }
        let mut related = self.store.tied(Tie::Subscription, id, &["subscription_schedule", "discount"]).await?;
        let coupons: Vec<String> = related.iter().filter_map(|object| stripe::coupon_of(&object.payload)).collect();
        related.extend(self.store.objects_of(&coupons).await?);
        Ok(related)
    }

    /// Makes the prices that stand inside an object, as far as they were not told by themselves.
    async fn embedded_prices(&mut self, object: &Object) -> Result<()> {
        let prices = match self.store.provider {
            Provider::Stripe => stripe::embedded_prices(object).into_iter().map(|price| (price, None)).collect(),
            Provider::Paddle => paddle::embedded_prices(&object.payload),
        };
        for (price, product) in prices {
            if self.store.object(&price.external_id).await?.is_some() {
                continue;
            }
            let read = match self.store.provider {
                Provider::Stripe => stripe::price(&price, product.as_ref()),
                Provider::Paddle => paddle::price(&price, product.as_ref()),
            };
            if let Some(price) = read {
                project_price(self.mirror, &price).await?;
            }
        }
        Ok(())
    }

    /// Every state that a subscription was in: the last of each second.
    async fn history(&self, id: &str, related: &[Object]) -> Result<Vec<ObservedState>> {
        let provider = self.store.provider;
        let events = self.store.history(id).await?.into_iter();
        let sightings: Vec<_> = events.map(|event| super::apply::sighting(provider, event).1).collect();
        let states = sightings.chunk_by(|one, other| one.occurred_at == other.occurred_at).filter_map(|chunk| {
            let last = newest(chunk)?;
            let state = match provider {
                Provider::Stripe => stripe::state(&last.object, related)?,
                Provider::Paddle => paddle::state(&seen(id, last))?,
            };
            Some(ObservedState {
                effective_at: last.occurred_at,
                status: state.status,
                paused: state.paused,
                items: state.items,
                discounts: state.discounts,
                cause: last.kind.clone(),
                inbox_event_id: last.event_id,
            })
        });
        Ok(states.collect())
    }
}

/// A subscription as an event showed it.
fn seen(id: &str, sighting: &Sighting) -> Object {
    Object {
        kind: "subscription".to_owned(),
        external_id: id.to_owned(),
        api_version: sighting.api_version.clone(),
        payload: sighting.object.clone(),
        deleted: false,
        occurred_at: sighting.occurred_at,
        ties: Ties::default(),
    }
}

impl Step {
    /// The object with this id has to be here first.
    pub(super) fn waits(id: &str) -> Step {
        Step::Waits(format!("object:{id}"))
    }

    /// The owner has to be here first; where none is named, something else that is tied to the object may name one.
    pub(super) fn unowned(key: Option<String>, id: &str) -> Step {
        Step::Waits(key.unwrap_or_else(|| format!("owner:{id}")))
    }
}
