//! What a change of plan would cost.

use super::change_plan::{PlanChange, plan_item, replaced};
use super::offer::{Offer, offer};
use super::order::asked;
use super::subscription::billed;
use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use crate::outbox;
use chrono::{DateTime, Utc};
use entity::{subscription_items, subscriptions};
use serde_json::{Value, json};

/// What a change of plan would cost, in the currency's smallest unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// ISO 4217, upper case.
    pub currency: String,
    /// What is due at once; negative where something is credited.
    pub due_now_minor: i64,
    /// What is due at the next renewal.
    pub due_at_renewal_minor: i64,
    /// When it renews next.
    pub renews_at: Option<DateTime<Utc>>,
    /// As of when the difference is reckoned; the change costs the same if it is told this.
    pub proration_at: DateTime<Utc>,
    /// What makes up what is due at once.
    pub lines: Vec<PreviewLine>,
}

/// One line of an invoice that would be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewLine {
    /// What it is for, in Stripe's words.
    pub description: Option<String>,
    /// How much; negative where it is credited.
    pub amount_minor: i64,
}

/// What `change` would cost. Nothing is changed by asking.
pub async fn preview_plan_change(app: &App, viewer: &Viewer, change: PlanChange) -> Result<Preview> {
    let at = change.proration_at.unwrap_or_else(|| app.now());
    let (caller, now) = (viewer.clone(), change.now);
    let (row, item, offer) = app
        .db
        .write(move |txn| {
            Box::pin(async move {
                let row = billed(txn, &caller, change.subscription_id).await?;
                let item = plan_item(txn, row.id).await?;
                let quantity = change.quantity.or(item.quantity).unwrap_or(1);
                let offer = offer(txn, change.price_id, quantity, &["plan"]).await?;
                Ok((row, item, offer))
            })
        })
        .await?;
    let client = outbox::client(app)?;
    let renewal = asked(client.ask("invoices/create_preview", &invoice(&row, &item, &offer, None)).await)?;
    let mut preview = Preview {
        currency: offer.price.currency.clone(),
        due_now_minor: 0,
        due_at_renewal_minor: amount(&renewal, "amount_due")?,
        renews_at: row.current_period_end.map(|end| end.to_utc()),
        proration_at: at,
        lines: Vec::new(),
    };
    if now {
        let due = asked(client.ask("invoices/create_preview", &invoice(&row, &item, &offer, Some(at))).await)?;
        preview.due_now_minor = amount(&due, "total")?;
        preview.lines = due["lines"]["data"].as_array().into_iter().flatten().filter_map(line).collect();
    }
    Ok(preview)
}

/// The invoice that is asked about: that of the difference as of a time, else the next one.
fn invoice(
    row: &subscriptions::Model,
    item: &subscription_items::Model,
    offer: &Offer,
    difference_at: Option<DateTime<Utc>>,
) -> Value {
    let mut details = json!({"items": [replaced(item, offer)], "proration_behavior": "none"});
    if let Some(at) = difference_at {
        details["proration_behavior"] = json!("always_invoice");
        details["proration_date"] = json!(at.timestamp());
    }
    json!({"subscription": row.external_id, "subscription_details": details})
}

fn amount(invoice: &Value, name: &str) -> Result<i64> {
    invoice[name].as_i64().ok_or_else(|| Error::internal(anyhow::anyhow!("a preview has no {name}")))
}

fn line(line: &Value) -> Option<PreviewLine> {
    let description = line["description"].as_str().map(str::to_owned);
    Some(PreviewLine { description, amount_minor: line["amount"].as_i64()? })
}
