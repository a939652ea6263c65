//! E-mail campaigns and partners of the host application: they have the figures of their newest reports, in any order, with
//! sums that equal those computed here from the inputs alone.

use crate::revenue_rollups::is_rounded;
use crate::support::{TestApp, both_engines};
use chrono::{DateTime, Days, NaiveDate, SecondsFormat, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tollgate::auth::Permission::{AnalyticsRead, EventsWrite};
use tollgate::subscriptions::Exact;

both_engines!(
    a_campaign_has_the_figures_of_its_newest_report,
    partners_have_the_figures_of_their_newest_reports,
    each_malformed_day_of_a_partner_is_refused_alone,
);

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Returns the outcomes of the parts of a mutation.
fn outcomes(done: &Value) -> Vec<&str> {
    assert_eq!(done["userErrors"], json!([]));
    done["results"].as_array().unwrap().iter().map(|result| result["outcome"].as_str().unwrap()).collect()
}

async fn a_campaign_has_the_figures_of_its_newest_report(test: &TestApp) {
    let record = "mutation($input: RecordEmailCampaignInput!) { recordEmailCampaign(input: $input) {
        emailCampaign { code name sentCount deliveredCount openedCount clickedCount bouncedCount unsubscribedCount
            deliveryRate openRate clickRate unsubscribeRate } userErrors { code field } } }";
    let admin = test.admin();
    let now = test.app.now();
    let report = |hour: i64, opened: i64| {
        json!({"code": "spring", "name": format!("Spring {hour}"), "sentAt": text(now - TimeDelta::days(1)),
            "sentCount": 200, "deliveredCount": 160, "openedCount": opened, "clickedCount": 16, "bouncedCount": 40,
            "unsubscribedCount": 1, "reportedAt": text(now - TimeDelta::hours(hour))})
    };
    let recorded = async |input: Value| admin.data(record, json!({"input": input})).await["recordEmailCampaign"].take();
    recorded(report(3, 40)).await;
    let newest = recorded(report(1, 80)).await;
    let wanted = json!({"code": "spring", "name": "Spring 1", "sentCount": 200, "deliveredCount": 160, "openedCount": 80,
        "clickedCount": 16, "bouncedCount": 40, "unsubscribedCount": 1, "deliveryRate": "0.8", "openRate": "0.5",
        "clickRate": "0.1", "unsubscribeRate": "0.00625"});
    assert_eq!(newest, json!({"emailCampaign": wanted, "userErrors": []}));
    assert_eq!(recorded(report(2, 60)).await, newest, "an older report changes nothing");
    assert_eq!(recorded(report(1, 80)).await, newest);
    let mut none = report(0, 0);
    for count in ["sentCount", "deliveredCount", "clickedCount", "bouncedCount", "unsubscribedCount"] {
        none[count] = json!(0);
    }
    none["code"] = json!("nobody");
    let none = recorded(none).await;
    assert_eq!(
        (&none["emailCampaign"]["deliveryRate"], &none["emailCampaign"]["openRate"]),
        (&Value::Null, &Value::Null)
    );
    let list = "query($from: DateTime, $to: DateTime) { emailCampaigns(filter: {sentAt: {from: $from, to: $to}}) {
        nodes { code } } }";
    let all = admin.data(list, json!({})).await["emailCampaigns"]["nodes"].take();
    assert_eq!(all.as_array().unwrap().len(), 2);
    let later = admin.data(list, json!({"from": text(now)})).await["emailCampaigns"]["nodes"].take();
    assert_eq!(later, json!([]));
    for (change, code, field) in [
        (json!({"code": "No"}), "CODE_INVALID", "code"),
        (json!({"name": ""}), "NAME_INVALID", "name"),
        (json!({"sentCount": -1}), "COUNT_INVALID", "sentCount"),
        (json!({"deliveredCount": 201}), "COUNT_INVALID", "deliveredCount"),
        (json!({"openedCount": -1}), "COUNT_INVALID", "openedCount"),
        (json!({"clickedCount": 201}), "COUNT_INVALID", "clickedCount"),
        (json!({"bouncedCount": 201}), "COUNT_INVALID", "bouncedCount"),
        (json!({"unsubscribedCount": 201}), "COUNT_INVALID", "unsubscribedCount"),
        (json!({"reportedAt": text(now + TimeDelta::minutes(6))}), "REPORTED_AT_INVALID", "reportedAt"),
    ] {
        let mut input = report(0, 1);
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(
            recorded(input).await,
            json!({"emailCampaign": null, "userErrors": [{"code": code, "field": [field]}]})
        );
    }
    let service = test.service(&[EventsWrite]);
    let unseen = service.data(record, json!({"input": report(0, 1)})).await["recordEmailCampaign"].take();
    assert_eq!(unseen, json!({"emailCampaign": null, "userErrors": []}));
    let input = json!({"input": report(0, 1)});
    assert_eq!(test.service(&[AnalyticsRead]).code(record, input).await, "FORBIDDEN");
}

