//! Phases of subscription schedules. A parameter that a request leaves out of a
//! phase has no value in it afterwards, and the subscription loses it.

use serde_json::{Value, json};

use crate::error::{StripeResult, invalid_request, missing_parameter};
use crate::objects::subscriptions::{first_item, parse_items_keeping};
use crate::params::{Params, bracketed};
use crate::store::{Store, list, merge, number, text};
use crate::terms::period_end;

/// The parameters of a phase.
pub(crate) const PARAMS: &[&str] = &[
    "items.*.price",
    "items.*.quantity",
    "items.*.metadata.*",
    "items.*.tax_rates.*",
    "items.*.discounts.*.coupon",
    "items.*.discounts.*.discount",
    "items.*.discounts.*.promotion_code",
    "start_date",
    "end_date",
    "iterations",
    "trial_end",
    "proration_behavior",
    "metadata.*",
    "discounts.*.coupon",
    "discounts.*.discount",
    "discounts.*.promotion_code",
    "default_tax_rates.*",
    "collection_method",
    "currency",
    "default_payment_method",
    "description",
    "billing_cycle_anchor",
    "automatic_tax.enabled",
    "automatic_tax.liability.type",
    "invoice_settings.days_until_due",
    "invoice_settings.issuer.type",
];

/// The fields that a phase and its subscription have in common.
pub(crate) const SHARED: [&str; 5] =
    ["collection_method", "default_payment_method", "default_tax_rates", "description", "automatic_tax"];

/// Returns the first phase of a schedule that is made from a subscription.
pub(crate) fn of_subscription(subscription: &Value) -> Value {
    let first = first_item(subscription);
    let items = list(&subscription["items"]["data"]).iter().map(|item| {
        json!({"billing_thresholds": null, "discounts": kept(&item["discounts"]), "metadata": item["metadata"],
            "plan": item["price"]["id"], "price": item["price"]["id"], "quantity": item["quantity"],
            "tax_rates": item["tax_rates"]})
    });
    let mut phase = merge(
        blank(),
        json!({
            "currency": subscription["currency"], "discounts": kept(&subscription["discounts"]),
            "start_date": first["current_period_start"], "end_date": first["current_period_end"],
            "items": items.collect::<Value>(), "metadata": subscription["metadata"],
            "trial_end": if subscription["status"] == "trialing" { subscription["trial_end"].clone() } else { Value::Null },
        }),
    );
    for name in SHARED {
        phase[name] = subscription[name].clone();
    }
    let settings = &subscription["invoice_settings"];
    phase["invoice_settings"] = json!({"account_tax_ids": settings["account_tax_ids"], "issuer": settings["issuer"],
        "days_until_due": subscription["days_until_due"]});
    phase
}

fn blank() -> Value {
    json!({
        "add_invoice_items": [], "application_fee_percent": null,
        "automatic_tax": {"disabled_reason": null, "enabled": false, "liability": null}, "billing_cycle_anchor": null,
        "billing_thresholds": null, "collection_method": null, "currency": null, "default_payment_method": null,
        "default_tax_rates": [], "description": null, "discounts": [], "end_date": null, "invoice_settings": null,
        "items": [], "metadata": {}, "on_behalf_of": null, "proration_behavior": "create_prorations",
        "start_date": null, "transfer_data": null, "trial_end": null,
    })
}

fn kept(discounts: &Value) -> Value {
    let ids = list(discounts).iter();
    ids.map(|id| json!({"coupon": null, "discount": id, "promotion_code": null})).collect()
}

