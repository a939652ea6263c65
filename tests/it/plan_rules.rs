//! The rules for the contents of the catalogue: each value at its limit, just beyond it, and shown as it was written.

use crate::support::{Schema, TestApp, both_engines};
use serde_json::{Value, json};

both_engines!(
    prices_are_accepted_up_to_their_limits,
    features_are_accepted_up_to_their_limits,
    allowances_are_accepted_up_to_their_limits,
    every_value_of_an_enum_is_shown_as_it_was_written,
    a_version_has_at_most_a_hundred_parts_of_a_kind,
    the_first_rule_that_is_broken_is_told,
    codes_and_names_are_accepted_up_to_their_limits,
    a_part_that_is_unknown_is_named,
    an_update_replaces_every_part,
);

const CREATE: &str = "mutation($input: CreatePlanVersionInput!) { createPlanVersion(input: $input) {
    planVersion { id versionNumber
        prices { amount { amount currency } interval intervalCount trialDays active }
        features { feature { code } value limit window rolloverCap onExceed }
        creditAllowances { unit { code } credits cadence expiresAfterDays rolloverCap priority onPlanChange } }
    userErrors { code field message } } }";

const PRICE_LIMITS: &str = "An interval count must be 1 to 365, and a trial 1 to 730 days.";
const AMOUNT_LIMITS: &str = "An amount must be 0 to 1,000,000,000,000 minor units.";
const NEGATIVE: &str = "Limits and caps must not be negative: omit a limit for unlimited use.";
const ALLOWANCE_LIMITS: &str =
    "An amount must be 1 to 1,000,000,000,000 steps, an expiry 1 to 36,500 days, and a cap not negative.";

/// A plan, with two features and two credit units that its versions may name.
struct Catalogue<'a> {
    test: &'a TestApp,
    plan: Value,
}

