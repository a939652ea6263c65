//! What the recorded lives do not have: money that goes both ways, several things at once, and gaps.

use super::{
    customer, invoice, is_terminal, kind, licences, payment, price, purchase, state, subscription, ties, user,
};
use crate::inbox::json::{instant, text};
use crate::inbox::object::{Object, Ties};
use serde_json::{Value, json};

fn object(kind: &str, payload: Value) -> Object {
    Object {
        kind: kind.to_owned(),
        external_id: text(&payload, "id").unwrap().to_owned(),
        api_version: None,
        deleted: false,
        occurred_at: "2026-03-01T00:00:00Z".parse().unwrap(),
        ties: ties(kind, &payload),
        payload,
    }
}

/// A completed transaction of lines: the product's id, its custom data, the quantity and what one costs.
fn transaction(lines: &[(&str, Value, i64, i64)]) -> Object {
    let total: i64 = lines.iter().map(|(_, _, quantity, unit)| quantity * unit).sum();
    let items = lines.iter().map(|(product, own, quantity, _)| {
        let price = json!({"id": format!("pri_{product}"), "product_id": product, "custom_data": own});
        json!({"price": price, "quantity": quantity})
    });
    let details = lines.iter().map(|(product, _, quantity, unit)| {
        json!({
            "id": format!("line_{product}"), "price_id": format!("pri_{product}"), "quantity": quantity,
            "totals": {"total": (quantity * unit).to_string()}, "unit_totals": {"total": unit.to_string()},
            "product": {"id": product, "name": product.to_uppercase(), "custom_data": null},
        })
    });
    let amount = total.to_string();
    object(
        "transaction",
        json!({
            "id": "txn_1", "status": "completed", "customer_id": "ctm_1", "currency_code": "USD",
            "items": items.collect::<Vec<_>>(),
            "details": {
                "totals": {"subtotal": amount, "discount": "0", "tax": "0", "total": amount, "grand_total": amount},
                "line_items": details.collect::<Vec<_>>(),
            },
            "payments": [{"payment_attempt_id": "att_1", "status": "captured", "amount": amount,
                "captured_at": "2026-02-01T00:00:00Z", "created_at": "2026-02-01T00:00:00Z"}],
            "billed_at": "2026-02-01T00:00:00Z", "created_at": "2026-01-31T00:00:00Z",
        }),
    )
}

/// An adjustment of the lines of these products by these amounts.
fn adjustment(id: &str, action: &str, status: &str, lines: &[(&str, i64)]) -> Object {
    let total: i64 = lines.iter().map(|(_, amount)| amount).sum();
    let items = lines.iter().map(|(product, amount)| {
        let amount = amount.to_string();
        json!({"item_id": format!("line_{product}"), "type": "partial", "amount": amount, "totals": {"total": amount}})
    });
    object(
        "adjustment",
        json!({
            "id": id, "action": action, "status": status, "type": "partial", "transaction_id": "txn_1",
            "items": items.collect::<Vec<_>>(), "totals": {"total": total.to_string()},
            "created_at": format!("2026-02-0{}T00:00:00Z", id.len() % 9 + 1), "updated_at": "2026-02-20T00:00:00Z",
        }),
    )
}

fn licence() -> Value {
    json!({"kind": "license"})
}

/// What is refunded, the statuses of refunds and disputes, and the licences that are left.
fn outcome(sold: &Object, adjustments: &[Object]) -> (i64, Vec<&'static str>, Vec<&'static str>, Vec<i64>) {
    let adjustments: Vec<_> = adjustments.iter().collect();
    let paid = payment(sold, &adjustments).unwrap();
    let left = licences(sold, &adjustments).into_iter().map(|sold| sold.units - sold.revoked_units);
    let refunds = paid.refunds.iter().map(|refund| refund.status).collect();
    (paid.refunded_minor, refunds, paid.disputes.iter().map(|dispute| dispute.status).collect(), left.collect())
}

