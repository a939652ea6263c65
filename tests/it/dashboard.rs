//! The dashboard of a range: each figure equals the one of its name under `analytics`.

use crate::support::{Company, both_engines};
use chrono::{Days, NaiveDate};
use serde_json::{Value, json};
use tollgate::auth::Permission::{AnalyticsRead, BillingRead};

both_engines!(a_dashboard_has_the_figures_of_its_range);

const RECURRING: &str = "{ currency mrr { amount } arr { amount } subscriptionCount customerCount }";
const MOVEMENTS: &str = "{ startsOn currency start { arr { amount } } new { arr { amount } movementCount }
    churn { arr { amount } movementCount } end { arr { amount } customerCount } }";
const RATES: &str = "{ currency logoChurn grossRetention netRetention quickRatio averageRevenueMinor }";
const REVENUE: &str = "{ startsOn stream gross { amount currency } refunded { amount } net { amount } paymentCount }";
const TRIALS: &str = "{ startsOn startedCount convertedCount lostCount conversionRate }";
const COUNTS: &str = "{ status subscriptionCount }";
const ACTIVE: &str = "{ day dailyCount weeklyCount monthlyCount stickiness }";
const ERRORS: &str = "{ day errorCount criticalCount affectedUserCount }";

async fn a_dashboard_has_the_figures_of_its_range(test: &Company<60>) {
    test.complete().await;
    let (now, today) = (test.app.now(), test.app.now().date_naive());
    let dashboard = format!(
        "query($from: Date!, $to: Date!) {{ analytics {{ dashboard(from: $from, to: $to) {{
            recurringRevenue {RECURRING} movements {MOVEMENTS} rates {RATES} revenue {REVENUE} trialCohorts {TRIALS}
            subscriptionCounts {COUNTS} activeUsers {ACTIVE} errorRates {ERRORS} openErrorGroupCount }} }} }}"
    );
    let alone = format!(
        "query($from: Date!, $to: Date!, $last: Date!, $asOf: DateTime!) {{ analytics {{
            recurringRevenue(asOf: $asOf) {RECURRING}
            movements(from: $from, to: $to, period: RANGE) {MOVEMENTS}
            rates(from: $from, to: $to) {RATES}
            revenue(from: $from, to: $to, period: RANGE) {REVENUE}
            trialCohorts(from: $from, to: $to, asOf: $asOf) {TRIALS}
            subscriptionCounts(asOf: $asOf) {COUNTS}
            activeUsers(from: $last, to: $to) {ACTIVE}
            errorRates(from: $from, to: $to) {ERRORS}
        }} errorGroups(filter: {{resolved: false}}) {{ totalCount }} }}"
    );
    let admin = test.admin();
    let past: NaiveDate = today - Days::new(40);
    for (from, to) in [(today - Days::new(90), past), (today - Days::new(30), today + Days::new(1))] {
        let mut found = admin.data(&dashboard, json!({"from": from, "to": to})).await["analytics"]["dashboard"].take();
        let end = to.and_hms_opt(0, 0, 0).unwrap().and_utc() - chrono::TimeDelta::microseconds(1);
        let variables = json!({"from": from, "to": to, "last": to - Days::new(1), "asOf": end.min(now)});
        let mut wanted = admin.data(&alone, variables).await;
        let open = wanted["errorGroups"]["totalCount"].take();
        let mut wanted = wanted["analytics"].take();
        assert_eq!(found["openErrorGroupCount"], open);
        found.as_object_mut().unwrap().remove("openErrorGroupCount");
        // Of one day there is one row.
        wanted["activeUsers"] = wanted["activeUsers"][0].take();
        assert_eq!(found, wanted);
        assert!(["recurringRevenue", "movements", "rates", "revenue"].iter().all(|figure| found[*figure] != json!([])));
    }
    let range = json!({"from": today, "to": today});
    assert_eq!(admin.code(&dashboard, range.clone()).await, "BAD_USER_INPUT");
    assert_eq!(test.service(&[BillingRead]).code(&dashboard, range).await, "FORBIDDEN");
    // Readers of analytics need nothing else.
    let range = json!({"from": past, "to": today});
    let seen: Value = test.service(&[AnalyticsRead]).data(&dashboard, range).await;
    assert_ne!(seen["analytics"]["dashboard"]["revenue"], json!([]));
}
