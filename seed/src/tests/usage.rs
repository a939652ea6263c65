//! Usage, its counters and its daily sums, recomputed in SQL.

use super::*;

#[tokio::test]
async fn the_sums_of_usage_follow_from_the_events() {
    let Company { db, _directory, .. } = company(&plan(400, 15)).await;
    let stands = "e.corrects_id IS NULL AND NOT EXISTS (SELECT 1 FROM usage_events c WHERE c.corrects_id = e.id)";
    let of_day = "FROM usage_events e WHERE e.account_id = d.account_id AND e.meter_id = d.meter_id \
                  AND substr(e.occurred_at, 1, 10) = d.day \
                  AND COALESCE(e.dimensions->>m.group_by, '') = d.dimension_value";
    let in_window = "FROM usage_events e WHERE e.account_id = k.account_id AND e.meter_id = k.meter_id \
                     AND e.occurred_at >= k.window_start AND (k.resets_at IS NULL OR e.occurred_at < k.resets_at)";
    let wrong = [
        format!(
            "SELECT 1 FROM usage_daily d JOIN meters m ON m.id = d.meter_id \
             WHERE event_count <> (SELECT COUNT(*) {of_day} AND {stands}) \
             OR credits <> (SELECT SUM(e.credits) {of_day}) \
             OR value <> (SELECT CASE m.aggregation WHEN 'max' THEN MAX(e.value) \
             WHEN 'unique' THEN COUNT(DISTINCT e.unique_value) ELSE SUM(e.value) END {of_day})"
        ),
        format!("SELECT 1 FROM usage_counters k WHERE used <> (SELECT SUM(e.value) {in_window}) OR banked <> 0"),
        "SELECT 1 FROM usage_events e WHERE NOT EXISTS (SELECT 1 FROM usage_daily d WHERE e.account_id = d.account_id \
         AND e.meter_id = d.meter_id AND substr(e.occurred_at, 1, 10) = d.day)"
            .to_owned(),
        "SELECT 1 FROM usage_events e LEFT JOIN ledger_txns t ON t.id = e.ledger_txn_id WHERE (e.credits <> 0) <> \
         (t.id IS NOT NULL) OR t.kind <> CASE WHEN e.credits < 0 THEN 'reverse' ELSE 'spend' END"
            .to_owned(),
        "SELECT 1 FROM usage_events e JOIN ledger_entries l ON l.txn_id = e.ledger_txn_id AND l.bucket = 'spent' \
         GROUP BY e.id HAVING SUM(l.amount) <> e.credits"
            .to_owned(),
        "SELECT 1 FROM usage_events e JOIN rate_cards c ON c.id = e.rate_card_id WHERE e.occurred_at < c.starts_at \
         OR e.occurred_at >= c.ends_at OR e.dimensions->>'model' <> c.dimension_value OR abs(e.credits) <> \
         (SELECT (SUM((r.value->>'credits') * (e.dimensions->>(r.value->>'quantity'))) + 999) / 1000 \
         FROM json_each(c.rates) r)"
            .to_owned(),
        "SELECT 1 FROM usage_events e WHERE occurred_at > recorded_at".to_owned(),
    ];
    for sql in &wrong {
        nothing(&db, sql).await;
    }
}

#[tokio::test]
async fn many_kinds_of_usage_occur() {
    let Company { db, _directory, .. } = company(&plan(400, 16)).await;
    for (what, sql) in [
        ("a correction", "SELECT 1 FROM usage_events WHERE corrects_id IS NOT NULL"),
        ("a correction that returned credits", "SELECT 1 FROM usage_events WHERE credits < 0"),
        ("a use beyond a limit", "SELECT 1 FROM usage_counters WHERE used > limit_at_use"),
        ("an override in force", "SELECT 1 FROM entitlement_overrides WHERE revoked_at IS NULL"),
        ("an override that was revoked", "SELECT 1 FROM entitlement_overrides WHERE revoked_at IS NOT NULL"),
        ("a use under an override", "SELECT 1 FROM usage_counters WHERE limit_at_use = 500"),
        ("a month in another time zone", "SELECT 1 FROM usage_counters WHERE window_start LIKE '%T15:00:00%'"),
    ] {
        assert!(number(&db, &format!("SELECT COUNT(*) FROM ({sql}) AS found")).await > 0, "{what} does not occur");
    }
    for meter in ["ai_messages", "projects", "ai_tokens", "exports", "storage_mb", "visitors"] {
        let some =
            format!("SELECT COUNT(*) FROM usage_events e JOIN meters m ON m.id = e.meter_id WHERE m.code = '{meter}'");
        assert!(number(&db, &some).await > 5, "{meter}");
    }
}