#[test]
fn refunds_take_back_what_is_approved() {
    let sold = transaction(&[("pro_a", licence(), 3, 4_900)]);
    let refund = |id: &str, status: &str, amount| adjustment(id, "refund", status, &[("pro_a", amount)]);
    let reverse = |amount| adjustment("adj_reverse", "refund_reverse", "approved", &[("pro_a", amount)]);
    for (adjustments, expected) in [
        (vec![], (0, vec![], vec![3])),
        (vec![refund("a", "pending_approval", 4_900)], (0, vec!["requested"], vec![3])),
        (vec![refund("a", "rejected", 4_900)], (0, vec!["denied"], vec![3])),
        (vec![refund("a", "approved", 4_899)], (4_899, vec!["processed"], vec![3])),
        (vec![refund("a", "approved", 4_899), refund("bb", "approved", 1)], (4_900, vec!["processed"; 2], vec![2])),
        (vec![refund("a", "approved", 9_801)], (9_801, vec!["processed"], vec![1])),
        (vec![refund("a", "approved", 14_700)], (14_700, vec!["processed"], vec![0])),
        (vec![refund("a", "approved", 99_999)], (14_700, vec!["processed"], vec![0])),
        (vec![refund("a", "reversed", 4_900)], (0, vec!["failed"], vec![3])),
        (vec![refund("a", "approved", 4_900), reverse(4_900)], (0, vec!["failed"], vec![3])),
        // The same reversal told twice, beside another refund that stands.
        (
            vec![refund("a", "reversed", 4_900), refund("bb", "approved", 4_900), reverse(4_900)],
            (4_900, vec!["failed", "processed"], vec![2]),
        ),
        (vec![refund("a", "approved", 9_800), reverse(-4_900)], (4_900, vec!["processed"], vec![2])),
        (vec![refund("a", "approved", -4_900)], (0, vec![], vec![3])),
        (vec![refund("a", "some new status", 4_900)], (0, vec![], vec![3])),
    ] {
        let (refunded, refunds, disputes, left) = outcome(&sold, &adjustments);
        assert_eq!(((refunded, refunds, left), disputes.len()), (expected, 0), "{adjustments:?}");
    }
}

#[test]
fn a_chargeback_is_lost_until_it_is_reversed() {
    let sold = transaction(&[("pro_a", licence(), 1, 4_900)]);
    let of = |id: &str, action: &str, status: &str| adjustment(id, action, status, &[("pro_a", 4_900)]);
    let reversal = of("adj_reverse", "chargeback_reverse", "approved");
    for (adjustments, disputes, left) in [
        (vec![of("a", "chargeback_warning", "approved")], vec!["warning"], 1),
        (
            vec![of("a", "chargeback_warning", "approved"), of("bb", "chargeback_warning_reverse", "approved")],
            vec!["won"],
            1,
        ),
        (
            vec![of("a", "chargeback_warning", "approved"), of("bb", "chargeback", "approved")],
            vec!["warning", "lost"],
            0,
        ),
        (vec![of("a", "chargeback", "pending_approval")], vec!["under_review"], 1),
        (vec![of("a", "chargeback", "approved"), reversal.clone()], vec!["won"], 1),
        (vec![of("a", "chargeback", "reversed"), reversal.clone()], vec!["won"], 1),
        (vec![of("a", "chargeback", "reversed")], vec!["won"], 1),
        (vec![of("a", "chargeback", "rejected"), reversal.clone()], vec!["won"], 1),
        // A second one after the first was won.
        (
            vec![of("a", "chargeback", "approved"), reversal.clone(), of("cc", "chargeback", "approved")],
            vec!["won", "lost"],
            0,
        ),
    ] {
        let told = outcome(&sold, &adjustments);
        assert_eq!(told, (0, vec![], disputes, vec![left]), "{adjustments:?}");
        assert!(payment(&sold, &adjustments.iter().collect::<Vec<_>>()).unwrap().disputed);
    }
    let (lost, won) = (of("a", "chargeback", "approved"), reversal);
    let closed = |adjustments: &[&Object]| payment(&sold, adjustments).unwrap().disputes[0].closed_at;
    assert_eq!(closed(&[&lost]), instant(&lost.payload["updated_at"]));
    assert_eq!(closed(&[&won, &lost]), instant(&won.payload["created_at"]));
}

