//! The audit log, the requests to Stripe and the feed of changes after each mutation at Stripe.

use super::cast::Cast;
use super::repeated::{Valid, requests};
use crate::support::gifts::REFUSED;
use crate::support::{Shop, both_engines, local_id, sql};
use entity::{audit_log, changes, outbox_calls};
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

both_engines!(
    each_mutation_is_in_the_audit_log_with_its_caller_and_its_request,
    a_request_that_stripe_refuses_is_in_the_audit_log_once,
    each_mutation_tells_its_watchers_of_what_it_changed,
);

/// The entries of the audit log that a mutation writes, each as an action and the type of the changed object, and the
/// method and path of its request to Stripe.
struct Trace {
    mutation: &'static str,
    entries: &'static [(&'static str, &'static str)],
    /// An id in the path is written as `ID`.
    request: Option<(&'static str, &'static str)>,
    /// The kinds of changes that watchers hear of.
    changes: &'static [&'static str],
}

const fn trace(
    mutation: &'static str,
    entries: &'static [(&'static str, &'static str)],
    request: Option<(&'static str, &'static str)>,
    changes: &'static [&'static str],
) -> Trace {
    Trace { mutation, entries, request, changes }
}

const SUBSCRIPTION: &[&str] = &["subscription_changed"];
const PAYMENT: &[&str] = &["payment_recorded"];

const TRACES: &[Trace] = &[
    trace("startCheckout", &[("checkout.pay", "ProviderCall")], Some(("POST", "checkout/sessions")), &[]),
    trace(
        "createSubscription",
        &[("subscriptions.create", "ProviderCall")],
        Some(("POST", "subscriptions")),
        SUBSCRIPTION,
    ),
    trace("purchaseCredits", &[("credits.purchase", "ProviderCall")], Some(("POST", "payment_intents")), PAYMENT),
    trace("buyGift", &[("gifts.buy", "ProviderCall")], Some(("POST", "checkout/sessions")), &[]),
    trace("redeemGift", &[("gifts.redeem", "ProviderCall")], Some(("POST", "subscriptions")), SUBSCRIPTION),
    trace(
        "cancelSubscription",
        &[("subscriptions.cancel", "ProviderCall")],
        Some(("POST", "subscriptions/ID")),
        SUBSCRIPTION,
    ),
    trace(
        "resumeSubscription",
        &[("subscriptions.resume", "ProviderCall")],
        Some(("POST", "subscriptions/ID")),
        SUBSCRIPTION,
    ),
    trace(
        "pauseSubscription",
        &[("subscriptions.pause", "ProviderCall")],
        Some(("POST", "subscriptions/ID")),
        SUBSCRIPTION,
    ),
    trace(
        "changePlan",
        &[("subscriptions.change_plan", "ProviderCall")],
        Some(("POST", "subscriptions/ID")),
        SUBSCRIPTION,
    ),
    trace(
        "undoScheduledChange",
        &[("subscriptions.undo_scheduled_change", "ProviderCall")],
        Some(("POST", "subscription_schedules/ID/release")),
        SUBSCRIPTION,
    ),
    trace("addAddon", &[("subscriptions.add_addon", "ProviderCall")], Some(("POST", "subscriptions/ID")), SUBSCRIPTION),
    trace(
        "removeAddon",
        &[("subscriptions.remove_addon", "ProviderCall")],
        Some(("POST", "subscriptions/ID")),
        SUBSCRIPTION,
    ),
    trace(
        "applyPromoCode",
        &[("subscriptions.apply_promo_code", "ProviderCall")],
        Some(("POST", "subscriptions/ID")),
        SUBSCRIPTION,
    ),
    trace(
        "extendTrial",
        &[("subscriptions.extend_trial", "ProviderCall")],
        Some(("POST", "subscriptions/ID")),
        SUBSCRIPTION,
    ),
    trace("publishPlanToStripe", &[("plan_versions.publish_to_stripe", "PlanVersion")], None, &[]),
    trace("createCoupon", &[("coupons.create", "ProviderCall")], Some(("POST", "coupons")), &[]),
    trace("createPromoCode", &[("promo_codes.create", "ProviderCall")], Some(("POST", "promotion_codes")), &[]),
    trace(
        "deactivatePromoCode",
        &[("promo_codes.deactivate", "ProviderCall")],
        Some(("POST", "promotion_codes/ID")),
        &[],
    ),
    trace("requestRefund", &[("refunds.request", "Refund")], None, PAYMENT),
    trace(
        "approveRefund",
        &[("refunds.approve", "Refund"), ("refunds.create", "ProviderCall")],
        Some(("POST", "refunds")),
        PAYMENT,
    ),
    trace("denyRefund", &[("refunds.deny", "Refund")], None, PAYMENT),
];

