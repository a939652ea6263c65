//! The ledger and the payments, recomputed in SQL.

use super::*;

#[tokio::test]
async fn the_ledger_adds_up() {
    let Company { db, _directory, .. } = company(&plan(400, 3)).await;
    assert!(number(&db, "SELECT COUNT(*) FROM ledger_entries").await > 1_000);
    let wrong = [
        "SELECT txn_id FROM ledger_entries GROUP BY txn_id, credit_unit_id HAVING SUM(amount) <> 0",
        "SELECT 1 FROM balances b WHERE entry_count <> (SELECT COUNT(*) FROM ledger_entries e \
         WHERE e.account_id = b.account_id AND e.credit_unit_id = b.credit_unit_id) \
         OR entry_count <> (SELECT MAX(seq) FROM ledger_entries e \
         WHERE e.account_id = b.account_id AND e.credit_unit_id = b.credit_unit_id)",
        "SELECT 1 FROM ledger_entries e WHERE NOT EXISTS (SELECT 1 FROM balances b \
         WHERE e.account_id = b.account_id AND e.credit_unit_id = b.credit_unit_id)",
        // The running balance of each bucket.
        "SELECT 1 FROM (SELECT balance_after, SUM(amount) OVER \
         (PARTITION BY account_id, credit_unit_id, bucket ORDER BY seq) AS running FROM ledger_entries) AS chain \
         WHERE balance_after <> running",
        // Order of sequence, of time and of id agree.
        "SELECT 1 FROM (SELECT recorded_at, id, LAG(recorded_at) OVER chain AS before, LAG(id) OVER chain AS below \
         FROM ledger_entries WINDOW chain AS (PARTITION BY account_id, credit_unit_id ORDER BY seq)) AS pairs \
         WHERE before > recorded_at OR (before < recorded_at AND below > id)",
        "SELECT 1 FROM credit_grants g WHERE remaining <> (SELECT SUM(amount) FROM ledger_entries e \
         WHERE e.grant_id = g.id AND bucket = 'available')",
        "SELECT 1 FROM credit_grants g WHERE amount <> -(SELECT SUM(amount) FROM ledger_entries e \
         WHERE e.grant_id = g.id AND bucket = 'issued')",
        "SELECT 1 FROM ledger_entries WHERE grant_id IS NULL",
        "SELECT 1 FROM credit_grants WHERE remaining > 0 AND expires_at <= '2026-11-20T12:34:56.789123+00:00'",
        "SELECT 1 FROM credit_grants WHERE (source = 'purchase') <> (payment_id IS NOT NULL) \
         OR (payment_id IS NOT NULL AND business_key NOT LIKE 'payment:%')",
        "SELECT 1 FROM ledger_txns t JOIN ledger_entries e ON e.txn_id = t.id WHERE t.recorded_at <> e.recorded_at \
         OR t.recorded_at < t.effective_at OR t.account_id <> e.account_id",
    ];
    for sql in wrong {
        nothing(&db, sql).await;
    }
    for bucket in ["available", "held", "spent", "expired", "issued", "revoked", "owed"] {
        let sum = format!(
            "SELECT 1 FROM balances b WHERE {bucket} <> COALESCE((SELECT SUM(amount) FROM ledger_entries e \
             WHERE e.account_id = b.account_id AND e.credit_unit_id = b.credit_unit_id AND bucket = '{bucket}'), 0)"
        );
        nothing(&db, &sum).await;
    }
    for kind in ["grant", "spend", "hold", "capture", "release", "expire", "revoke", "reverse"] {
        let some = format!("SELECT COUNT(*) FROM ledger_txns WHERE kind = '{kind}'");
        assert!(number(&db, &some).await > 0, "{kind}");
    }
    for state in ["open", "captured", "released", "expired"] {
        let some = format!("SELECT COUNT(*) FROM credit_holds WHERE state = '{state}'");
        assert!(number(&db, &some).await > 0, "{state}");
    }
}

