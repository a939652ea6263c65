//! Shapes of money that are not in the corpus: refunds that fail, disputes, several products, rounding.

use super::{invoice, licences, payment, purchase, references};
use crate::inbox::json::{instant, text};
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::Object;
use serde_json::{Value, json};

pub(super) fn object(kind: ObjectKind, payload: Value) -> Object {
    Object {
        kind,
        external_id: text(&payload, "id").unwrap().to_owned(),
        api_version: None,
        deleted: false,
        occurred_at: "2026-03-01T00:00:00Z".parse().unwrap(),
        references: references(kind, &payload),
        payload,
    }
}

/// A completed transaction of lines: the product's id, its custom data, the quantity and what one costs.
pub(super) fn transaction(lines: &[(&str, Value, i64, i64)]) -> Object {
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
        ObjectKind::Transaction,
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
pub(super) fn adjustment(id: &str, action: &str, status: &str, lines: &[(&str, i64)]) -> Object {
    let total: i64 = lines.iter().map(|(_, amount)| amount).sum();
    let items = lines.iter().map(|(product, amount)| {
        let amount = amount.to_string();
        json!({"item_id": format!("line_{product}"), "type": "partial", "amount": amount, "totals": {"total": amount}})
    });
    object(
        ObjectKind::Adjustment,
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

/// Returns the amount refunded, the statuses of refunds and disputes, and the licences that are left.
fn outcome(sold: &Object, adjustments: &[Object]) -> (i64, Vec<&'static str>, Vec<&'static str>, Vec<i64>) {
    let adjustments: Vec<_> = adjustments.iter().collect();
    let paid = payment(sold, &adjustments).unwrap();
    let left = licences(sold, &adjustments).into_iter().map(|sold| sold.units - sold.revoked_units);
    let refunds = paid.refunds.iter().map(|refund| refund.status.as_str()).collect();
    (
        paid.refunded_minor,
        refunds,
        paid.disputes.iter().map(|dispute| dispute.status.as_str()).collect(),
        left.collect(),
    )
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
        // One reversal reported twice, beside another refund that stands.
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
        let actual = outcome(&sold, &adjustments);
        assert_eq!(actual, (0, vec![], disputes, vec![left]), "{adjustments:?}");
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
    let actual =
        licences(&sold, &[&refund]).into_iter().map(|all| (all.product_external_id, all.units, all.revoked_units));
    assert_eq!(actual.collect::<Vec<_>>(), [("pro_a".to_owned(), 3, 1), ("pro_b".to_owned(), 2, 2)]);
    let bought = purchase(&sold, &[&refund], "credit", None).unwrap();
    assert_eq!((bought.business_key.as_str(), bought.unit.as_str(), bought.credits), ("paddle:txn_1", "token", 400));
    assert_eq!((bought.amount_minor, bought.returned_minor, bought.payment_id), (1_000, 300, None));
    let paid = payment(&sold, &[&refund]).unwrap();
    assert_eq!((paid.stream.as_str(), paid.description.as_deref()), ("other", Some("PRO_A, PRO_B, PRO_C")));
    assert_eq!((paid.amount_minor, paid.refunded_minor), (5_000, 3_299));

    let mut unpaid = sold;
    unpaid.payload["status"] = json!("billed");
    assert_eq!((licences(&unpaid, &[]).len(), purchase(&unpaid, &[], "credit", None)), (0, None));
}

#[test]
fn credits_go_back_with_the_money_and_come_again() {
    let sold = transaction(&[("pro_c", json!({"credits": "1000"}), 2, 2_000)]);
    let of = |id: &str, action: &str| adjustment(id, action, "approved", &[("pro_c", 4_000)]);
    let (lost, won) = (of("a", "chargeback"), of("bb", "chargeback_reverse"));
    let returned = |adjustments: &[&Object]| purchase(&sold, adjustments, "credit", None).unwrap().returned_minor;
    assert_eq!((returned(&[]), returned(&[&lost]), returned(&[&lost, &won])), (0, 4_000, 0));
    assert_eq!(purchase(&sold, &[], "credit", None).unwrap().credits, 2_000);
    assert_eq!(payment(&sold, &[]).unwrap().stream.as_str(), "credits");
    let allowance = transaction(&[("pro_p", json!({"kind": "plan", "plan": "pro", "credits": 50}), 1, 900)]);
    assert_eq!(purchase(&allowance, &[], "credit", None), None);
    let endless = transaction(&[("pro_c", json!({"credits": i64::MAX}), 2, 1)]);
    assert_eq!(purchase(&endless, &[], "credit", None), None);
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
        (
            payment(&sold, &[]).map(|paid| (paid.status.as_str(), paid.stream.as_str())),
            invoice(&sold).map(|invoice| invoice.status.as_str()),
        )
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
fn the_newest_attempt_counts_in_whatever_order_they_are_listed() {
    let attempt = |id: &str, status: &str, code: Value| {
        json!({"payment_attempt_id": id, "status": status, "error_code": code, "amount": "900",
            "created_at": format!("2026-02-0{id}T00:00:00Z"), "captured_at": format!("2026-02-0{id}T01:00:00Z")})
    };
    let (first, second) = (attempt("1", "error", json!("expired_card")), attempt("2", "error", json!("declined")));
    let (pending, captured) = (attempt("3", "authorized", json!(null)), attempt("3", "captured", json!(null)));
    for (mut attempts, status, expected) in [
        (vec![first.clone(), second.clone()], "past_due", ("failed", 2, Some("declined"), Some("2"), 0)),
        (vec![first.clone(), pending, second.clone()], "past_due", ("pending", 2, Some("declined"), Some("3"), 0)),
        (vec![captured.clone(), first], "paid", ("succeeded", 1, None, Some("3"), 900)),
        (vec![second, captured], "completed", ("succeeded", 1, None, Some("3"), 900)),
    ] {
        for _ in 0..2 {
            attempts.reverse();
            let mut sold = transaction(&[("pro_a", json!({"kind": "addon"}), 1, 900)]);
            sold.payload["payments"] = json!(attempts);
            sold.payload["status"] = json!(status);
            let paid = payment(&sold, &[]).unwrap();
            let attempt = (paid.failure_code.as_deref(), paid.charge_external_id.as_deref());
            let actual = (paid.status.as_str(), paid.failed_attempts, attempt.0, attempt.1, paid.received_minor);
            assert_eq!(actual, expected, "{attempts:?}");
            let paid_at = (status != "past_due").then(|| "2026-02-03T01:00:00Z".parse().unwrap());
            assert_eq!(paid.paid_at, paid_at);
        }
    }
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