impl<'a> Catalogue<'a> {
    async fn make(test: &'a TestApp) -> Self {
        let make = "mutation {
            createPlan(input: {code: \"pro\", kind: PLAN, name: \"Pro\", rank: 1}) { plan { id } }
            a: createFeature(input: {code: \"export\", kind: SWITCH, name: \"Export\"}) { feature { id } }
            b: createFeature(input: {code: \"region\", kind: CONFIG, name: \"Region\"}) { feature { id } }
            c: createCreditUnit(input: {code: \"gold\", name: \"Gold\"}) { creditUnit { id } }
            d: createCreditUnit(input: {code: \"silver\", name: \"Silver\"}) { creditUnit { id } } }";
        let mut made = test.admin().data(make, json!({})).await;
        Catalogue { test, plan: made["createPlan"]["plan"]["id"].take() }
    }

    /// Creates a version with these parts.
    async fn version(&self, prices: Value, features: Value, allowances: Value) -> Value {
        let input =
            json!({"planId": self.plan, "prices": prices, "features": features, "creditAllowances": allowances});
        self.test.admin().data(CREATE, json!({"input": input})).await["createPlanVersion"].take()
    }

    /// Creates a version, which must be refused with this error of this field.
    async fn refused(&self, parts: (Value, Value, Value), code: &str, field: &str, message: &str) {
        let told = format!("{parts:?}");
        let found = self.version(parts.0, parts.1, parts.2).await;
        let error = json!({"code": code, "field": [field], "message": message});
        assert_eq!(found, json!({"planVersion": null, "userErrors": [error]}), "{told:.300}");
    }
}

fn with(base: &Value, changes: Value) -> Value {
    let mut base = base.clone();
    base.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    base
}

fn price() -> Value {
    json!({"currency": "EUR", "unitAmount": "900", "interval": "MONTH"})
}

fn allowance() -> Value {
    json!({"unit": "gold", "amount": "5", "cadence": "MONTH"})
}

async fn prices_are_accepted_up_to_their_limits(test: &TestApp) {
    let catalogue = Catalogue::make(test).await;
    for change in [
        json!({"unitAmount": "0"}),
        json!({"unitAmount": "1"}),
        json!({"unitAmount": "1000000000000"}),
        json!({"intervalCount": 1}),
        json!({"intervalCount": 365}),
        json!({"trialDays": 1}),
        json!({"trialDays": 730}),
        json!({"trialDays": null}),
        json!({"currency": "JPY"}),
        json!({"currency": "XAU"}),
        json!({"interval": "ONE_TIME", "unitAmount": "4999"}),
    ] {
        let price = with(&price(), change);
        let made = catalogue.version(json!([price]), json!([]), json!([])).await;
        assert_eq!(made["userErrors"], json!([]), "{price}");
        let shown = &made["planVersion"]["prices"][0];
        let money = json!({"amount": price["unitAmount"], "currency": price["currency"]});
        assert_eq!((&shown["amount"], &shown["interval"]), (&money, &price["interval"]), "{price}");
        let count = price.get("intervalCount").cloned().unwrap_or(json!(1));
        let trial = price.get("trialDays").cloned().unwrap_or_default();
        assert_eq!((&shown["intervalCount"], &shown["trialDays"]), (&count, &trial), "{price}");
        assert_eq!(shown["active"], true);
    }
    for (change, message) in [
        (json!({"unitAmount": "-1"}), AMOUNT_LIMITS),
        (json!({"unitAmount": "1000000000001"}), AMOUNT_LIMITS),
        (json!({"unitAmount": "9223372036854775807"}), AMOUNT_LIMITS),
        (json!({"intervalCount": 0}), PRICE_LIMITS),
        (json!({"intervalCount": -1}), PRICE_LIMITS),
        (json!({"intervalCount": 366}), PRICE_LIMITS),
        (json!({"trialDays": 0}), PRICE_LIMITS),
        (json!({"trialDays": -7}), PRICE_LIMITS),
        (json!({"trialDays": 731}), PRICE_LIMITS),
    ] {
        let parts = (json!([with(&price(), change)]), json!([]), json!([]));
        catalogue.refused(parts, "PRICE_INVALID", "prices", message).await;
    }
    let twice = (json!([price(), with(&price(), json!({"unitAmount": "1"}))]), json!([]), json!([]));
    let message = "A version can have only one price for each currency and interval.";
    catalogue.refused(twice, "PRICE_INVALID", "prices", message).await;
    // Another count, interval or currency makes another price.
    let others = json!([
        price(),
        with(&price(), json!({"intervalCount": 3})),
        with(&price(), json!({"interval": "YEAR"})),
        with(&price(), json!({"currency": "USD"})),
        with(&price(), json!({"interval": "ONE_TIME"})),
    ]);
    let made = catalogue.version(others, json!([]), json!([])).await;
    assert_eq!(made["planVersion"]["prices"].as_array().unwrap().len(), 5, "{made}");
}

async fn features_are_accepted_up_to_their_limits(test: &TestApp) {
    let catalogue = Catalogue::make(test).await;
    for feature in [
        json!({"feature": "export", "value": null, "limit": null, "window": null, "rolloverCap": null, "onExceed": null}),
        json!({"feature": "export", "value": "", "limit": "0", "window": "DAY", "rolloverCap": "0", "onExceed": "WARN"}),
        json!({"feature": "region", "value": "eu-west-1 💶", "limit": "9223372036854775807", "window": "LIFETIME",
            "rolloverCap": "9223372036854775807", "onExceed": "OVERAGE"}),
    ] {
        let made = catalogue.version(json!([]), json!([feature]), json!([])).await;
        let shown = with(&feature, json!({"feature": {"code": feature["feature"]}}));
        assert_eq!(made["planVersion"]["features"], json!([shown]), "{made}");
    }
    for change in [
        json!({"limit": "-1"}),
        json!({"limit": "-9223372036854775808"}),
        json!({"rolloverCap": "-1"}),
        json!({"limit": "10", "rolloverCap": "-10"}),
    ] {
        let parts = (json!([]), json!([with(&json!({"feature": "export"}), change)]), json!([]));
        catalogue.refused(parts, "FEATURE_INVALID", "features", NEGATIVE).await;
    }
    let daily = json!({"feature": "export", "limit": "1", "window": "DAY"});
    let message = "A version can list a feature only once for each window.";
    let twice = (json!([]), json!([daily, with(&daily, json!({"limit": "2"}))]), json!([]));
    catalogue.refused(twice, "FEATURE_INVALID", "features", message).await;
    let windows = json!([daily, with(&daily, json!({"window": "MONTH"})), with(&daily, json!({"window": null}))]);
    let made = catalogue.version(json!([]), windows, json!([])).await;
    assert_eq!(made["planVersion"]["features"].as_array().unwrap().len(), 3, "{made}");
}

async fn allowances_are_accepted_up_to_their_limits(test: &TestApp) {
    let catalogue = Catalogue::make(test).await;
    for change in [
        json!({"amount": "1"}),
        json!({"amount": "1000000000000"}),
        json!({"expiresAfterDays": 1}),
        json!({"expiresAfterDays": 36_500}),
        json!({"rolloverCap": "0"}),
        json!({"rolloverCap": "9223372036854775807"}),
        json!({"priority": -2_147_483_648}),
        json!({"priority": 2_147_483_647}),
    ] {
        let allowance = with(&allowance(), change);
        let made = catalogue.version(json!([]), json!([]), json!([allowance])).await;
        let shown = made["planVersion"]["creditAllowances"][0].clone();
        let expected = json!({
            "unit": {"code": "gold"}, "credits": allowance["amount"], "cadence": "MONTH",
            "expiresAfterDays": allowance.get("expiresAfterDays"), "rolloverCap": allowance.get("rolloverCap"),
            "priority": allowance.get("priority").cloned().unwrap_or(json!(0)), "onPlanChange": "REPLACE",
        });
        assert_eq!(shown, expected, "{made}");
    }
    for change in [
        json!({"amount": "0"}),
        json!({"amount": "-5"}),
        json!({"amount": "1000000000001"}),
        json!({"expiresAfterDays": 0}),
        json!({"expiresAfterDays": -1}),
        json!({"expiresAfterDays": 36_501}),
        json!({"rolloverCap": "-1"}),
    ] {
        let parts = (json!([]), json!([]), json!([with(&allowance(), change)]));
        catalogue.refused(parts, "ALLOWANCE_INVALID", "creditAllowances", ALLOWANCE_LIMITS).await;
    }
    let twice = (json!([]), json!([]), json!([allowance(), with(&allowance(), json!({"amount": "6"}))]));
    let message = "A version can list a credit unit only once for each cadence.";
    catalogue.refused(twice, "ALLOWANCE_INVALID", "creditAllowances", message).await;
    let others = json!([
        allowance(),
        with(&allowance(), json!({"cadence": "DAY"})),
        with(&allowance(), json!({"unit": "silver"})),
    ]);
    let made = catalogue.version(json!([]), json!([]), others).await;
    assert_eq!(made["planVersion"]["creditAllowances"].as_array().unwrap().len(), 3, "{made}");
}

async fn every_value_of_an_enum_is_shown_as_it_was_written(test: &TestApp) {
    let catalogue = Catalogue::make(test).await;
    let schema = Schema::of(test).await;
    for interval in schema.values("PriceInterval") {
        let made =
            catalogue.version(json!([with(&price(), json!({"interval": interval}))]), json!([]), json!([])).await;
        assert_eq!(made["planVersion"]["prices"][0]["interval"], interval, "{made}");
    }
    for window in schema.values("LimitWindow") {
        for on_exceed in schema.values("OnExceed") {
            let feature = json!({"feature": "export", "limit": "7", "window": window, "onExceed": on_exceed});
            let made = catalogue.version(json!([]), json!([feature]), json!([])).await;
            let shown = &made["planVersion"]["features"][0];
            assert_eq!((&shown["window"], &shown["onExceed"]), (&json!(window), &json!(on_exceed)), "{made}");
        }
    }
    for cadence in schema.values("AllowanceCadence") {
        let made =
            catalogue.version(json!([]), json!([]), json!([with(&allowance(), json!({"cadence": cadence}))])).await;
        assert_eq!(made["planVersion"]["creditAllowances"][0]["cadence"], cadence, "{made}");
    }
    for rule in schema.values("OnPlanChange") {
        let allowance = with(&allowance(), json!({"onPlanChange": rule}));
        let made = catalogue.version(json!([]), json!([]), json!([allowance])).await;
        assert_eq!(made["planVersion"]["creditAllowances"][0]["onPlanChange"], rule, "{made}");
    }
    let plan = "mutation($input: CreatePlanInput!) { createPlan(input: $input) { plan { kind rank active } } }";
    for (number, kind) in schema.values("PlanKind").into_iter().enumerate() {
        let input = json!({"code": format!("plan-{number}"), "kind": kind, "name": "P", "rank": number});
        let made = test.admin().data(plan, json!({"input": input})).await;
        assert_eq!(made["createPlan"]["plan"], json!({"kind": kind, "rank": number, "active": true}));
    }
    let feature = "mutation($input: CreateFeatureInput!) { createFeature(input: $input) {
        feature { entitlementKind unitLabel } } }";
    for (number, kind) in schema.values("FeatureKind").into_iter().enumerate() {
        let input = json!({"code": format!("feature-{number}"), "kind": kind, "name": "F", "unit": "calls"});
        let made = test.admin().data(feature, json!({"input": input})).await;
        assert_eq!(made["createFeature"]["feature"], json!({"entitlementKind": kind, "unitLabel": "calls"}));
    }
}

async fn a_version_has_at_most_a_hundred_parts_of_a_kind(test: &TestApp) {
    let catalogue = Catalogue::make(test).await;
    let prices =
        |count: i64| (1..=count).map(|count| with(&price(), json!({"intervalCount": count}))).collect::<Vec<_>>();
    let made = catalogue.version(json!(prices(100)), json!([]), json!([])).await;
    assert_eq!(made["planVersion"]["prices"].as_array().unwrap().len(), 100);
    let message = "A version can have at most 100 prices.";
    catalogue.refused((json!(prices(101)), json!([]), json!([])), "PRICE_INVALID", "prices", message).await;
    let features = (0..101).map(|number| json!({"feature": format!("f{number}")})).collect::<Vec<_>>();
    let message = "A version can have at most 100 features.";
    catalogue.refused((json!([]), json!(features), json!([])), "FEATURE_INVALID", "features", message).await;
    let allowances: Vec<_> = (0..101).map(|number| with(&allowance(), json!({"unit": format!("u{number}")}))).collect();
    let message = "A version can have at most 100 credit allowances.";
    let parts = (json!([]), json!([]), json!(allowances));
    catalogue.refused(parts, "ALLOWANCE_INVALID", "creditAllowances", message).await;
}

async fn the_first_rule_that_is_broken_is_told(test: &TestApp) {
    let catalogue = Catalogue::make(test).await;
    let (bad_price, bad_feature, bad_allowance) = (
        json!([with(&price(), json!({"unitAmount": "-1"}))]),
        json!([{"feature": "export", "limit": "-1"}]),
        json!([with(&allowance(), json!({"amount": "0"}))]),
    );
    let all = (bad_price, bad_feature.clone(), bad_allowance.clone());
    catalogue.refused(all, "PRICE_INVALID", "prices", AMOUNT_LIMITS).await;
    let two = (json!([]), bad_feature, bad_allowance.clone());
    catalogue.refused(two, "FEATURE_INVALID", "features", NEGATIVE).await;
    let message = ALLOWANCE_LIMITS;
    catalogue.refused((json!([]), json!([]), bad_allowance), "ALLOWANCE_INVALID", "creditAllowances", message).await;
    // A price of a wrong currency does not reach the verb.
    for currency in ["usd", "US", "EURO", "€"] {
        let input = json!({"planId": catalogue.plan, "prices": [with(&price(), json!({"currency": currency}))]});
        assert_eq!(test.admin().code(CREATE, json!({"input": input})).await, "BAD_USER_INPUT", "{currency}");
    }
    let versions = "query { plan(code: \"pro\") { versions { totalCount } } }";
    let found = test.admin().data(versions, json!({})).await;
    assert_eq!(found["plan"]["versions"]["totalCount"], 0, "a refused version is not there");
}

async fn codes_and_names_are_accepted_up_to_their_limits(test: &TestApp) {
    const CODE: &str =
        "`code` must have at most 64 lower case letters, digits, '-', '_' and '.', and start with a letter.";
    const NAME: &str = "`name` must have 1 to 200 characters.";
    let make = |mutation: &str, code: &str, name: &str| {
        let kind = match mutation {
            "createPlan" => "kind: PLAN, rank: 1,",
            "createFeature" => "kind: SWITCH,",
            _ => "",
        };
        let (code, name) = (json!(code), json!(name));
        format!(
            "mutation {{ {mutation}(input: {{{kind} code: {code}, name: {name}}}) {{
            userErrors {{ code field message }} }} }}"
        )
    };
    let (longest, too_long) = ("x".repeat(64), "x".repeat(65));
    for mutation in ["createPlan", "createFeature", "createCreditUnit"] {
        for code in ["a", "a1", "a.b-c_d", "z9.", &longest] {
            let made = test.admin().data(&make(mutation, code, "N"), json!({})).await;
            assert_eq!(made[mutation]["userErrors"], json!([]), "{mutation} {code}");
        }
        for code in ["", "A", "1a", "-a", "_a", ".a", "a b", "ä", "aÄ", "a/b", &too_long] {
            let made = test.admin().data(&make(mutation, code, "N"), json!({})).await;
            let error = json!({"code": "CODE_INVALID", "field": ["code"], "message": CODE});
            assert_eq!(made[mutation]["userErrors"], json!([error]), "{mutation} {code:?}");
        }
        let (longest, too_long) = ("ä".repeat(200), "ä".repeat(201));
        for (number, name) in ["x", "  trimmed  ", &longest].into_iter().enumerate() {
            let made = test.admin().data(&make(mutation, &format!("named-{number}"), name), json!({})).await;
            assert_eq!(made[mutation]["userErrors"], json!([]), "{mutation} {name}");
        }
        for name in ["", " ", "\t\n", &too_long] {
            let made = test.admin().data(&make(mutation, "unnamed", name), json!({})).await;
            let error = json!({"code": "NAME_INVALID", "field": ["name"], "message": NAME});
            assert_eq!(made[mutation]["userErrors"], json!([error]), "{mutation} {name:?}");
        }
        let taken = test.admin().data(&make(mutation, "a", "N"), json!({})).await;
        let message = "This code is taken: choose another, since codes are unique and never change.";
        let error = json!({"code": "CODE_TAKEN", "field": ["code"], "message": message});
        assert_eq!(taken[mutation]["userErrors"], json!([error]), "{mutation}");
    }
    let name = test.admin().data("{ plan(code: \"named-1\") { name } }", json!({})).await;
    assert_eq!(name["plan"]["name"], "trimmed");
}

async fn a_part_that_is_unknown_is_named(test: &TestApp) {
    let catalogue = Catalogue::make(test).await;
    let feature = (json!([]), json!([{"feature": "export"}, {"feature": "exprot"}]), json!([]));
    let message = "Feature \"exprot\" not found: create it with `createFeature`.";
    catalogue.refused(feature, "FEATURE_INVALID", "features", message).await;
    let unit = (json!([]), json!([]), json!([allowance(), with(&allowance(), json!({"unit": "glod"}))]));
    let message = "Credit unit \"glod\" not found: create it with `createCreditUnit`.";
    catalogue.refused(unit, "ALLOWANCE_INVALID", "creditAllowances", message).await;
}

async fn an_update_replaces_every_part(test: &TestApp) {
    let catalogue = Catalogue::make(test).await;
    let (feature, other) = (json!([{"feature": "export"}]), json!([{"feature": "region", "value": "eu"}]));
    let made = catalogue.version(json!([price()]), feature, json!([allowance()])).await["planVersion"].take();
    let update = CREATE.replace("createPlanVersion(", "updatePlanVersion(");
    let update = update.replace("CreatePlanVersionInput", "UpdatePlanVersionInput");
    let input = json!({
        "planVersionId": made["id"], "prices": [with(&price(), json!({"unitAmount": "1"}))], "features": other,
        "creditAllowances": [with(&allowance(), json!({"unit": "silver"}))],
    });
    let changed = test.admin().data(&update, json!({"input": input})).await["updatePlanVersion"].take();
    assert_eq!(changed["userErrors"], json!([]));
    let version = &changed["planVersion"];
    assert_eq!((&version["id"], &version["versionNumber"]), (&made["id"], &json!(1)));
    assert_eq!(version["prices"][0]["amount"]["amount"], "1");
    assert_eq!(
        (&version["features"][0]["feature"]["code"], &version["features"][0]["value"]),
        (&json!("region"), &json!("eu"))
    );
    assert_eq!(version["creditAllowances"][0]["unit"]["code"], "silver");
    // Parts that are left out are removed.
    let input = json!({"planVersionId": made["id"], "prices": []});
    let changed = test.admin().data(&update, json!({"input": input})).await["updatePlanVersion"]["planVersion"].take();
    assert_eq!([&changed["prices"], &changed["features"], &changed["creditAllowances"]], [&json!([]); 3]);
    let query = "query($id: ID!) { node(id: $id) { ... on PlanVersion { prices { id } features { id } } } }";
    let read = test.admin().data(query, json!({"id": made["id"]})).await;
    assert_eq!(read["node"], json!({"prices": [], "features": []}));
}