#[test]
fn several_products_of_one_transaction_are_kept_apart() {
    let pack = json!({"kind": "credit_pack", "credits": 100, "credit_unit": "token"});
    let sold = transaction(&[("pro_a", licence(), 3, 1_000), ("pro_b", licence(), 2, 500), ("pro_c", pack, 4, 250)]);
    let refund = adjustment("a", "refund", "approved", &[("pro_a", 1_999), ("pro_b", 1_000), ("pro_c", 300)]);
    let told =
        licences(&sold, &[&refund]).into_iter().map(|all| (all.product_external_id, all.units, all.revoked_units));
    assert_eq!(told.collect::<Vec<_>>(), [("pro_a".to_owned(), 3, 1), ("pro_b".to_owned(), 2, 2)]);
    let bought = purchase(&sold, &[&refund], "credit").unwrap();
    assert_eq!((bought.business_key.as_str(), bought.unit.as_str(), bought.credits), ("paddle:txn_1", "token", 400));
    assert_eq!((bought.amount_minor, bought.returned_minor, bought.payment_id), (1_000, 300, None));
    let paid = payment(&sold, &[&refund]).unwrap();
    assert_eq!((paid.stream, paid.description.as_deref()), ("other", Some("PRO_A, PRO_B, PRO_C")));
    assert_eq!((paid.amount_minor, paid.refunded_minor), (5_000, 3_299));

    let mut unpaid = sold;
    unpaid.payload["status"] = json!("billed");
    assert_eq!((licences(&unpaid, &[]).len(), purchase(&unpaid, &[], "credit")), (0, None));
}

#[test]
fn credits_go_back_with_the_money_and_come_again() {
    let sold = transaction(&[("pro_c", json!({"credits": "1000"}), 2, 2_000)]);
    let of = |id: &str, action: &str| adjustment(id, action, "approved", &[("pro_c", 4_000)]);
    let (lost, won) = (of("a", "chargeback"), of("bb", "chargeback_reverse"));
    let returned = |adjustments: &[&Object]| purchase(&sold, adjustments, "credit").unwrap().returned_minor;
    assert_eq!((returned(&[]), returned(&[&lost]), returned(&[&lost, &won])), (0, 4_000, 0));
    assert_eq!(purchase(&sold, &[], "credit").unwrap().credits, 2_000);
    assert_eq!(payment(&sold, &[]).unwrap().stream, "credits");
    let allowance = transaction(&[("pro_p", json!({"kind": "plan", "plan": "pro", "credits": 50}), 1, 900)]);
    assert_eq!(purchase(&allowance, &[], "credit"), None);
    let endless = transaction(&[("pro_c", json!({"credits": i64::MAX}), 2, 1)]);
    assert_eq!(purchase(&endless, &[], "credit"), None);
}

#[test]
fn tax_paid_back_alone_takes_no_licence_away() {
    let sold = transaction(&[("pro_a", licence(), 10, 120)]);
    let mut refund = adjustment("a", "refund", "approved", &[("pro_a", 200)]);
    refund.payload["items"][0]["type"] = json!("tax");
    assert_eq!(outcome(&sold, &[refund]), (200, vec!["processed"], vec![], vec![10]));
}

#[test]
fn a_unit_whose_price_is_rounded_is_refunded_as_one() {
    let mut sold = transaction(&[("pro_a", licence(), 3, 3_333)]);
    sold.payload["details"]["line_items"][0]["totals"]["total"] = json!("10000");
    let left = |amount| {
        let refund = adjustment("a", "refund", "approved", &[("pro_a", amount)]);
        outcome(&sold, &[refund]).3[0]
    };
    assert_eq!((left(3_332), left(3_333), left(6_666), left(10_000)), (3, 2, 1, 0));
    sold.payload["details"]["line_items"][0]["unit_totals"]["total"] = json!("3334");
    let full = adjustment("a", "refund", "approved", &[("pro_a", 10_000)]);
    assert_eq!(outcome(&sold, &[full]).3, [0]);
}

