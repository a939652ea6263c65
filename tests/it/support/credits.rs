//! Credits in use.

use super::TestApp;
use serde_json::{Value, json};
use tollgate::app::App;
use tollgate::auth::Viewer;
use tollgate::credits::{Note, Request, change_all};

/// Reserves, spends and releases credits of some accounts that have any.
pub(crate) async fn for_some(app: &App) {
    let query = "SELECT b.account_id FROM balances b JOIN credit_units u ON u.id = b.credit_unit_id \
         WHERE u.code = 'credit' AND b.available > 300 ORDER BY b.id LIMIT 6";
    let viewer = Viewer::system("test");
    let included = "UPDATE credit_grants SET subscription_id = (SELECT s.id FROM subscriptions s \
         WHERE s.account_id = credit_grants.account_id ORDER BY s.id LIMIT 1) WHERE source = 'plan'";
    super::sql::execute(app.db.schema(), included).await;
    let mut holds = Vec::new();
    for (number, account_id) in super::sql::ids(app.db.read(), query, []).await.into_iter().enumerate() {
        let note = Note { reason: Some(format!("job {number}")), reference: Some(("job".into(), number.to_string())) };
        let hold = || Request::Hold { account_id, unit: "credit".into(), amount: 40, expires_at: None };
        let requests = ["one", "two"].map(|key| (hold(), note.clone(), format!("{key} {number}")));
        let held = change_all(app, &viewer, requests.iter().cloned().map(Ok).collect()).await.unwrap();
        holds.extend(held.into_iter().filter_map(|held| held.unwrap().hold_id));
    }
    for (number, hold_id) in holds.iter().copied().enumerate().skip(2) {
        let request = match number % 2 {
            0 => Request::Capture { hold_id, amount: Some(15), keep_open: false },
            _ => Request::Release { hold_id },
        };
        let done =
            change_all(app, &viewer, vec![Ok((request, Note::default(), format!("end {number}")))]).await.unwrap();
        let done = done.into_iter().next().unwrap().unwrap().transaction_id.unwrap();
        if number == 4 {
            let request = Request::Reverse { transaction_id: done };
            change_all(app, &viewer, vec![Ok((request, Note::default(), "undo".to_owned()))]).await.unwrap();
        }
    }
}

/// Creates a credit unit.
pub(crate) async fn unit(test: &TestApp, code: &str) {
    let create = "mutation($code: String!) { createCreditUnit(input: {code: $code, name: \"Credits\"}) {
        userErrors { code } } }";
    test.admin().data(create, json!({"code": code})).await;
}

/// The id of a person's account.
pub(crate) async fn account(test: &TestApp, person: &str) -> String {
    let mine = test.user(person).data("{ viewer { account { id } } }", json!({})).await;
    mine["viewer"]["account"]["id"].as_str().unwrap().to_owned()
}

/// Grants credits.
pub(crate) async fn grant(test: &TestApp, account: &str, amount: i64, more: Value) -> Value {
    let mutation = "mutation($input: GrantCreditsInput!) { grantCredits(input: $input) {
        creditGrant { id } available userErrors { code } } }";
    let mut input = json!({"accountId": account, "unit": "credit", "amount": amount,
        "idempotencyKey": test.app.new_id()});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    test.admin().data(mutation, json!({"input": input})).await["grantCredits"].take()
}

/// The numbers of a person's balance: available, held, spent and expired.
pub(crate) async fn balance(test: &TestApp, person: &str) -> [i64; 4] {
    let query = "{ viewer { account { creditBalance(unit: \"credit\") { available held spent expired } } } }";
    let found = test.user(person).data(query, json!({})).await["viewer"]["account"]["creditBalance"].take();
    ["available", "held", "spent", "expired"].map(|field| number(&found[field]))
}

/// A whole number that is written as a text.
pub(crate) fn number(value: &Value) -> i64 {
    value.as_str().unwrap_or("0").parse().unwrap()
}
