//! Filters that name one person, object or code.

use crate::support::company::{global_id, local_id};
use crate::support::{Company, both_engines, sql};
use serde_json::json;

both_engines!(filters_that_name_someone_find_them);

async fn filters_that_name_someone_find_them(test: &Company<12>) {
    let admin = test.admin();
    let email: String = sql::column(test.db(), "SELECT email FROM users WHERE email IS NOT NULL", []).await.remove(3);
    let by_email = "query($email: String) { users(filter: {email: $email}) { totalCount nodes { email } } }";
    let found = admin.data(by_email, json!({"email": format!("  {} ", email.to_uppercase())})).await;
    assert_eq!(found["users"], json!({"totalCount": 1, "nodes": [{"email": email}]}));

    let account = sql::ids(test.db(), "SELECT id FROM accounts ORDER BY id LIMIT 1", []).await.remove(0);
    let refer = "UPDATE accounts SET ref_type = 'band', ref_id = '7' WHERE id = $1";
    sql::rows(test.db(), refer, [account.into()]).await;
    let by_reference = "query($id: String!) {
        accounts(filter: {reference: {refType: \"band\", refId: $id}}) { totalCount nodes { id } }
    }";
    let found = admin.data(by_reference, json!({"id": "7"})).await;
    assert_eq!(found["accounts"], json!({"totalCount": 1, "nodes": [{"id": global_id("Account", account)}]}));
    assert_eq!(admin.data(by_reference, json!({"id": "8"})).await["accounts"]["totalCount"], 0);

    let entry = "SELECT entity_id FROM audit_log ORDER BY id LIMIT 1";
    let thing = sql::ids(test.db(), entry, []).await.remove(0);
    let by_entity = "query($id: ID!) { auditLog(filter: {entityId: $id}) { totalCount nodes { entityId } } }";
    let id = global_id("Plan", thing);
    let found = admin.data(by_entity, json!({"id": id})).await["auditLog"].take();
    let all = sql::ids(test.db(), "SELECT id FROM audit_log WHERE entity_id = $1", [thing.into()]).await;
    assert_eq!(found["totalCount"], all.len());
    assert!(found["nodes"].as_array().unwrap().iter().all(|node| local_id(&node["entityId"]) == thing));

    let actor: String =
        sql::column(test.db(), "SELECT actor FROM audit_log ORDER BY id DESC LIMIT 1", []).await.remove(0);
    let by_actor = "query($actor: String) { auditLog(filter: {actor: $actor}) { totalCount } }";
    let found = admin.data(by_actor, json!({"actor": actor})).await["auditLog"]["totalCount"].take();
    let all = sql::ids(test.db(), "SELECT id FROM audit_log WHERE actor = $1", [actor.into()]).await;
    assert_eq!(found, all.len());

    let by_code = "{ coupons(filter: {code: \"NOBODY\"}) { totalCount } }";
    assert_eq!(admin.data(by_code, json!({})).await["coupons"]["totalCount"], 0);
    let code: String = sql::column(test.db(), "SELECT code FROM coupons ORDER BY id LIMIT 1", []).await.remove(0);
    let by_code = "query($code: String) { coupons(filter: {code: $code}) { nodes { code } } }";
    let found = admin.data(by_code, json!({"code": code})).await;
    assert_eq!(found["coupons"]["nodes"], json!([{"code": code}]));
}
