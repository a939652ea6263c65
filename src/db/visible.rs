//! The rule that decides which rows a caller sees.

use super::dialect::in_list;
use crate::auth::{Permission, Scope, Viewer};
use crate::error::{Error, Result};
use entity::account_members;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, SimpleExpr, Value};
use sea_orm::{
    ColumnTrait, DatabaseConnection, EntityTrait, Iterable, ModelTrait, PrimaryKeyToColumn, QueryFilter, Select,
};
use std::collections::HashMap;
use uuid::Uuid;

/// A table whose rows have an owner. Lists, filters, counts, sums, `node` and loaders all start from
/// [`visible`](Visible::visible).
pub trait Visible: EntityTrait {
    /// The permission needed to see any row of this table; `None` if ownership alone decides.
    const GUARD: Option<Permission> = None;
    /// The permissions that each open every row of this table, whatever the scope.
    const OPEN_TO: &'static [Permission] = &[];

    /// Returns the rows that `scope` may see.
    fn visible(scope: Scope) -> Select<Self>;
}

/// Returns the rows of `E` that `viewer` may see; an error if a permission is missing.
pub fn rows_for<E: Visible>(viewer: &Viewer) -> Result<Select<E>> {
    Ok(E::visible(scope_for::<E>(viewer)?))
}

/// Returns the scope in which `viewer` sees rows of `E`; an error if a permission is missing.
pub fn scope_for<E: Visible>(viewer: &Viewer) -> Result<Scope> {
    if let Some(permission) = E::GUARD {
        viewer.require(permission)?;
    }
    let open = E::OPEN_TO.iter().any(|permission| viewer.permissions().contains(*permission));
    Ok(if open { Scope::Everything } else { viewer.scope() })
}

/// Returns the condition that `column` is an account that `scope` may see.
pub fn in_accounts_of(scope: Scope, column: impl ColumnTrait) -> SimpleExpr {
    match scope {
        Scope::Everything => Expr::cust("TRUE"),
        Scope::User(user_id) => column.in_subquery(accounts_of(Expr::value(user_id))),
        Scope::Public => Expr::cust("FALSE"),
    }
}

/// Returns the accounts that a user is a member of now. `user` is a value, or a column of an outer query.
pub fn accounts_of(user: impl Into<Expr>) -> SelectStatement {
    use account_members::{Column, Entity};
    Query::select()
        .column((Entity, Column::AccountId))
        .from(Entity)
        .and_where(Column::UserId.into_expr().eq(user))
        .and_where(Column::LeftAt.is_null())
        .take()
}

/// Returns the condition that a mirrored row has the id `external_id` at any provider, so that the index over both
/// columns is used.
pub fn has_external_id(provider: impl ColumnTrait, id: impl ColumnTrait, external_id: &str) -> SimpleExpr {
    provider.is_in(["stripe", "paddle", "manual"]).and(id.eq(external_id))
}

/// Returns a condition that is true for [`Scope::Everything`] alone, for tables that no single account owns.
pub fn unrestricted_only(scope: Scope) -> SimpleExpr {
    match scope {
        Scope::Everything => Expr::cust("TRUE"),
        Scope::User(_) | Scope::Public => Expr::cust("FALSE"),
    }
}

/// Returns the rows of `E` with these ids that `viewer` may see, keyed by id, in one statement. A caller without the
/// permission that guards the table sees none: a row behind a field is then null, as any other row they may not see.
pub async fn by_ids<E: Visible>(
    db: &DatabaseConnection,
    viewer: &Viewer,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, E::Model>> {
    if E::GUARD.is_some_and(|permission| !viewer.permissions().contains(permission)) {
        return Ok(HashMap::new());
    }
    let id = E::PrimaryKey::iter().next().expect("every table has a primary key").into_column();
    let rows = rows_for::<E>(viewer)?.filter(in_list(db, Expr::col((E::default(), id)), ids)).all(db).await?;
    let keyed = |row: E::Model| match row.get(id) {
        Value::Uuid(Some(id)) => Ok((id, row)),
        _ => Err(Error::internal(anyhow::anyhow!("the primary key of every table is a UUID"))),
    };
    rows.into_iter().map(keyed).collect()
}
