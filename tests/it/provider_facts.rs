//! The providers' data can be read by admins and by its owners.

use crate::support::{Client, SECRET, TestApp, World, both_engines, local_id, rows, sql};
use entity::*;
use sea_orm::ActiveValue::Set;
use sea_orm::{EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use tollgate::auth::Permission;
use uuid::Uuid;

both_engines!(
    customers_and_subscriptions_are_read_by_their_owner_and_by_admins,
    money_and_discounts_are_read_by_their_owner_and_by_admins,
    prices_at_the_providers_are_read_by_everyone,
    a_price_that_is_not_known_gives_no_plan_and_says_so,
    of_equal_plans_the_newest_subscription_counts_and_without_any_there_is_none,
    an_object_is_found_by_its_external_id,
    the_backlog_of_the_inbox_is_counted,
    events_are_found_by_what_they_are_about,
    members_see_the_metadata_that_a_setting_lists,
);

const FACTS: &str = "query($id: ID!) { account(id: $id) {
    providerCustomers { nodes { provider externalId email fullName delinquent deleted createdAt updatedAt account { id } } }
    subscriptions { nodes {
        externalId customerExternalId scheduleExternalId latestInvoiceExternalId planUnknown status
        currentPeriodStart currentPeriodEnd cancelAt cancelAtPeriodEnd endsAt endedAt canceledAt nextBilledAt metadata
        items {
            itemExternalId priceExternalId quantity currentPeriodStart currentPeriodEnd
            providerPrice { provider externalId productExternalId active packCredits price { id } version { id } }
        }
        scheduledChanges { changeKind effectiveAt plan { id } planVersion { id } price { id } priceExternalId quantity }
    } }
    invoices { nodes {
        externalId customerExternalId paymentExternalId billingReason due { amount currency } attemptCount hostedUrl
    } }
    payments { nodes {
        externalId customerExternalId chargeExternalId providerStatus received { amount currency } refunded { amount }
        disputed failedAttempts fullyRefunded
        refunds { nodes { providerRefundId provider chargeExternalId providerStatus payment { externalId } } }
        disputes { externalId provider chargeExternalId providerStatus payment { externalId } }
    } }
    discountRedemptions { nodes { coupon { originProvider originExternalId timesRedeemed } } }
} }";

/// Everything about Alice's account, which she and an admin read alike, except for the metadata.
async fn facts(test: &TestApp, world: &World) -> Value {
    let id = world.id("Account", "alice");
    let facts = test.admin().data(FACTS, json!({"id": id})).await["account"].take();
    let mut hers = facts.clone();
    assert_eq!(hers["subscriptions"]["nodes"][0]["metadata"].take(), json!({"user_id": "user_1"}));
    assert_eq!(test.user("alice").data(FACTS, json!({"id": id})).await["account"], hers);
    facts
}

