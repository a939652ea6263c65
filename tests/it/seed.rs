//! The seeded company: the same on both engines, and its books are right on each.

use crate::support::{Company, Engine, TestDatabase, both_engines, run, sql};
use chrono::Days;
use sea_orm::{DatabaseConnection, EntityTrait, QueryOrder};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Mutex;
use tollgate::auth::Viewer;
use tollgate::credits;

both_engines!(
    the_books_of_the_company_are_right,
    nothing_was_written_that_the_totals_do_not_tell,
    the_server_adds_nothing_to_what_was_granted,
    the_product_of_the_company_has_figures_that_make_sense,
);

macro_rules! tables {
    ($db:expr, $($table:ident),* $(,)?) => {
        vec![$({
            use ::entity::$table::{Column, Entity};
            let rows = Entity::find().order_by_asc(Column::Id).all($db).await.unwrap();
            (stringify!($table), rows.iter().map(|row| format!("{row:?}")).collect::<Vec<_>>())
        }),*]
    };
}

/// Every row of every table that the seed fills, in the words of its model.
async fn dump(db: &DatabaseConnection) -> Vec<(&'static str, Vec<String>)> {
    seed::with_tables!(tables, db)
}

#[test]
fn the_same_plan_makes_the_same_rows_on_both_engines() {
    if TestDatabase::create(Engine::Postgres).is_none() {
        return;
    }
    let dumps = Mutex::new(Vec::new());
    for engine in [Engine::Sqlite, Engine::Postgres] {
        run(engine, async |test: &Company<120>| {
            let rows = dump(test.db()).await;
            dumps.lock().unwrap().push(rows);
        });
    }
    let dumps = dumps.into_inner().unwrap();
    for (one, other) in dumps[0].iter().zip(&dumps[1]) {
        let ((table, sqlite), (_, postgres)) = (one, other);
        assert!(!sqlite.is_empty() || *table == "disputes", "{table} is empty");
        assert_eq!(sqlite.len(), postgres.len(), "{table}");
        let differ = sqlite.iter().zip(postgres).find(|(sqlite, postgres)| sqlite != postgres);
        assert_eq!(differ, None, "{table}");
    }
}

async fn nothing_was_written_that_the_totals_do_not_tell(db: &DatabaseConnection) {
    let now = "2026-01-15T12:00:00Z".parse().unwrap();
    let plan = seed::Plan { users: 45, seed: 3, now, issuer: "x".to_owned() };
    let totals = seed::seed(db, &plan, |_| {}).await.unwrap();
    assert_eq!(totals.users, 46, "the administrator comes on top");
    for (table, rows) in totals.tables() {
        let found = sql::number(db, &format!("SELECT COUNT(*) FROM {table}")).await;
        assert_eq!(u64::try_from(found).unwrap(), rows, "{table}");
    }
}

