//! Buying a gift, and redeeming one.

use super::checkout::checked_url;
use super::customer::{Customer, customer};
use super::earlier::{BEFORE_GIFTS, place_alone};
use super::offer::offer;
use super::order::{Order, again, ensure_unless, place, without_card};
use super::subscription::mirrored;
use crate::accounts::payer;
use crate::app::App;
use crate::auth::{GiftCode, Viewer};
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::gifts::{self, NewGift, REDEEM, Redeemer, SELL};
use crate::outbox::Call;
use crate::providers::stripe::RefusalCode;
use crate::{discounts, plans, subscriptions};
use chrono::{DateTime, Utc};
use entity::gifts::Model;
use entity::subscriptions::Model as Subscription;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// The coupon at Stripe that pays for the one period of a gift.
const COUPON: &str = "tollgate-gift";

/// A gift that is to be bought, and where the buyer's browser goes after.
#[derive(Debug, Clone, Serialize)]
pub struct BuyGift {
    /// The gift.
    pub gift: NewGift,
    /// For this account; `None` for the caller's own.
    pub account_id: Option<Uuid>,
    /// After paying.
    pub success_url: String,
    /// After going back.
    pub cancel_url: String,
}

/// A gift with the checkout in which it is paid.
#[derive(Debug, Clone)]
pub struct Bought {
    /// The gift.
    pub gift: Model,
    /// Its code, where it is shown for the first time.
    pub code: Option<GiftCode>,
    /// Where it is paid; `None` once that is over.
    pub checkout_url: Option<String>,
}

/// Begins a checkout for a gift. Its code is good once it is paid; it is given with the first answer that has a checkout.
pub async fn buy_gift(app: &App, viewer: &Viewer, buy: BuyGift, key: &str) -> Result<Bought> {
    viewer.require_signed_in()?;
    buy.gift.check(app.now())?;
    checked_url(&buy.success_url, &["successUrl"])?;
    checked_url(&buy.cancel_url, &["cancelUrl"])?;
    let input = buy.clone();
    let order = Order { operation: SELL, key, input: &input };
    let done = match again(app, viewer, &order).await.map_err(without_card)? {
        Some(done) => done,
        None => {
            let Customer { account_id, external_id, mut metadata, .. } = customer(app, viewer, buy.account_id).await?;
            let (id, now) = (app.new_id(), app.now());
            metadata["gift"] = json!(id);
            let placed = place(app, viewer, order, move |txn| {
                Box::pin(async move {
                    let (amount, currency, product) = giftable(txn, buy.gift.price_id).await?;
                    let line = json!({"quantity": 1, "price_data":
                        {"currency": currency.to_ascii_lowercase(), "unit_amount": amount, "product": product}});
                    gifts::open(txn, (id, now), account_id, buy.gift, (amount, currency)).await?;
                    let params = json!({
                        "mode": "payment", "customer": external_id, "line_items": [line],
                        "success_url": buy.success_url, "cancel_url": buy.cancel_url,
                        "metadata": metadata, "payment_intent_data": {"metadata": metadata},
                    });
                    Ok(call(account_id, SELL, "checkout/sessions", params))
                })
            });
            placed.await.map_err(without_card)?
        }
    };
    let sold = gifts::by_session(app.db.read(), &done.object_id).await?;
    let sold =
        sold.ok_or_else(|| Error::internal(anyhow::anyhow!("a checkout was answered with that sells no gift")))?;
    let code = gifts::first_code(app, sold.id).await?;
    let gift = gifts::by_session(app.db.read(), &done.object_id).await?.unwrap_or(sold);
    let checkout_url = done.url.filter(|_| gift.status == "open");
    Ok(Bought { gift, code, checkout_url })
}

/// What one period of a recurring price of a plan costs, in which currency, and the product's id at Stripe.
async fn giftable(txn: &Txn, price_id: Uuid) -> Result<(i64, String, String)> {
    let offer = offer(txn, price_id, 1, &["plan"]).await?;
    if !offer.recurs() || offer.price.unit_amount_minor < 1 {
        let message = "a gift is one period of a plan that costs something";
        return Err(Error::refused("PRICE_NOT_GIFTABLE", &["priceId"], message));
    }
    Ok((offer.price.unit_amount_minor, offer.price.currency, offer.sold_as.product_external_id))
}

