//! Security events: counted by kind, subject and hour, held back in a flood, settled by people.

use crate::support::webhooks::{event, send};
use crate::support::{TestApp, both_engines, sql};
use chrono::TimeDelta;
use entity::security_events;
use serde_json::json;
use tollgate::providers::Provider;
use tollgate::security::{SecurityEventKind, flush, record};

both_engines!(
    occurrences_of_an_hour_are_one_event,
    many_in_an_hour_are_grave,
    a_flood_is_counted_and_written_slowly,
    a_resolution_is_in_the_audit_log_and_a_recurrence_reopens_it,
    events_are_filtered,
);

async fn rows(test: &TestApp) -> Vec<security_events::Model> {
    sql::models(test.app.db.read(), "SELECT * FROM security_events ORDER BY last_at, subject").await
}

async fn suspect(test: &TestApp, suspicion: SecurityEventKind, subject: &str) {
    record(&test.app, suspicion, subject.to_owned(), "stripe: x".to_owned()).await;
}

async fn occurrences_of_an_hour_are_one_event(test: &TestApp) {
    let body = event(Provider::Stripe, "evt_1", "cus_1").to_string();
    let start = test.app.now();
    for _ in 0..3 {
        send(test, Provider::Stripe, None, body.as_bytes()).await;
        test.advance(TimeDelta::minutes(29));
    }
    send(test, Provider::Stripe, Some("t=1,v1=0"), body.as_bytes()).await;
    let found: Vec<_> = rows(test)
        .await
        .into_iter()
        .map(|row| {
            (row.kind, row.severity, row.subject, row.occurrences, (row.first_at - start.fixed_offset()).num_minutes())
        })
        .collect();
    let row = |kind: &str, severity: &str, occurrences, first| {
        (kind.to_owned(), severity.to_owned(), "unknown".to_owned(), occurrences, first)
    };
    assert_eq!(found, [row("webhook_unsigned", "low", 3, 0), row("webhook_forged", "medium", 1, 87)]);
    suspect(test, SecurityEventKind::WebhookUnsigned, "unknown").await;
    assert_eq!(rows(test).await.len(), 3, "another hour");
}

async fn many_in_an_hour_are_grave(test: &TestApp) {
    for (number, severity) in [(1, "low"), (98, "low"), (1, "high"), (50, "high")] {
        for _ in 0..number {
            suspect(test, SecurityEventKind::WebhookUnsigned, "192.0.2.1").await;
        }
        test.advance(TimeDelta::minutes(1));
        flush(&test.app).await;
        assert_eq!(rows(test).await[0].severity, severity);
    }
    assert_eq!(rows(test).await[0].occurrences, 150);
    for _ in 0..200 {
        suspect(test, SecurityEventKind::WebhookForged, "192.0.2.2").await;
    }
    test.advance(TimeDelta::minutes(1));
    flush(&test.app).await;
    assert_eq!(rows(test).await[1].severity, "high");
}

async fn a_flood_is_counted_and_written_slowly(test: &TestApp) {
    const ADDRESSES: usize = 3_000;
    for number in 0..ADDRESSES {
        suspect(test, SecurityEventKind::WebhookForged, &format!("192.0.2.{number}")).await;
    }
    assert_eq!(rows(test).await.len(), 60);
    let before = test.app.db.statements();
    for number in 0..ADDRESSES {
        suspect(test, SecurityEventKind::WebhookForged, &format!("192.0.2.{number}")).await;
    }
    assert_eq!(test.app.db.statements(), before, "the rest costs the database nothing");
    for _ in 0..20 {
        test.advance(TimeDelta::minutes(1));
        flush(&test.app).await;
    }
    let rows = rows(test).await;
    let total: i64 = rows.iter().map(|row| row.occurrences).sum();
    assert_eq!(usize::try_from(total).unwrap(), 2 * ADDRESSES, "and nothing is lost");
    assert!(rows.iter().any(|row| row.subject == "others") && rows.len() <= 1_061, "{}", rows.len());
}

