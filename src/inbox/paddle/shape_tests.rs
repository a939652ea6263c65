//! Shapes of subscriptions, prices, dates and owners that are not in the corpus.

use super::adverse_tests::{adjustment, object, transaction};
use super::{claim, customer, invoice, is_terminal, kind, price, references, state, subscription, user};
use crate::inbox::json::instant;
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::{Object, References};
use crate::subscriptions::{DiscountDuration, DiscountOff, DiscountTerms, Exact, Pricing};
use serde_json::{Value, json};

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
        ObjectKind::Subscription,
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
    let items = observed.items.iter().map(|item| (item.external_id.as_str(), item.quantity, item.pricing.clone()));
    let ninety = Pricing::PerUnit(Exact::from_integer(90));
    let expected = [
        ("sub_1:pri_a", Some(1), ninety.clone()),
        ("sub_1:pri_b", Some(7), ninety),
        ("sub_1:pri_c", Some(1), Pricing::Unknown),
    ];
    assert_eq!(items.collect::<Vec<_>>(), expected);
    assert!(observed.items.iter().all(|item| item.interval.as_str() == "year"));
    assert_eq!(observed.currency.as_deref(), Some("EUR"));
    let planned = observed.scheduled.iter().map(|change| (change.kind.as_str(), change.effective_at.to_rfc3339()));
    let (pause, resume) = ("2026-04-01T00:00:00+00:00".to_owned(), "2026-06-01T00:00:00+00:00".to_owned());
    assert_eq!(planned.collect::<Vec<_>>(), [("pause", pause), ("resume", resume)]);
    assert_eq!((observed.cancel_at, observed.ended_at, observed.trial), (None, None, None));
    assert_eq!(observed.paused_at, instant(&json!("2026-02-01T00:00:00Z")));
    assert_eq!((claim(&object), user(&object)), (Some("42".to_owned()), None));
    assert_eq!(observed.metadata, json!({"user_id": 42}));

    let actual = state(&object, &[]).unwrap();
    assert_eq!((actual.status.as_str(), actual.paused, actual.items), ("paused", true, observed.items));
    let [discount] = &actual.discounts[..] else { panic!("{:?}", actual.discounts) };
    assert_eq!((discount.external_id.as_str(), &discount.terms), ("dsc_1", &None), "its terms are not known yet");
    let known = Object {
        kind: ObjectKind::Discount,
        external_id: "dsc_1".to_owned(),
        payload: json!({"type": "percentage", "amount": "12.5", "recur": true, "restrict_to": ["pro_1"]}),
        ..object.clone()
    };
    let discount = state(&object, &[known]).unwrap().discounts.remove(0);
    let terms = DiscountTerms { duration: DiscountDuration::Forever, off: DiscountOff::Part(Exact::new(1, 8)) };
    assert_eq!((discount.terms, discount.products), (Some(terms), Some(vec!["pro_1".to_owned()])));

    object.payload["scheduled_change"] = json!({"action": "resume", "effective_at": "2026-06-01T00:00:00Z"});
    assert_eq!(subscription(&object).unwrap().scheduled[0].kind.as_str(), "resume");
    object.payload["status"] = json!("hibernating");
    assert_eq!((subscription(&object), state(&object, &[])), (None, None));
}

