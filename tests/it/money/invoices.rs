//! The sums of an invoice: before tax and discounts, tax apart, exact, and negative for a credit.

use super::story::{
    customer, fixture, merged, minor, paddle, paddle_customer, stripe, sums, tell, tell_from, unchanged_by_a_rebuild,
};
use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};
use tollgate::providers::Provider;

both_engines!(
    included_tax_is_not_in_the_subtotal,
    stripes_invoices_add_up_in_every_version,
    a_credit_is_negative,
    a_free_or_prepaid_invoice_has_no_payment,
    paddles_invoices_add_up,
);

const AT: i64 = 1_767_225_605;

/// The events of one invoice with these fields.
fn invoice(with: Value) -> Vec<(Provider, Value)> {
    let plain = json!({"id": "in_1", "object": "invoice", "created": AT, "currency": "eur", "customer": "cus_1",
        "status": "paid", "status_transitions": {"paid_at": AT}});
    vec![customer(), stripe(AT, "invoice.paid", merged(plain, with))]
}

async fn included_tax_is_not_in_the_subtotal(test: &TestApp) {
    tell(test, &fixture("inclusive-tax.json"), |told| {
        let invoice = told.invoice("in_1");
        assert_eq!((sums(invoice), minor(&invoice["paid"])), ([8_403, 0, 1_597, 10_000], Some(10_000)));
    })
    .await;
}

/// Invoices by what the version writes, each with its subtotal, discount, tax and total.
fn samples() -> Vec<(&'static str, Value, [i64; 4])> {
    let exclusive = |amount: i64| json!([{"amount": amount, "tax_behavior": "exclusive"}]);
    vec![
        (
            "added tax, since basil",
            json!({"subtotal": 10_000, "subtotal_excluding_tax": 10_000, "total": 11_900, "total_excluding_tax": 10_000,
                "total_taxes": exclusive(1_900), "total_discount_amounts": []}),
            [10_000, 0, 1_900, 11_900],
        ),
        (
            "added tax, before basil",
            json!({"subtotal": 10_000, "total": 11_900, "tax": 1_900, "total_discount_amounts": [],
                "total_tax_amounts": [{"amount": 1_900, "inclusive": false}]}),
            [10_000, 0, 1_900, 11_900],
        ),
        (
            "included tax, before basil",
            json!({"subtotal": 10_000, "subtotal_excluding_tax": 8_403, "total": 10_000, "total_excluding_tax": 8_403,
                "tax": 1_597, "total_tax_amounts": [{"amount": 1_597, "inclusive": true}]}),
            [8_403, 0, 1_597, 10_000],
        ),
        (
            "included tax that only the field states",
            json!({"subtotal": 10_000, "total": 10_000, "tax": 1_597}),
            [8_403, 0, 1_597, 10_000],
        ),
        (
            "included and added tax",
            json!({"subtotal": 10_000, "subtotal_excluding_tax": 9_000, "total": 10_500, "total_excluding_tax": 9_000,
                "total_taxes": [{"amount": 1_000, "tax_behavior": "inclusive"},
                    {"amount": 500, "tax_behavior": "exclusive"}]}),
            [9_000, 0, 1_500, 10_500],
        ),
        (
            "included tax and a discount of a tenth",
            json!({"subtotal": 10_000, "subtotal_excluding_tax": 8_403, "total": 9_000, "total_excluding_tax": 7_563,
                "total_discount_amounts": [{"amount": 1_000}],
                "total_taxes": [{"amount": 1_437, "tax_behavior": "inclusive"}]}),
            [8_403, 840, 1_437, 9_000],
        ),
        (
            "added tax and a discount",
            json!({"subtotal": 10_000, "subtotal_excluding_tax": 10_000, "total": 10_710, "total_excluding_tax": 9_000,
                "total_discount_amounts": [{"amount": 600}, {"amount": 400}], "total_taxes": exclusive(1_710)}),
            [10_000, 1_000, 1_710, 10_710],
        ),
        (
            "a discount of an item, which Stripe has taken off its subtotal",
            json!({"subtotal": 9_000, "total": 9_000, "total_discount_amounts": [{"amount": 1_000}], "total_taxes": []}),
            [10_000, 1_000, 0, 9_000],
        ),
        (
            "a discount that is not listed",
            json!({"subtotal": 10_000, "total": 7_500, "tax": null, "discount": {"id": "di_1"}}),
            [10_000, 2_500, 0, 7_500],
        ),
        ("nothing but the sums, with tax", json!({"subtotal": 1_000, "total": 1_190}), [1_000, 0, 190, 1_190]),
        ("nothing but the sums, with a discount", json!({"subtotal": 1_000, "total": 900}), [1_000, 100, 0, 900]),
        (
            "shipping",
            json!({"subtotal": 1_000, "amount_shipping": 500, "total": 1_500, "total_taxes": [],
                "total_discount_amounts": []}),
            [1_500, 0, 0, 1_500],
        ),
    ]
}

