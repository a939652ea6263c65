//! Rows of the catalogue that a caller sees.

use crate::auth::{Permission, Scope};
use crate::db::Visible;
use crate::plans::values::VersionStatus;
use entity::{credit_allowances, credit_units, features, prices, product_features, product_versions, products};
use sea_orm::sea_query::{Expr, Query, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};

/// Callers who write the catalogue see the drafts.
pub(super) const WRITERS: &[Permission] = &[Permission::CatalogueWrite];

/// Selects the parts of published versions, also of those no longer sold: somebody may hold them. Drafts are not
/// public.
pub(super) fn published(scope: Scope, version: impl ColumnTrait) -> SimpleExpr {
    if scope == Scope::Everything {
        return Expr::cust("TRUE");
    }
    let versions = Query::select()
        .column(product_versions::Column::Id)
        .from(product_versions::Entity)
        .and_where(product_versions::Column::Status.ne(VersionStatus::Draft))
        .take();
    version.in_subquery(versions)
}

impl Visible for products::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        if scope == Scope::Everything {
            return Self::find();
        }
        Self::find().filter(
            products::Column::Id.in_subquery(
                Query::select()
                    .column(product_versions::Column::ProductId)
                    .from(product_versions::Entity)
                    .and_where(product_versions::Column::Status.ne(VersionStatus::Draft))
                    .take(),
            ),
        )
    }
}

impl Visible for product_versions::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        let rows = Self::find();
        if scope == Scope::Everything {
            rows
        } else {
            rows.filter(product_versions::Column::Status.ne(VersionStatus::Draft))
        }
    }
}

impl Visible for prices::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(published(scope, prices::Column::ProductVersionId))
    }
}

impl Visible for product_features::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(published(scope, product_features::Column::ProductVersionId))
    }
}

impl Visible for credit_allowances::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(published(scope, credit_allowances::Column::ProductVersionId))
    }
}

impl Visible for features::Entity {
    fn visible(_: Scope) -> Select<Self> {
        Self::find()
    }
}

impl Visible for credit_units::Entity {
    fn visible(_: Scope) -> Select<Self> {
        Self::find()
    }
}