#[tokio::test]
async fn holds_hold_what_the_balances_say() {
    let Company { db, _directory, .. } = company(&plan(400, 12)).await;
    for wrong in [
        "SELECT 1 FROM balances b WHERE held <> COALESCE((SELECT SUM(remaining) FROM credit_holds h \
         WHERE h.account_id = b.account_id AND h.credit_unit_id = b.credit_unit_id AND h.state = 'open'), 0)",
        "SELECT 1 FROM credit_holds h WHERE remaining <> COALESCE((SELECT SUM(value->>'amount') \
         FROM json_each(h.parts)), 0)",
        "SELECT 1 FROM credit_holds WHERE state = 'open' AND expires_at <= '2026-11-20T12:34:56.789123+00:00'",
        "SELECT 1 FROM balances b WHERE next_due_at > (SELECT MIN(expires_at) FROM credit_holds h \
         WHERE h.account_id = b.account_id AND h.credit_unit_id = b.credit_unit_id AND h.state = 'open')",
        "SELECT 1 FROM ledger_txns t WHERE kind = 'reverse' AND (SELECT kind FROM ledger_txns u \
         WHERE u.id = t.reverses_id) NOT IN ('spend', 'capture')",
    ] {
        nothing(&db, wrong).await;
    }
}

#[tokio::test]
async fn spent_credits_that_were_refunded_are_owed_until_grants_repay_them() {
    let Company { db, _directory, .. } = company(&plan(6_000, 15)).await;
    assert!(number(&db, "SELECT COUNT(*) FROM balances WHERE owed < 0").await > 0);
    assert!(number(&db, "SELECT COUNT(*) FROM ledger_txns WHERE kind = 'repay'").await > 0);
}

#[tokio::test]
async fn an_allowance_is_granted_once_for_each_period() {
    let Company { db, _directory, .. } = company(&plan(400, 14)).await;
    for wrong in [
        "SELECT 1 FROM credit_grants WHERE (source = 'plan') <> (allowance_id IS NOT NULL) \
         OR (allowance_id IS NULL) <> (subscription_id IS NULL)",
        "SELECT 1 FROM credit_grants GROUP BY business_key HAVING COUNT(*) > 1",
        "SELECT 1 FROM credit_grants g JOIN subscriptions s ON s.id = g.subscription_id \
         WHERE g.account_id <> s.account_id OR g.starts_at < s.started_at OR g.starts_at >= s.ended_at",
        "SELECT 1 FROM credit_grants WHERE starts_at > created_at",
    ] {
        nothing(&db, wrong).await;
    }
    for cadence in ["once", "billing", "month", "day"] {
        let some = format!(
            "SELECT COUNT(*) FROM credit_grants g JOIN credit_allowances a ON a.id = g.allowance_id \
             WHERE a.cadence = '{cadence}'"
        );
        assert!(number(&db, &some).await > 5, "{cadence}");
    }
    for key in ["rollover", "replace"] {
        let some = format!("SELECT COUNT(*) FROM ledger_txns WHERE business_key LIKE '{key}:%'");
        assert!(number(&db, &some).await > 0, "{key}");
    }
}

#[tokio::test]
async fn every_spend_draws_on_the_grant_that_is_next() {
    use ::entity::{credit_grants, ledger_entries};
    let Company { db, _directory, .. } = company(&plan(200, 4)).await;
    let grants = credit_grants::Entity::find().all(&db).await.unwrap();
    let mut grants: std::collections::HashMap<_, _> =
        grants.into_iter().map(|grant| (grant.id, (grant, 0_i64))).collect();
    let entries = ledger_entries::Entity::find()
        .order_by_asc(ledger_entries::Column::AccountId)
        .order_by_asc(ledger_entries::Column::CreditUnitId)
        .order_by_asc(ledger_entries::Column::Seq);
    let entries = entries.all(&db).await.unwrap();
    let mut spends = 0;
    for (entry, other) in entries.iter().zip(entries.iter().skip(1)) {
        if entry.bucket != "available" {
            continue;
        }
        let (drawn, _) = grants[&entry.grant_id.unwrap()].clone();
        if entry.amount < 0 && other.bucket == "spent" {
            spends += 1;
            let order = |grant: &credit_grants::Model| {
                let expiry = (grant.expires_at.is_none(), grant.expires_at);
                (expiry, grant.priority, grant.created_at, grant.id)
            };
            let next = grants.values().filter(|(grant, left)| {
                *left > 0 && grant.account_id == entry.account_id && grant.credit_unit_id == entry.credit_unit_id
            });
            assert_eq!(next.map(|(grant, _)| order(grant)).min().unwrap(), order(&drawn));
            assert!(drawn.expires_at.is_none_or(|end| end > entry.recorded_at), "an expired grant is not spent");
        }
        let left = &mut grants.get_mut(&drawn.id).unwrap().1;
        *left += entry.amount;
        assert!(*left >= 0);
    }
    assert!(spends > 100);
}

