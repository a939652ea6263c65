//! Makes the records of subscriptions, with everything that they ever were.

use super::apply::sighting;
use super::object::{Object, Ties};
use super::order::{Sighting, newest};
use super::owner::Owner;
use super::records::{Record, Records, Step};
use super::store::Tie;
use super::{paddle, stripe};
use crate::error::Result;
use crate::gifts;
use crate::plans::project_price;
use crate::providers::Provider;
use crate::subscriptions::{self, ObservedState};

impl Records<'_, '_> {
    pub(super) async fn subscription(&mut self, id: &str) -> Result<Step> {
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
        if let Some(gift_id) = stripe::gift(&object) {
            gifts::note_subscription(self.mirror, gift_id, account_id, (mirrored.row.id, id)).await?;
        }
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
        let sightings: Vec<_> = events.map(|event| sighting(provider, event).1).collect();
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
