//! Apollo Federation: the schema of the subgraph, and the look-up of entities by their references.

use crate::support::{Company, TestApp, World, both_engines, global_id, sql};
use apollo_compiler::Schema;
use apollo_compiler::ast::{Definition, Document};
use serde_json::{Value, json};
use std::process::Command;
use tollgate::graphql;
use uuid::Uuid;

both_engines!(
    an_entity_is_visible_to_those_who_see_the_node,
    entities_keep_their_order_with_null_for_the_unknown,
    a_faulty_representation_is_an_error_at_its_place,
    entities_of_three_types_take_three_statements,
    no_more_entities_are_looked_up_than_the_limit,
    the_subgraph_is_shown_to_those_who_may_use_introspection,
    clients_do_not_see_the_roots_for_gateways,
);

const ENTITIES: &str = "query($of: [_Any!]!) { _entities(representations: $of) { __typename ... on Node { id } } }";
const NODES: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";

/// The directives that a composer knows by itself.
const DIRECTIVES: &str = "directive @key(fields: String!) repeatable on OBJECT directive @shareable on OBJECT
    directive @link(url: String!, import: [String]) repeatable on SCHEMA ";

/// The types that implement `Node` in the committed schema.
fn node_types() -> Vec<String> {
    let schema = Document::parse(include_str!("../../schema.graphql"), "schema.graphql").unwrap();
    let objects = schema.definitions.iter().filter_map(|definition| match definition {
        Definition::ObjectTypeDefinition(object) => Some(object),
        _ => None,
    });
    let nodes = objects.filter(|object| object.implements_interfaces.iter().any(|interface| *interface == "Node"));
    nodes.map(|object| object.name.to_string()).collect()
}

fn representation(type_name: &str, id: &str) -> Value {
    json!({"__typename": type_name, "id": id})
}

async fn an_entity_is_visible_to_those_who_see_the_node(test: &TestApp) {
    let world = World::make(test).await;
    let mut shown = 0;
    for (name, client) in [
        ("anonymous", test.anonymous()),
        ("eve", test.user("eve")),
        ("alice", test.user("alice")),
        ("a service without scopes", test.service(&[])),
        ("admin", test.admin()),
    ] {
        for type_name in node_types() {
            let ids = world.ids(&type_name);
            let of: Vec<Value> = ids.iter().map(|id| representation(&type_name, id)).collect();
            let nodes = client.data(NODES, json!({"ids": ids})).await["nodes"].take();
            let entities = client.data(ENTITIES, json!({"of": of})).await["_entities"].take();
            assert_eq!(entities, nodes, "{name}: {type_name}");
            shown += entities.as_array().unwrap().iter().filter(|entity| !entity.is_null()).count();
        }
    }
    assert!(shown > 50, "only {shown} entities were visible");
}

async fn entities_keep_their_order_with_null_for_the_unknown(test: &TestApp) {
    let world = World::make(test).await;
    let (alice, shared) = (world.id("User", "user alice"), world.id("Payment", "shared"));
    let of = json!([
        representation("Payment", shared),
        representation("User", alice),
        representation("User", &global_id("User", Uuid::nil())),
        // The id of another type.
        representation("User", shared),
        representation("User", "not an id"),
        representation("User", ""),
        representation("Payment", shared),
        // A gateway may send more than the key.
        {"__typename": "User", "id": alice, "email": "forged@example.com"},
    ]);
    let query = "query($of: [_Any!]!) { _entities(representations: $of) {
        __typename ... on User { id email } ... on Payment { id account { id } } } }";
    let data = test.admin().data(query, json!({"of": of})).await;
    let user = json!({"__typename": "User", "id": alice, "email": "alice@example.com"});
    let payment = json!({"__typename": "Payment", "id": shared, "account": {"id": global_id("Account", world.shared)}});
    assert_eq!(data["_entities"], json!([payment, user, null, null, null, null, payment, user]));
    // Literals are read like variables.
    let literal = format!(
        "{{ _entities(representations: [{{__typename: \"User\", id: \"{alice}\"}}]) {{ ... on User {{ email }} }} }}"
    );
    let data = test.admin().data(&literal, json!({})).await;
    assert_eq!(data["_entities"], json!([{"email": "alice@example.com"}]));
    assert_eq!(test.admin().data(ENTITIES, json!({"of": []})).await["_entities"], json!([]));
}

async fn a_faulty_representation_is_an_error_at_its_place(test: &TestApp) {
    let world = World::make(test).await;
    let good = representation("User", world.id("User", "user alice"));
    for faulty in [
        json!({"__typename": "Zork", "id": "1"}),
        // A type of the schema that is no entity.
        json!({"__typename": "Money", "id": "1"}),
        json!({"__typename": "Query", "id": "1"}),
        json!({"__typename": "User"}),
        json!({"id": "1"}),
        json!({"__typename": "User", "id": 1}),
        json!({"__typename": "User", "id": null}),
        json!({"__typename": ["User"], "id": "1"}),
        json!({}),
        json!([]),
        json!("User"),
        json!(1),
    ] {
        let reply = test.admin().post(ENTITIES, json!({"of": [good, faulty, good]})).await.json();
        let found = reply["data"]["_entities"].as_array().unwrap();
        assert_eq!(found.iter().map(Value::is_null).collect::<Vec<_>>(), [false, true, false], "{faulty}");
        let errors = reply["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{faulty}: {errors:?}");
        assert_eq!(errors[0]["extensions"]["code"], "BAD_USER_INPUT", "{faulty}");
        assert_eq!(errors[0]["path"], json!(["_entities", 1]), "{faulty}");
    }
    for variables in [json!({}), json!({"of": null}), json!({"of": [null]})] {
        assert_eq!(test.admin().code(ENTITIES, variables).await, "BAD_USER_INPUT");
    }
}

