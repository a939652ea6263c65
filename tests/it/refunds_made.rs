//! Refunds that are requested, decided and processed here.

use crate::interruptions::REPEATED;
use crate::support::refunds::{APPROVE, DENY, REQUEST, all, approved, bought, credits, requested, tell_all_again};
use crate::support::{Shop, both_engines, local_id};
use chrono::TimeDelta;
use futures_util::future::join_all;
use sandbox::Fault;
use serde_json::{Value, json};
use tollgate::auth::Permission;

both_engines!(
    a_refund_is_asked_for_approved_and_carried_out,
    requesting_and_deciding_need_their_own_rights,
    a_refund_that_is_not_possible_is_refused,
    a_denied_refund_leaves_the_money_to_others,
    the_same_again_is_done_once,
    of_many_requests_at_once_no_more_than_was_paid_is_granted,
    many_who_approve_send_one_refund,
    a_refund_that_stripe_refuses_has_failed,
    a_refund_is_carried_out_after_stripe_was_away,
    a_refund_that_was_done_unheard_is_told_by_its_webhook,
    a_refund_whose_error_stripe_repeats_is_not_made_again,
    one_made_at_stripe_is_not_taken_for_a_request,
    credits_go_back_in_proportion_and_come_again,
    a_refund_that_names_its_charge_alone_finds_the_payment,
);

/// An error of Stripe's that nothing was done for, and that may pass.
const BUSY: Fault = Fault::Answer { status: 503, should_retry: Some(false), acted: false, saved: false };

fn codes(payload: &Value) -> Vec<&str> {
    payload["userErrors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect()
}

async fn code(shop: &Shop, query: &str, input: Value) -> String {
    let answer = shop.ask(&shop.test.admin(), query, input).await;
    codes(&answer).join(" ")
}

async fn a_refund_is_asked_for_approved_and_carried_out(shop: &Shop) {
    let (payment, intent) = bought(shop, "ann").await;
    let ann = shop.test.user("ann");
    let input = json!({"paymentId": payment, "amount": "400", "reason": "not for me", "idempotencyKey": "k"});
    let asked = shop.ask(&ann, REQUEST, input).await;
    assert_eq!((&asked["refund"]["processingStatus"], codes(&asked).len()), (&json!("REQUESTED"), 0));
    assert_eq!(shop.count("refund"), 0, "nothing is sent before it is approved");
    let refund = asked["refund"]["id"].as_str().unwrap();
    let partly = json!({"refundId": refund, "amount": "300", "idempotencyKey": "k"});
    let done = shop.ask(&shop.test.admin(), APPROVE, partly).await;
    let made = &shop.stripe.objects("refund")[0];
    assert_eq!(
        done["refund"],
        json!({"id": refund, "processingStatus": "PROCESSED", "amount": {"amount": "300"},
            "requestedAmount": {"amount": "400"}, "providerRefundId": made["id"], "failureCode": null})
    );
    assert_eq!((&made["payment_intent"], &made["amount"]), (&json!(intent), &json!(300)));
    let (_, id) = local_id(refund);
    assert_eq!(made["metadata"]["tollgate_refund"], json!(id));
    assert_eq!(credits(shop, "ann").await, "70", "the answer alone took the credits back");
    let before = all(shop).await;
    shop.deliver().await;
    tell_all_again(shop).await;
    assert_eq!(all(shop).await, before, "the webhooks say the same, also when they come twice");
    assert_eq!(before, [(refund.to_owned(), "processed".to_owned(), 300, 30)]);
    let query = "query($id: ID!) { payment(id: $id) { refunded { amount } refunds { nodes { id reason requestedBy
        creditsTakenBack } } } auditLog { nodes { action } } }";
    let told = shop.test.admin().data(query, json!({"id": payment})).await;
    assert_eq!(told["payment"]["refunded"]["amount"], "300");
    let told_refund = &told["payment"]["refunds"]["nodes"][0];
    assert_eq!((&told_refund["reason"], &told_refund["creditsTakenBack"]), (&json!("not for me"), &json!("30")));
    let actions = told["auditLog"]["nodes"].to_string();
    assert!(["refunds.request", "refunds.approve", "refunds.create"].iter().all(|action| actions.contains(action)));
}

async fn requesting_and_deciding_need_their_own_rights(shop: &Shop) {
    let (payment, _) = bought(shop, "ann").await;
    let input = json!({"paymentId": payment, "idempotencyKey": "k"});
    let eve = shop.test.user("eve");
    assert_eq!(codes(&shop.ask(&eve, REQUEST, input.clone()).await), ["PAYMENT_NOT_FOUND"]);
    let asked = json!({"input": input});
    assert_eq!(shop.test.service(&[]).code(REQUEST, asked.clone()).await, "FORBIDDEN");
    assert_eq!(shop.test.anonymous().code(REQUEST, asked).await, "UNAUTHENTICATED");
    let back_office = shop.test.service(&[Permission::BillingWrite]);
    let refund = requested(shop, &back_office, &payment, Some(1)).await;
    for query in [APPROVE, DENY] {
        let input = json!({"input": {"refundId": refund, "idempotencyKey": "k"}});
        assert_eq!(shop.test.user("ann").code(query, input).await, "FORBIDDEN");
    }
    assert_eq!(all(shop).await[0].1, "requested");
}