async fn customers_and_subscriptions_are_read_by_their_owner_and_by_admins(test: &TestApp) {
    let world = World::make(test).await;
    let mut facts = facts(test, &world).await;
    let id = world.id("Account", "alice");
    let account = local_id(id).1;
    let [subscription, item] = ["Subscription", "SubscriptionItem"].map(|ty| local_id(world.id(ty, "alice")).1);
    let (version, price) = (world.id("PlanVersion", "public"), world.id("Price", "public"));

    let customer = facts["providerCustomers"]["nodes"][0].take();
    let (made, changed) = (customer["createdAt"].clone(), customer["updatedAt"].clone());
    let expected = json!({
        "provider": "STRIPE", "externalId": format!("cus_{account}"), "email": "payer@example.com",
        "fullName": "Pay Er", "delinquent": false, "deleted": false, "createdAt": made, "updatedAt": changed,
        "account": {"id": id},
    });
    assert_eq!(customer, expected);

    let held = facts["subscriptions"]["nodes"][0].take();
    let (start, end) = (held["currentPeriodStart"].clone(), held["currentPeriodEnd"].clone());
    assert!(start.is_string() && end.is_string());
    let expected = json!({
        "externalId": format!("sub_{subscription}"), "customerExternalId": format!("cus_{account}"),
        "scheduleExternalId": format!("sub_sched_{subscription}"),
        "latestInvoiceExternalId": format!("in_{subscription}"), "planUnknown": false, "status": "ACTIVE",
        "currentPeriodStart": start, "currentPeriodEnd": end, "cancelAt": end, "cancelAtPeriodEnd": true,
        "endsAt": end, "endedAt": null, "canceledAt": null, "nextBilledAt": null, "metadata": {"user_id": "user_1"},
        "items": [{
            "itemExternalId": format!("si_{item}"), "priceExternalId": format!("price_{account}"), "quantity": 1,
            "currentPeriodStart": start, "currentPeriodEnd": end,
            "providerPrice": {
                "provider": "STRIPE", "externalId": format!("price_{account}"), "productExternalId": "prod_1",
                "active": true, "packCredits": null, "price": {"id": price}, "version": {"id": version},
            },
        }],
        "scheduledChanges": [{
            "changeKind": "CANCEL", "effectiveAt": end, "plan": null, "planVersion": null, "price": null,
            "priceExternalId": null, "quantity": null,
        }],
    });
    assert_eq!(held, expected);
}

async fn money_and_discounts_are_read_by_their_owner_and_by_admins(test: &TestApp) {
    let world = World::make(test).await;
    let facts = facts(test, &world).await;
    let row = |ty| local_id(world.id(ty, "alice")).1;
    let [account, invoice, payment] = ["Account", "Invoice", "Payment"].map(row);
    let [refund, dispute, coupon] = ["Refund", "Dispute", "Coupon"].map(row);

    let expected = json!([{
        "externalId": format!("in_{invoice}"), "customerExternalId": format!("cus_{account}"),
        "paymentExternalId": format!("pi_{payment}"), "billingReason": "subscription_cycle",
        "due": {"amount": "900", "currency": "USD"}, "attemptCount": 2,
        "hostedUrl": "https://invoices.example.com/1",
    }]);
    assert_eq!(facts["invoices"]["nodes"], expected);

    let of = json!({"externalId": format!("pi_{payment}")});
    let charge = format!("ch_{payment}");
    let expected = json!([{
        "externalId": format!("pi_{payment}"), "customerExternalId": format!("cus_{account}"),
        "chargeExternalId": charge, "providerStatus": "succeeded", "received": {"amount": "900", "currency": "USD"},
        "refunded": {"amount": "100"}, "disputed": true, "failedAttempts": 1, "fullyRefunded": false,
        "refunds": {"nodes": [{
            "providerRefundId": format!("re_{refund}"), "provider": "STRIPE", "chargeExternalId": charge,
            "providerStatus": "succeeded", "payment": of,
        }]},
        "disputes": [{
            "externalId": format!("dp_{dispute}"), "provider": "STRIPE", "chargeExternalId": charge,
            "providerStatus": "under_review", "payment": of,
        }],
    }]);
    assert_eq!(facts["payments"]["nodes"], expected);

    let used = &facts["discountRedemptions"]["nodes"][0]["coupon"];
    let expected = json!({"originProvider": "STRIPE", "originExternalId": format!("co_{coupon}"), "timesRedeemed": 1});
    assert_eq!(*used, expected);
    let codes = "{ coupons { nodes { promoCodes { originProvider originExternalId timesRedeemed } } } }";
    let codes = test.admin().data(codes, json!({})).await["coupons"]["nodes"].take();
    assert!(codes.as_array().unwrap().iter().all(|coupon| coupon["promoCodes"][0]["timesRedeemed"] == 1));

    // Once all of it went back.
    sql::execute(
        test.app.db.schema(),
        "UPDATE payments SET refunded_minor = received_minor, returned_minor = received_minor",
    )
    .await;
    let payments = "{ payments { nodes { fullyRefunded } } }";
    let payments = test.admin().data(payments, json!({})).await["payments"]["nodes"].take();
    assert!(payments.as_array().unwrap().iter().all(|payment| payment["fullyRefunded"] == true));
}