#[test]
fn an_adjustment_without_items_is_of_all_there_is() {
    let one = transaction(&[("pro_a", licence(), 2, 100)]);
    let two = transaction(&[("pro_a", licence(), 2, 100), ("pro_b", licence(), 1, 100)]);
    let mut refund = adjustment("a", "refund", "approved", &[("pro_a", 100)]);
    refund.payload["items"] = json!([]);
    assert_eq!(outcome(&one, &[refund.clone()]).3, [1]);
    assert_eq!(outcome(&two, &[refund.clone()]).3, [2, 1]);
    refund.payload["type"] = json!("full");
    assert_eq!(outcome(&two, &[refund]).3, [0, 0]);
}

#[test]
fn a_payment_exists_once_money_is_asked_for() {
    let with = |changes: Value| {
        let mut sold = transaction(&[("pro_a", json!({"kind": "addon"}), 1, 900)]);
        for (pointer, value) in changes.as_object().unwrap() {
            *sold.payload.pointer_mut(pointer).unwrap() = value.clone();
        }
        (payment(&sold, &[]).map(|paid| (paid.status, paid.stream)), invoice(&sold).map(|invoice| invoice.status))
    };
    let attempt = |status: &str| json!([{"status": status, "error_code": "declined"}]);
    let untried = json!({"/status": "ready", "/billed_at": null, "/payments": []});
    assert_eq!(with(untried), (None, Some("open")));
    assert_eq!(with(json!({"/status": "draft", "/billed_at": null, "/payments": []})), (None, Some("draft")));
    assert_eq!(with(json!({"/status": "canceled", "/billed_at": null, "/payments": []})), (None, Some("void")));
    assert_eq!(with(json!({"/status": "canceled"})), (Some(("canceled", "addon")), Some("void")));
    assert_eq!(with(json!({"/status": "billed", "/payments": []})), (Some(("pending", "addon")), Some("open")));
    let tried = |status| json!({"/status": "ready", "/billed_at": null, "/payments": attempt(status)});
    assert_eq!(with(tried("error")), (Some(("failed", "addon")), Some("open")));
    assert_eq!(with(tried("action_required")), (Some(("pending", "addon")), Some("open")));
    assert_eq!(with(json!({"/status": "abandoned"})), (None, None));
    assert_eq!(with(json!({"/details/totals/grand_total": "0"})), (None, Some("paid")));
    assert_eq!(with(json!({"/details/totals/total": null, "/details/totals/grand_total": "x"})), (None, None));
    assert_eq!(with(json!({"/currency_code": "dollars"})), (None, None));
}

#[test]
fn what_a_balance_paid_is_on_the_invoice_and_no_payment() {
    let mut sold = transaction(&[("pro_a", licence(), 1, 16_500)]);
    sold.payload["details"]["totals"] = json!({
        "subtotal": "15500", "discount": "500", "tax": "1500", "total": "16500", "credit": "1000", "balance": "0",
        "grand_total": "15500", "fee": "825", "currency_code": "jpy",
    });
    sold.payload["payments"] = json!([]);
    let (billed, paid) = (invoice(&sold).unwrap(), payment(&sold, &[]).unwrap());
    let amounts = (billed.subtotal_minor, billed.discount_minor, billed.tax_minor, billed.total_minor);
    assert_eq!((amounts, billed.due_minor, billed.paid_minor), ((15_500, 500, 1_500, 16_500), 15_500, 15_500));
    // A yen is its own smallest unit.
    assert_eq!((paid.currency.as_str(), paid.amount_minor, paid.received_minor), ("JPY", 15_500, 15_500));
    assert_eq!((paid.fee_minor, paid.paid_at), (Some(825), instant(&sold.payload["billed_at"])));
    sold.payload["details"]["totals"]["subtotal"] = json!("7");
    assert_eq!(invoice(&sold).unwrap().subtotal_minor, 15_500);
}

