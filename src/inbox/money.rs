//! Makes the records of money: invoices, payments, and what was bought with them.

use super::object::Object;
use super::owner::Owner;
use super::records::{Record, Records, Step};
use super::store::Tie;
use super::{paddle, stripe};
use crate::credits::project_purchase;
use crate::error::Result;
use crate::gifts::{self, ObservedGift};
use crate::licences::{self, ObservedLicences};
use crate::payments::{self, ObservedPayment};
use crate::providers::Provider;
use uuid::Uuid;

/// The code of the credit unit that is bought where a purchase names none.
const CREDIT_UNIT: &str = "credits";

/// The kinds of objects that are payments by themselves.
const PAYMENTS: [&str; 3] = ["payment_intent", "charge", "transaction"];

/// The kinds of objects that say something about a payment.
const OF_PAYMENT: [&str; 9] = [
    "payment_intent",
    "charge",
    "refund",
    "dispute",
    "invoice",
    "invoice_payment",
    "checkout.session",
    "transaction",
    "adjustment",
];

impl Records<'_, '_> {
    pub(super) async fn invoice(&mut self, id: &str) -> Result<Step> {
        let Some(object) = self.store.object(id).await? else { return Ok(Step::waits(id)) };
        let payments = self.store.tied(Tie::Invoice, id, &["invoice_payment"]).await?;
        let read = match self.store.provider {
            Provider::Stripe => stripe::invoice(&object, &payments),
            Provider::Paddle => paddle::invoice(&object),
        };
        let Some(invoice) = read else { return Ok(Step::Made) };
        let subscription = self.subscription_of(&object).await?;
        let objects: Vec<&Object> = [&object].into_iter().chain(&subscription).collect();
        let account_id = match self.owner(&objects, object.ties.customer.as_deref()).await? {
            Owner::Account(account_id) => account_id,
            Owner::Unknown(key) => return Ok(Step::unowned(key, id)),
        };
        let mirrored = payments::project_invoice(self.mirror, account_id, &invoice).await?;
        if mirrored.new {
            self.made(id).await?;
        }
        if mirrored.changed {
            self.queue.extend(invoice.payment_external_id.map(Record::Payment));
        }
        Ok(Step::Made)
    }

    async fn subscription_of(&self, object: &Object) -> Result<Option<Object>> {
        match object.ties.subscription.as_deref().filter(|id| *id != object.external_id) {
            Some(id) => self.store.object(id).await,
            None => Ok(None),
        }
    }

    pub(super) async fn payment(&mut self, id: &str) -> Result<Step> {
        let mut tied = self.store.tied(Tie::Payment, id, &OF_PAYMENT).await?;
        // Since basil an invoice is tied to its payment by a third object alone.
        let invoices = tied.iter().filter_map(|object| object.ties.invoice.clone());
        let missing: Vec<String> = invoices.filter(|id| !tied.iter().any(|object| object.external_id == *id)).collect();
        tied.extend(self.store.objects_of(&missing).await?);
        let Some(payment) = self.read_payment(id, &tied) else {
            // Nothing was to be paid, or the object that would say what is not here yet.
            let known = tied.iter().any(|object| PAYMENTS.contains(&object.kind.as_str()));
            return Ok(if known { Step::Made } else { Step::waits(id) });
        };
        let subscription = tied.iter().find_map(|object| object.ties.subscription.clone());
        let subscription = self.store.objects_of(subscription.as_slice()).await?;
        let objects: Vec<&Object> = tied.iter().chain(&subscription).collect();
        let account_id = match self.owner(&objects, payment.customer_external_id.as_deref()).await? {
            Owner::Account(account_id) => account_id,
            Owner::Unknown(key) => return Ok(Step::unowned(key, id)),
        };
        let mirrored = payments::project_payment(self.mirror, account_id, &payment).await?;
        if mirrored.new {
            self.made(id).await?;
        }
        if mirrored.changed {
            let buying = |object: &&Object| object.kind == "checkout.session" || stripe::buys_credits(object);
            for object in tied.iter().filter(buying) {
                self.queue.extend([Record::Purchase(object.external_id.clone())]);
                self.queue.extend(stripe::gift(object).map(|_| Record::Gift(object.external_id.clone())));
            }
        }
        self.payments.insert(id.to_owned(), (mirrored.row.id, payment));
        Ok(Step::Made)
    }