#[test]
fn a_price_is_ours_by_its_own_word_or_its_products() {
    let sold = |of_price: Value, of_product: Value| {
        let unit = json!({"amount": "500", "currency_code": "USD"});
        let of_price = json!({"id": "pri_1", "product_id": "pro_1", "unit_price": unit, "custom_data": of_price});
        let of_product = json!({"id": "pro_1", "name": "Thing", "custom_data": of_product});
        let observed = price(&object(ObjectKind::Price, of_price), Some(&object(ObjectKind::Product, of_product)))?;
        assert_eq!((observed.interval.as_str(), observed.product.name.as_str()), ("one_time", "Thing"));
        Some((observed.product.kind.as_str(), observed.product.code, observed.product.rank, observed.credits))
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
fn a_price_tells_how_often_and_how_long_it_may_be_tried() {
    let actual = |cycle: Value, trial: Value| {
        let unit = json!({"amount": "1.5", "currency_code": "usd"});
        let (own, id) = (json!({"plan": "pro"}), "pri_1");
        let payload = json!({
            "id": id, "product_id": "pro_1", "unit_price": unit, "custom_data": own, "billing_cycle": cycle,
            "trial_period": trial, "status": "archived",
        });
        let observed = price(&object(ObjectKind::Price, payload), None)?;
        assert_eq!((observed.active, observed.unit_amount_minor, observed.currency.as_str()), (false, None, "USD"));
        Some((observed.interval.as_str(), observed.interval_count, observed.trial_days))
    };
    let every = |interval: &str, frequency: i64| json!({"interval": interval, "frequency": frequency});
    assert_eq!(actual(every("month", 3), every("week", 2)), Some(("month", 3, Some(14))));
    assert_eq!(actual(every("year", 0), every("month", 1)), Some(("year", 1, Some(30))));
    for no_trial in [every("day", 0), every("day", -7), every("year", i64::MAX), every("moon", 1), json!(7)] {
        assert_eq!(actual(json!(null), no_trial.clone()), Some(("one_time", 1, None)), "{no_trial}");
    }
    assert_eq!(actual(every("moon", 1), json!(null)), None);
}

#[test]
fn objects_refer_to_each_other() {
    assert_eq!(kind("subscription.past_due"), Some(ObjectKind::Subscription));
    for ignored in ["address.created", "discount_group.updated", "payout.paid", "customer", "", "report.created"] {
        assert_eq!(kind(ignored), None, "{ignored}");
    }
    let some = |id: &str| Some(id.to_owned());
    let refund = adjustment("adj_1", "refund", "approved", &[]);
    assert_eq!(
        refund.references,
        References { invoice: some("txn_1"), payment: some("txn_1"), ..References::default() }
    );
    let sold = transaction(&[]);
    let expected =
        References { customer: some("ctm_1"), invoice: some("txn_1"), payment: some("txn_1"), ..References::default() };
    assert_eq!(sold.references, expected);
    assert_eq!(several().references, References { subscription: some("sub_1"), ..References::default() });
    assert_eq!(
        references(ObjectKind::Customer, &json!({"id": "ctm_1"})),
        References { customer: some("ctm_1"), ..References::default() }
    );
    assert_eq!(references(ObjectKind::Price, &json!({"id": "pri_1", "customer_id": "ctm_1"})), References::default());

    assert!(
        is_terminal(ObjectKind::Adjustment, &refund.payload) && is_terminal(ObjectKind::Transaction, &sold.payload)
    );
    assert!(
        !is_terminal(ObjectKind::Subscription, &several().payload)
            && !is_terminal(ObjectKind::Transaction, &json!({"status": "paid"}))
    );

    let archived = object(ObjectKind::Customer, json!({"id": "ctm_1", "status": "archived"}));
    let actual = customer(&archived).unwrap();
    assert_eq!((actual.deleted, actual.created_at, actual.email), (true, archived.occurred_at, None));
    for nobody in
        [json!({}), json!({"custom_data": {"user_id": ""}}), json!({"custom_data": {"user_id": 1.5}}), json!(1)]
    {
        let of_kind = |kind| Object { kind, payload: nobody.clone(), ..archived.clone() };
        assert_eq!(user(&of_kind(ObjectKind::Customer)), None, "{nobody}");
        assert_eq!(claim(&of_kind(ObjectKind::Transaction)), None, "{nobody}");
    }
}

#[test]
fn an_invoice_that_is_sent_has_a_day_to_pay_it_by() {
    let mut sold = transaction(&[("pro_a", json!(null), 1, 100)]);
    sold.payload["billing_details"] = json!({"payment_terms": {"interval": "month", "frequency": 1}});
    assert_eq!(invoice(&sold).unwrap().due_at, None);
    sold.payload["collection_mode"] = json!("manual");
    assert_eq!(invoice(&sold).unwrap().due_at, instant(&json!("2026-03-01T00:00:00Z")));
    sold.payload["billing_details"]["payment_terms"] = json!({"interval": "year", "frequency": 4_000_000_000_u32});
    assert_eq!(invoice(&sold).unwrap().due_at, None);
}