/// Parses the phases of a request, each with everything that it sets.
pub(crate) fn parse(store: &Store, schedule: &Value, params: &Params) -> StripeResult<Vec<Value>> {
    let subscription = store.get(text(schedule, "subscription")).clone();
    let current =
        list(&schedule["phases"]).iter().find(|it| it["start_date"] == schedule["current_phase"]["start_date"]);
    let kept: Vec<&Value> =
        current.map_or(&[][..], |phase| list(&phase["items"])).iter().map(|item| &item["price"]).collect();
    let sent = params.list("phases");
    let mut start = current.map_or(0, |phase| number(phase, "start_date"));
    let mut phases = Vec::new();
    for (at, own) in sent.iter().enumerate() {
        let begin = format!("phases.{at}.start_date");
        match (params.number(&begin)?, at) {
            (Some(own), 0) if list(&schedule["phases"]).iter().all(|phase| number(phase, "start_date") != own) => {
                let message = "You can not modify the start date of the current phase.";
                return Err(invalid_request("", &bracketed(&begin), message));
            }
            (None, 0) => return Err(missing_parameter(&bracketed(&begin))),
            (Some(own), 1..) if own != start => {
                let message = "The start date of a phase has to be the end date of the phase before.";
                return Err(invalid_request("", &bracketed(&begin), message));
            }
            (own, _) => start = own.unwrap_or(start),
        }
        let items = parse_items_keeping(store, params, &format!("phases.{at}.items"), &kept)?;
        let ends = format!("phases.{at}.end_date");
        let end = match (params.number(&ends)?, params.number(&format!("phases.{at}.iterations"))?) {
            (Some(end), _) => end,
            (None, iterations) if iterations.is_some() || at + 1 == sent.len() => {
                (0..iterations.unwrap_or(1)).fold(start, |end, _| period_end(end, end, &items[0].0["recurring"]))
            }
            _ => return Err(missing_parameter(&bracketed(&ends))),
        };
        if end <= start {
            let message = "The end date of a phase has to be after its start date.";
            return Err(invalid_request("", &bracketed(&ends), message));
        }
        let mut phase = parse_one(own, &items)?;
        phase["currency"] = subscription["currency"].clone();
        (phase["start_date"], phase["end_date"]) = (json!(start), json!(end));
        if number(&phase, "trial_end") > end {
            let message = "The trial of a phase has to end with the phase at the latest.";
            return Err(invalid_request("", &bracketed(&format!("phases.{at}.trial_end")), message));
        }
        phases.push(phase);
        start = end;
    }
    Ok(phases)
}

fn parse_one(params: &Params, items: &[(Value, i64)]) -> StripeResult<Value> {
    let mut phase = blank();
    let sent = params.list("items");
    let parsed = items.iter().zip(&sent).map(|((price, quantity), own)| {
        json!({"billing_thresholds": null, "discounts": entries(own), "metadata": own.metadata("metadata"),
            "plan": price["id"], "price": price["id"], "quantity": quantity, "tax_rates": rates(own, "tax_rates")})
    });
    phase["items"] = parsed.collect();
    phase["discounts"] = entries(params);
    phase["metadata"] = params.metadata("metadata");
    phase["default_tax_rates"] = rates(params, "default_tax_rates");
    phase["trial_end"] = params.number_or_null("trial_end")?;
    for name in ["default_payment_method", "description", "billing_cycle_anchor"] {
        phase[name] = params.or_null(name);
    }
    phase["collection_method"] = json!(params.one_of("collection_method", &["charge_automatically", "send_invoice"])?);
    let prorations = ["create_prorations", "always_invoice", "none"];
    phase["proration_behavior"] =
        json!(params.one_of("proration_behavior", &prorations)?.unwrap_or("create_prorations"));
    if let Some(enabled) = params.flag("automatic_tax.enabled")? {
        phase["automatic_tax"]["enabled"] = json!(enabled);
    }
    if params.has("invoice_settings") {
        let issuer = params.text("invoice_settings.issuer.type").unwrap_or("self");
        phase["invoice_settings"] = json!({"account_tax_ids": null, "issuer": {"type": issuer},
            "days_until_due": params.number_or_null("invoice_settings.days_until_due")?});
    }
    Ok(phase)
}

fn entries(params: &Params) -> Value {
    let sent = params.list("discounts");
    let entry = |own: &Params| {
        json!({"coupon": own.or_null("coupon"), "discount": own.or_null("discount"),
            "promotion_code": own.or_null("promotion_code")})
    };
    sent.iter().map(entry).collect()
}

/// Returns tax rates as whole objects, as Stripe does.
fn rates(params: &Params, name: &str) -> Value {
    let ids = list(params.get(name)).iter();
    ids.map(|id| json!({"id": id, "object": "tax_rate"})).collect()
}