const RESOLVE: &str = "mutation($id: ID!, $resolution: String!) {
    resolveSecurityEvent(input: {securityEventId: $id, resolution: $resolution}) {
        securityEvent { suspicion severity subject occurrences resolvedAt resolvedBy resolution } userErrors { code field } } }";

async fn a_resolution_is_in_the_audit_log_and_a_recurrence_reopens_it(test: &TestApp) {
    suspect(test, SecurityEventKind::WebhookMistimed, "192.0.2.1").await;
    let list = "{ securityEvents { nodes { id detail resolvedAt resolvedBy resolution occurrences } } }";
    let admin = test.admin();
    let id = admin.data(list, json!({})).await["securityEvents"]["nodes"][0]["id"].take();
    let settled = admin.data(RESOLVE, json!({"id": id, "resolution": " our clock was wrong "})).await;
    let event = &settled["resolveSecurityEvent"]["securityEvent"];
    assert_eq!((&event["suspicion"], &event["severity"]), (&json!("WEBHOOK_MISTIMED"), &json!("MEDIUM")));
    assert_eq!((&event["resolution"], &event["occurrences"]), (&json!("our clock was wrong"), &json!(1)));
    assert_eq!(event["resolvedAt"], "2026-01-15T12:00:00Z");
    test.advance(TimeDelta::minutes(1));
    let again = admin.data(RESOLVE, json!({"id": id, "resolution": "something else"})).await;
    assert_eq!(again, settled, "settling it again changes nothing");
    let log = "{ auditLog(filter: {action: \"security_events.resolve\"}) { nodes { entityId after } } }";
    let log = admin.data(log, json!({})).await["auditLog"]["nodes"].take();
    assert_eq!((log.as_array().unwrap().len(), &log[0]["entityId"]), (1, &id));
    assert_eq!(log[0]["after"]["resolution"], "our clock was wrong");

    suspect(test, SecurityEventKind::WebhookMistimed, "192.0.2.1").await;
    let open = admin.data(list, json!({})).await["securityEvents"]["nodes"][0].take();
    assert_eq!(
        open,
        json!({"id": id, "detail": "stripe: x", "resolvedAt": null, "resolvedBy": null,
            "resolution": "our clock was wrong", "occurrences": 2})
    );
}

async fn events_are_filtered(test: &TestApp) {
    let admin = test.admin();
    for (number, suspicion) in
        [SecurityEventKind::WebhookUnsigned, SecurityEventKind::WebhookForged, SecurityEventKind::WebhookMistimed]
            .into_iter()
            .enumerate()
    {
        suspect(test, suspicion, &format!("192.0.2.{number}")).await;
        test.advance(TimeDelta::minutes(10));
    }
    let id = "{ securityEvents(first: 1) { nodes { id } } }";
    let id = admin.data(id, json!({})).await["securityEvents"]["nodes"][0]["id"].take();
    admin.data(RESOLVE, json!({"id": id, "resolution": "x"})).await;
    for (arguments, expected) in [
        ("", &["2", "1", "0"][..]),
        ("orderBy: {field: LAST_AT, direction: ASC}", &["0", "1", "2"]),
        ("filter: {severity: [MEDIUM, HIGH]}", &["2", "1"]),
        ("filter: {severity: [LOW]}", &["0"]),
        ("filter: {suspicion: [WEBHOOK_FORGED, WEBHOOK_UNSIGNED]}", &["1", "0"]),
        ("filter: {resolved: true}", &["2"]),
        ("filter: {resolved: false}", &["1", "0"]),
        ("filter: {lastAt: {from: \"2026-01-15T12:10:00Z\", to: \"2026-01-15T12:20:00Z\"}}", &["1"]),
    ] {
        let document = format!("{{ securityEvents(first: 9, {arguments}) {{ nodes {{ subject }} totalCount }} }}");
        let list = admin.data(&document, json!({})).await["securityEvents"].take();
        let found: Vec<_> = list["nodes"].as_array().unwrap().iter().map(|node| &node["subject"]).collect();
        let expected: Vec<_> = expected.iter().map(|number| json!(format!("192.0.2.{number}"))).collect();
        assert_eq!((found, &list["totalCount"]), (expected.iter().collect(), &json!(expected.len())), "{arguments}");
    }
}