/// Queries that find nothing in books that are right.
const WRONG: &[&str] = &[
    "SELECT 1 FROM ledger_entries GROUP BY txn_id, credit_unit_id HAVING SUM(amount) <> 0",
    "SELECT 1 FROM balances b WHERE entry_count <> (SELECT COUNT(*) FROM ledger_entries e \
     WHERE e.account_id = b.account_id AND e.credit_unit_id = b.credit_unit_id)",
    "SELECT 1 FROM balances b WHERE entry_count <> (SELECT MAX(seq) FROM ledger_entries e \
     WHERE e.account_id = b.account_id AND e.credit_unit_id = b.credit_unit_id)",
    "SELECT 1 FROM balances WHERE available + held + spent + expired + revoked + issued + owed <> 0",
    "SELECT 1 FROM (SELECT balance_after, SUM(amount) OVER (PARTITION BY account_id, credit_unit_id, bucket \
     ORDER BY seq) AS running FROM ledger_entries) AS chain WHERE balance_after <> running",
    "SELECT 1 FROM credit_grants g WHERE remaining <> (SELECT SUM(amount) FROM ledger_entries e \
     WHERE e.grant_id = g.id AND bucket = 'available')",
    "SELECT 1 FROM credit_grants g WHERE amount <> -(SELECT SUM(amount) FROM ledger_entries e \
     WHERE e.grant_id = g.id AND bucket = 'issued')",
    "SELECT 1 FROM credit_grants WHERE (source = 'purchase') <> (payment_id IS NOT NULL)",
    "SELECT 1 FROM ledger_txns t JOIN ledger_entries e ON e.txn_id = t.id WHERE t.recorded_at <> e.recorded_at \
     OR t.recorded_at < t.effective_at OR t.account_id <> e.account_id",
    "SELECT 1 FROM ledger_txns t WHERE NOT EXISTS (SELECT 1 FROM ledger_entries e WHERE e.txn_id = t.id)",
    "SELECT 1 FROM payments p WHERE refunded_minor <> COALESCE((SELECT SUM(amount_minor) FROM refunds r \
     WHERE r.payment_id = p.id AND r.status = 'processed'), 0)",
    "SELECT 1 FROM payments p WHERE returned_minor IS DISTINCT FROM refunded_minor + COALESCE((SELECT SUM(amount_minor) \
     FROM disputes d WHERE d.payment_id = p.id AND d.status = 'lost'), 0)",
    "SELECT 1 FROM invoices i WHERE paid_minor <> COALESCE((SELECT SUM(amount_minor) FROM payments p \
     WHERE p.invoice_id = i.id AND p.status = 'succeeded'), 0)",
    "SELECT 1 FROM invoices WHERE (status = 'paid') <> (paid_minor = total_minor) OR total_minor < 0",
    "SELECT 1 FROM invoices i WHERE due_minor <> total_minor OR attempt_count <> (SELECT COUNT(*) FROM payments p \
     WHERE p.invoice_id = i.id)",
    "SELECT 1 FROM payments WHERE received_minor <> CASE status WHEN 'succeeded' THEN amount_minor ELSE 0 END \
     OR (failed_attempts > 0) <> (status = 'failed') OR provider_status IS NULL",
    "SELECT 1 FROM payments p WHERE disputed <> EXISTS (SELECT 1 FROM disputes d WHERE d.payment_id = p.id)",
    "SELECT 1 FROM payments p WHERE NOT EXISTS (SELECT 1 FROM provider_customers c WHERE c.provider = p.provider \
     AND c.external_id = p.customer_external_id AND c.account_id = p.account_id)",
    "SELECT 1 FROM subscriptions s WHERE provider <> 'manual' AND NOT EXISTS (SELECT 1 FROM provider_customers c \
     WHERE c.provider = s.provider AND c.external_id = s.customer_external_id AND c.account_id = s.account_id)",
    "SELECT 1 FROM subscription_items i JOIN subscriptions s ON s.id = i.subscription_id \
     LEFT JOIN prices p ON p.id = i.price_id LEFT JOIN provider_prices pp ON pp.provider = s.provider \
     AND pp.external_id = i.price_external_id WHERE s.provider <> 'manual' AND p.unit_amount_minor > 0 \
     AND (pp.price_id IS NULL OR pp.price_id <> i.price_id)",
    "SELECT 1 FROM subscriptions s WHERE (cancel_at IS NOT NULL AND ended_at IS NULL AND provider <> 'manual') \
     <> EXISTS (SELECT 1 FROM scheduled_changes c WHERE c.subscription_id = s.id AND c.kind = 'cancel' \
     AND c.effective_at = s.cancel_at)",
    "SELECT 1 FROM scheduled_changes c JOIN subscriptions s ON s.id = c.subscription_id \
     WHERE c.account_id <> s.account_id OR s.ended_at IS NOT NULL",
    "SELECT 1 FROM subscriptions s WHERE first_paid_at IS DISTINCT FROM (SELECT MIN(paid_at) FROM payments p \
     WHERE p.subscription_id = s.id AND p.status = 'succeeded' AND amount_minor > 0)",
    "SELECT 1 FROM payments p JOIN accounts a ON a.id = p.account_id WHERE p.currency <> a.currency",
    "SELECT 1 FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.currency <> p.currency \
     OR r.account_id <> p.account_id OR r.created_at < p.created_at",
    "SELECT 1 FROM discount_redemptions r JOIN coupons c ON c.id = r.coupon_id WHERE redeemed_at > redeem_by",
    "SELECT 1 FROM discount_redemptions r JOIN coupons c ON c.id = r.coupon_id \
     GROUP BY coupon_id, max_redemptions HAVING COUNT(*) > max_redemptions",
    "SELECT 1 FROM accounts a WHERE (SELECT COUNT(*) FROM account_members m WHERE m.account_id = a.id \
     AND role = 'owner' AND user_id = a.owner_id AND left_at IS NULL) <> 1",
    "SELECT 1 FROM users u WHERE (SELECT COUNT(*) FROM accounts a WHERE a.owner_id = u.id AND kind = 'individual') <> 1",
    "SELECT 1 FROM analytics_events e WHERE NOT EXISTS (SELECT 1 FROM visitor_days d WHERE d.day = e.day \
     AND (d.user_id = e.user_id OR d.anonymous_id = e.anonymous_id))",
    "SELECT 1 FROM visitor_days d WHERE NOT EXISTS (SELECT 1 FROM analytics_events e WHERE e.day = d.day \
     AND (e.user_id = d.user_id OR e.anonymous_id = d.anonymous_id))",
    "SELECT 1 FROM analytics_events e JOIN users u ON u.id = e.user_id WHERE e.occurred_at < u.created_at \
     OR u.erased_at IS NOT NULL",
    "SELECT 1 FROM analytics_events e JOIN identity_aliases a ON a.anonymous_id = e.anonymous_id \
     WHERE e.occurred_at > a.created_at",
    "SELECT 1 FROM experiment_assignments a JOIN experiments x ON x.id = a.experiment_id \
     WHERE a.assigned_at < x.created_at",
    "SELECT 1 FROM error_groups g WHERE error_count <> (SELECT COUNT(*) FROM error_events e \
     WHERE e.error_group_id = g.id) OR first_seen_at <> (SELECT MIN(occurred_at) FROM error_events e \
     WHERE e.error_group_id = g.id) OR last_seen_at <> (SELECT MAX(occurred_at) FROM error_events e \
     WHERE e.error_group_id = g.id)",
    "SELECT 1 FROM error_events e JOIN users u ON u.id = e.user_id WHERE e.occurred_at < u.created_at",
    "SELECT 1 FROM subscriptions s WHERE status <> (SELECT status FROM subscription_versions v \
     WHERE v.subscription_id = s.id ORDER BY effective_at DESC, recorded_at DESC, id DESC LIMIT 1)",
];