#[test]
fn an_invoice_that_is_sent_has_a_day_to_pay_it_by() {
    let mut sold = transaction(&[("pro_a", licence(), 1, 100)]);
    sold.payload["billing_details"] = json!({"payment_terms": {"interval": "month", "frequency": 1}});
    assert_eq!(invoice(&sold).unwrap().due_at, None);
    sold.payload["collection_mode"] = json!("manual");
    assert_eq!(invoice(&sold).unwrap().due_at, instant(&json!("2026-03-01T00:00:00Z")));
    sold.payload["billing_details"]["payment_terms"] = json!({"interval": "year", "frequency": 4_000_000_000_u32});
    assert_eq!(invoice(&sold).unwrap().due_at, None);
}

fn several() -> Object {
    let item = |id: &str, own: Value, quantity: i64, unit: Value, overrides: Value| {
        json!({"quantity": quantity, "price": {
            "id": id, "custom_data": own, "billing_cycle": {"interval": "year", "frequency": 1},
            "unit_price": unit, "unit_price_overrides": overrides,
        }})
    };
    let (usd, eur) =
        (json!({"amount": "100", "currency_code": "USD"}), json!({"amount": "90", "currency_code": "EUR"}));
    let set = json!([{"unit_price": eur}, {"unit_price": eur}]);
    object(
        "subscription",
        json!({
            "id": "sub_1", "status": "paused", "currency_code": "EUR", "custom_data": {"user_id": 42},
            "items": [
                item("pri_a", json!({"plan": "pro"}), 1, eur.clone(), json!([])),
                item("pri_b", json!(null), 7, usd.clone(), set),
                item("pri_c", json!(null), 1, usd, json!([])),
                item("pri_a", json!(null), 5, eur, json!([])),
                json!({"quantity": 1}),
            ],
            "paused_at": "2026-02-01T00:00:00Z",
            "scheduled_change":
                {"action": "pause", "effective_at": "2026-04-01T00:00:00Z", "resume_at": "2026-06-01T00:00:00Z"},
            "discount": {"id": "dsc_1", "starts_at": "2026-01-01T00:00:00Z", "ends_at": null},
        }),
    )
}

#[test]
fn a_subscription_may_have_several_items_and_a_pause_to_come() {
    let mut object = several();
    let observed = subscription(&object).unwrap();
    let items = observed.items.iter().map(|item| (item.external_id.as_str(), item.quantity, item.unit_amount_minor));
    let expected =
        [("sub_1:pri_a", Some(1), Some(90)), ("sub_1:pri_b", Some(7), Some(90)), ("sub_1:pri_c", Some(1), None)];
    assert_eq!(items.collect::<Vec<_>>(), expected);
    assert!(observed.items.iter().all(|item| (item.currency.as_str(), item.interval) == ("EUR", "year")));
    let planned = observed.scheduled.iter().map(|change| (change.kind, change.effective_at.to_rfc3339()));
    let (pause, resume) = ("2026-04-01T00:00:00+00:00".to_owned(), "2026-06-01T00:00:00+00:00".to_owned());
    assert_eq!(planned.collect::<Vec<_>>(), [("pause", pause), ("resume", resume)]);
    assert_eq!((observed.cancel_at, observed.ended_at, observed.trial), (None, None, None));
    assert_eq!(observed.paused_at, instant(&json!("2026-02-01T00:00:00Z")));
    assert_eq!((user(&object.payload), observed.metadata), (Some("42".to_owned()), json!({"user_id": 42})));

    let told = state(&object).unwrap();
    assert_eq!((told.status, told.paused, told.items), ("paused", true, observed.items));
    assert_eq!((told.discounts[0].coupon_external_id.as_str(), told.discounts[0].duration), ("dsc_1", "forever"));

    object.payload["scheduled_change"] = json!({"action": "resume", "effective_at": "2026-06-01T00:00:00Z"});
    assert_eq!(subscription(&object).unwrap().scheduled[0].kind, "resume");
    object.payload["status"] = json!("hibernating");
    assert_eq!((subscription(&object), state(&object)), (None, None));
}

