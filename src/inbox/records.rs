//! Makes our records what the providers' objects say.
//!
//! A record is made from all the objects that say something about it, each in its newest state. What it refers to may
//! not be here yet; then it is made without, and made again when that comes.

use super::object::Object;
use super::store::{Store, Tie};
use super::stripe;
use super::waiting::Waiting;
use crate::accounts::account_of_customer;
use crate::db::Mirror;
use crate::error::Result;
use crate::payments::ObservedPayment;
use crate::providers::Provider;
use std::collections::{BTreeSet, HashMap};
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
    Gift(String),
}

/// The kinds of objects that may name the user of their customer.
pub(super) const NAMING: [&str; 3] = ["checkout.session", "subscription", "transaction"];

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
    pub(super) note: Option<String>,
}

impl<'a, 'm> Records<'a, 'm> {
    pub(super) fn new(store: Store<'a>, mirror: &'m mut Mirror<'a>, max_devices: i64) -> Self {
        let waiting = Waiting { store };
        let (queue, payments) = (BTreeSet::new(), HashMap::new());
        Records { store, mirror, waiting, max_devices, queue, payments, note: None }
    }

    /// Makes every record that `object` says something about, and those that hang on them.
    pub(super) async fn follow(&mut self, object: &Object) -> Result<Outcome> {
        if object.kind == "charge" && object.ties.payment.as_ref() != Some(&object.external_id) {
            // What named it alone could not tell which payment it is of.
            self.waiting.wake(&format!("object:{}", object.external_id)).await?;
        }
        let own = self.records_of(object).await?;
        self.queue.extend(own.iter().cloned());
        self.queue.extend(self.customer_named_by(object).await?);
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

    /// The customer of an object that names its user, where nothing did so before.
    async fn customer_named_by(&self, object: &Object) -> Result<Option<Record>> {
        let provider = self.store.provider;
        let names = NAMING.contains(&object.kind.as_str())
            && (provider.user(object).is_some() || provider.account(object).is_some());
        let Some(customer) = object.ties.customer.as_deref().filter(|_| names) else { return Ok(None) };
        let known = account_of_customer(self.store.txn, provider.name(), customer).await?;
        Ok(known.is_none().then(|| Record::Customer(customer.to_owned())))
    }

    async fn records_of(&self, object: &Object) -> Result<Vec<Record>> {
        let (own, ties) = (|| object.external_id.clone(), &object.ties);
        let payment = |record: fn(String) -> Record| ties.payment.clone().map(record);
        Ok(match object.kind.as_str() {
            "customer" => vec![Record::Customer(own())],
            "price" => vec![Record::Price(own())],
            "product" => {
                let prices = self.store.tied(Tie::Product, &object.external_id, &["price"]).await?;
                prices.into_iter().map(|price| Record::Price(price.external_id)).collect()
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
            "checkout.session" => {
                let gift = stripe::gift(object).map(|_| Record::Gift(own()));
                [Record::Purchase(own())].into_iter().chain(gift).collect()
            }
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
        | Record::Licences(id)
        | Record::Gift(id)) = record;
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
            Record::Gift(id) => self.gift(id).await,
        }
    }

    /// Wakes what waits for a record that was not there before.
    pub(super) async fn made(&self, id: &str) -> Result<()> {
        self.waiting.wake(&format!("object:{id}")).await?;
        self.waiting.wake(&format!("owner:{id}")).await
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
