//! Every filter of a list keeps what the same condition in SQL keeps.

use crate::support::company::{global_id, local_id};
use crate::support::lists::{LISTS, accounts_of_user, ids};
use crate::support::{Company, both_engines, insert_security_events, sql};
use serde_json::json;

both_engines!(every_filter_keeps_what_sql_keeps, filters_that_name_someone_find_them);

/// A list, a filter of it, and what it keeps; `$1` is the parent.
struct Filter {
    field: (&'static str, &'static str),
    filter: &'static str,
    keeps: &'static str,
}

macro_rules! filters {
    ($($owner:ident.$field:ident $filter:literal => $keeps:expr;)*) => {
        const FILTERS: &[Filter] = &[$(
            Filter { field: (stringify!($owner), stringify!($field)), filter: $filter, keeps: $keeps }
        ),*];
    };
}

filters! {
    Query.plans r#"{}"# => "active AND kind = 'plan'";
    Query.plans r#"{kind: [ADDON, GIFT]}"# => "active AND kind IN ('addon', 'gift')";
    Query.plans r#"{active: false}"# => "NOT active AND kind = 'plan'";
    Query.users r#"{role: ADMIN}"# => "role = 'admin'";
    Query.users r#"{role: USER}"# => "role = 'user'";
    Query.users r#"{createdAt: {from: "2025-03-01T00:00:00Z", to: "2025-09-01T00:00:00Z"}}"#
        => "created_at >= '2025-03-01T00:00:00+00:00' AND created_at < '2025-09-01T00:00:00+00:00'";
    Query.accounts r#"{kind: TEAM}"# => "kind = 'team'";
    Query.accounts r#"{kind: INDIVIDUAL, createdAt: {to: "2025-06-01T00:00:00Z"}}"#
        => "kind = 'individual' AND created_at < '2025-06-01T00:00:00+00:00'";
    Query.subscriptions r#"{status: [ACTIVE, PAST_DUE]}"# => "status IN ('active', 'past_due')";
    Query.subscriptions r#"{status: []}"# => "TRUE";
    Query.subscriptions r#"{plan: ["pro"]}"#
        => "product_version_id IN (SELECT v.id FROM product_versions v \
        JOIN products p ON p.id = v.product_id WHERE p.code = 'pro')";
    Query.subscriptions r#"{createdAt: {from: "2025-09-01T00:00:00Z"}}"#
        => "created_at >= '2025-09-01T00:00:00+00:00'";
    Query.providerCustomers r#"{provider: PADDLE}"# => "provider = 'paddle'";
    Query.providerCustomers r#"{provider: STRIPE, delinquent: true}"# => "provider = 'stripe' AND delinquent";
    Query.providerCustomers r#"{delinquent: false}"# => "NOT delinquent";
    Query.payments r#"{status: [FAILED]}"# => "status = 'failed'";
    Query.payments r#"{stream: CREDITS}"# => "stream = 'credits'";
    Query.payments r#"{stream: SUBSCRIPTION, status: [SUCCEEDED, FAILED]}"#
        => "stream = 'subscription' AND status IN ('succeeded', 'failed')";
    Query.payments r#"{createdAt: {from: "2025-12-01T00:00:00+02:00", to: "2026-01-01T00:00:00Z"}}"#
        => "created_at >= '2025-11-30T22:00:00+00:00' AND created_at < '2026-01-01T00:00:00+00:00'";
    Query.refunds r#"{status: [PROCESSED]}"# => "status = 'processed'";
    Query.refunds r#"{createdAt: {from: "2025-06-01T00:00:00Z"}}"# => "created_at >= '2025-06-01T00:00:00+00:00'";
    Query.invoices r#"{status: [PAID, OPEN]}"# => "status IN ('paid', 'open')";
    Query.invoices r#"{createdAt: {to: "2025-06-01T00:00:00Z"}}"# => "created_at < '2025-06-01T00:00:00+00:00'";
    Query.coupons r#"{active: true}"# => "active";
    Query.coupons r#"{active: false}"# => "NOT active";
    Query.webhookEvents r#"{state: [FAILED, PARKED, RECEIVED]}"# => "state IN ('failed', 'parked', 'received')";
    Query.webhookEvents r#"{eventType: "invoice.paid"}"# => "kind = 'invoice.paid'";
    Query.webhookEvents r#"{provider: PADDLE}"# => "provider = 'paddle'";
    Query.webhookEvents r#"{waiting: false, state: [PARKED]}"# => "waits_for IS NULL AND state = 'parked'";
    Query.webhookEvents r#"{waiting: true}"# => "waits_for IS NOT NULL";
    Query.webhookEvents r#"{receivedAt: {from: "2025-12-01T00:00:00Z"}}"#
        => "received_at >= '2025-12-01T00:00:00+00:00'";
    Query.auditLog r#"{action: "credits.grant"}"# => "action = 'credits.grant'";
    Query.auditLog r#"{at: {from: "2025-06-01T00:00:00Z"}}"# => "at >= '2025-06-01T00:00:00+00:00'";
    Query.securityEvents r#"{severity: [LOW, HIGH]}"# => "severity IN ('low', 'high')";
    Query.securityEvents r#"{suspicion: [WEBHOOK_FORGED]}"# => "kind = 'webhook_forged'";
    Query.securityEvents r#"{resolved: true}"# => "resolved_at IS NOT NULL";
    Query.securityEvents r#"{resolved: false}"# => "resolved_at IS NULL";
    Query.securityEvents r#"{lastAt: {from: "2026-01-10T00:00:00Z"}}"# => "last_at >= '2026-01-10T00:00:00+00:00'";
    Account.subscriptions r#"{status: [CANCELED]}"# => "account_id = $1 AND status = 'canceled'";
    Account.providerCustomers r#"{provider: STRIPE}"# => "account_id = $1 AND provider = 'stripe'";
    Account.payments r#"{status: [SUCCEEDED]}"# => "account_id = $1 AND status = 'succeeded'";
    Account.invoices r#"{status: [PAID]}"# => "account_id = $1 AND status = 'paid'";
    Account.refunds r#"{status: [PROCESSED]}"# => "account_id = $1 AND status = 'processed'";
    Account.creditGrants r#"{source: PLAN}"# => "account_id = $1 AND source = 'plan'";
    Account.creditGrants r#"{unit: "credit"}"#
        => "account_id = $1 AND credit_unit_id = (SELECT id FROM credit_units WHERE code = 'credit')";
    User.payments r#"{stream: SUBSCRIPTION}"#
        => concat!("stream = 'subscription' AND ", accounts_of_user!("account_id"));
    User.accounts r#"{kind: INDIVIDUAL}"# => concat!("kind = 'individual' AND ", accounts_of_user!("id"));
}