async fn a_refund_that_is_not_possible_is_refused(shop: &Shop) {
    let (payment, _) = bought(shop, "ann").await;
    let ask = |amount: Value, key: &str| json!({"paymentId": payment, "amount": amount, "idempotencyKey": key});
    assert_eq!(code(shop, REQUEST, ask(json!("1001"), "a")).await, "AMOUNT_TOO_LARGE");
    assert_eq!(code(shop, REQUEST, ask(json!("0"), "b")).await, "AMOUNT_INVALID");
    assert_eq!(code(shop, REQUEST, ask(json!("-5"), "c")).await, "AMOUNT_INVALID");
    let long = json!({"paymentId": payment, "reason": "x".repeat(501), "idempotencyKey": "d"});
    assert_eq!(code(shop, REQUEST, long).await, "REASON_INVALID");
    let refund = requested(shop, &shop.test.admin(), &payment, Some(1_000)).await;
    assert_eq!(code(shop, REQUEST, ask(Value::Null, "e")).await, "NOTHING_LEFT");
    let more = json!({"refundId": refund, "amount": "1001", "idempotencyKey": "f"});
    assert_eq!(code(shop, APPROVE, more).await, "AMOUNT_TOO_LARGE");
    approved(shop, &refund).await;
    for query in [APPROVE, DENY] {
        let again = json!({"refundId": refund, "idempotencyKey": format!("{} again", query.len())});
        assert_eq!(code(shop, query, again).await, "REFUND_DECIDED");
    }
    shop.deliver().await;
}

async fn a_denied_refund_leaves_the_money_to_others(shop: &Shop) {
    let (payment, _) = bought(shop, "ann").await;
    let refund = requested(shop, &shop.test.user("ann"), &payment, None).await;
    let input = json!({"refundId": refund, "reason": "used up", "idempotencyKey": "k"});
    let denied = shop.ask(&shop.test.admin(), DENY, input.clone()).await;
    assert_eq!(
        (&denied["refund"]["processingStatus"], &denied["refund"]["denialReason"]),
        (&json!("DENIED"), &json!("used up"))
    );
    assert_eq!(shop.ask(&shop.test.admin(), DENY, input).await, denied);
    requested(shop, &shop.test.user("ann"), &payment, Some(1_000)).await;
    assert_eq!(shop.count("refund"), 0);
}

