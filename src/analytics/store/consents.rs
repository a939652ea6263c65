//! Queries on decisions of users and visitors on being tracked.

use crate::analytics::person::Person;
use crate::analytics::values::ConsentDecision;
use crate::auth::Scope;
use crate::db::{Txn, Visible, columns};
use crate::error::Result;
use chrono::{DateTime, Utc};
use entity::consent_decisions::{ActiveModel, Column, Entity, Model};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, FromQueryResult, QueryResult,
    QuerySelect, Statement,
};
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// The newest decisions of some persons.
#[derive(Debug, Default)]
pub(in crate::analytics) struct Decisions {
    /// By user, or by visitor who is no user.
    newest: HashMap<Person, Decided>,
    /// The users that visitors turned out to be.
    users: HashMap<String, Uuid>,
}

/// A decision that counts for a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::analytics) struct Decided {
    pub(in crate::analytics) at: DateTime<Utc>,
    id: Uuid,
    pub(in crate::analytics) decision: ConsentDecision,
    /// The user or visitor who decided.
    pub(in crate::analytics) by: Person,
}

impl Decisions {
    /// Returns the decision that counts for a person: the newest of the user, and of all visitors who are the user.
    pub(in crate::analytics) fn of(&self, person: &Person) -> Option<&Decided> {
        let user = person.anonymous_id().and_then(|visitor| self.users.get(visitor));
        self.newest.get(&user.map_or_else(|| person.clone(), |user| Person::User(*user)))
    }

    fn add(&mut self, row: &QueryResult) -> Result<()> {
        let (owner, visitor): (Option<Uuid>, Option<String>) =
            (row.try_get("", "owner_id")?, row.try_get("", "anonymous_id")?);
        if let (Some(owner), Some(visitor)) = (owner, &visitor) {
            self.users.insert(visitor.clone(), owner);
        }
        let Some(id) = row.try_get("", "id")? else { return Ok(()) };
        let Some(by) = visitor.map(Person::Visitor).or(owner.map(Person::User)) else { return Ok(()) };
        let person = owner.map_or_else(|| by.clone(), Person::User);
        let (at, decision): (_, String) = (row.try_get("", "decided_at")?, row.try_get("", "decision")?);
        let decided = Decided { at, id, decision: ConsentDecision::parse(&decision)?, by };
        if self.newest.get(&person).is_none_or(|newest| *newest < decided) {
            self.newest.insert(person, decided);
        }
        Ok(())
    }
}

/// Returns the newest decisions of these persons, in two statements: of each user and each visitor the newest alone is read,
/// however many there are.
pub(in crate::analytics) async fn newest(txn: &Txn, persons: &BTreeSet<Person>) -> Result<Decisions> {
    let mut decisions = Decisions::default();
    // Many installations record none, and must not pay for the look-up of each person.
    let any = Entity::visible(Scope::Everything).select_only().column(Column::Id).limit(1);
    if persons.is_empty() || any.into_tuple::<Uuid>().one(txn).await?.is_none() {
        return Ok(decisions);
    }
    let newest = |column: &str| {
        format!(
            "SELECT n.id FROM consent_decisions n WHERE n.{column} = k.{column} \
             ORDER BY n.decided_at DESC, n.id DESC LIMIT 1"
        )
    };
    let backend = txn.get_database_backend();
    let sql = format!(
        "WITH {}, keys AS ({KEYS}) \
         SELECT k.owner_id, k.anonymous_id, d.id, d.decision, d.decided_at FROM keys k \
         LEFT JOIN consent_decisions d ON d.id = CASE WHEN k.anonymous_id IS NULL THEN ({}) ELSE ({}) END \
         WHERE d.id IS NOT NULL OR k.anonymous_id IN (SELECT anonymous_id FROM visitors)",
        named(backend),
        newest("user_id"),
        newest("anonymous_id"),
    );
    for row in txn.query_all_raw(Statement::from_sql_and_values(backend, sql, lists(persons))).await? {
        decisions.add(&row)?;
    }
    Ok(decisions)
}

/// The users and visitors whose decisions count for those in `visitors` and `users`: `owner_id` is the user for whom they
/// count, null for a visitor who is no user.
const KEYS: &str = "SELECT user_id AS owner_id, user_id, CAST(NULL AS text) AS anonymous_id FROM owners \
     UNION ALL SELECT a.user_id, NULL, a.anonymous_id FROM owners o JOIN identity_aliases a ON a.user_id = o.user_id \
     UNION ALL SELECT NULL, NULL, v.anonymous_id FROM visitors v \
     WHERE NOT EXISTS (SELECT 1 FROM identity_aliases a WHERE a.anonymous_id = v.anonymous_id)";

/// Returns the tables of a statement over persons: `visitors` of `$1`, and `owners`, the users of `$2` and those that the
/// visitors are.
fn named(backend: DbBackend) -> String {
    let (visitors, users) = match backend {
        DbBackend::Postgres => (
            "SELECT value AS anonymous_id FROM jsonb_array_elements_text(CAST($1 AS jsonb))",
            "SELECT CAST(value AS uuid) AS user_id FROM jsonb_array_elements_text(CAST($2 AS jsonb))",
        ),
        _ => ("SELECT value AS anonymous_id FROM json_each($1)", "SELECT unhex(value) AS user_id FROM json_each($2)"),
    };
    format!(
        "visitors AS ({visitors}), owners AS ({users} UNION \
         SELECT a.user_id FROM visitors v JOIN identity_aliases a ON a.anonymous_id = v.anonymous_id)"
    )
}

fn lists(persons: &BTreeSet<Person>) -> [sea_orm::Value; 2] {
    let visitors: Vec<&str> = persons.iter().filter_map(Person::anonymous_id).collect();
    let users: Vec<String> = persons.iter().filter_map(|it| Some(it.user_id()?.simple().to_string())).collect();
    [serde_json::json!(visitors).to_string().into(), serde_json::json!(users).to_string().into()]
}

/// Returns the decisions that count for a person, newest first: at most `limit`.
pub(in crate::analytics) async fn history(db: &DatabaseConnection, person: &Person, limit: u32) -> Result<Vec<Model>> {
    let backend = db.get_database_backend();
    let columns = columns::<Entity>();
    let sql = format!(
        "WITH {}, keys AS ({KEYS}) SELECT {columns} FROM consent_decisions \
         WHERE user_id IN (SELECT user_id FROM keys) OR anonymous_id IN (SELECT anonymous_id FROM keys) \
         ORDER BY decided_at DESC, id DESC LIMIT {limit}",
        named(backend),
    );
    let persons = BTreeSet::from([person.clone()]);
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, lists(&persons))).await?;
    rows.iter().map(|row| Ok(Model::from_query_result(row, "")?)).collect()
}

/// Inserts a decision, which is made now.
pub(in crate::analytics) async fn insert(
    txn: &Txn,
    person: &Person,
    decision: ConsentDecision,
    recorded_by: String,
) -> Result<()> {
    let row = ActiveModel {
        id: Set(txn.new_id()),
        user_id: Set(person.user_id()),
        anonymous_id: Set(person.anonymous_id().map(str::to_owned)),
        decision: Set(decision.to_string()),
        decided_at: Set(txn.now().fixed_offset()),
        recorded_by: Set(recorded_by),
    };
    Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}