async fn stripes_invoices_add_up_in_every_version(test: &TestApp) {
    for (number, (name, fields, expected)) in samples().into_iter().enumerate() {
        tell_from(test, number * 10, &invoice(fields), |told| {
            assert_eq!(sums(told.invoice("in_1")), expected, "{name}");
        })
        .await;
    }
    unchanged_by_a_rebuild(test).await;
}

async fn a_credit_is_negative(test: &TestApp) {
    let cases = [
        (
            json!({"subtotal": -2_000, "subtotal_excluding_tax": -2_000, "total": -2_380, "total_excluding_tax": -2_000,
                "total_taxes": [{"amount": -380, "tax_behavior": "exclusive"}], "total_discount_amounts": []}),
            [-2_000, 0, -380, -2_380],
        ),
        (
            json!({"subtotal": -1_190, "subtotal_excluding_tax": -1_000, "total": -1_190, "total_excluding_tax": -1_000,
                "total_taxes": [{"amount": -190, "tax_behavior": "inclusive"}]}),
            [-1_000, 0, -190, -1_190],
        ),
        (
            json!({"subtotal": -1_000, "total": -900, "total_discount_amounts": [{"amount": -100}], "total_taxes": []}),
            [-1_000, -100, 0, -900],
        ),
        (json!({"subtotal": -1_000, "total": -1_190}), [-1_000, 0, -190, -1_190]),
        (
            // A change of plan: the tax that is given back is more than the tax that is due.
            json!({"subtotal": 100, "total": 90, "total_taxes": [{"amount": -10, "tax_behavior": "exclusive"}],
                "total_discount_amounts": []}),
            [100, 0, -10, 90],
        ),
    ];
    for (number, (fields, expected)) in cases.into_iter().enumerate() {
        let fields = merged(fields, json!({"amount_due": 0, "amount_paid": 0}));
        tell_from(test, number * 10, &invoice(fields), |told| {
            let invoice = told.invoice("in_1");
            assert_eq!(sums(invoice), expected);
            assert_eq!((minor(&invoice["due"]), minor(&invoice["paid"])), (Some(0), Some(0)));
        })
        .await;
    }
    unchanged_by_a_rebuild(test).await;
}

async fn a_free_or_prepaid_invoice_has_no_payment(test: &TestApp) {
    let by_balance = json!({"subtotal": 2_000, "total": 2_000, "amount_due": 0, "amount_paid": 0, "total_taxes": [],
        "starting_balance": -2_000, "ending_balance": 0});
    let by_credit_note = json!({"subtotal": 2_000, "total": 2_000, "amount_due": 0, "amount_paid": 0, "total_taxes": [],
        "pre_payment_credit_notes_amount": 2_000});
    let free = json!({"subtotal": 0, "total": 0, "amount_due": 0, "amount_paid": 0, "total_taxes": []});
    for (number, fields) in [by_balance, by_credit_note, free].into_iter().enumerate() {
        let total = fields["total"].as_i64().unwrap();
        tell_from(test, number * 10, &invoice(fields), |told| {
            let invoice = told.invoice("in_1");
            assert_eq!((sums(invoice), minor(&invoice["paid"])), ([total, 0, 0, total], Some(0)));
            assert_eq!((&told.account["payments"]["nodes"], &told.account["currency"]), (&json!([]), &Value::Null));
        })
        .await;
    }
    unchanged_by_a_rebuild(test).await;
}

async fn paddles_invoices_add_up(test: &TestApp) {
    // Paddle's subtotal is before tax and discounts, whether its prices include the tax or not.
    let totals = json!({"subtotal": "10000", "discount": "1000", "tax": "1710", "total": "10710", "grand_total": "10710",
        "balance": "0", "currency_code": "EUR"});
    let transaction = json!({"id": "txn_1", "status": "completed",
        "customer_id": "ctm_1", "currency_code": "EUR", "billed_at": "2026-01-02T10:00:00Z",
        "created_at": "2026-01-02T10:00:00Z", "updated_at": "2026-01-02T10:00:00Z", "items": [], "payments": [],
        "details": {"totals": totals, "line_items": []}});
    let sold = paddle("2026-01-02T10:00:00Z", "transaction.completed", transaction);
    tell(test, &[paddle_customer(), sold], |told| {
        let invoice = told.invoice("txn_1");
        assert_eq!((sums(invoice), minor(&invoice["paid"])), ([10_000, 1_000, 1_710, 10_710], Some(10_710)));
    })
    .await;
}
