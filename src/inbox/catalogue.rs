//! Makes the records of customers and of what is sold: prices, coupons, promotion codes, discounts.

use super::object::Object;
use super::owner::Owner;
use super::records::{NAMING, Records, Step};
use super::store::Tie;
use super::{paddle, stripe};
use crate::accounts::project_customer;
use crate::error::Result;
use crate::payments;
use crate::plans::project_price;
use crate::providers::Provider;

impl Records<'_, '_> {
    pub(super) async fn customer(&mut self, id: &str) -> Result<Step> {
        let Some(object) = self.store.object(id).await? else { return Ok(Step::waits(id)) };
        let read = match self.store.provider {
            Provider::Stripe => stripe::customer(&object),
            Provider::Paddle => paddle::customer(&object),
        };
        let Some(customer) = read else { return Ok(Step::Made) };
        let named_by = self.store.tied(Tie::Customer, id, &NAMING).await?;
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

    pub(super) async fn price(&mut self, id: &str) -> Result<Step> {
        let Some(object) = self.store.object(id).await? else { return Ok(Step::waits(id)) };
        let product = self.store.objects_of(object.ties.product.as_slice()).await?.pop();
        let read = match self.store.provider {
            Provider::Stripe => stripe::price(&object, product.as_ref()),
            Provider::Paddle => paddle::price(&object, product.as_ref()),
        };
        if let Some(price) = read
            && project_price(self.mirror, &price).await?.changed
        {
            self.waiting.price_changed(id).await?;
        }
        Ok(Step::Made)
    }

    pub(super) async fn coupon(&mut self, id: &str) -> Result<Step> {
        let Some(object) = self.store.object(id).await? else { return Ok(Step::waits(id)) };
        if let Some(coupon) = stripe::coupon(&object)
            && payments::project_coupon(self.mirror, &coupon).await?.new
        {
            self.made(id).await?;
        }
        Ok(Step::Made)
    }

    pub(super) async fn promo_code(&mut self, id: &str) -> Result<Step> {
        let Some(object) = self.store.object(id).await? else { return Ok(Step::waits(id)) };
        let Some(promo_code) = stripe::promo_code(&object) else { return Ok(Step::Made) };
        match payments::project_promo_code(self.mirror, &promo_code).await? {
            Some(_) => Ok(Step::Made),
            None => Ok(Step::waits(&promo_code.coupon_external_id)),
        }
    }

    pub(super) async fn redemption(&mut self, id: &str) -> Result<Step> {
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
}