    fn read_payment(&self, id: &str, tied: &[Object]) -> Option<ObservedPayment> {
        match self.store.provider {
            Provider::Stripe => stripe::payment(id, tied),
            Provider::Paddle => {
                let (transaction, adjustments) = transaction(tied)?;
                paddle::payment(transaction, &adjustments)
            }
        }
    }

    /// The payment that an object belongs to with its id here, made now where it was not made in this run.
    async fn paid(&mut self, payment: Option<&str>) -> Result<Option<(Uuid, ObservedPayment)>> {
        let Some(id) = payment else { return Ok(None) };
        if !self.payments.contains_key(id) {
            self.store.lock(&[id.to_owned()].into()).await?;
            self.payment(id).await?;
        }
        Ok(self.payments.get(id).cloned())
    }

    pub(super) async fn purchase(&mut self, id: &str) -> Result<Step> {
        let Some(object) = self.store.object(id).await? else { return Ok(Step::waits(id)) };
        let paid = self.paid(object.ties.payment.as_deref()).await?;
        let purchase = match self.store.provider {
            Provider::Stripe => {
                stripe::purchase(&object, CREDIT_UNIT, paid.as_ref().map(|(id, payment)| (*id, payment)))
            }
            Provider::Paddle => {
                let adjustments = self.store.tied(Tie::Payment, id, &["adjustment"]).await?;
                let adjustments: Vec<&Object> = adjustments.iter().collect();
                let purchase = paddle::purchase(&object, &adjustments, CREDIT_UNIT);
                purchase.map(|mut purchase| {
                    purchase.payment_id = paid.as_ref().map(|(id, _)| *id);
                    purchase
                })
            }
        };
        let Some(purchase) = purchase else { return Ok(Step::Made) };
        let account_id = match self.owner(&[&object], object.ties.customer.as_deref()).await? {
            Owner::Account(account_id) => account_id,
            Owner::Unknown(key) => return Ok(Step::unowned(key, id)),
        };
        project_purchase(self.mirror, account_id, &purchase).await?;
        if let Some((payment_id, _)) = paid {
            let (amount, key) = (purchase.amount_minor, &purchase.business_key);
            payments::note_credits_taken_back(self.mirror, payment_id, amount, key).await?;
        }
        Ok(Step::Made)
    }

    pub(super) async fn gift(&mut self, id: &str) -> Result<Step> {
        let Some(object) = self.store.object(id).await? else { return Ok(Step::waits(id)) };
        let Some(gift_id) = stripe::gift(&object) else { return Ok(Step::Made) };
        let payment_id = self.paid(object.ties.payment.as_deref()).await?.map(|(id, _)| id);
        let session_expired = stripe::is_expired(&object);
        let observed = ObservedGift { gift_id, session_external_id: id.to_owned(), session_expired, payment_id };
        gifts::project(self.mirror, &observed).await?;
        Ok(Step::Made)
    }

    pub(super) async fn licences(&mut self, id: &str) -> Result<Step> {
        let Some(object) = self.store.object(id).await? else { return Ok(Step::waits(id)) };
        let adjustments = self.store.tied(Tie::Payment, id, &["adjustment"]).await?;
        let adjustments: Vec<&Object> = adjustments.iter().collect();
        let sold = paddle::licences(&object, &adjustments);
        if sold.is_empty() {
            return Ok(Step::Made);
        }
        let account_id = match self.owner(&[&object], object.ties.customer.as_deref()).await? {
            Owner::Account(account_id) => account_id,
            Owner::Unknown(key) => return Ok(Step::unowned(key, id)),
        };
        let payment_id = self.paid(object.ties.payment.as_deref()).await?.map(|(id, _)| id);
        for each in sold {
            let observed = ObservedLicences {
                provider: self.store.provider.name(),
                order_external_id: id.to_owned(),
                product_external_id: each.product_external_id,
                units: each.units,
                revoked_units: each.revoked_units,
                occurred_at: object.occurred_at,
            };
            licences::project(self.mirror, account_id, payment_id, &observed, self.max_devices).await?;
        }
        Ok(Step::Made)
    }
}

/// The transaction among the objects that are tied to it, and its adjustments.
fn transaction(tied: &[Object]) -> Option<(&Object, Vec<&Object>)> {
    let transaction = tied.iter().find(|object| object.kind == "transaction")?;
    Some((transaction, tied.iter().filter(|object| object.kind == "adjustment").collect()))
}