async fn the_same_again_is_done_once(shop: &Shop) {
    let (payment, _) = bought(shop, "ann").await;
    let (ann, admin) = (shop.test.user("ann"), shop.test.admin());
    let input = json!({"paymentId": payment, "amount": "100", "idempotencyKey": "k"});
    let first = shop.ask(&ann, REQUEST, input.clone()).await;
    assert_eq!(shop.ask(&ann, REQUEST, input).await, first);
    let other = json!({"input": {"paymentId": payment, "amount": "200", "idempotencyKey": "k"}});
    assert_eq!(ann.code(REQUEST, other).await, "IDEMPOTENCY_KEY_REUSED");
    let input = json!({"refundId": first["refund"]["id"], "idempotencyKey": "k"});
    let done = shop.ask(&admin, APPROVE, input.clone()).await;
    assert_eq!(shop.ask(&admin, APPROVE, input).await, done);
    let other = json!({"input": {"refundId": first["refund"]["id"], "amount": "1", "idempotencyKey": "k"}});
    assert_eq!(admin.code(APPROVE, other).await, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(shop.count("refund"), 1);
    shop.deliver().await;
}

async fn of_many_requests_at_once_no_more_than_was_paid_is_granted(shop: &Shop) {
    let (payment, _) = bought(shop, "ann").await;
    let ann = shop.test.user("ann");
    let ask = async |number: i64| {
        let amount = 30 + number % 7;
        let input = json!({"paymentId": payment, "amount": amount, "idempotencyKey": format!("k{number}")});
        shop.ask(&ann, REQUEST, input).await
    };
    let asked = join_all((0..64).map(ask)).await;
    let sum: i64 = all(shop).await.iter().map(|(_, _, amount, _)| amount).sum();
    assert!((1_000 - 36..=1_000).contains(&sum), "{sum}");
    for refused in asked.iter().filter(|answer| answer["refund"].is_null()) {
        assert!(["AMOUNT_TOO_LARGE", "NOTHING_LEFT"].contains(&codes(refused)[0]));
    }
}

async fn many_who_approve_send_one_refund(shop: &Shop) {
    let (payment, _) = bought(shop, "ann").await;
    let refund = requested(shop, &shop.test.user("ann"), &payment, Some(600)).await;
    let admin = shop.test.admin();
    let approve = async |number: i64| {
        let input = json!({"refundId": refund, "idempotencyKey": format!("k{number}")});
        shop.ask(&admin, APPROVE, input).await
    };
    let answers = join_all((0..64).map(approve)).await;
    let granted = answers.iter().filter(|answer| !answer["refund"].is_null()).count();
    assert_eq!((granted, shop.count("refund")), (1, 1));
    assert!(answers.iter().all(|answer| !answer["refund"].is_null() || codes(answer) == ["REFUND_DECIDED"]));
    shop.deliver().await;
    assert_eq!(all(shop).await, [(refund, "processed".to_owned(), 600, 60)]);
}

async fn a_refund_that_stripe_refuses_has_failed(shop: &Shop) {
    let (payment, intent) = bought(shop, "ann").await;
    let charge = shop.stripe.object(&intent).unwrap()["latest_charge"].as_str().unwrap().to_owned();
    let refund = requested(shop, &shop.test.user("ann"), &payment, None).await;
    let mut disputed = shop.stripe.object(&charge).unwrap();
    disputed["disputed"] = json!(true);
    shop.stripe.put(disputed);
    let input = json!({"refundId": refund, "idempotencyKey": "k"});
    assert_eq!(code(shop, APPROVE, input.clone()).await, "PROVIDER_REFUSED");
    assert_eq!(code(shop, APPROVE, input).await, "PROVIDER_REFUSED", "and the same again");
    let query = "{ refunds { nodes { processingStatus failureCode decidedBy } } }";
    let told = shop.test.user("ann").data(query, json!({})).await["refunds"]["nodes"][0].take();
    assert_eq!((&told["processingStatus"], &told["failureCode"]), (&json!("FAILED"), &json!("charge_disputed")));
    shop.deliver().await;
    requested(shop, &shop.test.user("ann"), &payment, None).await;
    assert_eq!(all(shop).await.len(), 2, "what failed stands in nobody's way");
}

async fn a_refund_is_carried_out_after_stripe_was_away(shop: &Shop) {
    let (payment, _) = bought(shop, "ann").await;
    let refund = requested(shop, &shop.test.user("ann"), &payment, None).await;
    shop.stripe.fail_among(100, 1, &[BUSY]);
    let input = json!({"input": {"refundId": refund, "idempotencyKey": "k"}});
    let reply = shop.test.admin().post(APPROVE, input).await.json();
    assert_eq!(reply["errors"][0]["extensions"]["code"], "PROVIDER_UNAVAILABLE");
    assert_eq!(all(shop).await[0].1, "approved");
    assert_eq!(code(shop, REQUEST, json!({"paymentId": payment, "idempotencyKey": "more"})).await, "NOTHING_LEFT");
    shop.stripe.fail_among(0, 1, &[]);
    shop.advance(TimeDelta::minutes(5)).await;
    assert_eq!(all(shop).await, [(refund, "processed".to_owned(), 1_000, 100)]);
    assert_eq!(shop.count("refund"), 1);
    shop.deliver().await;
}

async fn a_refund_that_was_done_unheard_is_told_by_its_webhook(shop: &Shop) {
    let (payment, _) = bought(shop, "ann").await;
    let refund = requested(shop, &shop.test.user("ann"), &payment, Some(500)).await;
    let unheard = Fault::Answer { status: 500, should_retry: Some(false), acted: true, saved: false };
    shop.stripe.fail_next(unheard);
    let input = json!({"input": {"refundId": refund, "idempotencyKey": "k"}});
    assert_eq!(shop.test.admin().code(APPROVE, input.clone()).await, "PROVIDER_UNAVAILABLE");
    shop.deliver().await;
    let done = vec![(refund.clone(), "processed".to_owned(), 500, 50)];
    assert_eq!(all(shop).await, done);
    shop.advance(TimeDelta::minutes(5)).await;
    let answer = shop.test.admin().data(APPROVE, input).await;
    assert_eq!(answer["approveRefund"]["refund"]["processingStatus"], "PROCESSED");
    assert_eq!((all(shop).await, shop.count("refund")), (done, 1));
}

async fn a_refund_whose_error_stripe_repeats_is_not_made_again(shop: &Shop) {
    let (payment, _) = bought(shop, "ann").await;
    let refund = requested(shop, &shop.test.user("ann"), &payment, Some(500)).await;
    shop.stripe.fail_next(REPEATED);
    let input = json!({"input": {"refundId": refund, "idempotencyKey": "k"}});
    assert_eq!(shop.test.admin().code(APPROVE, input.clone()).await, "PROVIDER_UNAVAILABLE");
    shop.advance(TimeDelta::minutes(5)).await;
    assert_eq!(shop.test.admin().code(APPROVE, input).await, "UNRESOLVED");
    shop.deliver().await;
    assert_eq!(all(shop).await, [(refund, "processed".to_owned(), 500, 50)]);
    assert_eq!(shop.count("refund"), 1);
}

async fn one_made_at_stripe_is_not_taken_for_a_request(shop: &Shop) {
    let (payment, intent) = bought(shop, "ann").await;
    let refund = requested(shop, &shop.test.user("ann"), &payment, Some(400)).await;
    let charge = shop.stripe.object(&intent).unwrap()["latest_charge"].clone();
    let by_hand = json!({"id": "re_by_hand", "object": "refund", "amount": 400, "charge": charge, "currency": "usd",
        "created": shop.test.app.now().timestamp(), "payment_intent": intent, "status": "succeeded", "metadata": {}});
    shop.stripe.put(by_hand);
    let mut given_back = shop.stripe.object(charge.as_str().unwrap()).unwrap();
    given_back["amount_refunded"] = json!(400);
    shop.stripe.put(given_back);
    shop.deliver().await;
    let rows = all(shop).await;
    assert_eq!((rows[0].1.as_str(), rows[1].1.as_str(), rows.len()), ("requested", "processed", 2));
    let more = json!({"paymentId": payment, "amount": "201", "idempotencyKey": "k"});
    assert_eq!(code(shop, REQUEST, more).await, "AMOUNT_TOO_LARGE", "400 are gone and 400 asked for");
    approved(shop, &refund).await;
    shop.deliver().await;
    assert_eq!(all(shop).await.iter().map(|row| row.3).collect::<Vec<_>>(), [40, 40]);
}

async fn credits_go_back_in_proportion_and_come_again(shop: &Shop) {
    let (payment, _) = bought(shop, "ann").await;
    let admin = shop.test.admin();
    let mut refunds = Vec::new();
    for amount in [333, 333, 334] {
        let refund = requested(shop, &admin, &payment, Some(amount)).await;
        approved(shop, &refund).await;
        shop.deliver().await;
        shop.advance(TimeDelta::seconds(1)).await;
        refunds.push(refund);
    }
    let taken = async || all(shop).await.iter().map(|row| row.3).collect::<Vec<_>>();
    assert_eq!((taken().await, credits(shop, "ann").await.as_str()), (vec![34, 33, 33], "0"));
    let made = shop.stripe.objects("refund");
    shop.stripe.fail_refund(made[0]["id"].as_str().unwrap()).unwrap();
    shop.deliver().await;
    assert_eq!((taken().await, credits(shop, "ann").await.as_str()), (vec![0, 34, 33], "33"));
    let query = "{ refunds(orderBy: {field: CREATED_AT, direction: ASC}) { nodes { processingStatus failureCode } } }";
    let failed = admin.data(query, json!({})).await["refunds"]["nodes"][0].take();
    assert_eq!(failed, json!({"processingStatus": "FAILED", "failureCode": "lost_or_stolen_card"}));
    requested(shop, &admin, &payment, Some(333)).await;
}

async fn a_refund_that_names_its_charge_alone_finds_the_payment(shop: &Shop) {
    let (payment, intent) = bought(shop, "ann").await;
    let charge = shop.stripe.object(&intent).unwrap()["latest_charge"].clone();
    let refund = json!({"id": "re_old", "object": "refund", "amount": 100, "charge": charge, "currency": "usd",
        "created": shop.test.app.now().timestamp(), "status": "succeeded", "metadata": {}});
    shop.stripe.put(refund);
    let unseen = json!({"id": "re_early", "object": "refund", "amount": 50, "charge": "ch_late", "currency": "usd",
        "created": shop.test.app.now().timestamp(), "status": "succeeded", "metadata": {}});
    shop.stripe.put(unseen);
    shop.deliver().await;
    assert_eq!(all(shop).await.len(), 1, "nothing links the other refund to the payment yet");
    let mut late = shop.stripe.object(charge.as_str().unwrap()).unwrap();
    late["id"] = json!("ch_late");
    shop.stripe.put(late);
    shop.deliver().await;
    let query = "query($id: ID!) { payment(id: $id) { refunds { nodes { providerRefundId } } } inbox { waiting } }";
    let told = shop.test.admin().data(query, json!({"id": payment})).await;
    assert_eq!(told["payment"]["refunds"]["nodes"].as_array().unwrap().len(), 2);
    assert_eq!(told["inbox"]["waiting"], json!(0));
}