async fn entities_of_three_types_take_three_statements(test: &Company<12>) {
    let admin = test.admin();
    admin.data("{ viewer { role } }", json!({})).await;
    let mut of = Vec::new();
    for (name, table) in [("User", "users"), ("Payment", "payments"), ("Plan", "products")] {
        let rows = sql::ids(test.db(), &format!("SELECT id FROM {table} ORDER BY id LIMIT 4"), []).await;
        of.extend(rows.into_iter().map(|id| representation(name, &global_id(name, id))));
    }
    of.extend(of.clone());
    of.sort_by_key(|it| it["id"].to_string());
    let before = test.app.db.statements();
    let data = admin.data(ENTITIES, json!({"of": of})).await;
    assert_eq!(test.app.db.statements() - before, 3);
    assert_eq!(data["_entities"].as_array().unwrap().len(), 24);
    for (entity, wanted) in data["_entities"].as_array().unwrap().iter().zip(&of) {
        assert_eq!(entity, wanted);
    }
}

async fn no_more_entities_are_looked_up_than_the_limit(test: &TestApp) {
    let of = |count: usize| json!({"of": vec![representation("User", &global_id("User", Uuid::nil())); count]});
    let data = test.admin().data(ENTITIES, of(1_000)).await;
    assert_eq!(data["_entities"].as_array().unwrap().len(), 1_000);
    assert_eq!(test.admin().code(ENTITIES, of(1_001)).await, "BAD_USER_INPUT");
    // The limit counts representations, whoever they name.
    assert_eq!(test.anonymous().code(ENTITIES, of(1_001)).await, "BAD_USER_INPUT");
}

async fn the_subgraph_is_shown_to_those_who_may_use_introspection(test: &TestApp) {
    const SDL: &str = "{ _service { sdl } }";
    let sdl = test.anonymous().data(SDL, json!({})).await["_service"]["sdl"].take();
    let sdl = sdl.as_str().unwrap();
    assert_eq!(sdl, graphql::subgraph_sdl().unwrap());
    let schema = Schema::parse_and_validate(format!("{DIRECTIVES}{sdl}"), "subgraph.graphql").unwrap();
    let mut entities = Vec::new();
    for (name, ty) in &schema.types {
        assert!(!name.starts_with('_') || ty.is_built_in(), "{name}");
        let Some(object) = ty.as_object() else { continue };
        let is_node = object.implements_interfaces.iter().any(|interface| interface.as_str() == "Node");
        let keys: Vec<_> = object.directives.get_all("key").map(|key| key.to_string()).collect();
        let expected: &[&str] = if is_node { &["@key(fields: \"id\")"] } else { &[] };
        assert_eq!(keys, expected, "{name}");
        assert_eq!(object.directives.has("shareable"), name == "PageInfo", "{name}");
        assert!(!object.fields.keys().any(|field| field.starts_with('_')), "{name}");
        if is_node {
            entities.push(name.to_string());
        }
    }
    // The name of a root in a supergraph, so no type of a subgraph may have it.
    assert!(!schema.types.contains_key("Subscription"));
    assert!(!schema.types.contains_key("SubscriptionConnection"));
    assert_eq!(schema.schema_definition.subscription, None);
    let mut expected = node_types();
    expected.retain(|name| name != "Subscription");
    entities.sort();
    expected.sort();
    assert_eq!(entities, expected);
    assert!(sdl.contains("https://specs.apollo.dev/federation/v2."), "{sdl}");

    let settings = [("TOLLGATE_JWT_HS256_SECRET", crate::support::SECRET), ("TOLLGATE_INTROSPECTION", "authenticated")];
    let closed = test.beside(&settings).await;
    assert_eq!(closed.anonymous().code(SDL, json!({})).await, "FORBIDDEN");
    closed.user("alice").data(SDL, json!({})).await;
    // Entities follow the access rules of rows instead.
    closed.anonymous().data(ENTITIES, json!({"of": []})).await;
}

async fn clients_do_not_see_the_roots_for_gateways(test: &TestApp) {
    let query = "{ __schema { types { name } queryType { fields { name } } } _any: __type(name: \"_Any\") { name } }";
    let data = test.admin().data(query, json!({})).await;
    let named = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    let hidden = |name: &String| name.starts_with('_') && !name.starts_with("__");
    assert!(!named(&data["__schema"]["types"]).iter().any(hidden), "{data}");
    assert!(!named(&data["__schema"]["queryType"]["fields"]).iter().any(hidden), "{data}");
    assert_eq!(data["_any"], Value::Null);
    let request = axum::http::Request::get("/schema.graphql").body(axum::body::Body::empty()).unwrap();
    assert_eq!(test.send(request).await.body, include_str!("../../schema.graphql"));
}

#[test]
fn the_subgraph_is_printed_by_the_command_line() {
    let output = Command::new(env!("CARGO_BIN_EXE_tollgate")).args(["schema", "--federation"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), graphql::subgraph_sdl().unwrap());
}
