//! Queries on e-mail campaigns.

use crate::auth::Scope;
use crate::db::{Between, Listing, Order, Txn, Visible, upsert_all, within};
use crate::error::{Error, Result};
use crate::order;
use entity::email_campaigns::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, IdenStatic, Iterable, QueryFilter, Select};

/// E-mail campaigns, sent last first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct EmailCampaigns {
    /// Time of sending.
    pub sent: Between,
}

impl Listing for EmailCampaigns {
    type Entity = Entity;

    fn filter(&self, rows: Select<Entity>) -> Select<Entity> {
        within(rows, Column::SentAt, &self.sent)
    }

    fn order(&self) -> Order<Entity> {
        order!(email_campaigns, sent_at, SentAt, true)
    }
}

/// Records the figures of a campaign, unless newer ones are known.
pub(super) async fn record(txn: &Txn, row: ActiveModel) -> Result<()> {
    let reported = Column::iter().filter(|column| !matches!(column, Column::Id | Column::Code | Column::CreatedAt));
    let reported = reported.map(|column| format!("{0} = excluded.{0}", column.as_str())).collect::<Vec<_>>().join(", ");
    let unless_newer = format!(
        " ON CONFLICT (code) DO UPDATE SET {reported} WHERE email_campaigns.reported_at <= excluded.reported_at"
    );
    upsert_all::<Entity>(txn, vec![row], &unless_newer).await
}

/// Returns the campaign with this code.
pub(super) async fn campaign(txn: &Txn, code: &str) -> Result<Model> {
    let found = Entity::visible(Scope::Everything).filter(Column::Code.eq(code)).one(txn).await?;
    found.ok_or_else(|| Error::internal(anyhow::anyhow!("A campaign vanished.")))
}