const PARTNERS: &str = "mutation($stats: [PartnerDayInput!]!) { recordPartnerStats(input: {stats: $stats}) {
    results { outcome userErrors { code field message } } userErrors { code field } } }";

async fn partners_have_the_figures_of_their_newest_reports(test: &TestApp) {
    let admin = test.admin();
    let (now, today) = (test.app.now(), test.app.now().date_naive());
    let mut dice = StdRng::seed_from_u64(3);
    // Visits, sales and revenue of the newest report by partner, day and currency.
    let mut newest: BTreeMap<(String, NaiveDate, String), (i64, [i64; 3])> = BTreeMap::new();
    let mut stats = Vec::new();
    for number in 0..400_i64 {
        let partner = format!("partner-{}", dice.random_range(0..5));
        let day = today - Days::new(dice.random_range(0..12));
        let currency = ["EUR", "JPY"][dice.random_range(0..2)].to_owned();
        let figures = [dice.random_range(0..50), dice.random_range(0..9), dice.random_range(-900..9_000)];
        let reported_at = now - TimeDelta::seconds(number);
        stats.push(json!({"partnerCode": partner, "day": day, "currency": currency, "visitCount": figures[0],
            "bookingCount": figures[1], "revenueMinor": figures[2].to_string(), "reportedAt": text(reported_at)}));
        let known = newest.entry((partner, day, currency)).or_insert((number, figures));
        if number < known.0 {
            *known = (number, figures);
        }
    }
    stats.shuffle(&mut dice);
    let mut recorded = 0;
    for batch in stats.chunks(90) {
        let done = admin.data(PARTNERS, json!({"stats": batch})).await["recordPartnerStats"].take();
        let outcomes = outcomes(&done);
        assert!(outcomes.iter().all(|outcome| ["RECORDED", "SUPERSEDED"].contains(outcome)));
        recorded += outcomes.iter().filter(|outcome| **outcome == "RECORDED").count();
    }
    assert!((newest.len()..stats.len()).contains(&recorded), "{recorded} of {}", newest.len());
    let again = admin.data(PARTNERS, json!({"stats": stats})).await["recordPartnerStats"].take();
    assert_eq!(outcomes(&again).iter().filter(|outcome| **outcome == "RECORDED").count(), newest.len());

    let results = "query($from: Date!, $to: Date!, $first: Int!) { analytics {
        partners(from: $from, to: $to, first: $first) {
            partnerCode currency visitCount bookingCount revenue { amount currency } bookingRate } } }";
    for (from, to) in [(today - Days::new(20), today + Days::new(1)), (today - Days::new(6), today - Days::new(2))] {
        let mut sums: BTreeMap<(String, String), [i64; 3]> = BTreeMap::new();
        for ((partner, day, currency), (_, figures)) in &newest {
            if from <= *day && *day < to {
                let sum = sums.entry((currency.clone(), partner.clone())).or_default();
                (0..3).for_each(|place| sum[place] += figures[place]);
            }
        }
        let mut wanted: Vec<_> = sums.into_iter().collect();
        wanted.sort_by_key(|((currency, partner), sum)| (currency.clone(), -sum[2], partner.clone()));
        let found = admin.data(results, json!({"from": from, "to": to, "first": 100})).await;
        let found = found["analytics"]["partners"].as_array().unwrap().clone();
        let rows = found.iter().map(|row| {
            let (visits, bookings) = (row["visitCount"].as_i64().unwrap(), row["bookingCount"].as_i64().unwrap());
            let rate = (visits > 0).then(|| Exact::new(bookings.into(), visits.into()));
            assert!(is_rounded(&row["bookingRate"], rate, 12), "{row}");
            assert_eq!(row["currency"], row["revenue"]["currency"]);
            let word = |name: &str| row[name].as_str().unwrap().to_owned();
            let revenue = row["revenue"]["amount"].as_str().unwrap().parse().unwrap();
            ((word("currency"), word("partnerCode")), [visits, bookings, revenue])
        });
        assert_eq!(rows.collect::<Vec<_>>(), wanted);
        let best = admin.data(results, json!({"from": from, "to": to, "first": 1})).await;
        assert_eq!(best["analytics"]["partners"].as_array().unwrap().len(), 2, "one for each currency");
    }
    let bad = json!({"from": today, "to": today + Days::new(1), "first": 101});
    assert_eq!(admin.code(results, bad).await, "BAD_USER_INPUT");
    assert_eq!(test.service(&[AnalyticsRead]).code(PARTNERS, json!({"stats": []})).await, "FORBIDDEN");
}