/// Redeems the gift of a code for an account that the caller may have billed: a subscription that costs nothing for one
/// period and then ends. The caller who did so already, under whatever key, is given what came of it as long as nothing
/// did.
pub async fn redeem_gift(
    app: &App,
    viewer: &Viewer,
    (code, account_id): (&str, Option<Uuid>),
    key: &str,
) -> Result<(Model, Subscription)> {
    viewer.require_signed_in()?;
    let code = GiftCode::parse(code).ok_or_else(gifts::unknown)?;
    // What is mistyped is no guess; of well-formed codes a caller may try so many.
    app.gift_attempts.check(&viewer.actor())?;
    let input = (code.hash(), account_id);
    let order = Order { operation: REDEEM, key, input: &input };
    let done = match again(app, viewer, &order).await.map_err(without_card)? {
        Some(done) => done,
        None => {
            let gift = gifts::by_code(app.db.read(), &code).await?.ok_or_else(gifts::unknown)?;
            let customer = customer(app, viewer, account_id).await?;
            gifts::check_redeemable(&gift, customer.account_id, app.now())?;
            ensure_coupon(app, viewer).await?;
            let person = (customer.person, BEFORE_GIFTS);
            let redemption = Redemption { viewer: viewer.clone(), code: code.clone(), customer, now: app.now() };
            let placed = place_alone(app, viewer, person, order, move |txn| Box::pin(redemption.prepare(txn)));
            placed.await.map_err(without_card)?
        }
    };
    let subscription = mirrored(app, &done.object_id).await?;
    let gift = gifts::by_code(app.db.read(), &code).await?.ok_or_else(gifts::unknown)?;
    Ok((gift, subscription))
}

#[derive(Clone)]
struct Redemption {
    viewer: Viewer,
    code: GiftCode,
    customer: Customer,
    now: DateTime<Utc>,
}

impl Redemption {
    async fn prepare(self, txn: &Txn) -> Result<Call> {
        let Redemption { viewer, code, customer, now } = self;
        let gift = gifts::claim(txn, &code, Redeemer::new(&viewer, customer.account_id), now).await?;
        let account_id = payer(txn, &viewer, Some(customer.account_id)).await?.account.id;
        let has_plan = subscriptions::has_plan(txn, account_id).await?;
        if has_plan || gifts::is_redeeming(txn, account_id, gift.id, now).await? {
            let message = "the account has a plan; the gift can be redeemed when that is over";
            return Err(Error::refused("ALREADY_SUBSCRIBED", &["accountId"], message));
        }
        let sold = plans::sold_as(txn, "stripe", gift.price_id).await?;
        let message = "Stripe does not sell its price any more";
        let sold = sold.ok_or_else(|| Error::refused("PRICE_NOT_AT_STRIPE", &["code"], message))?;
        let mut metadata = customer.metadata;
        metadata["gift"] = json!(gift.id);
        let params = json!({
            "customer": customer.external_id, "items": [{"price": sold.external_id}],
            "discounts": [{"coupon": COUPON}], "cancel_at_period_end": true, "metadata": metadata,
        });
        // One call for one redemption, under whatever key it is asked for again.
        let at = gift.redeemed_at.map_or(0, |at| at.timestamp_micros());
        let call = call(account_id, REDEEM, "subscriptions", params);
        Ok(Call { key: Some(format!("gift-{}-{at}", gift.id)), persistent: true, ..call })
    }
}

/// Has the coupon made that pays for gifts, unless it is known to be there.
async fn ensure_coupon(app: &App, viewer: &Viewer) -> Result<()> {
    if discounts::has_coupon(app.db.read(), "stripe", COUPON).await? {
        return Ok(());
    }
    let params = json!({"id": COUPON, "percent_off": 100, "duration": "once", "name": "Gift"});
    let call = Call {
        account_id: None,
        key: Some(format!("coupon-{COUPON}-{}", app.now().format("%Y%m%d"))),
        persistent: true,
        ..call(Uuid::nil(), "coupons.create", "coupons", params)
    };
    ensure_unless(app, viewer, call, &RefusalCode::ResourceAlreadyExists).await
}

fn call(account_id: Uuid, operation: &'static str, path: &str, params: Value) -> Call {
    Call {
        account_id: Some(account_id),
        operation,
        deletes: false,
        path: path.to_owned(),
        params,
        key: None,
        persistent: false,
    }
}