async fn the_books_of_the_company_are_right(test: &Company<120>) {
    assert!(sql::number(test.db(), "SELECT COUNT(*) FROM ledger_entries").await > 300);
    for wrong in WRONG {
        let found = sql::number(test.db(), &format!("SELECT COUNT(*) FROM ({wrong}) AS wrong")).await;
        assert_eq!(found, 0, "{wrong}");
    }
    for bucket in ["available", "held", "spent", "expired", "issued", "revoked", "owed"] {
        let wrong = format!(
            "SELECT COUNT(*) FROM balances b WHERE {bucket} <> COALESCE((SELECT SUM(amount) FROM ledger_entries e \
             WHERE e.account_id = b.account_id AND e.credit_unit_id = b.credit_unit_id AND bucket = '{bucket}'), 0)"
        );
        assert_eq!(sql::number(test.db(), &wrong).await, 0, "{bucket}");
    }
}

/// The next instants at which balances change by time, and the number of entries.
async fn times(db: &DatabaseConnection) -> (Vec<(uuid::Uuid, Option<String>)>, i64) {
    let rows = ::entity::balances::Entity::find().order_by_asc(::entity::balances::Column::Id).all(db).await.unwrap();
    let next = rows.into_iter().map(|row| (row.id, row.next_due_at.map(|at| at.to_utc().to_rfc3339()))).collect();
    (next, sql::number(db, "SELECT COUNT(*) FROM ledger_entries").await)
}

