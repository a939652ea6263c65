//! The enums of the API and the columns that hold their values: the database takes each value and no other, and the API
//! shows it.

use crate::support::{Schema, TestApp, World, both_engines, local_id, sql};
use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

both_engines!(
    the_database_takes_every_value_and_the_api_shows_it,
    the_database_takes_no_other_value,
    every_enum_of_a_column_is_tried,
);

/// A field that shows a column, with its enum, and the columns that go with each value; `VALUE` stands for it.
struct Column {
    ty: &'static str,
    field: &'static str,
    values: &'static str,
    table: &'static str,
    name: &'static str,
    with: &'static str,
}

macro_rules! enum_columns {
    ($($ty:ident.$field:ident: $values:ident in $table:ident.$name:ident $(with $with:literal)?;)*) => {
        const COLUMNS: &[Column] = &[$(Column {
            ty: stringify!($ty),
            field: stringify!($field),
            values: stringify!($values),
            table: stringify!($table),
            name: stringify!($name),
            with: concat!("", $($with)?),
        }),*];
    };
}

enum_columns! {
    User.role: UserRole in users.role;
    Account.holderKind: AccountKind in accounts.kind;
    AccountMember.memberRole: MemberRole in account_members.role;
    Plan.kind: PlanKind in products.kind;
    Price.interval: PriceInterval in prices.interval;
    Feature.entitlementKind: FeatureKind in features.kind;
    PlanFeature.window: LimitWindow in product_features.limit_window;
    PlanFeature.onExceed: OnExceed in product_features.on_exceed;
    CreditAllowance.cadence: AllowanceCadence in credit_allowances.cadence;
    CreditAllowance.onPlanChange: OnPlanChange in credit_allowances.on_plan_change;
    CreditGrant.source: CreditSource in credit_grants.source;
    Coupon.duration: CouponDuration in coupons.duration
        with "duration_months = CASE WHEN 'VALUE' = 'repeating' THEN 3 END";
    Subscription.status: SubscriptionStatus in subscriptions.status;
    SubscriptionItem.purpose: SubscriptionItemPurpose in subscription_items.kind;
    ScheduledChange.changeKind: ScheduledChangeKind in scheduled_changes.kind;
    SubscriptionDiscount.scope: DiscountScope in subscription_discounts.scope;
    Payment.chargeStatus: PaymentStatus in payments.status
        with "refunded_minor = 0, paid_at = CASE WHEN 'VALUE' = 'succeeded' THEN created_at END";
    Payment.stream: RevenueStream in payments.stream;
    Refund.processingStatus: RefundStatus in refunds.status;
    Dispute.caseStatus: DisputeStatus in disputes.status
        with "closed_at = CASE WHEN 'VALUE' IN ('won', 'lost') THEN created_at END";
    Invoice.collectionStatus: InvoiceStatus in invoices.status;
    Gift.redemptionStatus: GiftStatus in gifts.status
        with "redeemed_account_id = CASE WHEN 'VALUE' = 'redeemed' THEN account_id END, \
              redeemed_at = CASE WHEN 'VALUE' = 'redeemed' THEN created_at END";
    LicenseKey.licenseStatus: LicenseKeyStatus in license_keys.status
        with "revoked_at = CASE WHEN 'VALUE' = 'revoked' THEN created_at END, \
              revoked_by = CASE WHEN 'VALUE' = 'revoked' THEN 'admin' END";
    LicenseKey.licenseSource: LicenseKeySource in license_keys.source
        with "provider = CASE WHEN 'VALUE' = 'purchase' THEN 'paddle' END, \
              order_external_id = CASE WHEN 'VALUE' = 'purchase' THEN 'txn_1' END";
    WebhookEvent.state: WebhookEventState in inbox_events.state
        with "applied_at = CASE WHEN 'VALUE' = 'applied' THEN received_at END";
    WebhookEvent.learnedBy: WebhookEventSource in inbox_events.source;
    ProviderCall.callState: ProviderCallState in outbox_calls.state
        with "error_code = 'a_code', settled_at = CASE WHEN 'VALUE' <> 'pending' THEN created_at END";
    SecurityEvent.suspicion: SecurityEventKind in security_events.kind;
    Meter.aggregation: MeterAggregation in meters.aggregation;
    SecurityEvent.severity: Severity in security_events.severity;
}