#[test]
fn a_price_is_ours_by_its_own_word_or_its_products() {
    let sold = |of_price: Value, of_product: Value| {
        let unit = json!({"amount": "500", "currency_code": "USD"});
        let of_price = json!({"id": "pri_1", "product_id": "pro_1", "unit_price": unit, "custom_data": of_price});
        let of_product = json!({"id": "pro_1", "name": "Thing", "custom_data": of_product});
        let observed = price(&object("price", of_price), Some(&object("product", of_product)))?;
        assert_eq!((observed.interval, observed.product.name.as_str()), ("one_time", "Thing"));
        Some((observed.product.kind, observed.product.code, observed.product.rank, observed.credits))
    };
    let ours = |kind, code: &str, rank, credits| Some((kind, code.to_owned(), rank, credits));
    assert_eq!(sold(json!(null), json!({"plan": "pro", "tier": 2})), ours("plan", "pro", 2, None));
    assert_eq!(sold(json!({"tier": "3"}), json!({"plan": "pro", "tier": "2"})), ours("plan", "pro", 3, None));
    assert_eq!(sold(json!({"credits": "100"}), json!({"pack": "small"})), ours("credit_pack", "small", 0, Some(100)));
    assert_eq!(sold(json!({"credits": -1}), json!({"kind": "credit_pack"})), ours("credit_pack", "pro_1", 0, None));
    assert_eq!(sold(json!({"kind": "addon"}), json!({"kind": "plan"})), ours("addon", "pro_1", 0, None));
    assert_eq!(sold(json!({"kind": "license"}), json!("text")), ours("addon", "pro_1", 0, None));
    for unknown in [json!(null), json!({}), json!({"kind": "plan"}), json!({"kind": "mug", "plan": "pro"}), json!(7)] {
        assert_eq!(sold(unknown.clone(), json!(null)), None, "{unknown}");
    }
}

#[test]
fn what_belongs_together_is_tied() {
    assert_eq!(kind("subscription.past_due"), Some("subscription"));
    for ignored in ["address.created", "discount_group.updated", "payout.paid", "customer", "", "report.created"] {
        assert_eq!(kind(ignored), None, "{ignored}");
    }
    let some = |id: &str| Some(id.to_owned());
    let refund = adjustment("adj_1", "refund", "approved", &[]);
    assert_eq!(refund.ties, Ties { invoice: some("txn_1"), payment: some("txn_1"), ..Ties::default() });
    let sold = transaction(&[]);
    let expected = Ties { customer: some("ctm_1"), invoice: some("txn_1"), payment: some("txn_1"), ..Ties::default() };
    assert_eq!(sold.ties, expected);
    assert_eq!(several().ties, Ties { subscription: some("sub_1"), ..Ties::default() });
    assert_eq!(ties("customer", &json!({"id": "ctm_1"})), Ties { customer: some("ctm_1"), ..Ties::default() });
    assert_eq!(ties("price", &json!({"id": "pri_1", "customer_id": "ctm_1"})), Ties::default());

    assert!(is_terminal("adjustment", &refund.payload) && is_terminal("transaction", &sold.payload));
    assert!(
        !is_terminal("subscription", &several().payload) && !is_terminal("transaction", &json!({"status": "paid"}))
    );

    let archived = object("customer", json!({"id": "ctm_1", "status": "archived"}));
    let told = customer(&archived).unwrap();
    assert_eq!((told.deleted, told.created_at, told.email), (true, archived.occurred_at, None));
    for nobody in
        [json!({}), json!({"custom_data": {"user_id": ""}}), json!({"custom_data": {"user_id": 1.5}}), json!(1)]
    {
        assert_eq!(user(&nobody), None, "{nobody}");
    }
}