async fn prices_at_the_providers_are_read_by_everyone(test: &TestApp) {
    let world = World::make(test).await;
    let version = world.id("PlanVersion", "public");
    let sold = "query($id: ID!) { node(id: $id) { ... on PlanVersion {
        providerPrices { externalId } prices { providerPrices { externalId version { id } } } } } }";
    let sold = test.anonymous().data(sold, json!({"id": version})).await["node"].take();
    assert_eq!(sold["providerPrices"].as_array().unwrap().len(), 3);
    assert_eq!(sold["prices"][0]["providerPrices"].as_array().unwrap().len(), 3);
}

/// Another subscription like that of `account`, to a version of a plan, made so many seconds later.
async fn another(test: &TestApp, account: Uuid, version: Option<Uuid>, seconds: i64) -> Uuid {
    let db = test.app.db.schema();
    let found = "SELECT * FROM subscriptions WHERE account_id = $1 ORDER BY created_at LIMIT 1";
    let row = sql::rows(db, found, [account.into()]).await.remove(0);
    let first = <subscriptions::Model as sea_orm::FromQueryResult>::from_query_result(&row, "").unwrap();
    let id = test.app.new_id();
    let row = subscriptions::Model {
        id,
        product_version_id: version,
        price_id: None,
        external_id: format!("sub_{id}"),
        created_at: first.created_at + chrono::TimeDelta::seconds(seconds),
        ..first
    };
    subscriptions::Entity::insert(row.into_active_model()).exec_without_returning(db).await.unwrap();
    id
}

const HELD: &str = "{ viewer {
    subscription { externalId plan { code } planUnknown }
    account { subscription { externalId } subscriptions(first: 1) { nodes { externalId status planUnknown plan { id } } } }
} }";

async fn a_price_that_is_not_known_gives_no_plan_and_says_so(test: &TestApp) {
    let world = World::make(test).await;
    let account = local_id(world.id("Account", "eve")).1;
    let known = local_id(world.id("Subscription", "eve")).1;
    let unknown = another(test, account, None, 5).await;
    let eve = test.user("eve");
    let viewer = eve.data(HELD, json!({})).await["viewer"].take();
    let known = format!("sub_{known}");
    assert_eq!(viewer["subscription"], json!({"externalId": known, "plan": {"code": "sold"}, "planUnknown": false}));
    assert_eq!(viewer["account"]["subscription"]["externalId"], known);
    let newest =
        json!([{"externalId": format!("sub_{unknown}"), "status": "ACTIVE", "planUnknown": true, "plan": null}]);
    assert_eq!(viewer["account"]["subscriptions"]["nodes"], newest);

    sql::execute(
        test.app.db.schema(),
        "UPDATE subscriptions SET status = 'canceled' WHERE product_version_id IS NOT NULL",
    )
    .await;
    let viewer = eve.data(HELD, json!({})).await["viewer"].take();
    assert_eq!([&viewer["subscription"], &viewer["account"]["subscription"]], [&Value::Null, &Value::Null]);
    assert_eq!(viewer["account"]["subscriptions"]["nodes"], newest, "it is kept all the same");

    // Nor does the price of an item that nothing is known of.
    let price = "UPDATE subscription_items SET price_external_id = 'price_unknown', price_id = NULL";
    sql::execute(test.app.db.schema(), price).await;
    let items = "query($id: ID!) { subscription(id: $id) { items { priceExternalId providerPrice { id } } } }";
    let items = eve.data(items, json!({"id": world.id("Subscription", "eve")})).await["subscription"]["items"].take();
    assert_eq!(items, json!([{"priceExternalId": "price_unknown", "providerPrice": null}]));
}