async fn the_server_adds_nothing_to_what_was_granted(test: &Company<400>) {
    let before = times(test.db()).await;
    // As if all subscriptions had just changed: every allowance is considered anew.
    let make_due = "UPDATE balances SET next_due_at = $1";
    sql::rows(test.db(), make_due, [test.app.now().fixed_offset().into()]).await;
    credits::settle_all(&test.app, &Viewer::system("worker")).await.unwrap();
    let after = times(test.db()).await;
    assert_eq!(before.1, after.1);
    for (one, other) in before.0.iter().zip(&after.0) {
        assert_eq!(one, other);
    }
    assert_eq!(before.0.len(), after.0.len());
}

async fn the_product_of_the_company_has_figures_that_make_sense(test: &Company<400>) {
    let today = test.app.now().date_naive();
    let range = format!("from: \"{}\", to: \"{}\"", today - Days::new(89), today + Days::new(1));
    let document = format!(
        "{{ analytics {{
            storedFunnel(code: \"plan\", {range}) {{ peopleCount }}
            experiment(code: \"pricing_page\") {{ decision sizeCheck {{ isMismatched }}
                variants {{ unitCount conversionCount }} }}
            sessions({range}) {{ sessionCount pageViewCount }}
            pageViews({range}) {{ path viewCount }}
            engagement(code: \"product\", {range}) {{ day }}
            errorRates({range}) {{ errorCount affectedUserCount }}
            partners({range}) {{ partnerCode bookingCount }}
        }} errorGroups {{ totalCount }} emailCampaigns {{ nodes {{ sentCount openRate }} }} }}"
    );
    let found = test.admin().data(&document, json!({})).await;
    let figures = &found["analytics"];
    let numbers = |list: &Value, field: &str| -> Vec<i64> {
        list.as_array().unwrap().iter().map(|row| row[field].as_i64().unwrap()).collect()
    };
    let steps = numbers(&figures["storedFunnel"], "peopleCount");
    assert!(steps.is_sorted_by(|one, next| one >= next) && steps[0] > 2 * steps[2] && steps[3] > 0, "{steps:?}");
    let experiment = &figures["experiment"];
    assert_eq!(experiment["sizeCheck"]["isMismatched"], false, "{experiment}");
    assert!(numbers(&experiment["variants"], "unitCount").iter().all(|units| *units > 20), "{experiment}");
    assert!(numbers(&experiment["variants"], "conversionCount").iter().all(|count| *count > 5), "{experiment}");
    assert!(numbers(&figures["sessions"], "sessionCount").iter().sum::<i64>() > 200);
    let paths: BTreeSet<&str> =
        figures["pageViews"].as_array().unwrap().iter().map(|page| page["path"].as_str().unwrap()).collect();
    assert_eq!(paths, BTreeSet::from(["/", "/app", "/features", "/pricing", "/sign-up"]));
    assert!(figures["engagement"].as_array().unwrap().len() > 20);
    assert!(numbers(&figures["errorRates"], "affectedUserCount").iter().any(|users| *users > 0));
    assert_eq!((figures["partners"].as_array().unwrap().len(), &found["errorGroups"]["totalCount"]), (3, &json!(6)));
    let campaigns = found["emailCampaigns"]["nodes"].as_array().unwrap();
    assert!(campaigns.len() == 6 && campaigns.iter().all(|campaign| campaign["openRate"].is_string()));
}