async fn every_filter_keeps_what_sql_keeps(test: &Company<80>) {
    sql::execute(test.db(), "UPDATE provider_customers SET delinquent = external_id < 'cus_8'").await;
    sql::execute(test.db(), "UPDATE products SET active = FALSE WHERE code = 'starter'").await;
    insert_security_events(&test.app, 30).await;
    for Filter { field, filter, keeps } in FILTERS {
        let list = LISTS.iter().find(|list| list.field == *field).unwrap();
        let mut kept = 0;
        for parent in list.parents(test.db()).await {
            let expected = list.kept(test.db(), parent, keeps).await;
            kept += expected.len();
            let document = list.filtered(filter);
            let page = list.page(test, &document, parent, json!({"first": 100})).await;
            assert_eq!(page["totalCount"], expected.len(), "{document}");
            assert_eq!(ids(&page), expected[..expected.len().min(100)], "{document}");
        }
        assert!(kept > 0, "{field:?} {filter} keeps nothing, which proves nothing");
    }
}

async fn filters_that_name_someone_find_them(test: &Company<12>) {
    let admin = test.admin();
    let email: String = sql::column(test.db(), "SELECT email FROM users WHERE email IS NOT NULL", []).await.remove(3);
    let by_email = "query($email: String) { users(filter: {email: $email}) { totalCount nodes { email } } }";
    let found = admin.data(by_email, json!({"email": format!("  {} ", email.to_uppercase())})).await;
    assert_eq!(found["users"], json!({"totalCount": 1, "nodes": [{"email": email}]}));

    let account = sql::ids(test.db(), "SELECT id FROM accounts ORDER BY id LIMIT 1", []).await.remove(0);
    let refer = "UPDATE accounts SET ref_type = 'band', ref_id = '7' WHERE id = $1";
    sql::rows(test.db(), refer, [account.into()]).await;
    let by_reference = "query($id: String!) {
        accounts(filter: {reference: {refType: \"band\", refId: $id}}) { totalCount nodes { id } }
    }";
    let found = admin.data(by_reference, json!({"id": "7"})).await;
    assert_eq!(found["accounts"], json!({"totalCount": 1, "nodes": [{"id": global_id("Account", account)}]}));
    assert_eq!(admin.data(by_reference, json!({"id": "8"})).await["accounts"]["totalCount"], 0);

    let entry = "SELECT entity_id FROM audit_log ORDER BY id LIMIT 1";
    let thing = sql::ids(test.db(), entry, []).await.remove(0);
    let by_entity = "query($id: ID!) { auditLog(filter: {entityId: $id}) { totalCount nodes { entityId } } }";
    let id = global_id("Plan", thing);
    let found = admin.data(by_entity, json!({"id": id})).await["auditLog"].take();
    let all = sql::ids(test.db(), "SELECT id FROM audit_log WHERE entity_id = $1", [thing.into()]).await;
    assert_eq!(found["totalCount"], all.len());
    assert!(found["nodes"].as_array().unwrap().iter().all(|node| local_id(&node["entityId"]) == thing));

    let actor: String =
        sql::column(test.db(), "SELECT actor FROM audit_log ORDER BY id DESC LIMIT 1", []).await.remove(0);
    let by_actor = "query($actor: String) { auditLog(filter: {actor: $actor}) { totalCount } }";
    let found = admin.data(by_actor, json!({"actor": actor})).await["auditLog"]["totalCount"].take();
    let all = sql::ids(test.db(), "SELECT id FROM audit_log WHERE actor = $1", [actor.into()]).await;
    assert_eq!(found, all.len());

    let by_code = "{ coupons(filter: {code: \"NOBODY\"}) { totalCount } }";
    assert_eq!(admin.data(by_code, json!({})).await["coupons"]["totalCount"], 0);
    let code: String = sql::column(test.db(), "SELECT code FROM coupons ORDER BY id LIMIT 1", []).await.remove(0);
    let by_code = "query($code: String) { coupons(filter: {code: $code}) { nodes { code } } }";
    let found = admin.data(by_code, json!({"code": code})).await;
    assert_eq!(found["coupons"]["nodes"], json!([{"code": code}]));
}
