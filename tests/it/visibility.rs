//! The rows that each kind of caller sees of every type, in lists and one by one, against the same rules in SQL.

use crate::support::company::global_id;
use crate::support::lists::{LISTS, ids};
use crate::support::{Client, Company, Schema, both_engines, sql};
use sea_orm::Value as SqlValue;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tollgate::auth::Permission::{self, *};
use uuid::Uuid;

both_engines!(
    every_type_has_its_rule_here,
    each_caller_finds_the_rows_of_every_type_that_the_rules_give,
    each_caller_pages_through_the_rows_that_the_rules_give,
);

/// The accounts of the user `$1`.
const MINE: &str = "SELECT m.account_id FROM account_members m WHERE m.user_id = $1 AND m.left_at IS NULL";

/// The rows of a type that callers see without further permissions.
enum Rows {
    /// Those of the user's accounts.
    OfAccounts,
    /// Those that a condition about the user keeps, with `MINE` for the accounts.
    OfUser(&'static str),
    /// Those that a condition keeps, for everybody.
    Public(&'static str),
    /// None.
    Nobody,
}
use Rows::*;

/// A type, its table and its rules.
struct Rule {
    ty: &'static str,
    table: &'static str,
    rows: Rows,
    /// Holders of one of these see every row, as those of `billing:read` do.
    open_to: &'static [Permission],
    /// Without this permission nobody sees a row.
    guard: Option<Permission>,
}

const fn rule(ty: &'static str, table: &'static str, rows: Rows) -> Rule {
    Rule { ty, table, rows, open_to: &[], guard: None }
}

impl Rule {
    const fn open_to(mut self, permissions: &'static [Permission]) -> Rule {
        self.open_to = permissions;
        self
    }

    const fn guarded_by(mut self, permission: Permission) -> Rule {
        self.guard = Some(permission);
        self
    }
}

const PUBLISHED: &str = "product_version_id IN (SELECT id FROM product_versions WHERE status <> 'draft')";

const RULES: &[Rule] = &[
    rule(
        "User",
        "users",
        OfUser(
            "id = $1 OR id IN (SELECT f.user_id FROM account_members f WHERE f.left_at IS NULL \
        AND f.account_id IN (MINE))",
        ),
    ),
    rule("Account", "accounts", OfUser("id IN (MINE)")).open_to(&[CreditsWrite, KeysWrite]),
    rule("AccountMember", "account_members", OfAccounts),
    rule("ProviderCustomer", "provider_customers", OfAccounts),
    rule("ApiKey", "api_keys", Nobody).guarded_by(KeysWrite),
    rule("PublishableKey", "publishable_keys", Nobody).guarded_by(KeysWrite),
    rule("SecurityEvent", "security_events", Nobody).guarded_by(AuditRead),
    rule("AuditLogEntry", "audit_log", Nobody).guarded_by(AuditRead),
    rule("WebhookEvent", "inbox_events", Nobody).guarded_by(BillingRead),
    rule("ProviderCall", "outbox_calls", Nobody).guarded_by(OperationsRead),
    rule("Plan", "products", Public("id IN (SELECT product_id FROM product_versions WHERE status <> 'draft')"))
        .open_to(&[CatalogueWrite]),
    rule("PlanVersion", "product_versions", Public("status <> 'draft'")).open_to(&[CatalogueWrite]),
    rule("Price", "prices", Public(PUBLISHED)).open_to(&[CatalogueWrite]),
    rule("ProviderPrice", "provider_prices", Public(PUBLISHED)).open_to(&[CatalogueWrite]),
    rule("PlanFeature", "product_features", Public(PUBLISHED)).open_to(&[CatalogueWrite]),
    rule("CreditAllowance", "credit_allowances", Public(PUBLISHED)).open_to(&[CatalogueWrite]),
    rule("Experiment", "experiments", Nobody).guarded_by(AnalyticsRead),
    rule("EmailCampaign", "email_campaigns", Nobody).guarded_by(AnalyticsRead),
    rule("ErrorGroup", "error_groups", Nobody).guarded_by(AnalyticsRead),
    rule("LoggedError", "error_events", Nobody).guarded_by(AnalyticsRead),
    rule("Funnel", "funnels", Nobody).guarded_by(AnalyticsRead),
    rule("EngagementScore", "engagement_scores", Nobody).guarded_by(AnalyticsRead),
    rule("Feature", "features", Public("TRUE")),
    rule("EntitlementOverride", "entitlement_overrides", OfAccounts).open_to(&[BillingWrite]),
    rule("RateLimit", "rate_limit_rules", Nobody).open_to(&[CatalogueWrite, CreditsWrite]),
    rule("CreditUnit", "credit_units", Public("TRUE")),
    rule(
        "Coupon",
        "coupons",
        OfUser("id IN (SELECT d.coupon_id FROM discount_redemptions d WHERE d.account_id IN (MINE))"),
    ),
    rule("PromoCode", "promo_codes", Nobody),
    rule("DiscountRedemption", "discount_redemptions", OfAccounts),
    rule("Subscription", "subscriptions", OfAccounts),
    rule("SubscriptionItem", "subscription_items", OfAccounts),
    rule("SubscriptionVersion", "subscription_versions", OfAccounts),
    rule("ScheduledChange", "scheduled_changes", OfAccounts),
    rule("SubscriptionDiscount", "subscription_discounts", OfAccounts),
    rule("SubscriptionArrChange", "subscription_arr_changes", OfAccounts),
    rule("Payment", "payments", OfAccounts),
    rule("Refund", "refunds", OfAccounts),
    rule("Dispute", "disputes", OfAccounts),
    rule("Invoice", "invoices", OfAccounts),
    rule("Gift", "gifts", OfUser("account_id IN (MINE) OR redeemed_account_id IN (MINE)")),
    rule("CreditBalance", "balances", OfAccounts).open_to(&[CreditsWrite]),
    rule("CreditGrant", "credit_grants", OfAccounts).open_to(&[CreditsWrite]),
    rule("CreditHold", "credit_holds", OfAccounts).open_to(&[CreditsWrite]),
    rule("LedgerEntry", "ledger_entries", OfAccounts).open_to(&[CreditsWrite]),
    rule("LedgerTransaction", "ledger_txns", OfAccounts).open_to(&[CreditsWrite]),
    rule("LicenseKey", "license_keys", OfAccounts).open_to(&[KeysWrite]),
    rule("Device", "devices", OfAccounts).open_to(&[KeysWrite]),
    rule("Meter", "meters", Public("TRUE")),
    rule("RateCard", "rate_cards", Public("TRUE")),
    rule("UsageEvent", "usage_events", OfAccounts).open_to(&[CreditsWrite]),
    rule("UsageDay", "usage_daily", OfAccounts).open_to(&[CreditsWrite]),
];

/// A caller, with the facts that the rules are about.
struct Caller<'a> {
    name: String,
    client: Client<'a>,
    user: Option<Uuid>,
    permissions: &'static [Permission],
    is_signed_in: bool,
}

impl Rule {
    /// Returns the condition for the rows that the caller sees, with `$1` for the user.
    fn condition(&self, caller: &Caller<'_>) -> String {
        let holds = |permission: &Permission| caller.permissions.contains(permission);
        if self.guard.as_ref().is_some_and(|guard| !holds(guard)) {
            return "FALSE".to_owned();
        }
        if self.guard.is_some() || holds(&BillingRead) || self.open_to.iter().any(holds) {
            return "TRUE".to_owned();
        }
        match (&self.rows, caller.user) {
            (OfAccounts, Some(_)) => format!("account_id IN ({MINE})"),
            (OfUser(condition), Some(_)) => condition.replace("MINE", MINE),
            (Public(condition), _) => (*condition).to_owned(),
            _ => "FALSE".to_owned(),
        }
    }