/// Enums whose columns are append-only, or that are not stored alone.
const ELSEWHERE: &[(&str, &str)] = &[
    ("ChurnCause", "revenue_rollups"),
    ("ConsentDecision", "consent.rs"),
    ("DifferenceTest", "experiments.rs"),
    ("ExperimentDecision", "experiments.rs"),
    ("ErrorSeverity", "columns"),
    ("ExperimentVariant", "experiments.rs"),
    ("LogErrorsOutcome", "logged_errors.rs"),
    ("RecordPartnerStatsOutcome", "host_reports.rs"),
    ("CreditHoldState", "spending.rs"),
    ("LedgerBucket", "ledger_buckets.rs"),
    ("LedgerOperation", "ledger_buckets.rs"),
    ("MovementKind", "revenue_rollups"),
    ("PlanVersionStage", "plans.rs"),
    ("Provider", "columns"),
    ("EntitlementReason", "entitlements.rs"),
    ("LicenseReason", "licence_status.rs"),
    ("RecordUsageOutcome", "usage.rs"),
    ("TrackEventsOutcome", "events.rs"),
    ("LicenseState", "licence_status.rs"),
    ("ViewerRole", "sign_in.rs"),
];

/// Returns the oldest row of a type; of accounts one whose owner has no other.
fn row(world: &World, ty: &str) -> Uuid {
    if ty == "Account" {
        return local_id(world.id("Account", "eve")).1;
    }
    world.ids(ty).into_iter().map(|id| local_id(id).1).min().unwrap_or_else(|| panic!("no {ty}"))
}

impl Column {
    /// Returns the statement that gives the row this value.
    fn update(&self, value: &str) -> String {
        let with =
            if self.with.is_empty() { String::new() } else { format!(", {}", self.with.replace("VALUE", value)) };
        format!("UPDATE {} SET {} = '{value}'{with} WHERE id = $1", self.table, self.name)
    }
}

async fn the_database_takes_every_value_and_the_api_shows_it(test: &TestApp) {
    let world = World::make(test).await;
    let schema = Schema::of(test).await;
    let admin = test.admin();
    for column in COLUMNS {
        let id = row(&world, column.ty);
        let query = format!("query($id: ID!) {{ node(id: $id) {{ ... on {} {{ {} }} }} }}", column.ty, column.field);
        let values = schema.values(column.values);
        assert!(values.len() > 1, "{}", column.values);
        for value in values {
            sql::rows(test.app.db.schema(), &column.update(&value.to_lowercase()), [id.into()]).await;
            let variables = json!({"id": crate::support::global_id(column.ty, id)});
            let shown = admin.data(&query, variables).await["node"].take();
            assert_eq!(shown, json!({column.field: value}), "{}.{}", column.table, column.name);
        }
    }
}

async fn the_database_takes_no_other_value(test: &TestApp) {
    let world = World::make(test).await;
    let schema = Schema::of(test).await;
    let db = test.app.db.schema();
    for column in COLUMNS {
        // The kinds of security events are the program's; they grow without a migration.
        if column.values == "SecurityEventKind" {
            continue;
        }
        let id = row(&world, column.ty);
        let known = schema.values(column.values);
        let upper = known[0].clone();
        for value in ["", "nonsense", &upper, &format!(" {}", upper.to_lowercase())] {
            let update = format!("UPDATE {} SET {} = '{value}' WHERE id = $1", column.table, column.name);
            let statement = Statement::from_sql_and_values(db.get_database_backend(), &update, [id.into()]);
            let refused = db.execute_raw(statement).await;
            let error = refused.expect_err(&update).to_string();
            assert!(error.to_lowercase().contains("check"), "{update}: {error}");
        }
    }
}

async fn every_enum_of_a_column_is_tried(test: &TestApp) {
    const QUERY: &str =
        "{ __schema { types { name kind fields { type { name kind ofType { name kind } } args { name } } } } }";
    let data = test.admin().data(QUERY, json!({})).await;
    let types = data["__schema"]["types"].as_array().unwrap();
    let mut shown = BTreeSet::new();
    for ty in types.iter().filter(|ty| ty["kind"] == "OBJECT" && !ty["name"].as_str().unwrap().starts_with("__")) {
        for field in ty["fields"].as_array().into_iter().flatten() {
            let named = [&field["type"], &field["type"]["ofType"]].into_iter().find(|named| named["kind"] == "ENUM");
            shown.extend(
                named.and_then(|named: &Value| named["name"].as_str()).filter(|name| !name.ends_with("ErrorCode")),
            );
        }
    }
    let here = COLUMNS.iter().map(|column| column.values);
    let known: BTreeSet<&str> = here.chain(ELSEWHERE.iter().map(|(name, _)| *name)).collect();
    let missing: Vec<_> = shown.difference(&known).collect();
    assert!(missing.is_empty(), "add the columns of {missing:?}");
}