fn trace_of(mutation: &str) -> &'static Trace {
    TRACES.iter().find(|trace| trace.mutation == mutation).unwrap_or_else(|| panic!("say what {mutation} leaves"))
}

/// The rows that are newer than those of another time.
struct Before {
    audit: Vec<Uuid>,
    calls: Vec<Uuid>,
    changes: Vec<Uuid>,
}

impl Before {
    async fn now(shop: &Shop) -> Before {
        let db = shop.test.app.db.read();
        let of = |table: &str| format!("SELECT id FROM {table}");
        Before {
            audit: sql::ids(db, &of("audit_log"), []).await,
            calls: sql::ids(db, &of("outbox_calls"), []).await,
            changes: sql::ids(db, &of("changes"), []).await,
        }
    }

    /// Returns the entries of the audit log that have been written since, oldest first.
    async fn audit(&self, shop: &Shop) -> Vec<audit_log::Model> {
        let rows = audit_log::Entity::find().order_by_asc(audit_log::Column::Id);
        let rows = rows.all(shop.test.app.db.read()).await.unwrap();
        rows.into_iter().filter(|row| !self.audit.contains(&row.id)).collect()
    }

    /// Returns the requests to Stripe that have been stored since.
    async fn calls(&self, shop: &Shop) -> Vec<outbox_calls::Model> {
        let rows = outbox_calls::Entity::find().order_by_asc(outbox_calls::Column::Id);
        let rows = rows.all(shop.test.app.db.read()).await.unwrap();
        rows.into_iter().filter(|row| !self.calls.contains(&row.id)).collect()
    }

    /// Returns the kinds of the changes that have been recorded since, each once.
    async fn changes(&self, shop: &Shop) -> Vec<String> {
        let rows = changes::Entity::find().all(shop.test.app.db.read()).await.unwrap();
        let new = rows.into_iter().filter(|row| !self.changes.contains(&row.id));
        let mut kinds: Vec<_> = new.map(|row| row.kind).filter(|kind| kind != "webhook_event_received").collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }
}

/// Returns the cast, after a first gift was redeemed: its prerequisite, a coupon, is left behind.
pub(super) async fn prepared(shop: &Shop) -> Cast<'_> {
    let cast = Cast { shop };
    let (_, code) = cast.gift("ann").await;
    shop.test.user("first").data("{ viewer { role } }", json!({})).await;
    cast.done("redeemGift", "first", json!({"code": code, "idempotencyKey": "first"})).await;
    cast
}

/// Returns the name of a caller in the audit log.
async fn actor(shop: &Shop, caller: &str) -> String {
    let client = if caller == "admin" { shop.test.admin() } else { shop.test.user(caller) };
    let data = client.data("{ viewer { user { id } } }", json!({})).await;
    format!("user:{}", local_id(data["viewer"]["user"]["id"].as_str().unwrap()).1)
}

/// Returns a path with `ID` in place of the ids in it.
fn general(path: &str) -> String {
    let is_id = |part: &str| part.chars().any(|char| char.is_ascii_digit() || char.is_ascii_uppercase());
    path.split('/').map(|part| if is_id(part) { "ID" } else { part }).collect::<Vec<_>>().join("/")
}