async fn of_equal_plans_the_newest_subscription_counts_and_without_any_there_is_none(test: &TestApp) {
    let world = World::make(test).await;
    let account = local_id(world.id("Account", "eve")).1;
    let version = local_id(world.id("PlanVersion", "public")).1;
    let newest = another(test, account, Some(version), 7).await;
    another(test, account, Some(version), -7).await;
    let eve = test.user("eve");
    let viewer = eve.data(HELD, json!({})).await["viewer"].take();
    let newest = format!("sub_{newest}");
    assert_eq!(viewer["subscription"]["externalId"], newest);
    assert_eq!(viewer["account"]["subscription"]["externalId"], newest);

    sql::execute(test.app.db.schema(), "UPDATE subscriptions SET status = 'canceled'").await;
    let viewer = eve.data(HELD, json!({})).await["viewer"].take();
    assert_eq!(viewer["subscription"], Value::Null);
    assert_eq!(viewer["account"]["subscription"], Value::Null);
    let last = &viewer["account"]["subscriptions"]["nodes"][0];
    assert_eq!((&last["externalId"], &last["status"]), (&json!(newest), &json!("CANCELED")));

    // An add-on is no plan, whatever its rank.
    sql::execute(test.app.db.schema(), "UPDATE subscriptions SET status = 'active'").await;
    sql::execute(test.app.db.schema(), "UPDATE products SET kind = 'addon', rank = 99").await;
    assert_eq!(eve.data(HELD, json!({})).await["viewer"]["subscription"], Value::Null);
}

async fn an_object_is_found_by_its_external_id(test: &TestApp) {
    let world = World::make(test).await;
    for (list, ty, prefix) in [
        ("subscriptions", "Subscription", "sub_"),
        ("payments", "Payment", "pi_"),
        ("invoices", "Invoice", "in_"),
        ("refunds", "Refund", "re_"),
        ("providerCustomers", "Account", "cus_"),
    ] {
        let query = format!(
            "query($id: String) {{ {list}(filter: {{externalId: $id}}) {{ totalCount nodes {{ id account {{ id }} }} }} }}"
        );
        let known = format!("{prefix}{}", local_id(world.id(ty, "eve")).1);
        let found = test.admin().data(&query, json!({"id": known})).await[list].take();
        assert_eq!(found["totalCount"], 1, "{list}");
        assert_eq!(found["nodes"][0]["account"]["id"], world.id("Account", "eve"), "{list}");
        assert_eq!(test.user("eve").data(&query, json!({"id": known})).await[list], found, "{list}");
        assert_eq!(test.user("alice").data(&query, json!({"id": known})).await[list]["totalCount"], 0, "{list}");
        assert_eq!(test.admin().data(&query, json!({"id": "none"})).await[list]["totalCount"], 0, "{list}");
    }
}

/// Another event, in a state.
async fn event(test: &TestApp, provider: &str, object_id: &str, state: &str, waits_for: Option<&str>) -> Uuid {
    let id = rows::event(&test.app).await;
    let at = test.app.now().fixed_offset();
    let row = inbox_events::ActiveModel {
        id: Set(id),
        provider: Set(provider.to_owned()),
        object_id: Set(Some(object_id.to_owned())),
        state: Set(state.to_owned()),
        source: Set("fetched".to_owned()),
        note: Set((state == "applied").then(|| "the price is not known".to_owned())),
        waits_for: Set(waits_for.map(str::to_owned)),
        applied_at: Set((state == "applied").then_some(at)),
        ..Default::default()
    };
    inbox_events::Entity::update(row).exec(test.app.db.schema()).await.unwrap();
    id
}