    /// Returns the ids of the rows that the caller sees, in the given order.
    async fn visible(&self, test: &Company<40>, caller: &Caller<'_>, order: &str) -> Vec<Uuid> {
        let condition = self.condition(caller);
        let user = caller.user.filter(|_| condition.contains("$1")).map(SqlValue::from);
        sql::ids(test.db(), &format!("SELECT id FROM {} WHERE {condition} {order}", self.table), user).await
    }
}

/// Adds rows of the kinds that the company has none of, and a draft that nobody may see.
async fn complete(test: &Company<40>) {
    test.complete().await;
    let more = "mutation {
        createApiKey(input: {name: \"k\", scopes: [\"audit:read\"]}) { apiKey { id } }
        createPublishableKey(input: {name: \"k\", origins: [\"https://a.example\"]}) { publishableKey { id } }
        createPlan(input: {code: \"hidden\", kind: PLAN, name: \"Hidden\", rank: 1}) { plan { id } } }";
    let made = test.admin().data(more, json!({})).await;
    let draft = "mutation($plan: ID!) { createPlanVersion(input: {planId: $plan,
        prices: [{currency: \"USD\", unitAmount: 900, interval: MONTH}], features: [],
        creditAllowances: []}) { planVersion { id } } }";
    test.admin().data(draft, json!({"plan": made["createPlan"]["plan"]["id"]})).await;
    // Somebody leaves a shared account, and with it all that is in it.
    let leave = "UPDATE account_members SET left_at = joined_at WHERE id = (SELECT m.id FROM account_members m \
        WHERE m.role = 'member' ORDER BY m.id LIMIT 1)";
    sql::execute(test.db(), leave).await;
}

/// Users who own much, share an account, have left one and have nothing; services with each permission; an admin.
async fn callers<'a>(test: &'a Company<40>) -> Vec<Caller<'a>> {
    let mut callers = vec![
        Caller {
            name: "anonymous".to_owned(),
            client: test.anonymous(),
            user: None,
            permissions: &[],
            is_signed_in: false,
        },
        Caller {
            name: "service".to_owned(),
            client: test.service(&[]),
            user: None,
            permissions: &[],
            is_signed_in: true,
        },
    ];
    const EACH: [&[Permission]; 9] = [
        &[BillingRead],
        &[BillingWrite],
        &[CatalogueWrite],
        &[CreditsWrite],
        &[KeysWrite],
        &[AnalyticsRead],
        &[AuditRead],
        &[OperationsRead],
        &[OperationsWrite],
    ];
    for permissions in EACH {
        let (name, client) = (permissions[0].scope().to_owned(), test.service(permissions));
        callers.push(Caller { name, client, user: None, permissions, is_signed_in: true });
    }
    let pick = "SELECT i.subject FROM user_identities i JOIN users u ON u.id = i.user_id WHERE u.role = 'user' ORDER BY \
        (SELECT COUNT(*) FROM account_members m WHERE m.user_id = u.id) DESC, u.id LIMIT 6";
    let mut subjects: Vec<String> = sql::column(test.db(), pick, []).await;
    let former = "SELECT i.subject FROM user_identities i JOIN account_members m ON m.user_id = i.user_id \
        WHERE m.left_at IS NOT NULL LIMIT 1";
    subjects.extend(sql::column::<String>(test.db(), former, []).await);
    for subject in subjects {
        let of = "SELECT user_id FROM user_identities WHERE subject = $1";
        let user = sql::ids(test.db(), of, [subject.clone().into()]).await.pop();
        let client = test.user(&subject);
        callers.push(Caller { name: subject, client, user, permissions: &[], is_signed_in: true });
    }
    let client = test.admin();
    client.data("{ viewer { role } }", json!({})).await;
    callers.push(Caller {
        name: "admin".to_owned(),
        client,
        user: None,
        permissions: &Permission::ALL,
        is_signed_in: true,
    });
    callers
}

async fn every_type_has_its_rule_here(test: &Company<1>) {
    let types: BTreeSet<String> = Schema::of(test).await.implementors("Node").into_iter().collect();
    let here: BTreeSet<String> = RULES.iter().map(|rule| rule.ty.to_owned()).collect();
    assert_eq!(types, here, "add the rule of a new type");
}

async fn each_caller_finds_the_rows_of_every_type_that_the_rules_give(test: &Company<40>) {
    complete(test).await;
    for caller in callers(test).await {
        for rule in RULES {
            // Enough of a large table, and from both of its ends.
            let all = sql::ids(test.db(), &format!("SELECT id FROM {} ORDER BY id", rule.table), []).await;
            assert!(!all.is_empty(), "{} has no rows", rule.table);
            let some: Vec<Uuid> = all.iter().take(200).chain(all.iter().rev().take(100)).copied().collect();
            let visible: BTreeSet<Uuid> = rule.visible(test, &caller, "").await.into_iter().collect();
            for ids in some.chunks(100) {
                let asked: Vec<_> = ids.iter().map(|id| global_id(rule.ty, *id)).collect();
                let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
                let found = caller.client.data(query, json!({"ids": asked})).await["nodes"].take();
                let shown = |(id, asked): (&Uuid, &String)| {
                    if visible.contains(id) { json!({"id": asked}) } else { Value::Null }
                };
                let expected: Vec<Value> = ids.iter().zip(&asked).map(shown).collect();
                assert_eq!(found, json!(expected), "{} asks for each {}", caller.name, rule.ty);
            }
        }
    }
}

async fn each_caller_pages_through_the_rows_that_the_rules_give(test: &Company<40>) {
    complete(test).await;
    let (mut seen_by_users, mut refused) = (0, 0);
    for caller in callers(test).await {
        for list in LISTS.iter().filter(|list| list.field.0 == "Query") {
            let rule = RULES.iter().find(|rule| rule.ty == list.rows.0).unwrap();
            let is_public = list.rows.0 == "Plan";
            let missing = rule.guard.filter(|guard| !caller.permissions.contains(guard));
            let document = list.document(None);
            if !is_public && !caller.is_signed_in {
                assert_eq!(caller.client.code(&document, json!({})).await, "UNAUTHENTICATED", "{document}");
                refused += 1;
                continue;
            }
            if missing.is_some() {
                let code = caller.client.code(&document, json!({})).await;
                assert_eq!(code, "FORBIDDEN", "{} lists {}", caller.name, list.field.1);
                refused += 1;
                continue;
            }
            let way = if list.descending { "DESC" } else { "ASC" };
            let on_sale = if is_public { "AND active " } else { "" };
            let order = format!("{on_sale}ORDER BY {} {way}, id {way}", list.order.0);
            let expected = rule.visible(test, &caller, &order).await;
            let (mut seen, mut cursor) = (Vec::new(), Value::Null);
            while seen.len() < 300 {
                let mut data = caller.client.data(&document, json!({"first": 60, "after": cursor})).await;
                let page = data["list"].take();
                assert_eq!(page["totalCount"], expected.len(), "{} lists {}", caller.name, list.field.1);
                seen.extend(ids(&page));
                cursor = page["pageInfo"]["endCursor"].clone();
                if page["pageInfo"]["hasNextPage"] == false {
                    break;
                }
            }
            assert_eq!(seen, expected[..expected.len().min(seen.len())], "{} lists {}", caller.name, list.field.1);
            assert!(seen.len() == expected.len() || seen.len() >= 300);
            seen_by_users += if caller.user.is_some() && !is_public { seen.len() } else { 0 };
        }
    }
    assert!(seen_by_users > 50 && refused > 60, "{seen_by_users} {refused}");
}
