//! Previewing the cost of a change of plan.

use super::kernel::ask;
use super::replacement::{PlanChange, Replacement};
use super::subscription::find_billable_subscription;
use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use crate::providers::stripe::minor_of;
use chrono::{DateTime, Utc};
use entity::subscriptions;
use serde_json::{Value, json};

/// The path of a preview at Stripe.
const PATH: &str = "invoices/create_preview";

/// The cost of a change of plan, in the currency's smallest unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The currency: ISO 4217, upper case.
    pub currency: String,
    /// The amount due at once; negative for a credit.
    pub due_now_minor: i64,
    /// The amount due at the next renewal.
    pub due_at_renewal_minor: i64,
    /// The time of the next renewal; `None` if there is none.
    pub renews_at: Option<DateTime<Utc>>,
    /// The instant of the difference. A change with this instant costs the same.
    pub proration_at: DateTime<Utc>,
    /// The lines of the amount due at once.
    pub lines: Vec<PreviewLine>,
}

/// One line of a previewed invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewLine {
    /// The purpose, in Stripe's words.
    pub description: Option<String>,
    /// The amount; negative for a credit.
    pub amount_minor: i64,
}

/// Returns the cost of `change` without making it.
pub async fn preview_plan_change(app: &App, viewer: &Viewer, change: PlanChange) -> Result<Preview> {
    let at = change.proration_at.unwrap_or_else(|| app.now());
    let subscription = find_billable_subscription(app.db.read(), viewer, change.subscription_id).await?;
    let replacement = Replacement::find(app.db.read(), &subscription, &change).await?;
    let renewal = ask(app, viewer, PATH, &invoice(&subscription, &replacement, None)).await?;
    // That of the subscription, which may differ from the price's own.
    let currency = renewal["currency"].as_str().map(str::to_ascii_uppercase);
    let currency = &currency.unwrap_or_else(|| replacement.offer.price.currency.clone());
    let mut preview = Preview {
        currency: currency.clone(),
        due_now_minor: 0,
        due_at_renewal_minor: amount(&renewal, "amount_due", currency)?,
        renews_at: subscription.current_period_end.map(|end| end.to_utc()),
        proration_at: at,
        lines: Vec::new(),
    };
    if change.now {
        let due = ask(app, viewer, PATH, &invoice(&subscription, &replacement, Some(at))).await?;
        preview.due_now_minor = amount(&due, "total", currency)?;
        let lines = due["lines"]["data"].as_array().into_iter().flatten();
        preview.lines = lines.filter_map(|each| line(each, currency)).collect();
    }
    Ok(preview)
}

/// Returns the parameters for the invoice of the difference as of an instant, or for the next invoice.
fn invoice(
    subscription: &subscriptions::Model,
    replacement: &Replacement,
    difference_at: Option<DateTime<Utc>>,
) -> Value {
    let mut details = json!({"items": [replacement.changed_item()], "proration_behavior": "none"});
    if let Some(at) = difference_at {
        details["proration_behavior"] = json!("always_invoice");
        details["proration_date"] = json!(at.timestamp());
    }
    json!({"subscription": subscription.external_id, "subscription_details": details})
}

fn amount(invoice: &Value, name: &str, currency: &str) -> Result<i64> {
    let amount = invoice[name].as_i64().and_then(|amount| minor_of(amount, currency));
    amount.ok_or_else(|| Error::internal(anyhow::anyhow!("A preview at Stripe has no {name}.")))
}

fn line(line: &Value, currency: &str) -> Option<PreviewLine> {
    let description = line["description"].as_str().map(str::to_owned);
    Some(PreviewLine { description, amount_minor: minor_of(line["amount"].as_i64()?, currency)? })
}
