//! Queries on funnels.

use crate::auth::Scope;
use crate::db::{Listing, Order, Visible};
use crate::error::Result;
use crate::order;
use entity::funnels;
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, Select};

/// Funnels, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Funnels;

impl Listing for Funnels {
    type Entity = funnels::Entity;

    fn filter(&self, rows: Select<funnels::Entity>) -> Select<funnels::Entity> {
        rows
    }

    fn order(&self) -> Order<funnels::Entity> {
        order!(funnels, created_at, CreatedAt, true)
    }
}

/// Returns the funnel with this code.
pub(super) async fn by_code(db: &impl ConnectionTrait, code: &str) -> Result<Option<funnels::Model>> {
    let rows = funnels::Entity::visible(Scope::Everything).filter(funnels::Column::Code.eq(code));
    Ok(rows.one(db).await?)
}