async fn each_malformed_day_of_a_partner_is_refused_alone(test: &TestApp) {
    let today = test.app.now().date_naive();
    let good =
        json!({"partnerCode": "hotels", "day": today, "currency": "EUR", "bookingCount": 1, "revenueMinor": "1"});
    let cases = [
        (json!({"partnerCode": "Hotels"}), "CODE_INVALID", "partnerCode"),
        (json!({"day": today + Days::new(2)}), "DAY_INVALID", "day"),
        (json!({"day": today - Days::new(3_701)}), "DAY_INVALID", "day"),
        (json!({"visitCount": -1}), "COUNT_INVALID", "visitCount"),
        (json!({"bookingCount": -1}), "COUNT_INVALID", "bookingCount"),
        (json!({"revenueMinor": "1000000000000001"}), "AMOUNT_INVALID", "revenueMinor"),
        (json!({"revenueMinor": "-1000000000000001"}), "AMOUNT_INVALID", "revenueMinor"),
        (json!({"reportedAt": text(test.app.now() + TimeDelta::minutes(6))}), "REPORTED_AT_INVALID", "reportedAt"),
    ];
    let days = cases.iter().map(|(change, ..)| {
        let mut day = good.clone();
        day.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        day
    });
    let stats: Vec<Value> = days.chain([good.clone()]).collect();
    let service = test.service(&[EventsWrite]);
    let done = service.data(PARTNERS, json!({"stats": stats})).await["recordPartnerStats"].take();
    let results = done["results"].as_array().unwrap();
    for ((change, code, field), result) in cases.iter().zip(results) {
        let error = &result["userErrors"][0];
        assert_eq!((&result["outcome"], &error["code"]), (&json!("REFUSED"), &json!(code)), "{change}");
        assert_eq!(error["field"], json!([field]), "{change}");
    }
    assert_eq!(results[cases.len()]["outcome"], "RECORDED");
    let many = vec![good; 1_001];
    let refused = service.data(PARTNERS, json!({"stats": many})).await["recordPartnerStats"].take();
    assert_eq!(refused, json!({"results": null, "userErrors": [{"code": "TOO_MANY_DAYS", "field": ["stats"]}]}));
}