#[tokio::test]
async fn the_money_adds_up() {
    let Company { db, _directory, .. } = company(&plan(1_500, 5)).await;
    let wrong = [
        "SELECT 1 FROM payments p WHERE refunded_minor <> COALESCE((SELECT SUM(amount_minor) FROM refunds r \
         WHERE r.payment_id = p.id AND r.status = 'processed'), 0)",
        "SELECT 1 FROM invoices i WHERE paid_minor <> COALESCE((SELECT SUM(amount_minor) FROM payments p \
         WHERE p.invoice_id = i.id AND p.status = 'succeeded'), 0)",
        "SELECT 1 FROM invoices WHERE (status = 'paid') <> (paid_minor = total_minor) OR total_minor < 0",
        "SELECT 1 FROM subscriptions s WHERE COALESCE(first_paid_at, '') <> COALESCE((SELECT MIN(paid_at) \
         FROM payments p WHERE p.subscription_id = s.id AND p.status = 'succeeded' AND amount_minor > 0), '')",
        "SELECT 1 FROM payments p JOIN accounts a ON a.id = p.account_id WHERE p.currency <> a.currency",
        "SELECT 1 FROM refunds r JOIN credit_grants g ON g.payment_id = r.payment_id WHERE r.credits_taken_back <> \
         COALESCE((SELECT SUM(e.amount) FROM ledger_entries e WHERE e.grant_id = g.id AND e.bucket = 'revoked'), 0)",
        "SELECT coupon_id FROM discount_redemptions r JOIN coupons c ON c.id = r.coupon_id GROUP BY coupon_id, \
         max_redemptions HAVING COUNT(*) > max_redemptions",
        "SELECT 1 FROM discount_redemptions r JOIN coupons c ON c.id = r.coupon_id WHERE redeemed_at > redeem_by",
        "SELECT 1 FROM accounts a WHERE (SELECT COUNT(*) FROM account_members m WHERE m.account_id = a.id \
         AND role = 'owner' AND user_id = a.owner_id AND left_at IS NULL) <> 1",
        "SELECT 1 FROM users u WHERE (SELECT COUNT(*) FROM accounts a WHERE a.owner_id = u.id \
         AND kind = 'individual') <> 1",
        "SELECT 1 FROM users WHERE email NOT LIKE '%@example.com' AND email NOT LIKE '%@example.org' \
         AND email NOT LIKE '%@example.net'",
    ];
    for sql in wrong {
        nothing(&db, sql).await;
    }
    for (table, column, values) in [
        ("payments", "status", &["succeeded", "failed", "pending"][..]),
        ("payments", "stream", &["subscription", "addon", "credits", "gift"]),
        ("refunds", "status", &["processed", "denied", "failed"]),
        ("accounts", "kind", &["individual", "couple", "team", "organisation"]),
        ("inbox_events", "state", &["applied", "ignored", "failed", "parked", "received"]),
        ("subscriptions", "status", &["active", "canceled", "trialing", "past_due", "unpaid"]),
        ("subscriptions", "provider", &["stripe", "paddle", "manual"]),
    ] {
        for value in values {
            let some = format!("SELECT COUNT(*) FROM {table} WHERE {column} = '{value}'");
            assert!(number(&db, &some).await > 0, "{table}.{column} = {value}");
        }
    }
}

#[tokio::test]
async fn nothing_happened_after_now() {
    let Company { db, _directory, .. } = company(&plan(200, 6)).await;
    let columns = "SELECT m.name AS t, c.name AS c FROM sqlite_master m, pragma_table_info(m.name) c \
                   WHERE m.type = 'table' AND m.name NOT IN ('schema_migrations', 'scheduled_changes') AND c.name LIKE '%\\_at' ESCAPE '\\' AND c.name NOT IN \
                   ('expires_at', 'ends_at', 'cancel_at', 'next_attempt_at', 'next_billed_at', 'due_at', 'next_due_at', 'resets_at', 'window_ends_at')";
    let backend = db.get_database_backend();
    let rows = db.query_all_raw(Statement::from_string(backend, columns)).await.unwrap();
    assert!(rows.len() > 40);
    for row in rows {
        let (table, column): (String, String) = (row.try_get("", "t").unwrap(), row.try_get("", "c").unwrap());
        nothing(&db, &format!("SELECT 1 FROM {table} WHERE {column} > '2026-11-20T12:34:56.789123+00:00'")).await;
        // UTC, and no finer than a microsecond.
        nothing(&db, &format!("SELECT 1 FROM {table} WHERE {column} NOT LIKE '%+00:00' OR length({column}) > 32"))
            .await;
    }
}