async fn the_backlog_of_the_inbox_is_counted(test: &TestApp) {
    const INBOX: &str = "{ inbox { received failed parked waiting oldestUnappliedAt } }";
    let admin = test.admin();
    let nothing = json!({"received": 0, "failed": 0, "parked": 0, "waiting": 0, "oldestUnappliedAt": null});
    assert_eq!(admin.data(INBOX, json!({})).await["inbox"], nothing);
    for (state, waits_for) in [
        ("parked", None),
        ("applied", None),
        ("ignored", None),
        ("failed", Some("user:user_17")),
        ("received", None),
        ("failed", None),
    ] {
        event(test, "stripe", "sub_1", state, waits_for).await;
        test.advance(chrono::TimeDelta::minutes(1));
    }
    admin.data(INBOX, json!({})).await;
    let before = test.app.db.statements();
    let inbox = admin.data(INBOX, json!({})).await["inbox"].take();
    assert_eq!(test.app.db.statements() - before, 1, "one statement");
    // The one that is older waits for a user.
    let oldest = test.app.now() - chrono::TimeDelta::minutes(2);
    let at = inbox["oldestUnappliedAt"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!(at, oldest);
    let counts = ["received", "failed", "parked", "waiting"].map(|count| inbox[count].as_i64().unwrap());
    assert_eq!(counts, [1; 4]);
}

async fn events_are_found_by_what_they_are_about(test: &TestApp) {
    let one = event(test, "stripe", "sub_1", "failed", Some("user:user_17")).await;
    let two = event(test, "stripe", "sub_1", "applied", None).await;
    let three = event(test, "paddle", "txn_1", "received", None).await;
    let admin = test.admin();
    let known = format!("{{externalId: \"evt_{three}\"}}");
    for (filter, found) in [
        ("{objectId: \"sub_1\"}", vec![one, two]),
        ("{objectId: \"txn_1\"}", vec![three]),
        ("{provider: PADDLE}", vec![three]),
        ("{provider: MANUAL}", vec![]),
        ("{waiting: true}", vec![one]),
        ("{waiting: false}", vec![two, three]),
        ("{objectId: \"sub_1\", state: [APPLIED], provider: STRIPE}", vec![two]),
        (known.as_str(), vec![three]),
    ] {
        let query = format!(
            "{{ webhookEvents(filter: {filter}, orderBy: {{field: RECEIVED_AT, direction: ASC}}) {{
             totalCount nodes {{ id learnedBy waitsFor note payload }} }} }}"
        );
        let events = admin.data(&query, json!({})).await["webhookEvents"].take();
        let nodes = events["nodes"].as_array().unwrap();
        let ids: Vec<_> = nodes.iter().map(|node| local_id(node["id"].as_str().unwrap()).1).collect();
        assert_eq!(ids, found, "{filter}");
        assert_eq!(events["totalCount"], found.len(), "{filter}");
        for node in nodes {
            let waits = if node["id"] == crate::support::global_id("WebhookEvent", one) {
                json!("user:user_17")
            } else {
                Value::Null
            };
            assert_eq!((&node["learnedBy"], &node["waitsFor"]), (&json!("FETCHED"), &waits));
        }
    }
}

async fn members_see_the_metadata_that_a_setting_lists(test: &TestApp) {
    let world = World::make(test).await;
    let query = "query($id: ID!) { account(id: $id) { subscriptions { nodes { metadata } } } }";
    let read = async |client: Client<'_>, label: &str| {
        let mut data = client.data(query, json!({"id": world.id("Account", label)})).await;
        data["account"]["subscriptions"]["nodes"][0]["metadata"].take()
    };
    let whole = json!({"user_id": "user_1"});
    let reader = test.service(&[Permission::BillingRead]);
    assert_eq!((read(test.admin(), "alice").await, read(reader, "shared").await), (whole.clone(), whole.clone()));
    for member in ["alice", "bob"] {
        assert_eq!(read(test.user(member), "shared").await, Value::Null, "{member}");
    }
    for (listed, seen) in [("user_id", whole.clone()), ("note, user_id", whole.clone()), ("note", Value::Null)] {
        let secret = ("TOLLGATE_JWT_HS256_SECRET", SECRET);
        let beside = test.beside(&[secret, ("TOLLGATE_SUBSCRIPTION_METADATA_FIELDS", listed)]).await;
        assert_eq!(read(beside.user("alice"), "alice").await, seen, "{listed}");
        assert_eq!(read(beside.admin(), "alice").await, whole);
    }
}