async fn each_mutation_is_in_the_audit_log_with_its_caller_and_its_request(shop: &Shop) {
    let cast = prepared(shop).await;
    let mut tried = 0;
    for Valid { request, .. } in requests(&cast).await {
        let (mutation, trace) = (request.mutation, trace_of(request.mutation));
        let before = Before::now(shop).await;
        assert_eq!(request.codes(shop).await, [""; 0], "{mutation}");
        let (entries, calls) = (before.audit(shop).await, before.calls(shop).await);
        let found: Vec<_> = entries.iter().map(|entry| (&*entry.action, &*entry.entity_type)).collect();
        assert_eq!(found, trace.entries, "{mutation}");
        let actor = actor(shop, request.caller).await;
        assert!(entries.iter().all(|entry| entry.actor == actor), "{mutation}: {actor} is not in {entries:?}");
        assert!(entries.iter().all(|entry| entry.at == shop.test.app.now()), "{mutation}: {entries:?}");
        let sent: Vec<_> = calls.iter().map(|call| (call.method.clone(), general(&call.path))).collect();
        let expected: Vec<_> =
            trace.request.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
        assert_eq!(sent, expected, "{mutation}");
        for call in &calls {
            assert_eq!((call.state.as_str(), call.attempts, &call.actor), ("done", 1, &actor), "{mutation}");
            let entry = entries.iter().find(|entry| entry.entity_id == call.id);
            let entry = entry.unwrap_or_else(|| panic!("{mutation} sends {} unlogged", call.path));
            assert_eq!(entry.after.as_ref(), Some(&call.params), "{mutation}: the entry has the request");
            assert_eq!(entry.account_id, call.account_id, "{mutation}");
        }
        // A repetition is no other action.
        let before = Before::now(shop).await;
        request.reply(shop).await;
        assert_eq!((before.audit(shop).await, before.calls(shop).await), (vec![], vec![]), "{mutation}");
        shop.deliver().await;
        tried += 1;
    }
    assert_eq!(tried, TRACES.len(), "each mutation is tried once");
    let log = "{ auditLog(first: 100) { nodes { entityId entityType } } }";
    let log = shop.test.admin().data(log, json!({})).await["auditLog"]["nodes"].take();
    for entry in log.as_array().unwrap() {
        let id = entry["entityId"].as_str().unwrap();
        assert_eq!(local_id(id).0, *entry["entityType"].as_str().unwrap(), "{entry}");
        let found = shop.test.admin().data("query($id: ID!) { node(id: $id) { id } }", json!({"id": id})).await;
        assert_eq!(found["node"]["id"], id, "what an entry is about can be read");
    }
}

async fn a_request_that_stripe_refuses_is_in_the_audit_log_once(shop: &Shop) {
    let cast = prepared(shop).await;
    for Valid { request, .. } in requests(&cast).await {
        let (mutation, trace) = (request.mutation, trace_of(request.mutation));
        if trace.request.is_none() {
            continue;
        }
        let before = Before::now(shop).await;
        shop.stripe.fail_next(REFUSED);
        let first = request.reply(shop).await;
        shop.stripe.clear_faults();
        let error = &first["data"][mutation]["userErrors"][0];
        assert_eq!(error["code"], "PROVIDER_REFUSED", "{mutation}: {first}");
        assert_eq!(request.reply(shop).await, first, "{mutation}");
        let entries = before.audit(shop).await;
        let found: Vec<_> = entries.iter().map(|entry| (&*entry.action, &*entry.entity_type)).collect();
        assert_eq!(found, trace.entries, "{mutation}: what was tried is logged, and once");
        let calls = before.calls(shop).await;
        let states: Vec<_> =
            calls.iter().map(|call| (&*call.state, call.attempts, call.settled_at.is_some())).collect();
        assert_eq!(states, [("refused", 1, true)], "{mutation}");
        assert!(calls[0].error_code.is_some(), "{mutation}: the reason is kept");
        shop.deliver().await;
    }
}

async fn each_mutation_tells_its_watchers_of_what_it_changed(shop: &Shop) {
    let cast = prepared(shop).await;
    let mut heard: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for Valid { request, .. } in requests(&cast).await {
        let before = Before::now(shop).await;
        assert_eq!(request.codes(shop).await, [""; 0], "{}", request.mutation);
        heard.insert(request.mutation, before.changes(shop).await);
        shop.deliver().await;
        let before = Before::now(shop).await;
        request.reply(shop).await;
        assert_eq!(before.changes(shop).await, [""; 0], "{}: a repeated request changes nothing", request.mutation);
    }
    for trace in TRACES {
        let found: Vec<&str> = heard[trace.mutation].iter().map(String::as_str).collect();
        let told: Vec<&str> = found.iter().copied().filter(|kind| trace.changes.contains(kind)).collect();
        assert_eq!(told, trace.changes, "{}: {found:?}", trace.mutation);
        assert!(trace.changes != [""; 0] || found.is_empty(), "{} tells of {found:?}", trace.mutation);
    }
    // Each change names the account that it is about, so that only its members hear of it.
    let rows = changes::Entity::find().all(shop.test.app.db.read()).await.unwrap();
    // Those of balances and entitlements name their accounts in `subjects`.
    let of_nobody = ["webhook_event_received", "balance_changed", "entitlements_changed"];
    let nameless = rows.iter().filter(|row| !of_nobody.contains(&row.kind.as_str()) && row.account_id.is_none());
    assert_eq!(nameless.count(), 0);
}
